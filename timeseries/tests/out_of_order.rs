//! What becomes of a sample behind its series' newest, or at the instant of one that is there: case
//! by case beside the real Prometheus with a window of the same length (`out_of_order_time_window`).
//!
//! Two differences are on purpose. Prometheus says yes to another value at an instant behind the
//! newest, and then shows the later one where the first had come in order, the first where both had
//! come late: here an acknowledged value stays what it is, and whoever sends another is told. And it
//! answers 500 to what is before the window, which sends a sender round in circles: here that is no
//! failure of the server's.

use base::{
    sample::{Labels, Sample, Series},
    time::{ManualClock, Timestamp},
};
use timeseries::{Appended, Embedded, Error, Matcher, Options, Outside, Select, Store};

#[path = "engines/process.rs"]
// Shared with other tests, which use the rest.
#[allow(dead_code)]
mod process;

use process::{Process, Product};

const MINUTE_MS: i64 = 60_000;
const WINDOW_MIN: i64 = 30;
/// Of every series, once it has its samples in order: one a minute, whose value is how many minutes
/// it is behind the newest.
const NEWEST_MS: i64 = 1_700_000_000_000;
const SAMPLES: i64 = 41;
/// What Prometheus takes at once of a series that goes forward.
const PART: usize = 20;
const CONFIG: &str = "storage: {tsdb: {out_of_order_time_window: 30m}}\n";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Said {
    /// Written, or there already: 204.
    Yes,
    /// 400.
    No,
    /// 500.
    Failed,
}

use Said::{Failed, No, Yes};

struct Case {
    name: &'static str,
    /// Behind the newest, in milliseconds, and the value.
    sent: &'static [(i64, f64)],
    /// To the last of them, and what is there in the end.
    prometheus: (Said, Option<f64>),
    ours: (Said, Option<f64>),
}

const fn same(
    name: &'static str,
    sent: &'static [(i64, f64)],
    said: Said,
    kept: Option<f64>,
) -> Case {
    Case { name, sent, prometheus: (said, kept), ours: (said, kept) }
}

const HALF_MS: i64 = MINUTE_MS / 2;
const BEHIND_MS: i64 = 5 * MINUTE_MS;
const EDGE_MS: i64 = WINDOW_MIN * MINUTE_MS;
const BEFORE_MS: i64 = 35 * MINUTE_MS;

const CASES: &[Case] = &[
    same("newest, same value", &[(0, 0.0)], Yes, Some(0.0)),
    same("newest, another value", &[(0, 9.0)], No, Some(0.0)),
    same("late, new", &[(BEHIND_MS + HALF_MS, 5.5)], Yes, Some(5.5)),
    same("late, same value as in order", &[(BEHIND_MS, 5.0)], Yes, Some(5.0)),
    Case {
        name: "late, another value than in order",
        sent: &[(BEHIND_MS, 99.0)],
        prometheus: (Yes, Some(99.0)),
        ours: (No, Some(5.0)),
    },
    same(
        "late, same value as late",
        &[(BEHIND_MS + HALF_MS, 5.5), (BEHIND_MS + HALF_MS, 5.5)],
        Yes,
        Some(5.5),
    ),
    Case {
        name: "late, another value than late",
        sent: &[(BEHIND_MS + HALF_MS, 5.5), (BEHIND_MS + HALF_MS, 7.5)],
        prometheus: (Yes, Some(5.5)),
        ours: (No, Some(5.5)),
    },
    same("last of the window", &[(EDGE_MS, 30.0)], Yes, Some(30.0)),
    same("first of the window, new", &[(EDGE_MS - 1, 7.0)], Yes, Some(7.0)),
    before("before the window by a millisecond", &[(EDGE_MS + 1, 7.0)], None),
    before("before the window, new", &[(BEFORE_MS + HALF_MS, 7.0)], None),
    before("before the window, same value", &[(BEFORE_MS, 35.0)], Some(35.0)),
    before("before the window, another value", &[(BEFORE_MS, 99.0)], Some(35.0)),
];

