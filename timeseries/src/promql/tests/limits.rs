//! What a query may take in memory: each thing that it holds reaches the bound.

use super::*;

async fn with_memory(engine: &Engine, max_memory: usize) -> Engine {
    Engine::new(engine.store().clone(), EngineOptions { max_memory, ..EngineOptions::default() })
}

fn is_memory<T>(result: Result<T>, limit: usize) -> bool {
    matches!(result, Err(Error::TooMuchMemory { limit_bytes }) if limit_bytes == limit)
}

#[tokio::test]
async fn samples_labels_values_and_answers_are_all_held_in_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let wide = Series {
        labels: Labels::metric("wide", &[("text", &"x".repeat(4000))]),
        ..cpu("t", "wide", 0.0)
    };
    let data = (0..3).map(|i| cpu("t", &i.to_string(), 0.0)).chain([wide]).collect();
    let engine = engine(dir.path(), data, EngineOptions::default()).await;
    let all = &Scope::ALL;

    // 40 samples of 16 bytes each, and about 360 bytes of series.
    let one = "sum(count_over_time(cpu{instance=\"0\"}[1h]))";
    let three = "sum(count_over_time(cpu[1h]))";
    let small = with_memory(&engine, 2000).await;
    assert!(small.query(all, one, NOW_MS).await.is_ok());
    assert!(is_memory(small.query(all, three, NOW_MS).await, 2000));
    // Two selections, each of which fits.
    let two = "sum(count_over_time(cpu{instance=\"0\"}[1h])) \
               + sum(count_over_time(cpu{instance=\"1\"}[1h]))";
    let error = small.query(all, two, NOW_MS).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the query needs more than 2000 bytes of memory (max_memory); aggregate earlier, narrow \
         its selectors or its time range, or take a larger step"
    );
    // A label's text.
    assert!(is_memory(small.query(all, "count(wide)", NOW_MS).await, 2000));
    assert!(with_memory(&engine, 9000).await.query(all, "count(wide)", NOW_MS).await.is_ok());
    // Values that are made, not read.
    assert!(small.query(all, "sum_over_time(vector(1)[30m:1m])", NOW_MS).await.is_ok());
    let made = "sum_over_time(vector(1)[5h:1m])";
    assert!(is_memory(small.query(all, made, NOW_MS).await, 2000));
    // One series of distinct values becomes as many series.
    let steps = |engine: &Engine| {
        let engine = engine.clone();
        async move {
            let expr = "count_values(\"v\", vector(time()))";
            engine.query_range(&Scope::ALL, expr, NOW_MS - 999_000, NOW_MS, 1000).await
        }
    };
    assert!(is_memory(steps(&with_memory(&engine, 10 << 20).await).await, 10 << 20));
    assert!(steps(&with_memory(&engine, 30 << 20).await).await.is_ok());
    // An answer: 200 values of 16 bytes, which would fit, and their text, which doesn't.
    let answer = with_memory(&engine, 10_000).await;
    let range = |expr: &'static str| answer.query_range(all, expr, NOW_MS - 199_000, NOW_MS, 1000);
    assert!(range("sum(vector(1)) > 1").await.is_ok());
    assert!(is_memory(range("vector(1)").await, 10_000));
    assert!(is_memory(answer.query(all, "cpu[1h]", NOW_MS).await, 10_000));
    assert!(answer.query(all, "cpu{instance=\"0\"}[1h]", NOW_MS).await.is_ok());
    // Lists of series and labels.
    let tiny = with_memory(&engine, 500).await;
    let selectors = ["cpu".to_owned()];
    assert!(is_memory(tiny.series(all, &selectors, 0, NOW_MS).await, 500));
    assert!(is_memory(tiny.label_names(all, &[], 0, NOW_MS).await, 500));
    assert!(is_memory(tiny.label_values(all, "instance", &[], 0, NOW_MS).await, 500));
    engine.store().delete(vec![Matcher::equal("none", "x")], 0, 1).await.unwrap();
    // The same of what is in blocks: a deletion flushes.
    assert!(is_memory(tiny.series(all, &selectors, 0, NOW_MS).await, 500));
    assert!(is_memory(small.query(all, three, NOW_MS).await, 2000));
    assert_eq!(tiny.stats().too_much_memory, 4);
}

#[tokio::test]
async fn stale_markers_make_no_copies_beyond_the_bound() {
    let dir = tempfile::tempdir().unwrap();
    let mut stale = cpu("t", "0", 1.0);
    stale.samples[3].value = f64::from_bits(base::sample::STALE_NAN_BITS);
    let engine = engine(dir.path(), vec![stale], EngineOptions::default()).await;
    let read = "sum(count_over_time(cpu[1h]))";
    // The samples (640 bytes) fit beside their labels, not twice.
    let (once, twice) = (with_memory(&engine, 1300).await, with_memory(&engine, 3000).await);
    assert!(is_memory(once.query(&Scope::ALL, read, NOW_MS).await, 1300));
    assert!(twice.query(&Scope::ALL, read, NOW_MS).await.is_ok());
}

#[tokio::test]
async fn lists_of_series_and_labels_have_the_limits_of_a_query() {
    let dir = tempfile::tempdir().unwrap();
    let data = (0..3).map(|i| cpu("t", &i.to_string(), 0.0)).collect();
    let options = EngineOptions { max_series: 2, ..EngineOptions::default() };
    let engine = engine(dir.path(), data, options).await;
    let error = engine.series(&Scope::ALL, &["cpu".to_owned()], 0, NOW_MS).await.unwrap_err();
    assert!(matches!(error, Error::TooManySeries { limit: 2 }), "{error}");
    let error = engine.cardinality(&Scope::ALL, 0, NOW_MS, 10).await.unwrap_err();
    assert!(matches!(error, Error::TooManySeries { limit: 2 }), "{error}");
    let few = ["cpu{instance=\"1\"}".to_owned()];
    assert_eq!(engine.series(&Scope::ALL, &few, 0, NOW_MS).await.unwrap().len(), 1);
    assert_eq!((engine.stats().too_many_series, engine.stats().answered), (2, 1));

    let options = EngineOptions { timeout: Duration::from_millis(20), ..EngineOptions::default() };
    let silent = Engine::new(Arc::new(Silent), options);
    let error = silent.label_names(&Scope::ALL, &[], 0, 1).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { limit_ms: 20 }), "{error}");
    assert_eq!(silent.stats().too_long, 1);
}
