//! Engines that run elsewhere, real ones: what is written to them comes back, and the PromQL suite
//! answers over them as over the embedded engine.

#[path = "reference/data.rs"]
#[allow(dead_code)]
mod data;
#[path = "engines/process.rs"]
mod process;
#[path = "reference/table.rs"]
#[allow(dead_code)]
mod table;

use std::{collections::BTreeMap, sync::Arc};

use base::{
    sample::{Labels, Sample, Series, is_stale},
    time::{ManualClock, Timestamp},
};
use process::{Process, Product};
use timeseries::{
    Embedded, Engine, EngineOptions, Matcher, Options, Outside, Scope, Select, Store,
};

const ALL: usize = 10_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn over_prometheus_the_suite_answers_as_over_the_embedded_engine() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let (_process, outside) = started(Product::Prometheus, &scratch).await;
    let wanted = data::series();
    write(&outside, &wanted).await;
    let held = held(&outside).await;
    assert_eq!(held.len(), wanted.len());
    for series in &wanted {
        let found = &held[&series.labels];
        let bits = |samples: &[Sample]| -> Vec<_> {
            samples.iter().map(|one| (one.at_ms, one.value.to_bits())).collect()
        };
        assert_eq!(bits(found), bits(&series.samples), "{:?}", series.labels);
    }
    same_answers(&scratch, outside, held).await;
}

/// VictoriaMetrics keeps about twelve digits of an arbitrary float, and drops NaNs that are no stale
/// markers.
#[tokio::test(flavor = "multi_thread")]
async fn over_victoria_metrics_the_suite_answers_as_over_the_embedded_engine() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let (process, outside) = started(Product::VictoriaMetrics, &scratch).await;
    let mut wanted = data::series();
    // Whatever has more digits is rounded again when it merges its parts, between two questions.
    for sample in wanted.iter_mut().flat_map(|series| &mut series.samples) {
        if sample.value.is_finite() {
            sample.value = format!("{:.9e}", sample.value).parse().expect("a number");
        }
    }
    write(&outside, &wanted).await;
    process.flush();
    for series in &mut wanted {
        series.samples.retain(|one| !one.value.is_nan() || is_stale(one.value));
    }
    wanted.retain(|series| !series.samples.is_empty());
    let held = held(&outside).await;
    assert_eq!(held.len(), wanted.len());
    for series in &wanted {
        let found = &held[&series.labels];
        assert_eq!(found.len(), series.samples.len(), "{:?}", series.labels);
        for (found, sent) in found.iter().zip(&series.samples) {
            let same = is_stale(found.value) && is_stale(sent.value)
                || close(found.value, sent.value, 1e-9);
            assert!(found.at_ms == sent.at_ms && same, "{found:?} / {sent:?}");
        }
    }
    same_answers(&scratch, outside, held).await;
}

async fn started(product: Product, scratch: &tempfile::TempDir) -> (Process, Outside) {
    let process = Process::start(product, scratch.path());
    let outside = Outside::open(process.address().parse().expect("an address")).expect("a store");
    (process, outside)
}

/// In spans of time, because Prometheus takes nothing that is an hour behind its newest sample.
async fn write(store: &Outside, all: &[Series]) {
    const SPAN_MS: i64 = 30 * 60 * 1000;
    for start in (data::START_MS..data::END_MS).step_by(SPAN_MS as usize) {
        let mut part = all.to_vec();
        for one in &mut part {
            one.samples.retain(|sample| (start..start + SPAN_MS).contains(&sample.at_ms));
        }
        part.retain(|one| !one.samples.is_empty());
        let sent: usize = part.iter().map(|one| one.samples.len()).sum();
        let appended = store.append(part).await.expect("an append");
        assert_eq!((appended.written, appended.rejected()), (sent, 0));
    }
}

fn everything(matchers: Vec<Matcher>) -> Select {
    let (start_ms, end_ms) = (data::START_MS, data::END_MS);
    Select { matchers, start_ms, end_ms, max_samples: ALL, max_bytes: ALL, newest_only: false }
}

