//! A bill's lines, read as what was charged when.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::story::instant_ms;

/// The intervals in which one unit was charged. What an adjustment takes back is not charged.
pub fn charged(lines: &[Value], id: &str, meter: &str) -> Result<Vec<(i64, i64)>> {
    let mut changes: BTreeMap<i64, i64> = BTreeMap::new();
    for line in lines.iter().filter(|l| l["resource_id"] == id && l["meter"] == meter) {
        let quantity = line["quantity"].as_i64().context("a line has a quantity")?;
        *changes.entry(instant_ms(&line["from"])?).or_default() += quantity;
        *changes.entry(instant_ms(&line["to"])?).or_default() -= quantity;
    }
    let (mut units, mut intervals) = (0, Vec::<(i64, i64)>::new());
    for (at, change) in changes {
        if change == 0 {
            continue;
        }
        match units {
            0 => intervals.push((at, at)),
            _ => intervals.last_mut().context("it began")?.1 = at,
        }
        units += change;
        ensure!(units == 0 || units == 1, "{units} units are charged from {at} on");
    }
    Ok(intervals)
}