const fn before(name: &'static str, sent: &'static [(i64, f64)], kept: Option<f64>) -> Case {
    Case { name, sent, prometheus: (Failed, kept), ours: (No, kept) }
}

fn series(case: &Case, samples: Vec<Sample>) -> Series {
    Series { labels: Labels::metric("judged", &[("case", case.name)]), samples }
}

fn said(answer: Result<Appended, Error>) -> Said {
    match answer {
        Ok(appended) if appended.rejected() == 0 => Yes,
        Ok(_) | Err(Error::EngineRefused { .. }) => No,
        Err(Error::EngineAway { reason, .. }) if reason.starts_with("500 ") => Failed,
        Err(error) => panic!("{error}"),
    }
}

async fn lay_out(store: &dyn Store, case: &Case) {
    let sample =
        |minute: i64| Sample { at_ms: NEWEST_MS - minute * MINUTE_MS, value: minute as f64 };
    let all: Vec<Sample> = (0..SAMPLES).rev().map(sample).collect();
    for part in all.chunks(PART) {
        assert_eq!(said(store.append(vec![series(case, part.to_vec())]).await), Yes);
    }
}

async fn send(store: &dyn Store, case: &Case, (behind_ms, value): (i64, f64)) -> Said {
    let sample = Sample { at_ms: NEWEST_MS - behind_ms, value };
    said(store.append(vec![series(case, vec![sample])]).await)
}

/// What is there at the instant of the last that was sent.
async fn kept(store: &dyn Store, case: &Case) -> Option<f64> {
    let (behind_ms, _) = case.sent[case.sent.len() - 1];
    let at_ms = NEWEST_MS - behind_ms;
    let select = Select {
        matchers: vec![Matcher::equal("case", case.name)],
        start_ms: at_ms,
        end_ms: at_ms,
        max_samples: usize::MAX,
        max_bytes: usize::MAX,
        newest_only: false,
    };
    let found = store.select(select).await.expect("samples");
    let values: Vec<f64> = found.iter().flat_map(|one| &one.samples).map(|s| s.value).collect();
    assert!(values.len() <= 1, "{}: {values:?}", case.name);
    values.first().copied()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_out_of_order_is_decided_as_prometheus_does_but_where_it_unsays_itself() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let process = Process::start_with(Product::Prometheus, scratch.path(), CONFIG);
    let reference = Outside::open(process.address().parse().expect("an address")).expect("a store");
    for case in CASES {
        lay_out(&reference, case).await;
        let mut said = Yes;
        for sent in case.sent {
            said = send(&reference, case, *sent).await;
        }
        assert_eq!((said, kept(&reference, case).await), case.prometheus, "{}", case.name);
    }

    let window = std::time::Duration::from_millis((WINDOW_MIN * MINUTE_MS) as u64);
    let options = || Options { out_of_order_window: window, ..Options::default() };
    let clock = || ManualClock::at(Timestamp::from_ms(NEWEST_MS + 3_600_000)).shared();
    // Also where what is there is in blocks, and where it is in the log alone.
    for (flush, restart) in [(false, false), (true, false), (false, true), (true, true)] {
        let dir = scratch.path().join(format!("embedded-{flush}-{restart}"));
        let mut store = Embedded::open(&dir, options(), clock()).await.expect("a store");
        for case in CASES {
            lay_out(&store, case).await;
            let mut said = Yes;
            for sent in case.sent {
                if flush {
                    store.flush().await.expect("a flush");
                }
                if restart {
                    store.close().await.expect("a close");
                    store = Embedded::open(&dir, options(), clock()).await.expect("a store");
                }
                said = send(&store, case, *sent).await;
            }
            let ours = (said, kept(&store, case).await);
            assert_eq!(ours, case.ours, "{} (flush {flush}, restart {restart})", case.name);
        }
        store.close().await.expect("a close");
    }
}
