//! A whole Debian guest, from a bootable disk to a login: the user's image, address, SSH key, host
//! name and user data, as cloud-init takes them.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use lab::{
    api::Api,
    debian::{self, DebianImage},
    dir::LabDir,
    host::LibvirtHost,
    opshawk::{Opshawk, Settings},
    process::run,
    story::text,
    wait::{self, Seen},
};
use serde_json::{Value, json};

/// Without KVM and beside another test, Debian needs minutes.
const BOOT_LIMIT: Duration = Duration::from_secs(360);
const LIMIT: Duration = Duration::from_secs(60);
const NAME: &str = "Whole Debian 1";
/// What becomes of the name.
const HOST_NAME: &str = "whole-debian-1";
const USER_DATA: &str = "#cloud-config\nwrite_files:\n- {path: /run/proof, content: user data}\n";

#[tokio::test]
async fn a_whole_debian_boots_from_its_disk_and_takes_its_user_s_key() -> Result<()> {
    let began = Instant::now();
    let say = |what: &str| println!("{:6.1} s  {what}", began.elapsed().as_secs_f64());
    let image = DebianImage::build()?;
    say("the image is made");
    let host = LibvirtHost::start("host-a").await?;
    let settings = Settings { libvirt_uri: Some(host.uri()), ..Settings::default() };
    let server = Opshawk::start(&settings).await?;
    let operator = server.operator()?;
    wait::until("a host that is ok", LIMIT, || async {
        Ok(operator.list("/v1/hosts").await?.iter().any(|host| host["status"] == "ok"))
    })
    .await?;
    let (flavor, image) = offer(&operator, &image).await?;
    say("the image is uploaded");
    let member = tenant(&operator, &flavor).await?;

    let keys = LabDir::new("keys")?;
    for name in ["own", "foreign"] {
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "ann@acme.example", "-f", name])
            .current_dir(keys.path()))?;
    }
    let own = keys.join("own");
    let body = json!({
        "name": NAME, "flavor_id": flavor, "image_id": image, "user_data": USER_DATA,
        "ssh_key": std::fs::read_to_string(keys.join("own.pub"))?,
    });
    let operation = member.post("/v1/instances", &body).await?;
    let id = text(&operation, "target_id")?;
    let address = address(&member, id).await.with_context(|| seen(&server))?;
    say(&format!("its address is {address}"));

    let ping = |address: &str| run(host.inside("ping").args(["-c", "1", "-W", "1", address]));
    wait::until("its answer to a ping", BOOT_LIMIT, || async { Ok(ping(&address).is_ok()) })
        .await?;
    say("it answers a ping");
    let login = |key: &std::path::Path, command: &str| ssh(&host, key, &address, command);
    let name = wait::eventually("a login", BOOT_LIMIT, || async {
        Ok(Seen::Yes(login(&own, "hostname")?))
    })
    .await?;
    ensure!(name.trim() == HOST_NAME, "the host name is {name}");
    say("its user logs in with the key");
    let status =
        login(&own, "timeout 300 cloud-init status --wait; cat /run/cloud-init/status.json")?;
    ensure!(status.trim_start_matches('.').trim().starts_with("status: done"), "{status}");
    ensure!(login(&own, "cat /run/proof")? == "user data");
    // What it was leased is what cloud-init made of the seed's network configuration.
    let files = login(&own, "ls /etc/systemd/network /run/systemd/network 2>/dev/null; true")?;
    ensure!(files.contains("cloud-init"), "the network is not the seed's: {files}");
    say("cloud-init is done, with the seed's network and user data");

    let refused = login(&keys.join("foreign"), "true");
    let error = refused.err().context("a foreign key was taken")?.to_string();
    ensure!(error.contains("Permission denied"), "{error}");

    member.delete(&format!("/v1/instances/{id}")).await?;
    wait::until("its end", LIMIT, || async {
        Ok(host.qemu_processes()? == 0 && host.domains()?.is_empty())
    })
    .await?;
    say("it is deleted");
    Ok(())
}

/// A flavor and the image, which anybody may use.
async fn offer(operator: &Api, made: &DebianImage) -> Result<(String, String)> {
    let flavor = json!({
        "name": "debian", "vcpus": 2, "memory_mib": debian::MEMORY_MIB,
        "disk_gib": debian::DISK_GIB,
    });
    let flavor = operator.post("/v1/flavors", &flavor).await?;
    let image = json!({"name": "Debian", "disk_format": "qcow2", "wants_kernel": false});
    let image = operator.post("/v1/images", &image).await?;
    let (flavor, image) = (text(&flavor, "id")?, text(&image, "id")?);
    let path = format!("/v1/images/{image}/files/disk");
    let bytes = std::fs::read(made.disk())?;
    operator.put_bytes(&path, "application/octet-stream", bytes).await?;
    Ok((flavor.to_owned(), image.to_owned()))
}

/// A tenant with money for an hour of it; its member.
async fn tenant(operator: &Api, flavor: &str) -> Result<Api> {
    let prices = json!([{"meter": format!("instance:{flavor}"), "unit_price": "1"}]);
    let book = json!({"name": "list", "currency": "CNY", "prices": prices});
    let book = operator.post("/v1/price-books", &book).await?;
    let tenant = json!({"name": "acme", "currency": "CNY", "price_book_id": book["id"]});
    let tenant = operator.post("/v1/tenants", &tenant).await?;
    let tenant = text(&tenant, "id")?;
    let topup = json!({"amount": "100", "memo": "bank transfer"});
    operator.post(&format!("/v1/tenants/{tenant}/topups"), &topup).await?;
    let quota: Vec<Value> =
        [("instances", 1), ("vcpus", 2), ("memory_mib", 1024), ("disk_gib", 10)]
            .map(|(resource, limit)| json!({"resource": resource, "limit": limit}))
            .into();
    operator.put(&format!("/v1/tenants/{tenant}/quota"), &json!({"items": quota})).await?;
    let token = json!({"name": "scripts", "role": "member", "tenant_id": tenant});
    let token = operator.post("/v1/tokens", &token).await?;
    Ok(operator.with_token(text(&token, "token")?))
}

/// The first address that the API knows.
async fn address(api: &Api, id: &str) -> Result<String> {
    wait::eventually("its address", BOOT_LIMIT, || async {
        let instance = api.get(&format!("/v1/instances/{id}")).await?;
        Ok(match instance["addresses"][0].as_str() {
            Some(address) => Seen::Yes(address.to_owned()),
            None => Seen::NotYet(instance.to_string()),
        })
    })
    .await
}

/// A command in the guest, as its user, from the host's network.
fn ssh(host: &LibvirtHost, key: &std::path::Path, address: &str, command: &str) -> Result<String> {
    let options = [
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "ConnectTimeout=10",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
    ];
    let mut ssh = host.inside("ssh");
    ssh.arg("-F").arg("none").arg("-i").arg(key);
    for option in options {
        ssh.args(["-o", option]);
    }
    run(ssh.arg(format!("{}@{address}", debian::USER)).arg(command))
}

/// What a failure's reader wants to see.
fn seen(server: &Opshawk) -> String {
    let dir = server.data_dir().join("instances");
    let logs = run(Command::new("sh").args(["-c", "tail -c 4000 \"$0\"/*/*.log"]).arg(dir));
    format!("{}\n{}", logs.unwrap_or_default(), server.log_tail())
}
