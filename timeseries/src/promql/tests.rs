use std::path::Path;

use async_trait::async_trait;
use base::{
    id::TenantId,
    sample::{Sample, Series},
    time::{ManualClock, Timestamp},
};

use super::*;
use crate::{Appended, Embedded, Options};

mod limits;

const NOW_MS: i64 = 1_700_000_000_000;

async fn engine(dir: &Path, series: Vec<Series>, options: EngineOptions) -> Engine {
    let clock = ManualClock::at(Timestamp::from_ms(NOW_MS));
    let store = Embedded::open(dir, Options::default(), clock.shared()).await.unwrap();
    let appended = store.append(series).await.unwrap();
    assert_eq!(appended.rejected(), 0, "{appended:?}");
    Engine::new(Arc::new(store), options)
}

fn cpu(tenant: &str, instance: &str, value: f64) -> Series {
    let labels = Labels::metric("cpu", &[("tenant", tenant), ("instance", instance)]);
    let samples = (0..40).map(|i| Sample { at_ms: NOW_MS - i * 15_000, value: value + i as f64 });
    let mut samples: Vec<_> = samples.collect();
    samples.reverse();
    Series { labels, samples }
}

#[tokio::test]
async fn a_tenant_sees_its_own_series_whatever_it_writes() {
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (TenantId::new(), TenantId::new());
    let none = Labels::metric("cpu", &[("instance", "infra-secret")]);
    let infra = Series { labels: none, ..cpu("", "", 7.0) };
    let secret = cpu(&other.to_string(), "other-secret", 5.0);
    let data = vec![cpu(&own.to_string(), "mine", 1.0), secret, infra];
    let engine = engine(dir.path(), data, EngineOptions::default()).await;
    let scope = Scope::tenant(own);
    let attempts = [
        "cpu".to_owned(),
        "{tenant=~\".*\", __name__=~\".+\"}".to_owned(),
        "{__name__=\"cpu\", tenant=\"\"}".to_owned(),
        "cpu{tenant!=\"x\"}".to_owned(),
        format!("cpu{{tenant=\"{other}\"}}"),
        format!("cpu{{tenant=\"{other}\"}} or cpu"),
        format!("cpu or cpu{{tenant=~\"{own}|{other}\"}}"),
        format!("cpu unless cpu{{tenant!=\"{other}\"}}"),
        "cpu @ 1700000000".to_owned(),
        "max_over_time(cpu[10m:1m])".to_owned(),
        format!("sum_over_time((cpu{{tenant=\"{other}\"}} or vector(0))[10m:1m] @ end())"),
        "sum by (tenant, instance) (cpu offset 1m)".to_owned(),
        "count_values by (instance) (\"v\", cpu)".to_owned(),
        "topk(5, {__name__=~\"c.*\"})".to_owned(),
        "label_replace(cpu, \"tenant\", \"x\", \"instance\", \".*\")".to_owned(),
        "cpu[10m]".to_owned(),
        "cpu * on () group_left (instance) {__name__=~\"cpu\"}".to_owned(),
        "cpu + on (nothing) {__name__=~\"cpu|x\"}".to_owned(),
        "scalar(cpu)".to_owned(),
        format!("absent(cpu{{tenant=\"{other}\"}})"),
        "count(cpu)".to_owned(),
    ];
    for expr in &attempts {
        let instant = engine.query(&scope, expr, NOW_MS).await;
        let range = engine.query_range(&scope, expr, NOW_MS - 600_000, NOW_MS, 60_000).await;
        for answer in [instant, range] {
            let shown = match answer {
                Ok(value) => serde_json::to_string(&value).unwrap(),
                Err(error) => error.to_string(),
            };
            assert!(!shown.contains("secret"), "{expr}: {shown}");
        }
    }
    let number = |expr: &'static str| {
        let engine = engine.clone();
        async move {
            match engine.query(&scope, expr, NOW_MS).await.unwrap() {
                Value::Vector(series) => series.first().map(|one| one.value.value),
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(number("count(cpu)").await, Some(1.0));
    assert_eq!(number("sum(cpu)").await, Some(1.0));
    assert_eq!(number("count({__name__=\"cpu\", tenant=\"\"})").await, None);
    let span = (NOW_MS - 600_000, NOW_MS);
    let selectors = ["{__name__=~\".+\"}".to_owned(), format!("cpu{{tenant=\"{other}\"}}")];
    let series = engine.series(&scope, &selectors, span.0, span.1).await.unwrap();
    assert_eq!(series.len(), 1);
    for selectors in [&[][..], &selectors] {
        let values = |name| engine.label_values(&scope, name, selectors, span.0, span.1);
        assert_eq!(values("instance").await.unwrap(), ["mine"]);
        assert_eq!(values("tenant").await.unwrap(), [own.to_string()]);
    }
    let all = engine.label_values(&Scope::ALL, "instance", &[], span.0, span.1).await.unwrap();
    assert_eq!(all.len(), 3);
}

#[tokio::test]
async fn limits_answer_with_their_number() {
    let dir = tempfile::tempdir().unwrap();
    let options = EngineOptions { max_samples: 100, ..EngineOptions::default() };
    let data = (0..3).map(|i| cpu("t", &i.to_string(), 0.0)).collect();
    let engine = engine(dir.path(), data, options.clone()).await;
    let with = |options| Engine::new(engine.store().clone(), options);
    for expr in [
        "rate(cpu[1h])",
        "rate(cpu{instance=\"0\"}[1h]) + on () rate(cpu{instance=\"1\"}[1h]) \
         + on () rate(cpu{instance=\"2\"}[1h])",
    ] {
        let error = engine.query(&Scope::ALL, expr, NOW_MS).await.unwrap_err();
        assert!(matches!(error, Error::TooManySamples { limit: 100 }), "{expr}: {error}");
    }
    let few_points = with(EngineOptions { max_points: 100, ..EngineOptions::default() });
    for expr in [
        "sum_over_time(vector(1)[100y:1ms])",
        "count_over_time(vector(1)[2h:1m])",
        "sum_over_time(cpu[35m:1m])",
        &format!("label_replace(cpu, \"x\", \"{}\", \"\", \"\")", "x".repeat(1600)),
        "sum_over_time((vector(time()) + vector(time()))[50m:1m])",
    ] {
        let error = few_points.query(&Scope::ALL, expr, NOW_MS).await.unwrap_err();
        assert!(matches!(error, Error::TooManyPoints { limit: 100 }), "{expr}: {error}");
    }
    // Three times 33 values, but one after the other.
    let expr = "sum_over_time(vector(1)[33m:1m]) + sum_over_time(vector(1)[33m:1m]) \
                + sum_over_time(vector(1)[33m:1m])";
    assert!(few_points.query(&Scope::ALL, expr, NOW_MS).await.is_ok());
    let wide = few_points.query_range(&Scope::ALL, "cpu", NOW_MS - 5000, NOW_MS, 100).await;
    assert!(matches!(wide, Err(Error::TooManyPoints { limit: 100 })), "{wide:?}");
    let few_series = with(EngineOptions { max_series: 3, ..EngineOptions::default() });
    assert!(few_series.query(&Scope::ALL, "cpu", NOW_MS).await.is_ok());
    let error =
        few_series.query(&Scope::ALL, "cpu or {__name__=~\"cpu\"}", NOW_MS).await.unwrap_err();
    assert!(matches!(error, Error::TooManySeries { limit: 3 }), "{error}");
    assert_eq!(few_series.stats().too_many_series, 1);
    assert_eq!(engine.stats().too_many_samples, 2);
    let range = |start, end, step| engine.query_range(&Scope::ALL, "1", start, end, step);
    assert!(range(0, 99, 1).await.is_ok());
    let too_fine = range(0, RANGE_POINTS_MAX + 1, 1).await.unwrap_err().to_string();
    assert!(too_fine.contains("11,000 points"), "{too_fine}");
    for (start, end, step) in [(1, 0, 1), (0, 1, 0), (0, 1, -1)] {
        assert!(range(start, end, step).await.is_err());
    }
    let text = engine.query_range(&Scope::ALL, "cpu[5m]", 0, 1, 1).await.unwrap_err();
    assert!(text.to_string().contains("range vector"), "{text}");
}

#[tokio::test]
async fn labels_that_double_at_each_call_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path(), vec![cpu("t", "0", 1.0)], EngineOptions::default()).await;
    let ways = [
        ("label_replace(", ", \"instance\", \"$1$1$1$1$1$1$1$1\", \"instance\", \"(.*)\")"),
        ("label_join(", ", \"instance\", \"-\", \"instance\", \"instance\", \"instance\")"),
    ];
    for (open, close) in ways {
        let expr = format!("{}cpu{}", open.repeat(40), close.repeat(40));
        let error = engine.query(&Scope::ALL, &expr, NOW_MS).await.unwrap_err();
        assert!(error.to_string().contains("longer than 1048576 bytes"), "{error}");
    }
}

