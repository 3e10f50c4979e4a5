//! The same samples in the real Prometheus and in our store, the same question to both, and
//! whether they agree.

use std::{collections::BTreeMap, sync::Arc};

use base::{
    sample::Labels,
    time::{ManualClock, Timestamp},
};
use timeseries::{
    Embedded, Engine, EngineOptions, Options, Scope, Store, Value,
    value::{InstantSeries, Response},
};

use super::{data, prometheus::Prometheus};

/// Two values agree when they differ by no more than this part of the larger one.
const TOLERANCE: f64 = 1e-12;
/// How often the reference is asked again where the two differ: it keeps series in hash tables, so
/// that some answers depend on their order, from one time to the next.
const ASKED_AGAIN: usize = 8;

/// Instants and values by label set.
type Answer = BTreeMap<Labels, Vec<(i64, f64)>>;

#[derive(Debug, Clone, Copy)]
pub enum When {
    Instant(i64),
    /// Start, end, step.
    Range(i64, i64, i64),
}

#[derive(Debug)]
pub enum Verdict {
    /// The same values; how many series.
    Equal(usize),
    Refused,
    /// The reference does not agree with itself.
    Undetermined,
    Wrong(String),
}

pub struct Both {
    prometheus: Prometheus,
    engine: Engine,
    _scratch: tempfile::TempDir,
}

impl Both {
    pub async fn start() -> Self {
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let series = data::all();
        let prometheus = Prometheus::start(scratch.path(), &series);
        let clock = ManualClock::at(Timestamp::from_ms(data::END_MS));
        let dir = scratch.path().join("store");
        let store =
            Embedded::open(&dir, Options::default(), clock.shared()).await.expect("a new store");
        // In two halves with a flush between, so that queries join head and blocks.
        for half in [0, 1] {
            let mut batch = series.clone();
            for one in &mut batch {
                one.samples.retain(|sample| (sample.at_ms >= data::MIDDLE_MS) == (half == 1));
            }
            batch.retain(|one| !one.samples.is_empty());
            let appended = store.append(batch).await.expect("an append");
            assert_eq!(appended.rejected(), 0, "{appended:?}");
            if half == 0 {
                store.flush().await.expect("a flush");
            }
        }
        let engine = Engine::new(Arc::new(store), EngineOptions::default());
        Self { prometheus, engine, _scratch: scratch }
    }

    pub async fn ask(&self, expr: &str, when: When) -> Verdict {
        let ours = match when {
            When::Instant(at_ms) => self.engine.query(&Scope::ALL, expr, at_ms).await,
            When::Range(start, end, step) => {
                self.engine.query_range(&Scope::ALL, expr, start, end, step).await
            }
        };
        let theirs = || match when {
            When::Instant(at_ms) => self.prometheus.query(expr, at_ms),
            When::Range(start, end, step) => self.prometheus.query_range(expr, start, end, step),
        };
        let first = theirs();
        let Err(wrong) = compare(expr, &first, &ours) else {
            return match &ours {
                Ok(value) => Verdict::Equal(flat(value).len()),
                Err(_) => Verdict::Refused,
            };
        };
        for _ in 0..ASKED_AGAIN {
            if compare(expr, &theirs(), &first.data.clone().ok_or(timeseries::Error::Canceled))
                .is_err()
                && first.data.is_some()
            {
                return Verdict::Undetermined;
            }
        }
        Verdict::Wrong(format!("{expr}\n    {when:?}: {wrong}"))
    }

    /// Whether both format an expression to the same text, or both refuse it.
    pub fn format(&self, expr: &str) -> Result<(), String> {
        let theirs = self.prometheus.format(expr);
        let ours = timeseries::format(expr);
        match (&theirs.data, &ours) {
            (Some(theirs), Ok(ours)) if theirs == ours => Ok(()),
            (None, Err(_)) => Ok(()),
            (None, Ok(_)) if theirs.error.as_deref().is_some_and(is_ours_alone) => Ok(()),
            // Where it is needed; 2.42 leaves it out, and the sense changes.
            (Some(_), Ok(ours)) if ours.contains("ignoring () group_") => Ok(()),
            _ => Err(format!("{expr} is formatted\n{theirs:?}\n{ours:?}")),
        }
    }

    pub async fn close(self) {
        self.engine.store().close().await.expect("a close");
    }
}

