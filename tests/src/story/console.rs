//! Act 9: the same in a browser.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    LIMIT, MEMBER, MEMBER_PASSWORD, OPERATOR, OPERATOR_PASSWORD, Story, micros, text, watching,
};
use crate::{bmc::BmcSimulator, browser::Browser, wait};

/// The windows.
pub(super) const TENANT: &str = "tenant";
pub(super) const OPERATOR_SEAT: &str = "operator";
/// What the tenant makes and deletes with its mouse.
const NAME: &str = "by-hand";
/// A page that was open before shows what is new.
const ASKED_ANEW_WITHIN: Duration = Duration::from_secs(10);
/// Hours of an instance, so that a look around after the story is not cut off.
const THIRD_TOPUP: &str = "200.00";

impl Story {
    pub(super) async fn browse(&mut self) -> Result<()> {
        // One for what is made here, beside web-1 and spare.
        self.quota(3).await?;
        let mut browser = Browser::start(&self.world.server.url()).await?;
        self.operator_logs_in(&mut browser).await?;
        self.operator_tops_up(&mut browser).await?;
        self.operator_looks_around(&mut browser).await?;
        let who = json!({"as": TENANT, "login": MEMBER, "password": MEMBER_PASSWORD});
        browser.step("login", who).await?;
        self.say(format!("{MEMBER} logs in with a password"));
        self.life_of_an_instance(&mut browser).await?;
        self.tenant_looks_around(&mut browser).await?;
        self.bill_page(&mut browser).await?;
        browser.step("faultless", json!({})).await?;
        self.say("no page threw, broke its content policy, asked elsewhere or got a 5xx");
        Ok(())
    }

    /// By the one-time link of the server's first start.
    async fn operator_logs_in(&self, browser: &mut Browser) -> Result<()> {
        let printed = self.world.server.log();
        let link = printed.split_whitespace().find(|word| word.contains("/setup?token="));
        let link = link.context("the first start printed no link for the operator's password")?;
        let who = json!({
            "as": OPERATOR_SEAT, "link": link, "login": OPERATOR, "password": OPERATOR_PASSWORD,
        });
        browser.step("setup", who).await?;
        self.say("the operator sets its password by the one-time link, logs out, and in again");
        Ok(())
    }

    async fn operator_tops_up(&self, browser: &mut Browser) -> Result<()> {
        let before = micros(&self.balance().await?["posted"])?;
        let what = json!({
            "as": OPERATOR_SEAT, "tenant": "acme", "amount": THIRD_TOPUP, "memo": "at the console",
        });
        let said = browser.step("topUp", what).await?;
        let amount = micros(&json!(THIRD_TOPUP))?;
        self.paid(amount);
        let after = micros(&self.balance().await?["posted"])?;
        // What was used meanwhile may have been posted too.
        ensure!(
            after > before + amount - 1_000_000 && after <= before + amount,
            "{before} {after}"
        );
        self.say(format!("the operator tops up: {}", said.as_str().unwrap_or_default()));
        Ok(())
    }

    async fn operator_looks_around(&self, browser: &mut Browser) -> Result<()> {
        let host = json!({
            "as": OPERATOR_SEAT, "list": "Hosts", "name": "host-a",
            "charts": ["CPU use", "Memory in use"],
        });
        let host = browser.step("lookAt", host).await?;
        self.say(format!("the host, with its charts: {}", cells(&host["line"])));

        let server = json!({
            "as": OPERATOR_SEAT, "list": "Servers", "name": "metal-1", "tables": ["Sensors"],
        });
        let server = browser.step("lookAt", server).await?;
        let sensors = server["tables"]["Sensors"].as_array().context("no table of sensors")?;
        for (name, value) in BmcSimulator::readings() {
            let row = sensors.iter().find(|row| row[0] == name);
            let row = row.with_context(|| format!("{name} is not among {sensors:?}"))?;
            let shown = row.as_array().is_some_and(|cells| {
                cells.iter().filter_map(Value::as_str).any(|cell| number(cell) == Some(value))
            });
            ensure!(shown, "{name} should read {value}: {row}");
        }
        let names: Vec<String> = sensors.iter().map(cells).collect();
        self.say(format!("the server: {}; sensors {}", cells(&server["line"]), names.join("; ")));

        let what = json!({"as": OPERATOR_SEAT, "name": watching::ALERT});
        let alert = browser.step("alert", what).await?;
        self.say(format!("the alert: {}", cells(&alert["row"])));

        let rows = browser.step("operations", json!({"as": OPERATOR_SEAT})).await?;
        let rows = rows.as_array().context("no table of operations")?;
        let power = rows.iter().find(|row| row[0] == "Power on" && row[1] == "metal-1");
        let power = power.with_context(|| format!("no 'Power on' of metal-1 in {rows:?}"))?;
        ensure!(power[2] == "Succeeded", "{power}");
        self.say(format!("{} operations, the first: {}", rows.len(), cells(power)));

        let boxes = browser.step("topology", json!({"as": OPERATOR_SEAT})).await?;
        let boxes = boxes.as_array().context("no boxes in the diagram")?;
        let holds = |name: &str| boxes.iter().filter_map(Value::as_str).any(|b| b.contains(name));
        ensure!(["host-a", "web-1", "metal-1"].iter().all(|name| holds(name)), "{boxes:?}");
        self.say(format!("the topology draws {} boxes, host-a with web-1 among them", boxes.len()));
        self.operator_asks_in_promql(browser).await
    }

