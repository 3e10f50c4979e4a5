//! A disaster: the server and its data directory are gone, a backup and the hosts are left.

use anyhow::{Context, Result, ensure};
use lab::{
    opshawk::{OPERATOR_MAIL, client, run_cli},
    postgres::Postgres,
    process::run,
    story::{LIMIT, Story, instant_ms},
    wait,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_backup_brings_everything_back_on_sqlite() -> Result<()> {
    disaster(None).await
}

#[tokio::test]
async fn a_backup_brings_everything_back_on_postgresql() -> Result<()> {
    let postgres = Postgres::start().await?;
    disaster(Some(postgres)).await
}

async fn disaster(postgres: Option<Postgres>) -> Result<()> {
    let database = postgres.as_ref().map(|p| p.database("before")).transpose()?;
    let mut story = Story::begin(database).await?;
    for act in 1..=4 {
        story.act(act).await?;
    }
    // The money is to last until the end of the test.
    story.pay("5").await?;
    let before = everything(&story).await?;
    let at = before["balance"]["at"].clone();

    // Of the running server, as an operator elsewhere would take it.
    let file = story.world.server.dir().join("backup.tar");
    run(client(&story.operator)?.arg("backup").arg(&file))?;
    story.world.server.kill9();
    let data = story.world.server.data_dir();
    let lost = story.world.server.dir().join("lost");
    std::fs::rename(&data, &lost)?;

    let (file, data_dir) = (file.display().to_string(), data.display().to_string());
    let mut restore = vec!["restore", &file, "--data-dir", &data_dir];
    let empty = postgres.as_ref().map(|p| p.database("after")).transpose()?;
    if let Some(empty) = &empty {
        restore.extend(["--database", empty]);
        let config = std::fs::read_to_string(story.world.server.config())?;
        std::fs::write(story.world.server.config(), config.replace("/before\"", "/after\""))?;
    }
    run_cli(&restore)?;
    // The guests' disks are the hosts', and this host is not lost.
    std::fs::rename(lost.join("instances"), data.join("instances"))?;
    std::fs::remove_dir_all(&lost)?;
    story.world.server.start_again().await?;

    let after = everything(&story).await?;
    for (what, value) in before.as_object().context("it is an object")? {
        if what != "balance" {
            ensure!(after[what] == *value, "{what} was {value} and is {}", after[what]);
        }
    }
    // The guest ran on, and is paid for without a gap or an overlap.
    story.instance_state(&story.instance, "running").await?;
    ensure!(story.world.host.qemu_processes()? == 1, "not one guest on the host");
    same_burn(&before["balance"], &after["balance"])?;

    // Samples from before, and the password of the BMC, which only the key file opens.
    let query = format!("node_boot_time_seconds @ {}", instant_ms(&at)? / 1000);
    ensure!(!story.operator.query(&query).await?.is_empty(), "the samples are gone");
    let path = format!("/v1/servers/{}", story.server);
    wait::until("an answer of the BMC", LIMIT, || async {
        let server = story.operator.get(&path).await?;
        let observed = instant_ms(&server["observed_at"]).unwrap_or_default();
        Ok(server["power"] == "on" && observed > instant_ms(&after["balance"]["at"])?)
    })
    .await?;
    // An image's files came back: a new guest can be made of it.
    story.quota(2).await?;
    let operation = story.create("after the disaster", None).await?;
    story.operation(&story.member, &operation).await?;
    Ok(())
}

/// What an operator and the tenant see, as far as it stands still.
async fn everything(story: &Story) -> Result<Value> {
    let tenant = format!("/v1/tenants/{}", story.tenant);
    let image = story.operator.get(&format!("/v1/images/{}", story.image)).await?;
    let instance = story.operator.get(&format!("/v1/instances/{}", story.instance)).await?;
    let server = story.operator.get(&format!("/v1/servers/{}", story.server)).await?;
    let audit = story.operator.list("/v1/audit").await?;
    Ok(json!({
        "me": story.member.get("/v1/me").await?,
        "quota": story.operator.get(&format!("{tenant}/quota")).await?,
        "flavors": story.operator.list("/v1/flavors").await?,
        "price books": story.operator.list("/v1/price-books").await?,
        "users": story.operator.list("/v1/users").await?,
        "tokens": story.operator.list("/v1/tokens").await?.len(),
        "image": [image["disk"], image["kernel"], image["ramdisk"]],
        "instance": [instance["id"], instance["mac"], instance["generation"], instance["state_since"]],
        "server": [server["id"], server["bmc_address"], server["bmc_user"], server["wanted_power"]],
        "operations": story.operator.list("/v1/operations").await?,
        "first audit entry": audit.last(),
        "operator's mail": OPERATOR_MAIL,
        "balance": story.balance().await?,
    }))
}

/// The same money runs out at the same instant.
fn same_burn(before: &Value, after: &Value) -> Result<()> {
    ensure!(before["burn_per_hour"] == after["burn_per_hour"], "{before}\n{after}");
    ensure!(before["runs_out_at"] == after["runs_out_at"], "{before}\n{after}");
    Ok(())
}
