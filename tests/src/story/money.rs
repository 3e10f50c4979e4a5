//! Acts 6, 7 and 8: the money runs out, comes back, and is accounted for.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{LIMIT, MEMBER, Story, instant_ms, micros, text};
use crate::{
    guest,
    wait::{self, Seen},
};

/// From the instant of zero to the confirmed stop.
const CUT_OFF_MAX_MS: i64 = 2000;
/// An act that needs money for a while should not be cut off itself.
pub(super) const RUNWAY_MIN_MS: i64 = 35_000;
/// While the second instance is built, twice as much burns.
const RUNWAY_OF_TWO_MIN_MS: i64 = 55_000;
const SMALL_TOPUP: &str = "0.30";
pub const SECOND_TOPUP: &str = "6.00";

impl Story {
    /// On a slow machine the first money may not last until the acts that need it are done: then
    /// the tenant pays a little more, before it is warned.
    pub(super) async fn stay_solvent(&self, runway_min_ms: i64) -> Result<()> {
        loop {
            let balance = self.balance().await?;
            // Null where nothing burns.
            let Ok(runs_out) = instant_ms(&balance["runs_out_at"]) else { return Ok(()) };
            if runs_out - instant_ms(&balance["at"])? >= runway_min_ms {
                return Ok(());
            }
            self.pay(SMALL_TOPUP).await?;
            self.say(format!("(this machine is slow: the tenant pays {SMALL_TOPUP} more)"));
        }
    }

    async fn standing(&self, wanted: &[&str]) -> Result<Value> {
        wait::eventually(&format!("standing {wanted:?}"), LIMIT * 2, || async {
            let balance = self.balance().await?;
            let standing = balance["standing"].as_str().unwrap_or_default();
            Ok(match wanted.contains(&standing) {
                true => Seen::Yes(balance),
                false => Seen::NotYet(balance.to_string()),
            })
        })
        .await
    }

    pub(super) async fn out_of_money(&mut self) -> Result<()> {
        self.stopped_by_its_owner().await?;
        let warned = self.standing(&["warned"]).await?;
        let zero_ms = instant_ms(&warned["runs_out_at"])?;
        self.say(format!(
            "warned with {} left, which lasts until {}",
            text(&warned, "balance_display")?,
            text(&warned, "runs_out_at")?
        ));
        let mail = self
            .world
            .mail
            .mail("of the warning", LIMIT, |mail| {
                mail.to.contains(MEMBER)
                    && mail.text.contains("is expected to run out of balance within")
            })
            .await?;
        let line = mail.text.lines().find(|line| line.contains("is expected to run out"));
        self.say(format!("mail to {}: {}", mail.to, line.unwrap_or_default().trim()));

        let stopped = self.instance_state(&self.instance, "stopped").await?;
        // For real: the process is gone, not only the record.
        wait::until("the end of the guest's process", Duration::from_secs(5), || async {
            Ok(self.world.host.qemu_processes()? == 0)
        })
        .await?;
        let late_ms = instant_ms(&stopped["state_since"])? - zero_ms;
        self.say(format!(
            "zero at {}, stopped {late_ms} ms later; no QEMU is left on the host",
            text(&warned, "runs_out_at")?
        ));
        ensure!((0..=CUT_OFF_MAX_MS).contains(&late_ms), "stopped {late_ms} ms after zero");
        let balance = self.standing(&["stopped"]).await?;
        ensure!(stopped["wanted"] == "running" && stopped["hold"] == "stopped", "{stopped}");

        let last = self.last_charge().await?;
        ensure!(
            last["to"] == stopped["state_since"],
            "the flavor is charged until {}, not until the confirmed stop at {}",
            last["to"],
            stopped["state_since"]
        );
        self.say(format!(
            "the last charge for its flavor ends at {}, the confirmed stop; balance {}",
            text(&last, "to")?,
            text(&balance, "balance_display")?
        ));
        Ok(())
    }

    /// A second instance, which the tenant stops itself: it must stay so after the top-up.
    async fn stopped_by_its_owner(&mut self) -> Result<()> {
        self.quota(2).await?;
        self.stay_solvent(RUNWAY_OF_TWO_MIN_MS).await?;
        let create = ["instance", "create", "spare", "--flavor", "small", "--image", "lab guest"];
        let done = self.json(&self.member, &create).await?;
        self.spare = text(&done, "target_id")?.to_owned();
        let done = self.json(&self.member, &["instance", "stop", "spare"]).await?;
        ensure!(done["state"] == "succeeded", "{done}");
        self.instance_state(&self.spare, "stopped").await?;
        self.say("a second instance, spare, was created and stopped by the tenant");
        Ok(())
    }

    /// The bill's last line for the flavor of the story's instance.
    async fn last_charge(&self) -> Result<Value> {
        let bill = self.member.get(&format!("/v1/tenants/{}/bill", self.tenant)).await?;
        let lines = bill["lines"].as_array().context("a bill has lines")?;
        let of_flavor = lines.iter().filter(|line| {
            line["resource_id"] == self.instance.as_str()
                && line["meter"] == format!("instance:{}", self.flavor)
        });
        let last = of_flavor.max_by_key(|line| instant_ms(&line["to"]).unwrap_or_default());
        last.cloned().with_context(|| format!("no charge for the flavor in {bill}"))
    }

