//! `bench`: the embedded store against Debian's Prometheus, in one session on one machine: the
//! same samples by the same remote-write requests, the same queries, both over HTTP.
//!
//! It is a measurement, not a test, but it fails where the two answer differently. OpsHawk syncs
//! its log to the disk before it answers a write; Prometheus does not.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use base::time::{Clock, SystemClock};
use lab::{
    api::http_client,
    opshawk::{Opshawk, Settings},
    prometheus::Prometheus,
    remote_write::{Row, encode},
};
use serde_json::Value;

/// 1,000 series for an hour at 15 s.
const METRICS: usize = 10;
const GUESTS: usize = 100;
const STEPS: i64 = 240;
const STEP_MS: i64 = 15_000;
/// Fresh servers each time; the table shows the medians.
const ROUNDS: usize = 3;
/// Of each query, in each round.
const REPEATS: usize = 30;

const QUERIES: [(&str, &str, Option<i64>); 5] = [
    ("one series, now", "bench_0_total{instance=\"guest-7\"}", None),
    ("rate of 100 series, now", "sum by (zone) (rate(bench_0_total[5m]))", None),
    ("the same, 1 h by 60 s", "sum by (zone) (rate(bench_0_total[5m]))", Some(60)),
    ("100 series raw, 1 h by 15 s", "bench_1_total", Some(15)),
    ("max of 1,000 series, 1 h by 60 s", "max by (__name__) ({job=\"bench\"})", Some(60)),
];

/// One of the two, as a client sees it.
struct Target {
    client: reqwest::Client,
    /// Ends before `/write` and `/query`.
    base: String,
    token: Option<String>,
    pid: u32,
}

#[derive(Default)]
struct Figures {
    samples_per_cpu_s: Vec<f64>,
    samples_per_s: Vec<f64>,
    resident_mib: Vec<f64>,
    /// By query, in ms.
    latencies: [Vec<f64>; QUERIES.len()],
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut figures = [Figures::default(), Figures::default()];
    let samples = METRICS * GUESTS * usize::try_from(STEPS)?;
    if cfg!(debug_assertions) {
        println!("This is no release build: its figures say little. Use make bench.");
    }
    println!("{samples} samples of {} series, {ROUNDS} rounds ...", METRICS * GUESTS);
    for _ in 0..ROUNDS {
        round(&mut figures, samples).await?;
    }
    print(&mut figures);
    Ok(ExitCode::SUCCESS)
}

async fn round(figures: &mut [Figures; 2], samples: usize) -> Result<()> {
    let settings = Settings::default();
    let server = Opshawk::start(&settings).await?;
    let prometheus = Prometheus::receiver().await?;
    let ours = Target {
        client: http_client(),
        base: format!("{}/prometheus/api/v1", server.url()),
        token: server.operator()?.token().map(str::to_owned),
        pid: server.id(),
    };
    let theirs = Target {
        client: http_client(),
        base: format!("{}/api/v1", prometheus.url()),
        token: None,
        pid: prometheus.id(),
    };
    let end_ms = SystemClock.now().ms() / STEP_MS * STEP_MS;
    let bodies: Vec<Vec<u8>> = (0..STEPS).map(|step| encode(&scrape(step, end_ms))).collect();
    for (target, figures) in [&ours, &theirs].into_iter().zip(figures.iter_mut()) {
        target.ingest(&bodies, samples, figures).await?;
    }
    for (index, (_, query, step_s)) in QUERIES.into_iter().enumerate() {
        // Turn about, so that what else the machine does hits both.
        for _ in 0..REPEATS {
            let (mine, took) = ours.query(query, end_ms, step_s).await?;
            figures[0].latencies[index].push(took);
            let (their, took) = theirs.query(query, end_ms, step_s).await?;
            figures[1].latencies[index].push(took);
            same(query, &mine, &their)?;
        }
    }
    Ok(())
}

/// What one look at all guests gives: counters that grow at rates of their own, as an exporter's.
fn scrape(step: i64, end_ms: i64) -> Vec<Row> {
    let at_ms = end_ms - (STEPS - 1 - step) * STEP_MS;
    let row = |metric: usize, guest: usize| {
        // Below 2^53, so exact.
        let value = (step * i64::try_from(7 * guest + 13 * metric + 1).expect("small")) as f64;
        let labels = [
            ("__name__", format!("bench_{metric}_total")),
            ("domain", format!("opshawk-{guest:012x}")),
            ("guest_id", format!("01990000-0000-7000-8000-{guest:012x}")),
            ("host", format!("host-{}", guest % 10)),
            ("instance", format!("guest-{guest}")),
            ("job", "bench".to_owned()),
            ("zone", format!("zone-{}", guest % 4)),
        ];
        Row { labels: labels.map(|(name, value)| (name.to_owned(), value)).to_vec(), at_ms, value }
    };
    (0..METRICS).flat_map(|metric| (0..GUESTS).map(move |guest| row(metric, guest))).collect()
}