#[tokio::test]
async fn the_deepest_expression_fits_the_stack() {
    let dir = tempfile::tempdir().unwrap();
    let data = vec![cpu("t", "0", 1.0)];
    let engine = engine(dir.path(), data, EngineOptions::default()).await;
    let depth = DEPTH_MAX - 1;
    for (open, close) in [("abs(", ")"), ("sum(", ")"), ("-(1 + ", ")"), ("(", ")")] {
        let levels = if open.starts_with('-') { depth / 3 } else { depth };
        let expr = format!("{}cpu{}", open.repeat(levels), close.repeat(levels));
        let value = engine.query_range(&Scope::ALL, &expr, NOW_MS - 60_000, NOW_MS, 15_000).await;
        assert!(value.is_ok(), "{open}: {value:?}");
    }
    let subqueries = format!("{}cpu{}", "max_over_time(".repeat(30), "[1m:1m])".repeat(30));
    engine.query(&Scope::ALL, &subqueries, NOW_MS).await.unwrap();
}

/// Never answers a selection.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Store for Silent {
    async fn append(&self, _: Vec<Series>) -> Result<Appended> {
        Ok(Appended::default())
    }
    async fn select(&self, _: Select) -> Result<Vec<crate::store::Selected>> {
        std::future::pending().await
    }
    async fn series(&self, _: Select) -> Result<Vec<Arc<Labels>>> {
        Ok(Vec::new())
    }
    async fn label_names(&self, _: Select) -> Result<Vec<String>> {
        std::future::pending().await
    }
    async fn label_values(&self, _: &str, _: Select) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    async fn snapshot(&self, _: &Path) -> Result<()> {
        Ok(())
    }
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

