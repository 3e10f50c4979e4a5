//! What any text may be put through as a PromQL expression: it is refused or answered, in bounded
//! time and memory, and what is printed reads as itself.

use std::{sync::OnceLock, time::Duration};

use base::{
    sample::{Labels, STALE_NAN_BITS, Sample, Series},
    time::{ManualClock, Timestamp},
};
use timeseries::{
    EXPR_MAX_BYTES, Embedded, Engine, EngineOptions, Error, Options, Scope, Store, Value,
};
use tokio::runtime::Runtime;

const END_MS: i64 = 1_700_000_000_000;
const STEP_MS: i64 = 15_000;
const MAX_POINTS: usize = 20_000;

struct Answers {
    runtime: Runtime,
    engine: Engine,
    _dir: tempfile::TempDir,
}

/// Panics where something is wrong.
pub fn run(data: &[u8]) {
    let Ok(expr) = std::str::from_utf8(data) else { return };
    if let Ok(text) = timeseries::format(expr) {
        // Indented, it may be too long.
        if text.len() <= EXPR_MAX_BYTES {
            let again = timeseries::format(&text).unwrap_or_else(|e| panic!("{expr}: {text}: {e}"));
            assert_eq!(unsigned(&again), unsigned(&text), "{expr}");
        }
    }
    static ANSWERS: OnceLock<Answers> = OnceLock::new();
    let Answers { runtime, engine, .. } = ANSWERS.get_or_init(answers);
    let instant = runtime.block_on(engine.query(&Scope::ALL, expr, END_MS));
    let start_ms = END_MS - 20 * STEP_MS;
    let range = engine.query_range(&Scope::ALL, expr, start_ms, END_MS, 2 * STEP_MS);
    let range = runtime.block_on(range);
    if let Err(Error::BadData(_)) = instant {
        assert!(range.is_err(), "{expr}: an instant is refused, a range is not");
    }
    if let Ok(Value::Matrix(series)) = range {
        let rises = |one: &timeseries::value::RangeSeries| {
            !one.values.is_empty() && one.values.is_sorted_by(|a, b| a.at_ms < b.at_ms)
        };
        assert!(series.iter().all(rises), "{expr}");
        assert!(series.is_sorted_by(|a, b| a.metric < b.metric), "{expr}: {series:?}");
    }
}

/// Prometheus prints infinity with a sign, and in `+Inf ^ 2`, where the sign is an operator, adds it
/// once more each time it prints; and so does this.
fn unsigned(text: &str) -> String {
    const SIGNED: &str = "+Inf";
    if !text.contains(SIGNED) {
        return text.to_owned();
    }
    // One more character may break a line.
    let mut text: String = text.split_whitespace().collect();
    while text.contains(SIGNED) {
        text = text.replace(SIGNED, "Inf");
    }
    text
}

fn answers() -> Answers {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let clock = ManualClock::at(Timestamp::from_ms(END_MS));
    let store = runtime.block_on(async {
        let path = dir.path().join("store");
        let store = Embedded::open(&path, Options::default(), clock.shared());
        let store = store.await.expect("a new store");
        let appended = store.append(series()).await.expect("an append");
        assert_eq!(appended.rejected(), 0, "{appended:?}");
        store
    });
    let options = EngineOptions {
        timeout: Duration::from_secs(10),
        max_points: MAX_POINTS,
        max_samples: MAX_POINTS,
        ..EngineOptions::default()
    };
    let engine = Engine::new(std::sync::Arc::new(store), options);
    Answers { runtime, engine, _dir: dir }
}

fn series() -> Vec<Series> {
    let odd = [f64::NAN, f64::INFINITY, -0.0, f64::from_bits(STALE_NAN_BITS), 1e300, -3.5];
    let labels = [("a", "b"), ("le", "1"), ("le", "+Inf"), ("b", "größe")];
    let one = |name: &str, i: usize| {
        let samples = (0..20).map(|k| {
            let value = if name == "b" { odd[(k + i) % odd.len()] } else { (k * 7 % 11) as f64 };
            Sample { at_ms: END_MS - (19 - k as i64) * STEP_MS, value }
        });
        Series { labels: Labels::metric(name, &labels[i..=i]), samples: samples.collect() }
    };
    ["a", "b"].iter().flat_map(|name| (0..labels.len()).map(move |i| one(name, i))).collect()
}
