//! A real guest's traffic is read, priced and charged: to the byte that libvirt counted, over its
//! lives and the server's death, on both databases.

use anyhow::{Context, Result, ensure};
use lab::{
    postgres::Postgres,
    story::{LIMIT, Story, World, text},
    wait::{self, Seen},
};
use serde_json::Value;

/// Enough for hours.
const FIRST_TOPUP: &str = "1000";
/// What it sends has a price, what it gets has none.
const PRICES: &str =
    "rates: [{id: out, component: instance.net_tx, unit: 1024, price: \"0.001\"}]\n";
const SENT: &str = "instance.net_tx";
const RECEIVED: &str = "instance.net_rx";

#[tokio::test]
async fn traffic_of_a_real_guest_is_charged_on_sqlite() -> Result<()> {
    play(None).await
}

#[tokio::test]
async fn traffic_of_a_real_guest_is_charged_on_postgresql() -> Result<()> {
    let postgres = Postgres::start().await?;
    play(Some(postgres.database("opshawk")?)).await
}

async fn play(database: Option<String>) -> Result<()> {
    let world = World::start_with(|settings| {
        settings.database = database;
        let interval = ("OPSHAWK_AGENT__TRAFFIC_INTERVAL_S".to_owned(), "1".to_owned());
        settings.environment.push(interval);
    })
    .await?;
    let mut story = Story::of(world)?;
    story.first_topup = FIRST_TOPUP;
    story.act(2).await?;
    let file = story.world.server.dir().join("traffic.yaml");
    std::fs::write(&file, PRICES)?;
    let file = file.display().to_string();
    let create = ["price", "override", "create", "acme", "--file", &file, "--reason", "a test"];
    story.types(&story.operator, &create).await?;
    story.act(3).await?;

    let at = talk(&story).await?;
    // The server and the agent inside it are killed; the guest goes on, and is asked meanwhile.
    story.world.server.kill9();
    ensure!(address(&story).await.is_err(), "the server still answers");
    ask(&story, &at)?;
    story.world.server.start_again().await?;
    talk(&story).await?;
    let seen = counted(&story)?;
    story.json(&story.member, &["instance", "stop", "web-1"]).await?;
    let first = charged(&story, seen).await?;

    // Another life counts from zero, and ends with the instance.
    story.json(&story.member, &["instance", "start", "web-1"]).await?;
    story.console_shows(&story.instance, "boot=2").await?;
    talk(&story).await?;
    let seen = counted(&story)?;
    story.json(&story.member, &["instance", "delete", "web-1"]).await?;
    let both = charged(&story, first + seen).await?;
    story.say(format!("{first} bytes in its first life, {} in its second", both - first));
    explained(&story).await?;
    ensure!(story.world.server.stop().await?.success());
    Ok(())
}

async fn address(story: &Story) -> Result<String> {
    let instance = story.operator.get(&format!("/v1/instances/{}", story.instance)).await?;
    let address = instance["addresses"][0].as_str().context("it has no address")?;
    Ok(address.to_owned())
}

/// Asks the guest something, as a neighbour.
fn ask(story: &Story, address: &str) -> Result<String> {
    story.world.host.http_get(&format!("http://{address}/cgi-bin/busy?off"))
}

/// The same, as soon as it answers; its address.
async fn talk(story: &Story) -> Result<String> {
    let address = wait::eventually("the guest's address", LIMIT, || async {
        Ok(match address(story).await {
            Ok(address) => Seen::Yes(address),
            Err(error) => Seen::NotYet(format!("{error:#}")),
        })
    })
    .await?;
    wait::eventually("the guest's answer", LIMIT, || async {
        Ok(match ask(story, &address) {
            Ok(_) => Seen::Yes(address.clone()),
            Err(error) => Seen::NotYet(format!("{error:#}")),
        })
    })
    .await
}

/// What libvirt has counted of what the guest sent, in bytes.
fn counted(story: &Story) -> Result<i64> {
    let host = &story.world.host;
    let domain = host.running()?.pop().context("the guest's domain")?;
    let devices = host.virsh(&["domiflist", &domain])?;
    let device = devices.split_whitespace().find(|word| word.starts_with("vnet"));
    let figures = host.virsh(&["domifstat", &domain, device.context("no device")?])?;
    let mut words = figures.split_whitespace().skip_while(|word| *word != "tx_bytes");
    let sent = words.nth(1).with_context(|| figures.clone())?.parse()?;
    ensure!(sent > 0, "{figures}");
    Ok(sent)
}

/// Waits until so much was charged at least; what it is. It is what was read, and no byte more.
async fn charged(story: &Story, least: i64) -> Result<i64> {
    wait::eventually(&format!("{least} bytes charged"), LIMIT, || async {
        let sum = quantity(&lines(story, SENT).await?);
        Ok(match sum >= least {
            true => Seen::Yes(sum),
            false => Seen::NotYet(format!("{sum} bytes")),
        })
    })
    .await
}

async fn lines(story: &Story, component: &str) -> Result<Vec<Value>> {
    let (tenant, id) = (&story.tenant, &story.instance);
    let path = format!("/v1/lines?tenant_id={tenant}&resource_id={id}&component={component}");
    let lines = story.member.get(&path).await?;
    lines["items"].as_array().cloned().with_context(|| lines.to_string())
}

fn quantity(lines: &[Value]) -> i64 {
    lines.iter().filter_map(|line| line["quantity"].as_i64()).sum()
}

/// Each line opens down to its readings; together they are what each life's last reading says.
async fn explained(story: &Story) -> Result<()> {
    ensure!(lines(story, RECEIVED).await?.is_empty(), "what has no price is charged");
    let all = lines(story, SENT).await?;
    let mut lives = std::collections::BTreeMap::<String, i64>::new();
    for line in &all {
        let line = story.member.get(&format!("/v1/lines/{}", text(line, "id")?)).await?;
        ensure!(line["equal"] == true, "{line}");
        for reading in line["readings"].as_array().context("readings")? {
            let value = reading["value"].as_i64().context("a value")?;
            let high = lives.entry(text(reading, "epoch")?.to_owned()).or_default();
            *high = value.max(*high);
        }
    }
    ensure!(lives.len() == 2, "not two lives: {lives:?}");
    let (read, charged) = (lives.values().sum::<i64>(), quantity(&all));
    ensure!(read == charged, "{read} bytes were read, {charged} are charged");
    let bill = story.member.get(&format!("/v1/tenants/{}/bill", story.tenant)).await?;
    let billed = bill["lines"].as_array().context("a bill has lines")?.iter();
    let billed: i64 =
        billed.filter(|l| l["meter"] == SENT).filter_map(|l| l["quantity"].as_i64()).sum();
    ensure!(billed == charged, "{billed} bytes stand on the bill, of {charged}");
    Ok(())
}