    /// The editor completes a name from the server's own; the graph then has a line a CPU.
    async fn operator_asks_in_promql(&self, browser: &mut Browser) -> Result<()> {
        let what = json!({
            "as": OPERATOR_SEAT, "begin": "rate(node_cpu_sec", "offered": "node_cpu_seconds_total",
            "end": "{mode=\"idle\"}[1m]",
        });
        let drawn = browser.step("query", what).await?;
        let expr = text(&drawn, "expr")?;
        ensure!(expr == r#"rate(node_cpu_seconds_total{mode="idle"}[1m])"#, "{expr}");
        let points = drawn["points"].as_array().context("no series")?;
        ensure!(!points.is_empty() && points.iter().all(|n| n.as_u64() > Some(1)), "{drawn}");
        let lines = drawn["lines"].as_array().context("no lines")?;
        ensure!(lines.len() == points.len(), "{drawn}");
        self.say(format!("it asks {expr}: {} lines, the first {}", lines.len(), lines[0]));
        Ok(())
    }

    /// Made, stopped, started, stopped by somebody else, deleted; libvirt agrees each time.
    async fn life_of_an_instance(&self, browser: &mut Browser) -> Result<()> {
        let before = self.world.host.domains()?;
        let id = browser.step("createInstance", json!({"as": TENANT, "name": NAME})).await?;
        let id = id.as_str().context("the instance has no address")?;
        let domains = self.world.host.domains()?;
        let domain = domains.iter().find(|name| !before.contains(name));
        let domain = domain.with_context(|| format!("no new domain on the host: {domains:?}"))?;
        self.runs(domain, true).await?;
        self.say(format!("the tenant creates {NAME} by the form: running, {domain} for libvirt"));

        browser.step("openInstance", json!({"as": TENANT, "name": NAME})).await?;
        let stop = json!({"as": TENANT, "verb": "Stop", "name": NAME, "asks": true});
        browser.step("press", stop).await?;
        self.page_sees(browser, "stopped").await?;
        self.runs(domain, false).await?;
        browser.step("press", json!({"as": TENANT, "verb": "Start", "name": NAME})).await?;
        self.page_sees(browser, "running").await?;
        self.runs(domain, true).await?;
        self.say("stops it and starts it; libvirt has it off, then running");

        // The page hears of what others do, and is not loaded again for it.
        self.member.post(&format!("/v1/instances/{id}/stop"), &Value::Null).await?;
        self.page_sees(browser, "stopped").await?;
        self.say("a program stops it: the open page shows so by itself");

        let delete = json!({"as": TENANT, "verb": "Delete", "name": NAME, "asks": true});
        browser.step("press", delete).await?;
        browser.step("gone", json!({"as": TENANT, "name": NAME})).await?;
        wait::until("the end of the domain", LIMIT, || async {
            Ok(self.world.host.domains()? == before)
        })
        .await?;
        self.say("deletes it: gone from the list, and for libvirt");
        Ok(())
    }

    async fn page_sees(&self, browser: &mut Browser, state: &str) -> Result<()> {
        browser.step("sees", json!({"as": TENANT, "state": state})).await?;
        Ok(())
    }

    async fn runs(&self, domain: &str, wanted: bool) -> Result<()> {
        let what = format!("{domain} {}", if wanted { "running" } else { "off" });
        wait::until(&what, LIMIT, || async {
            Ok(self.world.host.running()?.iter().any(|name| name == domain) == wanted)
        })
        .await
    }

    async fn tenant_looks_around(&self, browser: &mut Browser) -> Result<()> {
        let chart = browser.step("cpuChart", json!({"as": TENANT, "name": "web-1"})).await?;
        let (shown, later) = (&chart["shown"], &chart["later"]);
        ensure!(shown["points"].as_u64() > Some(1), "the chart has no line: {chart}");
        ensure!(later["last_s"].as_f64() > shown["last_s"].as_f64(), "not live: {chart}");
        self.say(format!(
            "web-1's CPU chart: {} points, {} coloured pixels, then {} s further: {}",
            shown["points"],
            chart["pixels"],
            later["last_s"].as_f64().unwrap_or(0.0) - shown["last_s"].as_f64().unwrap_or(0.0),
            text(&chart, "text")?,
        ));

        self.live_consoles(browser).await?;

        // The page first shows what it knew when it was last open, and asks anew at once.
        let started = Instant::now();
        let overview = loop {
            let overview = browser.step("overview", json!({"as": TENANT})).await?;
            match by_hand(&overview) {
                Ok(()) => break overview,
                Err(error) if started.elapsed() > ASKED_ANEW_WITHIN => return Err(error),
                Err(_) => tokio::time::sleep(wait::POLL_INTERVAL).await,
            }
        };
        let operations = overview["operations"].as_array().context("no operations")?;
        self.say(format!(
            "{}, {}; the newest operation: {}",
            text(&overview, "balance")?,
            text(&overview, "runs_out")?,
            operations.first().map(cells).unwrap_or_default(),
        ));
        Ok(())
    }

    /// On web-1's page: its shell answers what is typed, and its screen shows something.
    async fn live_consoles(&self, browser: &mut Browser) -> Result<()> {
        let what = json!({
            "as": TENANT, "type": "\necho by-hand-$((6*7))\n", "expects": "by-hand-42",
        });
        let shown = browser.step("terminal", what).await?;
        let path = format!("/v1/instances/{}/console/serial", self.instance);
        ensure!(shown["sockets"] == json!([path]), "{shown}");
        self.say("web-1's terminal: echo by-hand-$((6*7)) is answered with by-hand-42");
        let screen = browser.step("screen", json!({"as": TENANT})).await?;
        self.say(format!(
            "web-1's screen: {} x {}, {} pixels lit",
            screen["width"], screen["height"], screen["pixels"],
        ));
        Ok(())
    }

    /// The page, the API and the file say the same.
    async fn bill_page(&self, browser: &mut Browser) -> Result<()> {
        let page = browser.step("bill", json!({"as": TENANT})).await?;
        let bill = self.member.get(text(&page, "path")?).await?;
        let (shown, subtotal) = (micros(&page["subtotal"])?, micros(&bill["subtotal"])?);
        ensure!(shown == subtotal, "the page says {shown}, the API {subtotal} micro-units");
        let (rows, lines) = (page["rows"].as_array(), bill["lines"].as_array());
        ensure!(rows.map(Vec::len) == lines.map(Vec::len), "{rows:?} are not {lines:?}");
        let csv = self.member.ask(reqwest::Method::GET, text(&page, "csv_path")?, None).await?;
        ensure!(page["csv"] == csv.text.as_str(), "the file differs: {}", page["csv"]);
        self.say(format!(
            "its bill: {} lines, subtotal {} as the API says; {} downloaded, {} bytes",
            rows.map_or(0, Vec::len),
            text(&page, "subtotal")?,
            text(&page, "csv_name")?,
            csv.text.len(),
        ));
        Ok(())
    }
}

/// A row of a page's table, as one line.
fn cells(row: &Value) -> String {
    let cells = row.as_array().into_iter().flatten().filter_map(Value::as_str);
    cells.filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" | ")
}

/// The number that a cell begins with.
fn number(cell: &str) -> Option<f64> {
    let digits: String = cell
        .chars()
        .filter(|c| *c != ',')
        .take_while(|c| c.is_ascii_digit() || matches!(c, '.' | '-'))
        .collect();
    digits.parse().ok()
}

/// What was done to the instance by hand stands in the list, each with its result and duration.
fn by_hand(overview: &Value) -> Result<()> {
    let operations = overview["operations"].as_array().context("no operations")?;
    for kind in ["Create", "Stop", "Start", "Delete"] {
        let of_kind = operations.iter().find(|row| {
            row[0] == format!("{kind} instance") && row[1] == NAME && row[2] == "Succeeded"
        });
        let row = of_kind.with_context(|| format!("no {kind} of {NAME} in {operations:?}"))?;
        let took = row[5].as_str().unwrap_or_default();
        ensure!(took.starts_with(|c: char| c.is_ascii_digit()), "no duration: {row}");
    }
    Ok(())
}