impl Target {
    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn ingest(
        &self,
        bodies: &[Vec<u8>],
        samples: usize,
        figures: &mut Figures,
    ) -> Result<()> {
        let (cpu, began) = (cpu_time(self.pid)?, Instant::now());
        for body in bodies {
            let answer = self
                .request(reqwest::Method::POST, "/write")
                .header("content-type", "application/x-protobuf")
                .header("content-encoding", "snappy")
                .header("x-prometheus-remote-write-version", "0.1.0")
                .body(body.clone())
                .send()
                .await?;
            let status = answer.status();
            if !status.is_success() {
                bail!("{} answered {status}: {}", self.base, answer.text().await?);
            }
        }
        let samples = samples as f64;
        figures.samples_per_s.push(samples / began.elapsed().as_secs_f64());
        let used = cpu_time(self.pid)?.saturating_sub(cpu);
        figures.samples_per_cpu_s.push(samples / used.as_secs_f64().max(0.01));
        figures.resident_mib.push(resident_mib(self.pid)?);
        Ok(())
    }

    /// The result, sorted, and the milliseconds to its last byte.
    async fn query(&self, query: &str, end_ms: i64, step_s: Option<i64>) -> Result<(Value, f64)> {
        let end = (end_ms / 1000).to_string();
        let start = ((end_ms - (STEPS - 1) * STEP_MS) / 1000).to_string();
        let request = match step_s {
            None => self
                .request(reqwest::Method::GET, "/query")
                .query(&[("query", query), ("time", &end)]),
            Some(step) => self.request(reqwest::Method::GET, "/query_range").query(&[
                ("query", query),
                ("start", &start),
                ("end", &end),
                ("step", &step.to_string()),
            ]),
        };
        let began = Instant::now();
        let bytes = request.send().await?.bytes().await?;
        let took = began.elapsed().as_secs_f64() * 1000.0;
        let mut answer: Value = serde_json::from_slice(&bytes)?;
        ensure!(answer["status"] == "success", "{} answered {answer}", self.base);
        let mut result = answer["data"]["result"].take();
        let rows = result.as_array_mut().context("a result is a list")?;
        ensure!(!rows.is_empty(), "{query} found nothing at {}", self.base);
        rows.sort_by_key(|row| row["metric"].to_string());
        Ok((result, took))
    }
}

/// Numbers are sent as text; sums may differ by the order of their summands.
fn same(query: &str, mine: &Value, theirs: &Value) -> Result<()> {
    fn near(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b))
            }
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| near(a, b)))
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
    ensure!(
        near(mine, theirs),
        "{query} is answered differently:\n{:.2000}\n{:.2000}",
        mine.to_string(),
        theirs.to_string()
    );
    Ok(())
}

/// User and system time of a process, by proc(5).
fn cpu_time(pid: u32) -> Result<Duration> {
    /// The kernel's USER_HZ, which is 100 for every program on Linux.
    const TICK_MS: u64 = 10;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> =
        stat.rsplit_once(')').context("no process")?.1.split_whitespace().collect();
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * TICK_MS))
}

fn resident_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print([ours, theirs]: &mut [Figures; 2]) {
    println!("\n{:<34} {:>12} {:>12} {:>16}", "median", "OpsHawk", "Prometheus", "OpsHawk is");
    let line = |what: &str, ours: &mut [f64], theirs: &mut [f64], more_is_better: bool| {
        let (ours, theirs) = (median(ours), median(theirs));
        let ratio = if more_is_better { ours / theirs } else { theirs / ours };
        let verdict = if ratio >= 1.0 {
            format!("{ratio:.2} x better")
        } else {
            format!("{:.2} x worse", 1.0 / ratio)
        };
        println!("{what:<34} {ours:>12.2} {theirs:>12.2} {verdict:>16}");
    };
    line(
        "samples taken per CPU second",
        &mut ours.samples_per_cpu_s,
        &mut theirs.samples_per_cpu_s,
        true,
    );
    line("samples taken per second", &mut ours.samples_per_s, &mut theirs.samples_per_s, true);
    line("memory after that, MiB", &mut ours.resident_mib, &mut theirs.resident_mib, false);
    for (index, (what, ..)) in QUERIES.iter().enumerate() {
        let what = format!("{what}, ms");
        line(&what, &mut ours.latencies[index], &mut theirs.latencies[index], false);
    }
}