fn polled_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_not_waited_for() {
    let options = EngineOptions { timeout: Duration::from_millis(20), ..EngineOptions::default() };
    let engine = Engine::new(Arc::new(Silent), options);
    let error = engine.query(&Scope::ALL, "up", 0).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { limit_ms: 20 }), "{error}");
    assert_eq!(engine.stats().too_long, 1);
    let mut given_up = Box::pin(engine.query(&Scope::ALL, "up", 0));
    assert!(polled_once(given_up.as_mut()).is_pending());
    assert_eq!(engine.stats().running, 1);
    drop(given_up);
    assert_eq!((engine.stats().running, engine.stats().canceled), (0, 1));
}

#[tokio::test]
async fn an_evaluation_ends_with_its_time_or_its_waiter() {
    let dir = tempfile::tempdir().unwrap();
    let data = vec![cpu("t", "0", 1.0)];
    let options = EngineOptions { timeout: Duration::from_millis(50), ..EngineOptions::default() };
    let engine = engine(dir.path(), data, options).await;
    // Ten million inner steps.
    let expr = "count_over_time((vector(1) + 1)[10000s:1ms])";
    let error = engine.query(&Scope::ALL, expr, NOW_MS).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    // It reads nothing, and all the same it holds up nobody: this runtime has one thread.
    let mut others = 0;
    let query = engine.query(&Scope::ALL, expr, NOW_MS);
    tokio::pin!(query);
    loop {
        tokio::select! {
            biased;
            _ = &mut query => break,
            () = tokio::task::yield_now() => others += 1,
        }
    }
    assert!(others > 10, "others came to run {others} times");
    let guard = Guard::new(Duration::from_secs(3600));
    assert!(guard.check().is_ok());
    drop(guard.cancel_on_drop());
    assert!(matches!(guard.check(), Err(Error::Canceled)));
}

