//! 500,000 series at once, each scraped every 15 seconds, for ten minutes of the wall's clock.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use base::time::{Clock, SystemClock};
use lab::remote_write::Body;
use tokio::sync::watch;

use crate::{
    day,
    engine::{Engine, Product, Query},
    queries::{self, quantile},
    report::{Better, Row, Section},
    usage::Usage,
    workload::{self, Series},
};

pub const TITLE: &str = "500,000 active series";
const SERIES: u64 = 500_000;
/// Whole scrapes of hosts in one body.
const BODY_SERIES: usize = 5000;
const STEP: Duration = Duration::from_secs(15);
const RUN_FOR: Duration = Duration::from_secs(600);
const WATCH_EVERY: Duration = Duration::from_secs(1);

pub async fn run() -> Result<Section> {
    println!("crowd: {SERIES} series, {} s ...", RUN_FOR.as_secs());
    let engines = Arc::new(crate::engines().await?);
    let mut all: Vec<Series> = workload::series(SERIES).collect();
    let (end, ended) = watch::channel(());
    let watching = tokio::spawn(watch_usage(engines.clone(), ended));
    let before = usage(&engines)?;
    let (samples, mut took) = send(&engines, &mut all).await?;
    // What a flush takes is in the figures below.
    let blocks = std::fs::read_dir(engines[0].data().join("blocks"))?.count();
    ensure!(blocks > 0, "OpsHawk has flushed nothing");
    let after = usage(&engines)?;
    drop(end);
    let mut shares = watching.await??;
    let per_cpu =
        |at: usize| samples / after[at].cpu.saturating_sub(before[at].cpu).as_secs_f64().max(0.01);
    let of = |figure: &dyn Fn(usize) -> f64| [figure(0), figure(1), figure(2)];
    let mut rows = vec![
        Row::new("samples a CPU-second", Better::More, of(&per_cpu)).goal(Product::Victoria, 1.2),
        Row::new("peak memory, MiB", Better::Less, of(&|at| after[at].peak_mib))
            .goal(Product::Victoria, 1.0),
        share("share of a core, median", &mut shares, 0.5),
        share("share of a core, the busiest second", &mut shares, 1.0),
        share("time of a write, median, ms", &mut took, 0.5),
        share("time of a write, 99 %, ms", &mut took, 0.99),
        share("time of a write, the longest, ms", &mut took, 1.0),
    ];
    for row in &rows {
        println!("  {} {:?}", row.what, row.figures);
    }
    let Ok(mut engines) = Arc::try_unwrap(engines) else { unreachable!("the watcher has ended") };
    let end_s = SystemClock.now().ms() / 1000;
    let probe = Query { expr: "count(requests_total)", start_s: end_s, end_s, step_s: None };
    for engine in &engines {
        engine.until_value(&probe, SERIES as f64 / 5.0).await?;
    }
    rows.extend(queries::measure(&engines, &queries::CROWD, end_s).await?);
    rows.push(day::restart(&mut engines, end_s).await?);
    rows.push(day::bytes(&mut engines, samples).await?);
    Ok(Section {
        title: TITLE,
        text: crate::text(format!(
            "{:.1} M samples in ten minutes: each series every 15 s, bodies of 5,000 samples sent to all \
             three at the same moments. OpsHawk writes a block of all its series on the way.",
            samples / 1e6
        )),
        rows,
    })
}

fn usage(engines: &[Engine; 3]) -> Result<[Usage; 3]> {
    Ok([engines[0].usage()?, engines[1].usage()?, engines[2].usage()?])
}

fn share(what: &str, values: &mut [Vec<f64>; 3], at: f64) -> Row {
    let figures = values.each_mut().map(|values| quantile(values, at));
    Row::new(what, Better::Less, figures)
}

/// The samples, and the milliseconds of each write.
async fn send(engines: &[Engine; 3], all: &mut [Series]) -> Result<(f64, [Vec<f64>; 3])> {
    let bodies = all.len() / BODY_SERIES;
    let slot = STEP / u32::try_from(bodies)?;
    let began = Instant::now();
    let start_ms = SystemClock.now().ms();
    let mut took: [Vec<f64>; 3] = Default::default();
    let mut body = Body::default();
    let mut sent = 0;
    let mut due = Duration::ZERO;
    while due < RUN_FOR {
        for series in all.chunks_mut(BODY_SERIES) {
            let due_ms = start_ms + i64::try_from(due.as_millis())?;
            series.iter_mut().for_each(|series| series.scrape(due_ms, &mut body));
            let body = body.compress().into();
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
            let [a, b, c] = engines;
            let (a, b, c) = tokio::try_join!(a.write(&body), b.write(&body), c.write(&body))?;
            for (took, time) in took.iter_mut().zip([a, b, c]) {
                took.push(time.as_secs_f64() * 1000.0);
            }
            sent += series.len();
            due += slot;
        }
    }
    println!("  sent in {:.0} s", began.elapsed().as_secs_f64());
    Ok((sent as f64, took))
}

/// The share of a core that each used, second by second.
async fn watch_usage(
    engines: Arc<[Engine; 3]>,
    mut ended: watch::Receiver<()>,
) -> Result<[Vec<f64>; 3]> {
    let mut shares: [Vec<f64>; 3] = Default::default();
    let mut ticks = tokio::time::interval(WATCH_EVERY);
    let mut last = (Instant::now(), usage(&engines)?);
    loop {
        tokio::select! {
            _ = ended.changed() => return Ok(shares),
            _ = ticks.tick() => {}
        }
        let now = (Instant::now(), usage(&engines)?);
        let passed = (now.0 - last.0).as_secs_f64();
        if passed < WATCH_EVERY.as_secs_f64() / 2.0 {
            continue;
        }
        for (at, shares) in shares.iter_mut().enumerate() {
            let used = now.1[at].cpu.saturating_sub(last.1[at].cpu);
            shares.push(used.as_secs_f64() / passed);
        }
        last = now;
    }
}
