//! A day of 5,000 series, sent as one scrape after another; and `history`, which churn shares.

use std::time::Duration;

use anyhow::Result;
use base::time::{Clock, SystemClock};
use lab::remote_write::Body;

use crate::{
    engine::{Engine, Product, Query},
    queries,
    report::{Better, Row, Section},
    workload::{self, Series},
};

pub const TITLE: &str = "A day of 5,000 series";
const SERIES: u64 = 5000;
const STEPS: i64 = 5760;
const STEP_MS: i64 = 15_000;

/// A past that ends now.
pub struct History {
    pub steps: i64,
    pub step_ms: i64,
}

impl History {
    /// Sends it to all three, each body to one after another; the rows about that, and when the
    /// last scrape was due.
    pub async fn send(
        &self,
        engines: &[Engine; 3],
        mut all: Vec<Series>,
        mut before_step: impl FnMut(i64, &mut Vec<Series>),
    ) -> Result<(Vec<Row>, f64, i64)> {
        let end_ms = SystemClock.now().ms() / self.step_ms * self.step_ms;
        let mut cpu = [Duration::ZERO; 3];
        for (cpu, engine) in cpu.iter_mut().zip(engines) {
            *cpu = engine.usage()?.cpu;
        }
        let mut took = [Duration::ZERO; 3];
        let mut samples = 0;
        let mut body = Body::default();
        for step in 0..self.steps {
            before_step(step, &mut all);
            let due_ms = end_ms - (self.steps - 1 - step) * self.step_ms;
            all.iter_mut().for_each(|series| series.scrape(due_ms, &mut body));
            samples += all.len();
            let body = body.compress().into();
            for (took, engine) in took.iter_mut().zip(engines) {
                *took += engine.write(&body).await?;
            }
            if step % (self.steps / 10) == 0 {
                println!("  {} %", 100 * step / self.steps);
            }
        }
        let samples = samples as f64;
        let mut figures = [[0.0; 3]; 4];
        for (at, engine) in engines.iter().enumerate() {
            engine.settle().await?;
            let usage = engine.usage()?;
            let used = usage.cpu.saturating_sub(cpu[at]);
            figures[0][at] = samples / used.as_secs_f64().max(0.01);
            figures[1][at] = samples / took[at].as_secs_f64();
            figures[2][at] = usage.peak_mib;
            figures[3][at] = usage.anonymous_mib;
        }
        let rows = vec![
            Row::new("samples a CPU-second, background work included", Better::More, figures[0])
                .goal(Product::Victoria, 1.2),
            Row::new("samples a second, one client", Better::More, figures[1]),
            Row::new("peak memory, MiB", Better::Less, figures[2]).goal(Product::Victoria, 1.0),
            Row::new("memory at rest without files, MiB", Better::Less, figures[3]),
        ];
        for row in &rows {
            println!("  {} {:?}", row.what, row.figures);
        }
        Ok((rows, samples, end_ms))
    }
}

/// The rows of what is asked of all three once the samples are there: restarts, queries, bytes.
pub async fn afterwards(
    engines: &mut [Engine; 3],
    cases: &[queries::Case],
    end_ms: i64,
    samples: f64,
) -> Result<Vec<Row>> {
    let end_s = end_ms / 1000;
    let mut rows = vec![restart(engines, end_s).await?];
    rows.extend(queries::measure(engines, cases, end_s).await?);
    rows.push(bytes(engines, samples).await?);
    Ok(rows)
}

/// Stops all three.
pub async fn bytes(engines: &mut [Engine; 3], samples: f64) -> Result<Row> {
    let mut bytes = [0.0; 3];
    for (bytes, engine) in bytes.iter_mut().zip(engines.iter_mut()) {
        *bytes = engine.stop().await? as f64 / samples;
    }
    println!("  bytes a sample {bytes:?}");
    let row = Row::new("bytes a sample on disk after a clean stop", Better::Less, bytes);
    Ok(row.goal(Product::Victoria, 0.9))
}

/// How long each takes from `kill -9` to its first answer.
pub async fn restart(engines: &mut [Engine; 3], end_s: i64) -> Result<Row> {
    const TIMES: usize = 3;
    let probe = Query { expr: "count(requests_total)", start_s: end_s, end_s, step_s: None };
    let mut took: [Vec<f64>; 3] = Default::default();
    for _ in 0..TIMES {
        for (took, engine) in took.iter_mut().zip(engines.iter_mut()) {
            took.push(engine.kill_and_restart(&probe).await?.as_secs_f64());
        }
    }
    let took = took.map(queries::median);
    println!("  restart {took:?}");
    let row = Row::new("kill -9 to the first answer, s", Better::Less, took);
    Ok(row.goal(Product::Prometheus, 1.0))
}

pub async fn run() -> Result<Section> {
    println!("day: {SERIES} series, {STEPS} scrapes ...");
    let mut engines = crate::engines().await?;
    let history = History { steps: STEPS, step_ms: STEP_MS };
    let all = workload::series(SERIES).collect();
    let (mut rows, samples, end_ms) = history.send(&engines, all, |_, _| ()).await?;
    let probe = Query {
        expr: "count({job=~\".+\"})",
        start_s: end_ms / 1000,
        end_s: end_ms / 1000,
        step_s: None,
    };
    for engine in &engines {
        engine.until_value(&probe, SERIES as f64).await?;
    }
    rows.extend(afterwards(&mut engines, &queries::DAY, end_ms, samples).await?);
    Ok(Section {
        title: TITLE,
        text: crate::text(format!(
            "{:.1} M samples: 24 h at 15 s, instants late or early by up to 4 ms, 100 series of a host in \
             one scrape; 60 % counters (a third of them histogram buckets), 30 % gauges of two or three \
             decimals, 10 % constants. One body is one scrape of all. Queries are medians of 6 to 200.",
            samples / 1e6
        )),
        rows,
    })
}
