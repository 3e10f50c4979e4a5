//! `kill -9`: what was acknowledged is there, unaltered and once, however often and whenever the
//! process dies.
//!
//! The test runs itself as a child that appends numbered samples and prints what is acknowledged;
//! the parent kills it after a seeded number of acknowledgements, opens the store and counts.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use base::{
    sample::{Labels, Sample, Series},
    time::{ManualClock, SharedClock, Timestamp},
};
use timeseries::{Embedded, Error, Matcher, Options, Select, Store};

#[path = "reference/data.rs"]
#[allow(dead_code)]
mod data;

const DIR_VARIABLE: &str = "OPSHAWK_TEST_APPEND_TO";
const FIRST_VARIABLE: &str = "OPSHAWK_TEST_APPEND_FROM";
const START_MS: i64 = 1_700_000_000_000;
const STEP_MS: i64 = 15_000;
/// Appenders of a child, each with series of its own.
const APPENDERS: u64 = 4;
const SERIES: u64 = 5;
/// More than a child reaches before it is killed.
const ROUNDS_MAX: u64 = 100_000;
const KILLS: u64 = 10;
const KILLS_MAX: u64 = 1000;
/// How many kills, where not [`KILLS`].
const KILLS_VARIABLE: &str = "OPSHAWK_SOAK_KILLS";

fn clock() -> SharedClock {
    let end = START_MS + STEP_MS * (ROUNDS_MAX * (KILLS_MAX + 1)) as i64;
    ManualClock::at(Timestamp::from_ms(end)).shared()
}

/// Small, so that kills also hit flushes and merges.
fn options() -> Options {
    Options {
        flush_samples: 400,
        merge_fan_in: 3,
        retention: std::time::Duration::from_secs(100 * 365 * 24 * 3600),
        ..Options::default()
    }
}

fn labels(appender: u64, series: u64) -> Labels {
    Labels::metric("numbered", &[("a", &appender.to_string()), ("s", &series.to_string())])
}

/// What only this sample has: its series and its round.
fn value(appender: u64, series: u64, round: u64) -> f64 {
    (round * 1000 + appender * 10 + series) as f64 / 4.0
}

async fn append_for_ever(store: Arc<Embedded>, appender: u64, first: u64) {
    for round in first..first + ROUNDS_MAX {
        let batch = (0..SERIES).map(|series| {
            let at_ms = START_MS + STEP_MS * round as i64;
            let samples = vec![Sample { at_ms, value: value(appender, series, round) }];
            Series { labels: labels(appender, series), samples }
        });
        let batch: Vec<_> = batch.collect();
        let appended = loop {
            match store.append(batch.clone()).await {
                // Flushes this small may not keep up; senders send again.
                Err(Error::Busy(_)) => tokio::task::yield_now().await,
                other => break other.expect("an append"),
            }
        };
        assert_eq!(appended.written + appended.duplicates, SERIES as usize, "{appended:?}");
        println!("ack {appender} {round}");
    }
}

/// The child; without its variables it is an empty test.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_appends() {
    let (Ok(dir), Ok(first)) = (std::env::var(DIR_VARIABLE), std::env::var(FIRST_VARIABLE)) else {
        return;
    };
    let first = first.parse().expect("a number from the parent");
    let store = Embedded::open(Path::new(&dir), options(), clock()).await.expect("a store");
    let store = Arc::new(store);
    let tasks: Vec<_> = (0..APPENDERS)
        .map(|appender| tokio::spawn(append_for_ever(store.clone(), appender, first)))
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
}

/// Appender and round of an acknowledged batch.
type Acknowledged = BTreeSet<(u64, u64)>;

