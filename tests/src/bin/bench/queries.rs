//! The queries, and whether they are answered alike.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{
    engine::{Engine, Product, Query},
    report::{Better, Row},
};

/// Of one query, at each engine.
const REPEATS_MIN: usize = 6;
const REPEATS_MAX: usize = 200;
const REPEAT_FOR: Duration = Duration::from_secs(6);

/// Whoever is first after the comparison wakes up the machine, and what one does behind its answer is
/// in the way of the next: each is first, and behind each other one, as often.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [2, 0, 1], [1, 0, 2]];

pub struct Case {
    pub what: &'static str,
    pub expr: &'static str,
    /// Hours before the end, and the step in seconds; None asks at the end only.
    pub range: Option<(i64, i64)>,
}

const fn case(what: &'static str, expr: &'static str, range: Option<(i64, i64)>) -> Case {
    Case { what, expr, range }
}

/// Over the day of 5,000 series.
pub const DAY: [Case; 12] = [
    case("one series, now", "requests_total{instance=\"guest-7\"}", None),
    case("rate of 1,000 series by job, now", "sum by (job) (rate(requests_total[5m]))", None),
    case("the same, 24 h by 60 s", "sum by (job) (rate(requests_total[5m]))", Some((24, 60))),
    case(
        "rate of one series, 24 h by 60 s",
        "rate(requests_total{instance=\"guest-7\"}[5m])",
        Some((24, 60)),
    ),
    case(
        "100 series as they are, 1 h by 15 s",
        "cpu_milliseconds_total{job=\"tenant-3\"}",
        Some((1, 15)),
    ),
    case(
        "topk over max_over_time, 1,000 series, 24 h by 300 s",
        "topk(5, max_over_time(temperature_celsius[1h]))",
        Some((24, 300)),
    ),
    case(
        "topk over a day's average of 1,000 series, now",
        "topk(10, avg_over_time(temperature_celsius[24h]))",
        None,
    ),
    case(
        "regular expressions, 6 h by 60 s",
        "sum by (zone) (rate({__name__=~\"requests_t.+\",instance=~\"guest-1.*\"}[5m]))",
        Some((6, 60)),
    ),
    case(
        "histogram_quantile of 100 histograms, 24 h by 60 s",
        "histogram_quantile(0.99, sum by (le) (rate(latency_seconds_bucket[5m])))",
        Some((24, 60)),
    ),
    case("count of all 5,000 series, now", "count({job=~\".+\"})", None),
    case(
        "ratio of two sums, 24 h by 300 s",
        "sum by (host) (rate(cpu_milliseconds_total[5m])) / sum by (host) (rate(requests_total[5m]))",
        Some((24, 300)),
    ),
    case(
        "gauges of 500 guests by zone, 12 h by 60 s",
        "avg by (zone) (load_ratio)",
        Some((12, 60)),
    ),
];

/// Over 500,000 series.
pub const CROWD: [Case; 4] = [
    case("one of 500,000 series, now", "requests_total{instance=\"guest-70007\"}", None),
    case("sum of 100,000 series by zone, now", "sum by (zone) (requests_total)", None),
    case("topk of 100,000 series, now", "topk(5, temperature_celsius)", None),
    case(
        "rate over a regular expression of 1,111 guests, 5 min by 15 s",
        "sum by (job) (rate(requests_total{instance=~\"guest-77.*\"}[1m]))",
        Some((0, 15)),
    ),
];

/// A range of zero hours.
const SHORT_S: i64 = 300;

/// Medians in milliseconds, engine by engine, asked turn about so that what else the machine does
/// hits all.
pub async fn measure(engines: &[Engine; 3], cases: &[Case], end_s: i64) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for case in cases {
        let (start_s, step_s) = match case.range {
            None => (end_s, None),
            Some((0, step)) => (end_s - SHORT_S, Some(step)),
            Some((hours, step)) => (end_s - hours * 3600, Some(step)),
        };
        let query = Query { expr: case.expr, start_s, end_s, step_s };
        let mut took: [Vec<f64>; 3] = Default::default();
        let began = Instant::now();
        while took[0].len() < REPEATS_MIN
            || (took[0].len() < REPEATS_MAX && began.elapsed() < REPEAT_FOR)
        {
            let mut answers = [const { Vec::new() }; 3];
            for at in ORDERS[took[0].len() % ORDERS.len()] {
                let (answer, time) = engines[at].ask(&query).await?;
                took[at].push(time.as_secs_f64() * 1000.0);
                answers[at] = answer;
            }
            compare(case, &answers)?;
        }
        let row = Row::new(format!("{}, ms", case.what), Better::Less, took.map(median));
        println!("  {} {:?}", row.what, row.figures);
        rows.push(row.goal(Product::Victoria, 1.0));
    }
    Ok(rows)
}

fn compare(case: &Case, answers: &[Vec<Value>]) -> Result<()> {
    let (ours, prometheus, victoria) = (&answers[0], &answers[1], &answers[2]);
    ensure!(!ours.is_empty(), "{} finds nothing", case.expr);
    ensure!(
        ours.len() == prometheus.len() && ours.iter().zip(prometheus).all(|(a, b)| near(a, b)),
        "{} is answered differently:\n{:.2000}\n{:.2000}",
        case.expr,
        format!("{ours:?}"),
        format!("{prometheus:?}")
    );
    // Its topk over a range keeps the series that are largest over the whole range.
    ensure!(
        ours.len() == victoria.len() || case.expr.starts_with("topk"),
        "{} has {} series here and {} at VictoriaMetrics",
        case.expr,
        ours.len(),
        victoria.len()
    );
    ensure!(!victoria.is_empty(), "VictoriaMetrics finds nothing for {}", case.expr);
    Ok(())
}

/// Numbers are sent as text; sums may differ by the order of their summands.
fn near(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| near(a, b)))
        }
        (Value::String(x), Value::String(y)) => {
            x == y
                || matches!((x.parse::<f64>(), y.parse::<f64>()), (Ok(x), Ok(y))
                    if (x - y).abs() <= 1e-9 * x.abs().max(y.abs()))
        }
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    quantile(&mut values, 0.5)
}

/// Of the values in order, the one this far along.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = ((values.len().saturating_sub(1)) as f64 * share).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}
