//! `kill -9` while history comes in beside what is appended: what was acknowledged is there,
//! unaltered and once.
//!
//! The test runs itself as a child, which prints what is acknowledged; the parent kills it after a
//! seeded number of acknowledgements, opens the store and looks.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use base::{
    sample::{Labels, Sample, Series},
    time::{ManualClock, SharedClock, Timestamp},
};
use timeseries::{Embedded, Error, Matcher, Options, Select, Store};

#[path = "reference/data.rs"]
// Shared with other tests, which use the rest.
#[allow(dead_code)]
mod data;

const DIR_VARIABLE: &str = "OPSHAWK_TEST_BACKFILL_TO";
const LIFE_VARIABLE: &str = "OPSHAWK_TEST_BACKFILL_LIFE";
const NOW_MS: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 24 * 3_600_000;
const KILLS: u64 = 6;
/// More than a child reaches before it is killed.
const ROUNDS_MAX: i64 = 100_000;
const HISTORY_DAYS: i64 = 6;
const HISTORY_SAMPLES: i64 = 40;

fn clock() -> SharedClock {
    ManualClock::at(Timestamp::from_ms(NOW_MS)).shared()
}

/// Small, so that kills also hit flushes and merges.
fn options() -> Options {
    Options { flush_samples: 400, merge_fan_in: 3, ..Options::default() }
}

fn series(at: impl Iterator<Item = i64>, value: f64) -> Vec<Series> {
    let samples: Vec<_> = at.map(|at_ms| Sample { at_ms, value }).collect();
    ["a", "b"]
        .map(|of| Series { labels: Labels::metric("m", &[("of", of)]), samples: samples.clone() })
        .to_vec()
}

/// What round `round` brings: history spread over some days, none of it twice.
fn history(round: i64) -> Vec<Series> {
    let at = move |i: i64| {
        NOW_MS
            - DAY_MS
            - (i * ROUNDS_MAX + round) * (HISTORY_DAYS * DAY_MS / HISTORY_SAMPLES / ROUNDS_MAX)
    };
    series((0..HISTORY_SAMPLES).map(at), value(round))
}

fn appended(round: i64) -> Vec<Series> {
    series(std::iter::once(NOW_MS - DAY_MS / 2 + round * 100), value(round))
}

fn value(round: i64) -> f64 {
    round as f64 / 4.0
}

/// Rounds of each life are its own, and every fourth brings what one before it brought, with
/// another value.
fn round(life: i64, number: i64) -> i64 {
    life * 2000 + number
}

/// The child; without its variables it is an empty test.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_backfills() {
    let (Ok(dir), Ok(life)) = (std::env::var(DIR_VARIABLE), std::env::var(LIFE_VARIABLE)) else {
        return;
    };
    let life: i64 = life.parse().expect("a number from the parent");
    let store = Embedded::open(Path::new(&dir), options(), clock()).await.expect("a store");
    for number in 0..2000 {
        let round = round(life, number);
        let done = store.backfill(history(round)).await.expect("a backfill").appended;
        assert_eq!(done.written, 2 * HISTORY_SAMPLES as usize, "{done:?}");
        println!("ack h {round}");
        if number % 4 == 3 {
            let mut again = history(round - 2);
            again.iter_mut().flat_map(|one| &mut one.samples).for_each(|its| its.value += 1.0);
            let done = store.backfill(again).await.expect("a backfill").appended;
            assert_eq!(done.conflicts, 2 * HISTORY_SAMPLES as usize, "{done:?}");
        }
        let done = loop {
            match store.append(appended(round)).await {
                // Flushes this small may not keep up; senders send again.
                Err(Error::Busy(_)) => tokio::task::yield_now().await,
                other => break other.expect("an append"),
            }
        };
        assert_eq!(done.written, 2, "{done:?}");
        println!("ack a {round}");
    }
}

/// Runs a child, kills it after so many acknowledgements, and adds what it was told to what is to
/// be there.
fn run_and_kill(dir: &Path, life: u64, after: usize, wanted: &mut BTreeMap<i64, f64>) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child_that_backfills", "--nocapture", "--test-threads=1"])
        .env(DIR_VARIABLE, dir)
        .env(LIFE_VARIABLE, life.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let mut count = 0;
    for line in output.lines() {
        let line = line.expect("text");
        // The harness may print on the same line before the first one.
        let Some((_, rest)) = line.split_once("ack ") else { continue };
        let Some((kind, Ok(round))) = rest.split_once(' ').map(|(k, n)| (k, n.parse())) else {
            continue;
        };
        let its = if kind == "h" { history(round) } else { appended(round) };
        wanted.extend(its[0].samples.iter().map(|sample| (sample.at_ms, sample.value)));
        count += 1;
        if count == after {
            // SIGKILL; what it printed before is still read.
            child.kill().expect("a running child");
        }
    }
    child.wait().expect("an end");
    assert!(count >= after, "the child died early, after {count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_history_is_lost_altered_or_doubled_by_kill_9() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let dir = scratch.path().join("store");
    let mut random = data::Random(11);
    let mut wanted = BTreeMap::new();
    for life in 0..KILLS {
        run_and_kill(&dir, life, 1 + random.below(60) as usize, &mut wanted);
        let store = Embedded::open(&dir, options(), clock()).await.expect("a store after kill -9");
        let everything = Select {
            matchers: vec![Matcher::equal("__name__", "m")],
            start_ms: i64::MIN,
            end_ms: i64::MAX,
            max_samples: usize::MAX,
            max_bytes: usize::MAX,
            newest_only: false,
        };
        for one in store.select(everything).await.expect("a selection") {
            assert!(one.samples.is_sorted_by(|a, b| a.at_ms < b.at_ms), "doubled or out of order");
            let found: BTreeMap<_, _> = one.samples.iter().map(|s| (s.at_ms, s.value)).collect();
            for (at_ms, value) in &wanted {
                assert_eq!(found.get(at_ms), Some(value), "{:?} at {at_ms}", one.labels);
            }
            // What nobody was told of may be there, but nothing that nobody sent.
            let of_round = |value: f64| history((value * 4.0) as i64)[0].samples.clone();
            for (at_ms, value) in found.iter().filter(|(at_ms, _)| **at_ms <= NOW_MS - DAY_MS) {
                assert!(
                    of_round(*value).iter().any(|sent| sent.at_ms == *at_ms),
                    "{at_ms} {value}"
                );
            }
        }
        println!("kill {life}: {} acknowledged, {:?}", wanted.len(), store.stats());
        store.close().await.expect("a close");
    }
}
