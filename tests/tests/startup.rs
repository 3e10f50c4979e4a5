//! Starting: with nothing but a directory and an address; and what keeps it from starting, which
//! is one line and exit code 1, with nothing half-made.

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lab::{
    api::Api,
    dir::{LabDir, free_port},
    opshawk::{self, Opshawk, Settings},
    postgres::Postgres,
    process::{Process, run},
    wait::{self, Seen},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(60);

/// `opshawk server ARGS`, which must end by itself.
fn refused(arguments: &[&str]) -> Result<Output> {
    let mut command = opshawk::command()?;
    command.arg("server").args(arguments).stdin(Stdio::null());
    Ok(Command::new("timeout")
        .arg("30")
        .arg(command.get_program())
        .args(command.get_args())
        .output()?)
}

/// One line on standard error that has these words, and exit code 1.
fn one_line(output: &Output, words: &[&str]) -> Result<()> {
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{output:?}");
    ensure!(error.trim_end().lines().count() == 1, "not one line:\n{error}");
    for word in words {
        ensure!(error.contains(word), "'{word}' is not in: {error}");
    }
    println!("{}", error.trim_end());
    Ok(())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_port_in_use_is_named() -> Result<()> {
    let dir = LabDir::new("start")?;
    let data = dir.join("data");
    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let address = taken.local_addr()?.to_string();
    let output = refused(&["--data-dir", &text(&data), "--listen", &address])?;
    one_line(&output, &[&address, "--listen"])?;
    ensure!(!data.exists(), "a data directory was made");
    Ok(())
}

#[test]
fn a_database_that_can_t_be_opened_is_named() -> Result<()> {
    let dir = LabDir::new("start")?;
    let listen = format!("127.0.0.1:{}", free_port()?);
    let start = |data: &Path| refused(&["--data-dir", &text(data), "--listen", &listen]);

    // No database at all.
    let data = dir.join("garbage");
    dir.write("garbage/opshawk.db", &"this is not a database\n".repeat(100))?;
    one_line(&start(&data)?, &["opshawk.db"])?;
    // Where no directory can be.
    dir.write("file", "")?;
    one_line(&start(&dir.join("file/data"))?, &[&text(&dir.join("file"))])?;
    // A PostgreSQL that does not answer; its password stays out of the line.
    let closed = free_port()?;
    let config = dir.write(
        "opshawk.toml",
        &format!(
            "listen = \"{listen}\"\ndata_dir = \"{}\"\n\
             database = \"postgres://opshawk:secret-word@127.0.0.1:{closed}/opshawk\"\n",
            text(&dir.join("data"))
        ),
    )?;
    let output = refused(&["--config", &text(&config)])?;
    one_line(&output, &[&closed.to_string()])?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!error.contains("secret-word"), "the password is shown: {error}");
    Ok(())
}

/// Two would write over each other: the second leaves, and the first does not notice.
#[tokio::test]
async fn a_second_server_on_a_directory_is_refused() -> Result<()> {
    let mut server = Opshawk::start(&Settings::default()).await?;
    let data = text(&server.data_dir());
    let listen = format!("127.0.0.1:{}", free_port()?);
    let output = refused(&["--data-dir", &data, "--listen", &listen])?;
    one_line(&output, &[&data, "another opshawk", "stop it"])?;
    server.check()?;
    ensure!(server.operator()?.get("/v1/me").await?["role"] == "operator");
    Ok(())
}

/// Pretends that a later release has migrated.
const LATER: &str = "INSERT INTO _sqlx_migrations \
    (version, description, success, checksum, execution_time) \
    VALUES (999999, 'of a later release', true, '', 0)";

#[tokio::test]
async fn a_newer_schema_is_refused_on_either_database() -> Result<()> {
    let postgres = Postgres::start().await?;
    for database in [None, Some(postgres.database("opshawk")?)] {
        let settings = Settings { database: database.clone(), ..Settings::default() };
        let mut server = Opshawk::start(&settings).await?;
        ensure!(server.stop().await?.success());
        match &database {
            Some(url) => run(Command::new("psql").arg(url).args(["-qXc", LATER]))?,
            None => {
                let script = "import sqlite3, sys\n\
                              db = sqlite3.connect(sys.argv[1])\n\
                              db.execute(sys.argv[2])\ndb.commit()";
                let file = server.data_dir().join("opshawk.db");
                run(Command::new("/usr/bin/python3").args(["-c", script]).arg(file).arg(LATER))?
            }
        };
        let output = refused(&["--config", &text(server.config())])?;
        one_line(&output, &["newer"])?;
        // The command line opens the same database.
        let token = opshawk::run_cli(&["token", "create", "--config", &text(server.config())]);
        let error = token.err().context("a token was made in a newer database")?.to_string();
        ensure!(error.contains("newer"), "{error}");
    }
    Ok(())
}

#[test]
fn a_broken_configuration_is_named_by_file_and_key() -> Result<()> {
    let dir = LabDir::new("start")?;
    let data = dir.join("data");
    for (name, more, words) in [
        ("syntax.toml", "listen = \n", &["syntax.toml"][..]),
        ("unknown.toml", "[billing]\ngrace = 1\n", &["unknown.toml", "grace"]),
        (
            "kind.toml",
            "[bmc]\ncollect_interval_s = \"soon\"\n",
            &["kind.toml", "collect_interval_s"],
        ),
        ("value.toml", "[billing]\ntimezone = \"Mars\"\n", &["billing.timezone", "Mars"]),
        ("open.toml", "listen = \"0.0.0.0:0\"\n", &["listen", "--insecure"]),
    ] {
        let config = dir.write(name, &format!("data_dir = \"{}\"\n{more}", text(&data)))?;
        let output = refused(&["--config", &text(&config)])?;
        one_line(&output, words).with_context(|| name.to_owned())?;
    }
    let output = refused(&["--config", &text(&dir.join("missing.toml"))])?;
    one_line(&output, &["missing.toml"])?;
    ensure!(!data.exists(), "a data directory was made");
    Ok(())
}

/// The main job of a real user: a directory and an address, no configuration.
#[tokio::test]
async fn a_directory_and_an_address_are_enough() -> Result<()> {
    let dir = LabDir::new("start")?;
    let data = text(&dir.join("data"));
    let address = format!("127.0.0.1:{}", free_port()?);
    let url = format!("http://{address}");
    let mut command = opshawk::command()?;
    command.args(["server", "--data-dir", &data, "--listen", &address]);
    let mut server = Process::start("opshawk server", command, &dir.join("out"))?;
    let nobody = Api::new(&url, None);
    server
        .ready(LIMIT, || async {
            nobody.ask(Method::GET, "/readyz", None).await.is_ok_and(|a| a.status.is_success())
        })
        .await?;

    let setup = format!("{url}/setup?token=");
    let token = wait::eventually("the one-time link", LIMIT, || async {
        let printed = server.log();
        let link = printed.split_whitespace().find_map(|word| word.strip_prefix(&setup));
        Ok(match link {
            Some(token) => Seen::Yes(token.to_owned()),
            None => Seen::NotYet(printed),
        })
    })
    .await?;
    let setup = json!({"token": token, "password": "a long enough password"});
    let answer = nobody.ask(Method::POST, "/v1/setup", Some(&setup)).await?;
    ensure!(answer.status.is_success() && answer.json()["role"] == "operator", "{answer:?}");
    let again = nobody.ask(Method::POST, "/v1/setup", Some(&setup)).await?;
    ensure!(again.status.is_client_error(), "the link works twice: {again:?}");

    let token = opshawk::run_cli(&["token", "create", "--data-dir", &data])?;
    let operator = nobody.with_token(token.trim());
    ensure!(operator.get("/v1/me").await?["role"] == "operator");
    let page = nobody.ask(Method::GET, "/", None).await?;
    ensure!(page.content_type.starts_with("text/html"), "{page:?}");
    // `/metrics` and the API want to know who asks.
    let answer = nobody.ask(Method::GET, "/metrics", None).await?;
    ensure!(answer.status == StatusCode::UNAUTHORIZED, "{answer:?}");
    let ended = server.terminate(LIMIT).await?;
    ensure!(ended.success(), "after SIGTERM: {ended}");
    Ok(())
}

/// Neither a libvirt nor a BMC that does not answer keeps it from starting.
#[tokio::test]
async fn what_does_not_answer_is_unknown_with_a_remedy() -> Result<()> {
    let nowhere = LabDir::new("nowhere")?;
    let uri = format!("qemu+unix:///system?socket={}", text(&nowhere.join("sock")));
    let settings = Settings { libvirt_uri: Some(uri), ..Settings::default() };
    let server = Opshawk::start(&settings).await?;
    let operator = server.operator()?;
    let bmc = json!({
        "name": "metal-1", "bmc_address": format!("127.0.0.1:{}", lab::dir::free_udp_port()?),
        "bmc_user": "admin", "bmc_password": "secret",
    });
    operator.post("/v1/servers", &bmc).await?;
    for (path, state) in [("/v1/hosts", "status"), ("/v1/servers", "power")] {
        let item = wait::eventually(path, LIMIT, || async {
            let items = operator.list(path).await?;
            Ok(match items.iter().find(|item| item["reason"].is_string()) {
                Some(item) => Seen::Yes(item.clone()),
                None => Seen::NotYet(format!("{items:?}")),
            })
        })
        .await?;
        ensure!(item[state] == "unknown" && item["remedy"].is_string(), "{item}");
        println!("{path}: {} ({})", item["reason"], item["remedy"]);
    }
    Ok(())
}
