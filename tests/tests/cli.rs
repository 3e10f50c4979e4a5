//! The program as a command line: what its exit codes say, and what it does by itself: probe a BMC,
//! back up and restore. As a host's agent see `remote.rs`.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use lab::{
    api::Api,
    bmc::{self, BmcSimulator},
    dir::free_udp_port,
    opshawk::{self, Opshawk, Settings, client, run_cli},
};
use serde_json::{Value, json};

/// Runs it to its end, with this on its standard input.
fn finished(mut command: std::process::Command, stdin: &str) -> Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().context("it was asked for")?;
    // It may end without having read.
    let _ = input.write_all(stdin.as_bytes());
    drop(input);
    Ok(child.wait_with_output()?)
}

/// `opshawk ARGS` as this caller; its standard output. It must end with this code, and say why in
/// one line if it isn't 0.
fn ends(api: &Api, arguments: &[&str], code: i32) -> Result<String> {
    let mut command = client(api)?;
    command.args(arguments);
    let output = finished(command, "")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(code), "{arguments:?}, not {code}: {output:?}");
    if code != 0 {
        ensure!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
        println!("{code}: opshawk {}: {}", arguments.join(" "), error.trim_end());
    }
    // Usage errors are clap's, with the usage below.
    ensure!([0, 2].contains(&code) || error.trim_end().lines().count() == 1, "{error}");
    Ok(String::from_utf8(output.stdout)?)
}

#[tokio::test]
async fn the_exit_code_says_what_went_wrong() -> Result<()> {
    let mut server = Opshawk::start(&Settings::default()).await?;
    let operator = server.operator()?;
    ensure!(ends(&operator, &["whoami"], 0)?.contains("operator"));
    ends(&operator, &["tenant", "create", "acme"], 0)?;
    let tenants: Value =
        serde_json::from_str(&ends(&operator, &["tenant", "list", "-o", "json"], 0)?)?;
    ensure!(tenants.to_string().contains("acme"), "{tenants}");
    ends(
        &operator,
        &["flavor", "create", "small", "--vcpus=1", "--memory-mib=160", "--disk-gib=1"],
        0,
    )?;

    ends(&operator, &["frobnicate"], 2)?;
    ends(&operator, &["tenant", "topup", "acme", "much"], 2)?;
    ends(&operator, &["instance", "show", "nobody"], 3)?;
    ends(&Api::new(&server.url(), Some("wrong")), &["host", "list"], 4)?;
    // A member may not do what operators do.
    let member = ends(&operator, &["token", "create", "--tenant", "acme"], 0)?;
    let member = operator.with_token(member.trim());
    ends(&member, &["tenant", "topup", "acme", "1"], 4)?;
    ends(&operator, &["tenant", "create", "acme"], 5)?;

    server.stop().await?;
    ends(&operator, &["host", "list"], 1)?;
    Ok(())
}

/// `opshawk bmc probe`; no server, the password on standard input.
fn probe(address: &str, password: &str, more: &[&str]) -> Result<Output> {
    let mut command = opshawk::command()?;
    command.args(["bmc", "probe", address, "--user", bmc::USER, "--password-stdin"]).args(more);
    finished(command, &format!("{password}\n"))
}

#[tokio::test]
async fn a_probe_shows_device_power_sensors_and_cipher_suite() -> Result<()> {
    let simulator = BmcSimulator::start().await?;
    let output = probe(&simulator.address(), bmc::PASSWORD, &[])?;
    ensure!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout)?;
    println!("{text}");
    for words in ["POWER", "off", "CIPHER SUITE", "IPMI VERSION", "2.0"] {
        ensure!(text.contains(words), "'{words}' is not in:\n{text}");
    }
    for name in BmcSimulator::sensor_names() {
        ensure!(text.contains(name), "'{name}' is not in:\n{text}");
    }

    let output = probe(&simulator.address(), bmc::PASSWORD, &["-o", "json"])?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(report["session"]["cipher_suite"] == 3 && report["power"] == "off", "{report}");
    let sensors = report["sensors"].as_array().context("a report has sensors")?;
    for (name, value) in BmcSimulator::readings() {
        let sensor = sensors.iter().find(|sensor| sensor["name"] == name);
        let read = sensor.and_then(|sensor| sensor["value"].as_f64()).unwrap_or(f64::NAN);
        ensure!((read - value).abs() < 1e-9, "{name} reads {read} instead of {value}");
    }

    let wrong = probe(&simulator.address(), "wrong", &[])?;
    ensure!(wrong.status.code() == Some(4), "{wrong:?}");
    let silent = probe(&format!("127.0.0.1:{}", free_udp_port()?), bmc::PASSWORD, &[])?;
    ensure!(silent.status.code() == Some(6), "{silent:?}");
    for output in [wrong, silent] {
        let line = String::from_utf8(output.stderr)?;
        ensure!(line.trim_end().lines().count() == 1 && !line.contains(bmc::PASSWORD), "{line}");
        println!("{}", line.trim_end());
    }
    Ok(())
}

/// Of a server that is stopped, on the machine itself; of one that runs, see `backup.rs`.
#[tokio::test]
async fn a_backup_goes_round_by_the_command_line() -> Result<()> {
    let mut server = Opshawk::start(&Settings::default()).await?;
    let operator = server.operator()?;
    ends(&operator, &["tenant", "create", "acme"], 0)?;
    ends(&operator, &["tenant", "topup", "acme", "12.345678", "--memo", "bank transfer"], 0)?;
    let before = seen(&operator).await?;

    let file = server.dir().join("backup.tar").display().to_string();
    let (data, config) = (server.data_dir(), server.config().display().to_string());
    let running = run_cli(&["backup", &file, "--config", &config]).err();
    let refusal = running.context("a directory in use was backed up behind its server")?;
    ensure!(refusal.to_string().contains("another opshawk uses"), "{refusal}");
    ensure!(!std::fs::exists(&file)?, "a refused backup left a file");

    ensure!(server.stop().await?.success());
    run_cli(&["backup", &file, "--config", &config])?;
    let there = run_cli(&["backup", &file, "--config", &config]).err();
    ensure!(there.is_some(), "a backup was overwritten");
    let data_text = data.display().to_string();
    let full = run_cli(&["restore", &file, "--data-dir", &data_text]).err();
    ensure!(full.is_some(), "a data directory in use was restored into");

    std::fs::remove_dir_all(&data)?;
    println!("{}", run_cli(&["restore", &file, "--data-dir", &data_text])?);
    server.start_again().await?;
    let after = seen(&operator).await?;
    ensure!(before == after, "before {before}\nafter  {after}");
    Ok(())
}

/// With a token of before.
async fn seen(operator: &Api) -> Result<Value> {
    let tenants = operator.list("/v1/tenants").await?;
    let id = tenants[0]["id"].as_str().context("a tenant has an id")?;
    let balance = operator.get(&format!("/v1/tenants/{id}/balance")).await?;
    Ok(json!({
        "me": operator.get("/v1/me").await?, "id": id, "name": tenants[0]["name"],
        "posted": balance["posted"], "balance": balance["balance"],
    }))
}