    pub(super) async fn top_up(&mut self) -> Result<()> {
        let balance = self.pay(SECOND_TOPUP).await?;
        self.say(format!("topped up: balance {}", text(&balance, "balance_display")?));
        let running = self.instance_state(&self.instance, "running").await?;
        let line = self.console_shows(&self.instance, &format!("{} boot=2", guest::READY)).await?;
        self.say(format!("{} runs again: {line}", text(&running, "name")?));
        self.standing(&["active"]).await?;
        let spare = self.operator.get(&format!("/v1/instances/{}", self.spare)).await?;
        ensure!(
            spare["state"] == "stopped" && spare["power"] == "stopped",
            "the tenant's own stop was undone: {spare}"
        );
        ensure!(self.world.host.qemu_processes()? == 1, "not exactly one QEMU on the host");
        self.say("spare, which the tenant had stopped itself, stays stopped");
        Ok(())
    }

    pub(super) async fn bill(&mut self) -> Result<()> {
        // The bill holds what is posted; what burns since then is accrued. Both are asked for the
        // same instant, and the ledger must agree with the bill.
        let balance = self.balance().await?;
        let to = text(&balance, "at")?;
        let bill = self.member.get(&format!("/v1/tenants/{}/bill?to={to}", self.tenant)).await?;
        let lines = bill["lines"].as_array().context("a bill has lines")?;
        ensure!(!lines.is_empty(), "the bill is empty");
        for line in lines {
            self.say(format!(
                "{}, {} to {}, {}: {}",
                text(line, "what")?,
                text(line, "from")?,
                text(line, "to")?,
                price(line)?,
                text(line, "amount")?
            ));
        }
        let sum = lines.iter().map(|line| micros(&line["amount"])).sum::<Result<i64>>()?;
        let subtotal = micros(&bill["subtotal"])?;
        ensure!(sum == subtotal, "the lines sum to {sum}, the subtotal is {subtotal}");
        let paid = self.paid_micros();
        let posted = micros(&balance["posted"])?;
        ensure!(
            paid - subtotal == posted,
            "paid {paid} minus billed {subtotal} is not the ledger's {posted} (micro-units)"
        );
        let (accrued, left) = (micros(&balance["accrued"])?, micros(&balance["balance"])?);
        ensure!(posted - accrued == left, "{balance}");
        self.say(format!(
            "subtotal {}: paid {paid} - billed {subtotal} = ledger {posted} micro-units, exactly",
            text(&bill, "subtotal")?
        ));
        self.sheet(&format!("/v1/tenants/{}/bill.csv?to={to}", self.tenant), &bill).await
    }

    /// The bill as a sheet says what the bill says, cell by cell.
    async fn sheet(&self, path: &str, bill: &Value) -> Result<()> {
        let answer = self.member.ask(reqwest::Method::GET, path, None).await?;
        ensure!(answer.status.is_success(), "{answer:?}");
        ensure!(answer.content_type.starts_with("text/csv"), "{}", answer.content_type);
        let show = ["bill", "show", "--to", text(bill, "to")?, "-o", "csv"];
        let printed = self.types(&self.member, &show).await?;
        ensure!(printed == answer.text, "printed: {printed}\nthe API's: {}", answer.text);
        let rows = same_as_sheet(bill, &printed)?;
        let header = printed.lines().next().unwrap_or_default();
        self.say(format!(
            "as CSV: {rows} rows, each as the bill's line, and the same sum: {header}"
        ));
        Ok(())
    }
}

/// The columns that a sheet shares with the lines of a bill; the names are the same.
const SHARED_COLUMNS: [&str; 14] = [
    "what",
    "resource_kind",
    "resource_id",
    "meter",
    "from",
    "to",
    "unit_price",
    "quantity",
    "amount",
    "component",
    "unit",
    "per",
    "model",
    "first_line",
];

/// "36 an hour", "0.36 a GiB·hour", "0.8 for 1073741824": what a line's price is for.
fn price(line: &Value) -> Result<String> {
    let (price, per, component) =
        (text(line, "unit_price")?, text(line, "per")?, text(line, "component")?);
    ensure!(per == "unit" || line["unit"] == 1, "a price for more than one {per} in {line}");
    Ok(match per {
        "hour" if component == "instance.disk" => format!("{price} a GiB·hour"),
        "hour" => format!("{price} an hour"),
        "unit" => format!("{price} for {}", line["unit"]),
        per => format!("{price} a {per}"),
    })
}

/// Compares every row of the sheet with the bill's line, and its own sum with the subtotal in
/// both; how many rows there are.
fn same_as_sheet(bill: &Value, sheet: &str) -> Result<usize> {
    let mut reader = csv::Reader::from_reader(sheet.as_bytes());
    let header = reader.headers()?.clone();
    let column = |name: &str| {
        let found = header.iter().position(|heading| heading == name);
        found.with_context(|| format!("no column '{name}' in {header:?}"))
    };
    let mut rows = reader.records().collect::<Result<Vec<_>, _>>()?;
    let total = rows.pop().context("the sheet has no row")?;
    let lines = bill["lines"].as_array().context("a bill has lines")?;
    ensure!(rows.len() == lines.len(), "{} rows for {} lines", rows.len(), lines.len());
    for (row, line) in rows.iter().zip(lines) {
        for name in SHARED_COLUMNS {
            let said = match &line[name] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let cell = &row[column(name)?];
            ensure!(cell == said, "'{name}' is '{cell}' in the sheet, '{said}' in {line}");
        }
    }
    let amount = column("amount")?;
    let sum = rows.iter().map(|row| micros(&row[amount].into())).sum::<Result<i64>>()?;
    let subtotal = micros(&bill["subtotal"])?;
    ensure!(sum == subtotal, "the sheet's rows sum to {sum}, the subtotal is {subtotal}");
    ensure!(
        &total[column("what")?] == "subtotal" && micros(&total[amount].into())? == subtotal,
        "the sheet ends with {total:?}, the subtotal is {subtotal}"
    );
    Ok(rows.len())
}

#[cfg(test)]
mod tests;