/// The functions that Prometheus 2.42 does not have, in numbers worked out by hand.
#[tokio::test]
async fn later_functions_answer_as_they_are_documented() {
    let dir = tempfile::tempdir().unwrap();
    let series = |name: &str, values: &[f64]| {
        let samples = values.iter().enumerate();
        let at_ms = |i: usize| NOW_MS - 60_000 * (values.len() - 1 - i) as i64;
        let samples = samples.map(|(i, value)| Sample { at_ms: at_ms(i), value: *value });
        Series { labels: Labels::metric("m", &[("n", name)]), samples: samples.collect() }
    };
    let data = vec![
        series("a10", &[4.0, 1.0, 7.0, 1.0, 7.0, 2.0]),
        series("a9", &[f64::NAN, 3.0, f64::NAN]),
        series("b", &[5.0]),
    ];
    let engine = engine(dir.path(), data, EngineOptions::default()).await;
    let numbers = async |expr: &str| -> Vec<f64> {
        match engine.query(&Scope::ALL, expr, NOW_MS).await.unwrap() {
            Value::Vector(series) => series.iter().map(|one| one.value.value).collect(),
            other => panic!("{other:?}"),
        }
    };
    let now = NOW_MS as f64 / 1000.0;
    assert_eq!(numbers("first_over_time(m{n=\"a10\"}[10m])").await, [4.0]);
    assert_eq!(numbers("first_over_time(m{n=\"a10\"}[2m])").await, [1.0]);
    // The median is 3, the distances are 1, 2, 4, 2, 4, 1.
    assert_eq!(numbers("mad_over_time(m{n=\"a10\"}[10m])").await, [2.0]);
    assert!(numbers("mad_over_time(m{n=\"a9\"}[10m])").await[0].is_nan());
    for (function, minutes) in [("first", 5.0), ("last", 0.0), ("min", 2.0), ("max", 1.0)] {
        let found = numbers(&format!("ts_of_{function}_over_time(m{{n=\"a10\"}}[10m])")).await;
        assert_eq!(found, [now - minutes * 60.0], "{function}");
    }
    assert_eq!(numbers("ts_of_max_over_time(m{n=\"a9\"}[10m])").await, [now - 60.0]);
    let old = numbers("holt_winters(m{n=\"a10\"}[10m], 0.3, 0.6)").await;
    assert_eq!(numbers("double_exponential_smoothing(m{n=\"a10\"}[10m], 0.3, 0.6)").await, old);
    let names = async |expr: &str| -> Vec<String> {
        match engine.query(&Scope::ALL, expr, NOW_MS).await.unwrap() {
            Value::Vector(series) => {
                series.iter().map(|one| one.metric.get("n").unwrap().to_owned()).collect()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(names("sort_by_label(m, \"n\")").await, ["a9", "a10", "b"]);
    assert_eq!(names("sort_by_label_desc(m, \"none\", \"n\")").await, ["b", "a10", "a9"]);
    assert_eq!(names("last_over_time(m{n=\"b\"}[1m])").await, ["b"]);
}

/// Where Prometheus 2.42 answers a range otherwise than its instants one by one, and later versions
/// and we do not.
#[tokio::test]
async fn a_range_answers_as_its_instants_do() {
    let dir = tempfile::tempdir().unwrap();
    let data = vec![cpu("t", "0", 1.0), cpu("t", "1", 5.0)];
    let engine = engine(dir.path(), data, EngineOptions::default()).await;
    for expr in [
        "predict_linear(cpu[5m] @ 1699999900, 60)",
        "quantile_over_time(time() % 2 / 2, cpu[5m] @ 1699999900)",
        "holt_winters(cpu[5m:30s] @ 1699999900, 0.1 + time() % 2 / 2, 0.5)",
        "timestamp(cpu @ 1699999900 offset 1m)",
        "topk(1 + scalar(sum(cpu)) % 2, cpu @ 1699999900)",
        "quantile(time() % 3 / 2, cpu @ 1699999900)",
        "count_values by (tenant, instance, __name__) (\"v\", cpu)",
        "sum(rate(cpu[1m]))",
    ] {
        let (start_ms, step_ms) = (NOW_MS - 300_000, 31_000);
        let range = engine.query_range(&Scope::ALL, expr, start_ms, NOW_MS, step_ms).await;
        let Value::Matrix(range) = range.unwrap() else { panic!("{expr}") };
        assert!(!range.is_empty(), "{expr}");
        for at_ms in (start_ms..=NOW_MS).step_by(step_ms as usize) {
            let instant = engine.query(&Scope::ALL, expr, at_ms).await.unwrap();
            let Value::Vector(mut instant) = instant else { panic!("{expr}") };
            instant.sort_by(|a, b| a.metric.cmp(&b.metric));
            let of_range = range.iter().filter_map(|one| {
                let value = *one.values.iter().find(|point| point.at_ms == at_ms)?;
                Some(crate::value::InstantSeries { metric: one.metric.clone(), value })
            });
            assert_eq!(of_range.collect::<Vec<_>>(), instant, "{expr} at {at_ms}");
        }
    }
}

/// Whether the runtime has another thread or not, a few samples of a block are read where they were
/// asked for, or elsewhere.
#[test]
fn a_block_is_read_on_any_runtime() {
    let ask = async || {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_ms(10_000_000));
        let store = Embedded::open(dir.path(), Options::default(), clock.shared()).await.unwrap();
        let samples = (0..100).map(|n| Sample { at_ms: n * 15_000, value: n as f64 }).collect();
        let labels = Labels::metric("a", &[("b", "c")]);
        store.append(vec![Series { labels, samples }]).await.unwrap();
        store.flush().await.unwrap();
        let engine = Engine::new(Arc::new(store), EngineOptions::default());
        let mut answers = Vec::new();
        for expr in ["a", "sum_over_time(a{b=\"c\"}[10m])", "max_over_time(a[5m:1m])"] {
            answers.push(engine.query(&Scope::ALL, expr, 1_485_000).await.unwrap());
        }
        answers
    };
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let many = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let answers = one.block_on(ask());
    assert_eq!(answers, many.block_on(ask()));
    assert!(format!("{answers:?}").contains("99.0"), "{answers:?}");
}
