//! Guests come and go: each hour a tenth of the series is replaced by new ones.

use anyhow::Result;

use crate::{
    day::{self, History},
    queries::Case,
    report::Section,
    workload::{self, Series},
};

pub const TITLE: &str = "Churn: a tenth of the series is new each hour";
const SERIES: usize = 5000;
const REPLACED_AN_HOUR: usize = 500;
const STEPS: i64 = 1440;
const STEP_MS: i64 = 60_000;
const STEPS_AN_HOUR: i64 = 3_600_000 / STEP_MS;

const CASES: [Case; 3] = [
    Case {
        what: "increase over a day of all that there was, by job, now",
        expr: "sum by (job) (increase(requests_total[24h]))",
        range: None,
    },
    Case {
        what: "rate by zone, 24 h by 300 s",
        expr: "sum by (zone) (rate(requests_total[5m]))",
        range: Some((24, 300)),
    },
    Case {
        what: "one job's guests, now",
        expr: "count by (host) (temperature_celsius{job=\"tenant-3\"})",
        range: None,
    },
];

pub async fn run() -> Result<Section> {
    println!("churn: {SERIES} series, {STEPS} scrapes, {REPLACED_AN_HOUR} replaced an hour ...");
    let mut engines = crate::engines().await?;
    let history = History { steps: STEPS, step_ms: STEP_MS };
    let all: Vec<Series> = workload::series(SERIES as u64).collect();
    let mut next = SERIES as u64;
    let replace = |step: i64, all: &mut Vec<Series>| {
        if step > 0 && step % STEPS_AN_HOUR == 0 {
            all.drain(..REPLACED_AN_HOUR);
            all.extend((next..next + REPLACED_AN_HOUR as u64).map(workload::one));
            next += REPLACED_AN_HOUR as u64;
        }
    };
    let (mut rows, samples, end_ms) = history.send(&engines, all, replace).await?;
    rows.extend(day::afterwards(&mut engines, &CASES, end_ms, samples).await?);
    Ok(Section {
        title: TITLE,
        text: crate::text(format!(
            "{:.1} M samples: 24 h at 60 s, 5,000 series at a time, 16,500 in all.",
            samples / 1e6
        )),
        rows,
    })
}