/// Runs a child from round `first`, kills it after so many acknowledgements, and returns all that
/// it printed.
fn run_and_kill(dir: &Path, first: u64, acknowledgements: usize) -> Acknowledged {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child_that_appends", "--nocapture", "--test-threads=1"])
        .env(DIR_VARIABLE, dir)
        .env(FIRST_VARIABLE, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let mut all = Acknowledged::new();
    for line in output.lines() {
        let line = line.expect("text");
        // The harness may print on the same line before the first one.
        let Some((_, rest)) = line.split_once("ack ") else { continue };
        let mut numbers = rest.split(' ').map(|n| n.parse::<u64>());
        let (Some(Ok(appender)), Some(Ok(round))) = (numbers.next(), numbers.next()) else {
            continue;
        };
        all.insert((appender, round));
        if all.len() == acknowledgements {
            // SIGKILL; what it printed before is still read.
            child.kill().expect("a running child");
        }
    }
    child.wait().expect("an end");
    assert!(all.len() >= acknowledgements, "the child died early, after {}", all.len());
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_altered_or_doubled_by_kill_9() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let dir = scratch.path().join("store");
    let mut random = data::Random(7);
    let mut acknowledged = Acknowledged::new();
    let mut first = 0;
    let kills = std::env::var(KILLS_VARIABLE).ok();
    let kills = kills.map_or(KILLS, |text| text.parse().expect("a number of kills"));
    assert!(kills <= KILLS_MAX, "at most {KILLS_MAX} kills");
    for kill in 0..kills {
        let kill_after = 1 + random.below(1500) as usize;
        acknowledged.append(&mut run_and_kill(&dir, first, kill_after));
        let store = Embedded::open(&dir, options(), clock()).await.expect("a store after kill -9");
        first = check(&store, &acknowledged).await;
        println!("kill {kill}: {} acknowledged, {:?}", acknowledged.len(), store.stats());
        store.close().await.expect("a close");
    }
}

/// Every acknowledged sample is there, every sample that is there has its own value, and none is
/// there twice. Returns the first round that nobody wrote.
async fn check(store: &Embedded, acknowledged: &Acknowledged) -> u64 {
    let select = Select {
        matchers: vec![Matcher::equal("__name__", "numbered")],
        start_ms: i64::MIN,
        end_ms: i64::MAX,
        max_samples: usize::MAX,
        max_bytes: usize::MAX,
        newest_only: false,
    };
    let selected = store.select(select).await.expect("a selection");
    let mut next = 0;
    for appender in 0..APPENDERS {
        for series in 0..SERIES {
            let labels = labels(appender, series);
            let found = selected.iter().find(|one| *one.labels == labels);
            let samples = found.map(|one| one.samples.as_slice()).unwrap_or_default();
            let mut rounds = Vec::new();
            for sample in samples {
                let round = ((sample.at_ms - START_MS) / STEP_MS) as u64;
                assert_eq!(sample.value, value(appender, series, round), "{labels:?} {round}");
                rounds.push(round);
            }
            assert!(rounds.windows(2).all(|pair| pair[0] < pair[1]), "doubled or out of order");
            let its = acknowledged.range((appender, 0)..(appender + 1, 0));
            for (_, round) in its {
                assert!(rounds.binary_search(round).is_ok(), "{labels:?} lost round {round}");
            }
            next = next.max(rounds.last().map_or(0, |last| last + 1));
        }
    }
    next
}

/// A restart after `kill -9` replays what no block holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_a_million_samples_is_replayed_within_ten_seconds() {
    const SAMPLES: usize = 1_000_000;
    const BATCHES: usize = 20;
    const SERIES_PER_BATCH: usize = 1000;
    const READY_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let large = || Options { flush_samples: 4 * SAMPLES, ..options() };
    let store = Embedded::open(scratch.path(), large(), clock()).await.expect("a store");
    let each = SAMPLES / BATCHES / SERIES_PER_BATCH;
    for batch in 0..BATCHES {
        let series = (0..SERIES_PER_BATCH).map(|series| {
            let sample = |i: usize| Sample {
                at_ms: START_MS + STEP_MS * (batch * each + i) as i64,
                value: (i * series) as f64 / 10.0,
            };
            let samples = (0..each).map(sample).collect();
            Series { labels: labels(0, series as u64), samples }
        });
        store.append(series.collect()).await.expect("an append");
    }
    // No close: nothing is flushed.
    drop(store);
    let (store, took) = loop {
        let began = std::time::Instant::now();
        match Embedded::open(scratch.path(), large(), clock()).await {
            // The background tasks of the one before let go of the directory a moment later.
            Err(Error::Locked { .. }) => tokio::task::yield_now().await,
            other => break (other.expect("a store"), began.elapsed()),
        }
    };
    println!("ready after {took:?}");
    assert_eq!(store.stats().unflushed_samples, SAMPLES);
    assert!(took < READY_WITHIN, "ready after {took:?}");
}