fn compare(
    expr: &str,
    theirs: &Response<Value>,
    ours: &timeseries::Result<Value>,
) -> Result<(), String> {
    match (&theirs.data, ours) {
        (Some(theirs), Ok(ours)) => {
            if std::mem::discriminant(theirs) != std::mem::discriminant(ours) {
                return Err(format!("types differ: {theirs:?} / {ours:?}"));
            }
            sorted_alike(expr, theirs, ours)?;
            // Which of several zeros a quantile finds depends on how they are sorted.
            let signs = !expr.contains("quantile");
            differ(&flat(theirs), &flat(ours), signs)
        }
        (None, Ok(_)) if theirs.error.as_deref().is_some_and(is_ours_alone) => Ok(()),
        (None, Err(error)) if theirs.error_type == Some(error.error_type()) => Ok(()),
        (None, Err(error)) => Err(format!(
            "kinds of error differ: {:?} {} / {error}",
            theirs.error_type,
            theirs.error.as_deref().unwrap_or_default()
        )),
        (Some(theirs), Err(error)) => Err(format!("ours failed: {error}; theirs: {theirs:?}")),
        (None, Ok(ours)) => Err(format!(
            "theirs failed: {}; ours: {ours:?}",
            theirs.error.as_deref().unwrap_or_default()
        )),
    }
}

/// What 2.42 can't and we can: texts and ranges with `@` in parentheses (an internal error there),
/// and the quoted names of Prometheus 3.
fn is_ours_alone(their_error: &str) -> bool {
    let quoted_name = ["label matching", "grouping opts"].iter().any(|place| {
        their_error.contains("unexpected string") && their_error.contains(&format!("in {place}"))
    });
    quoted_name
        || their_error.contains("in StepInvariantExpr evaluation")
        || their_error == "unexpected number of samples"
}

/// The order that sort and topk make is part of an instant answer, but for equal values.
fn sorted_alike(expr: &str, theirs: &Value, ours: &Value) -> Result<(), String> {
    let ordered = ["sort", "topk", "bottomk"].iter().any(|name| expr.starts_with(name));
    let (Value::Vector(theirs), Value::Vector(ours), true) = (theirs, ours, ordered) else {
        return Ok(());
    };
    let values = |series: &[InstantSeries]| -> Vec<f64> {
        series.iter().map(|one| one.value.value).collect()
    };
    let (theirs, ours) = (values(theirs), values(ours));
    let alike = theirs.len() == ours.len()
        && theirs.iter().zip(&ours).all(|(theirs, ours)| close(*theirs, *ours, false));
    if alike { Ok(()) } else { Err(format!("the order differs: {theirs:?} / {ours:?}")) }
}

fn flat(value: &Value) -> Answer {
    let pair = |point: &timeseries::value::Point| (point.at_ms, point.value);
    match value {
        Value::Scalar(point) => Answer::from([(Labels::default(), vec![pair(point)])]),
        Value::String(text) => {
            Answer::from([(Labels::metric(&text.text, &[]), vec![(text.at_ms, 0.0)])])
        }
        Value::Vector(series) => {
            series.iter().map(|one| (one.metric.clone(), vec![pair(&one.value)])).collect()
        }
        Value::Matrix(series) => series
            .iter()
            .map(|one| (one.metric.clone(), one.values.iter().map(pair).collect()))
            .collect(),
    }
}

fn differ(theirs: &Answer, ours: &Answer, signs: bool) -> Result<(), String> {
    let missing: Vec<_> = theirs.keys().filter(|labels| !ours.contains_key(labels)).collect();
    let extra: Vec<_> = ours.keys().filter(|labels| !theirs.contains_key(labels)).collect();
    if !missing.is_empty() || !extra.is_empty() {
        return Err(format!("series missing: {missing:?}, too many: {extra:?}"));
    }
    for (labels, theirs) in theirs {
        let ours = &ours[labels];
        let instants = |points: &[(i64, f64)]| points.iter().map(|p| p.0).collect::<Vec<_>>();
        if instants(theirs) != instants(ours) {
            return Err(format!("instants of {labels:?} differ: {theirs:?} / {ours:?}"));
        }
        for (theirs, ours) in theirs.iter().zip(ours) {
            if !close(theirs.1, ours.1, signs) {
                return Err(format!("{labels:?} at {}: {} / {}", theirs.0, theirs.1, ours.1));
            }
        }
    }
    Ok(())
}

/// Zeros have a sign, where it counts.
fn close(a: f64, b: f64, signs: bool) -> bool {
    if signs && a == 0.0 && b == 0.0 {
        return a.is_sign_negative() == b.is_sign_negative();
    }
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}
