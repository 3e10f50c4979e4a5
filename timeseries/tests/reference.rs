//! PromQL against the real Prometheus: the same seeded samples in both, and every expression of a
//! table answered by both, value for value.

#[path = "reference/data.rs"]
mod data;
#[path = "reference/prometheus.rs"]
mod prometheus;
#[path = "reference/table.rs"]
mod table;

use std::{collections::BTreeMap, sync::Arc};

use base::{
    sample::Labels,
    time::{ManualClock, Timestamp},
};
use timeseries::{Embedded, Engine, EngineOptions, Options, Scope, Store, Value, value::Response};

/// Two values agree when they differ by no more than this part of the larger one.
const TOLERANCE: f64 = 1e-12;

/// Instants and values by label set.
type Answer = BTreeMap<Labels, Vec<(i64, f64)>>;

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_answers_as_prometheus_does() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let series = data::series();
    let prometheus = prometheus::Prometheus::start(scratch.path(), &series);
    let clock = ManualClock::at(Timestamp::from_ms(data::END_MS));
    let store = Embedded::open(&scratch.path().join("store"), Options::default(), clock.shared())
        .await
        .expect("a new store");
    let total: usize = series.iter().map(|one| one.samples.len()).sum();
    // In two halves with a flush between, so that queries join head and blocks.
    for half in [0, 1] {
        let mut batch = series.clone();
        for one in &mut batch {
            one.samples.retain(|sample| (sample.at_ms >= data::MIDDLE_MS) == (half == 1));
        }
        let appended = store.append(batch).await.expect("an append");
        assert_eq!(appended.rejected(), 0, "{appended:?}");
        if half == 0 {
            store.flush().await.expect("a flush");
        }
    }
    let engine = Engine::new(Arc::new(store), EngineOptions::default());
    let mut wrong = Vec::new();
    let expressions = table::expressions();
    assert!(expressions.len() >= 100);
    let instant_only = table::INSTANT_ONLY.iter().map(|expr| (*expr).to_owned());
    for expr in expressions.iter().cloned().chain(instant_only) {
        for at_ms in table::INSTANTS_MS {
            let theirs = prometheus.query(&expr, at_ms);
            let ours = engine.query(&Scope::ALL, &expr, at_ms).await;
            compare(&format!("{expr} at {at_ms}"), theirs, ours, &mut wrong);
        }
    }
    for expr in &expressions {
        for (start, end, step) in table::RANGES_MS {
            let theirs = prometheus.query_range(expr, start, end, step);
            let ours = engine.query_range(&Scope::ALL, expr, start, end, step).await;
            compare(&format!("{expr} from {start} to {end} by {step}"), theirs, ours, &mut wrong);
        }
    }
    let checked = expressions.len() * (table::INSTANTS_MS.len() + table::RANGES_MS.len());
    println!("{} expressions, {checked} answers over {total} samples", expressions.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    engine.store().close().await.expect("a close");
}

fn compare(
    what: &str,
    theirs: Response<Value>,
    ours: timeseries::Result<Value>,
    wrong: &mut Vec<String>,
) {
    let verdict = match (theirs.data, ours) {
        (Some(theirs), Ok(ours)) => {
            let kinds = std::mem::discriminant(&theirs) == std::mem::discriminant(&ours);
            if !kinds {
                Some(format!("types differ: {theirs:?} / {ours:?}"))
            } else {
                sorted_alike(what, &theirs, &ours).or_else(|| differ(&flat(theirs), &flat(ours)))
            }
        }
        (None, Err(_)) => None,
        (Some(theirs), Err(error)) => Some(format!("ours failed: {error}; theirs: {theirs:?}")),
        (None, Ok(ours)) => {
            Some(format!("theirs failed: {}; ours: {ours:?}", theirs.error.unwrap_or_default()))
        }
    };
    wrong.extend(verdict.map(|verdict| format!("{what}\n    {verdict}")));
}

/// The order that sort and topk make is part of an instant answer.
fn sorted_alike(what: &str, theirs: &Value, ours: &Value) -> Option<String> {
    let ordered = ["sort", "topk", "bottomk"].iter().any(|name| what.starts_with(name));
    let (Value::Vector(theirs), Value::Vector(ours), true) = (theirs, ours, ordered) else {
        return None;
    };
    let metrics = |series: &[timeseries::value::InstantSeries]| {
        series.iter().map(|one| one.metric.clone()).collect::<Vec<_>>()
    };
    let (theirs, ours) = (metrics(theirs), metrics(ours));
    (theirs != ours).then(|| format!("order differs: {theirs:?} / {ours:?}"))
}

fn flat(value: Value) -> Answer {
    let pair = |point: timeseries::value::Point| (point.at_ms, point.value);
    match value {
        Value::Scalar(point) => Answer::from([(Labels::default(), vec![pair(point)])]),
        Value::String(text) => {
            Answer::from([(Labels::metric(&text.text, &[]), vec![(text.at_ms, 0.0)])])
        }
        Value::Vector(series) => {
            series.into_iter().map(|one| (one.metric, vec![pair(one.value)])).collect()
        }
        Value::Matrix(series) => series
            .into_iter()
            .map(|one| (one.metric, one.values.into_iter().map(pair).collect()))
            .collect(),
    }
}

fn differ(theirs: &Answer, ours: &Answer) -> Option<String> {
    let (missing, extra): (Vec<_>, Vec<_>) = (
        theirs.keys().filter(|labels| !ours.contains_key(labels)).collect(),
        ours.keys().filter(|labels| !theirs.contains_key(labels)).collect(),
    );
    if !missing.is_empty() || !extra.is_empty() {
        return Some(format!("series missing: {missing:?}, too many: {extra:?}"));
    }
    for (labels, theirs) in theirs {
        let ours = &ours[labels];
        let instants = |points: &[(i64, f64)]| points.iter().map(|p| p.0).collect::<Vec<_>>();
        if instants(theirs) != instants(ours) {
            return Some(format!("instants of {labels:?} differ: {theirs:?} / {ours:?}"));
        }
        for (theirs, ours) in theirs.iter().zip(ours) {
            if !close(theirs.1, ours.1) {
                return Some(format!("{labels:?} at {}: {} / {}", theirs.0, theirs.1, ours.1));
            }
        }
    }
    None
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}
