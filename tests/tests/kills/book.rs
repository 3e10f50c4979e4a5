//! What a tenant should have been charged for, kept by who watches from outside, and compared with
//! the bill and the ledger.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use lab::{
    bill::charged,
    story::{Story, instant_ms, micros, text},
};
use serde_json::Value;

/// The story's prices are per hour; the instance's comes to so many micro-units a millisecond.
const INSTANCE_MICROS_PER_MS: i64 = 10;
/// And a GiB's to one in so many milliseconds.
const DISK_MS_PER_MICRO: i64 = 10;
/// Each charge of the disk is rounded once, the accrued one too.
const ROUNDING_MICROS_MAX: i64 = 2;

#[derive(Default)]
pub struct Book {
    /// Beyond what the story itself paid.
    pub paid_micros: i64,
    /// Each instance's runs, in order; the last may go on.
    runs: BTreeMap<String, Vec<Run>>,
    deleted: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    from_ms: i64,
    to_ms: Option<i64>,
}

impl Book {
    pub fn runs(&mut self, instance: &Value) -> Result<()> {
        let from_ms = instant_ms(&instance["state_since"])?;
        let runs = self.runs.entry(text(instance, "id")?.to_owned()).or_default();
        ensure!(runs.iter().all(|run| run.to_ms.is_some_and(|to| to <= from_ms)), "{runs:?}");
        runs.push(Run { from_ms, to_ms: None });
        Ok(())
    }

    pub fn stopped(&mut self, instance: &Value) -> Result<()> {
        let runs = self.runs.get_mut(text(instance, "id")?).context("it never ran")?;
        let run = runs.last_mut().context("it never ran")?;
        ensure!(run.to_ms.is_none(), "it was stopped already: {runs:?}");
        run.to_ms = Some(instant_ms(&instance["state_since"])?);
        Ok(())
    }

    pub fn deleted(&mut self, id: &str) {
        self.deleted.push(id.to_owned());
    }

    /// One operation a change, whoever repeated what.
    pub fn check_operations(&self, operations: &[Value]) -> Result<()> {
        for (id, runs) in &self.runs {
            let of = |kind: &str| {
                let of = |o: &&Value| o["target_id"] == id.as_str() && o["kind"] == kind;
                operations.iter().filter(of).count()
            };
            let stops = runs.iter().filter(|run| run.to_ms.is_some()).count();
            let wanted = [
                ("instance.create", 1),
                ("instance.start", runs.len() - 1),
                ("instance.stop", stops),
                ("instance.delete", usize::from(self.deleted.contains(id))),
            ];
            for (kind, count) in wanted {
                ensure!(
                    of(kind) == count,
                    "{} {kind} instead of {count}: {operations:?}",
                    of(kind)
                );
            }
        }
        Ok(())
    }

    /// The bill, line by line, the ledger and the balance, at one instant.
    pub async fn check_money(&self, story: &Story) -> Result<()> {
        let balance = story.balance().await?;
        let at = text(&balance, "at")?;
        let at_ms = instant_ms(&balance["at"])?;
        let bill = story.member.get(&format!("/v1/tenants/{}/bill?to={at}", story.tenant)).await?;
        let lines = bill["lines"].as_array().context("a bill has lines")?;

        let paid = story.paid_micros() + self.paid_micros;
        let (subtotal, posted) = (micros(&bill["subtotal"])?, micros(&balance["posted"])?);
        ensure!(paid - subtotal == posted, "{paid} - {subtotal} is not {posted}: {bill}");
        let sum = lines.iter().map(|line| micros(&line["amount"])).sum::<Result<i64>>()?;
        ensure!(sum == subtotal, "the lines sum to {sum}: {bill}");

        let mut used_micros = 0;
        for (id, runs) in &self.runs {
            let meter = format!("instance:{}", story.flavor);
            let charged = charged(lines, id, &meter)?;
            check_runs(&charged, runs, at_ms).with_context(|| format!("{id}: {bill}"))?;
            let ran_ms: i64 = runs.iter().map(|run| run.to_ms.unwrap_or(at_ms) - run.from_ms).sum();
            used_micros += ran_ms * INSTANCE_MICROS_PER_MS;
            used_micros += self.disk_ms(lines, id, at_ms)? / DISK_MS_PER_MICRO;
        }
        let used = paid - micros(&balance["balance"])?;
        // A line a posting is rounded by telescoping: the lines of one thing add up as one.
        let slack = ROUNDING_MICROS_MAX * i64::try_from(self.runs.len())?;
        ensure!(
            (used - used_micros).abs() <= slack,
            "charged {used} micro-units instead of {used_micros}: {balance}\n{bill}"
        );
        Ok(())
    }

    /// The disk is there from the first run on: through every stop, until it is deleted.
    fn disk_ms(&self, lines: &[Value], id: &str, at_ms: i64) -> Result<i64> {
        let from_ms = self.runs[id][0].from_ms;
        if !self.deleted.iter().any(|deleted| deleted == id) {
            return Ok(at_ms - from_ms);
        }
        let charged = charged(lines, id, "disk_gib")?;
        let [(from, to)] = charged[..] else { anyhow::bail!("the disk of {id}: {charged:?}") };
        let last_stop = self.runs[id].iter().filter_map(|run| run.to_ms).max();
        ensure!(from == from_ms && Some(to) >= last_stop, "the disk of {id}: {charged:?}");
        Ok(to - from)
    }
}

/// What was charged is what it ran: no gap, no overlap, to the millisecond. What is still to be
/// posted of a run that goes on may be missing at its end.
fn check_runs(charged: &[(i64, i64)], runs: &[Run], at_ms: i64) -> Result<()> {
    let mut charged = charged.iter();
    for run in runs {
        let found = charged.next();
        let right = match (found, run.to_ms) {
            (Some(&(from, to)), Some(end)) => from == run.from_ms && to == end,
            (Some(&(from, to)), None) => from == run.from_ms && to <= at_ms,
            (None, end) => end.is_none(),
        };
        ensure!(right, "charged {found:?} for {run:?}");
    }
    ensure!(charged.next().is_none(), "more is charged than it ran");
    Ok(())
}