async fn held(store: &Outside) -> BTreeMap<Labels, Vec<Sample>> {
    let all = store.select(everything(vec![])).await.expect("all samples");
    assert!(all.is_sorted_by(|a, b| a.labels < b.labels));
    all.into_iter().map(|one| ((*one.labels).clone(), one.samples)).collect()
}

/// What the engine holds, in an embedded store as well: labels, samples and the suite agree.
async fn same_answers(
    scratch: &tempfile::TempDir,
    outside: Outside,
    held: BTreeMap<Labels, Vec<Sample>>,
) {
    let clock = ManualClock::at(Timestamp::from_ms(data::END_MS)).shared();
    let dir = scratch.path().join("embedded");
    let embedded = Embedded::open(&dir, Options::default(), clock).await.expect("a store");
    let batch = held.into_iter().map(|(labels, samples)| Series { labels, samples });
    let appended = embedded.append(batch.collect()).await.expect("an append");
    assert_eq!(appended.rejected(), 0, "{appended:?}");

    for matchers in selections() {
        let request = everything(matchers);
        let what = format!("{request:?}");
        let (ours, theirs) = (embedded.select(request.clone()), outside.select(request.clone()));
        let (ours, theirs) = (ours.await.expect("ours"), theirs.await.expect(&what));
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{what}");
        let (ours, theirs) = (embedded.series(request.clone()), outside.series(request.clone()));
        assert_eq!(ours.await.expect("ours"), theirs.await.expect(&what), "{what}");
        let (ours, theirs) =
            (embedded.label_names(request.clone()), outside.label_names(request.clone()));
        assert_eq!(ours.await.expect("ours"), theirs.await.expect(&what), "{what}");
        let (ours, theirs) = (
            embedded.label_values("instance", request.clone()),
            outside.label_values("instance", request.clone()),
        );
        assert_eq!(ours.await.expect("ours"), theirs.await.expect(&what), "{what}");
    }
    let few = Select { max_samples: 10, ..everything(vec![]) };
    let error = outside.select(few).await.expect_err("more than ten samples");
    assert!(matches!(error, timeseries::Error::TooManySamples { limit: 10 }), "{error}");

    let little = Select { max_bytes: 10_000, ..everything(vec![]) };
    let error = outside.select(little).await.expect_err("more than ten kilobytes");
    assert!(matches!(error, timeseries::Error::TooMuchMemory { limit_bytes: 10_000 }), "{error}");

    let ours = Engine::new(Arc::new(embedded), EngineOptions::default());
    let theirs = Engine::new(Arc::new(outside), EngineOptions::default());
    let mut wrong = Vec::new();
    let expressions = table::expressions();
    for expr in &expressions {
        let at_ms = table::INSTANTS_MS[0];
        let (start, end, step) = table::RANGES_MS[0];
        for (what, ours, theirs) in [
            (
                "instant",
                ours.query(&Scope::ALL, expr, at_ms).await,
                theirs.query(&Scope::ALL, expr, at_ms).await,
            ),
            (
                "range",
                ours.query_range(&Scope::ALL, expr, start, end, step).await,
                theirs.query_range(&Scope::ALL, expr, start, end, step).await,
            ),
        ] {
            // Debug shows every NaN alike, and -0 as such.
            let (ours, theirs) = (format!("{ours:?}"), format!("{theirs:?}"));
            if ours != theirs {
                wrong.push(format!("{what} {expr}\n    {theirs}\n    {ours}"));
            }
        }
    }
    println!("{} expressions", expressions.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn selections() -> Vec<Vec<Matcher>> {
    let regex = |name: &str, value: &str| Matcher::regex(name, value).expect("a pattern");
    vec![
        vec![Matcher::equal("job", "api")],
        vec![Matcher::equal("path", "")],
        vec![Matcher::not_equal("job", "api"), Matcher::equal("__name__", "requests_total")],
        vec![regex("instance", "0|2"), regex("__name__", "req.*|temp.*")],
        vec![Matcher::not_regex("le", ".+").expect("a pattern"), regex("job", "a.*")],
        vec![Matcher::equal("job", "no \"such\" \\ job\n")],
    ]
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * a.abs().max(b.abs())
}
