//! Plays `testdata/unittest.yml`, promtool's rule unit tests, through SQL and a real store; promtool
//! plays the same file, so that both agree on what rules do.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use base::{
    bus::Bus,
    db::{Db, testing},
    reconcile::Reconciler,
    sample::{Labels, STALE_NAN_BITS, Sample, Series},
    time::{ManualClock, Timestamp},
};
use serde::Deserialize;
use timeseries::{Embedded, Engine, EngineOptions, Options, Scope, Value};

use super::reconciler::AlertEvaluation;
use crate::{alerts, rules, samples::Samples, settings::Settings, state::AlertState};

#[derive(Deserialize)]
struct File {
    evaluation_interval: String,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    interval: String,
    input_series: Vec<Input>,
    #[serde(default)]
    alert_rule_test: Vec<AlertTest>,
    #[serde(default)]
    promql_expr_test: Vec<ExprTest>,
}

#[derive(Deserialize)]
struct Input {
    series: String,
    values: String,
}

#[derive(Deserialize)]
struct AlertTest {
    eval_time: String,
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<ExpectedAlert>,
}

#[derive(Deserialize, Debug, PartialEq, PartialOrd)]
struct ExpectedAlert {
    #[serde(default)]
    exp_labels: BTreeMap<String, String>,
    #[serde(default)]
    exp_annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct ExprTest {
    expr: String,
    eval_time: String,
    #[serde(default)]
    exp_samples: Vec<ExpectedSample>,
}

#[derive(Deserialize)]
struct ExpectedSample {
    labels: String,
    value: f64,
}

fn ms(text: &str) -> i64 {
    rules::parse_duration_ms(text).unwrap()
}

/// `name{a="b", c="d"}`
fn labels(text: &str) -> Labels {
    let (name, rest) = text.split_once('{').unwrap();
    let pairs = rest.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
    let pairs: Vec<(&str, &str)> =
        pairs.map(|(n, v)| (n.trim(), v.trim().trim_matches('"'))).collect();
    Labels::metric(name, &pairs)
}

/// promtool's notation: `1 _ stale 0+5x10`.
fn values(text: &str) -> Vec<Option<f64>> {
    let mut values = Vec::new();
    for item in text.split_whitespace() {
        match item.split_once('x') {
            None if item == "_" => values.push(None),
            None if item == "stale" => values.push(Some(f64::from_bits(STALE_NAN_BITS))),
            None => values.push(Some(item.parse().unwrap())),
            Some((start, count)) => {
                let (start, step) = start.split_once('+').unwrap();
                let (start, step): (f64, f64) = (start.parse().unwrap(), step.parse().unwrap());
                let count: u32 = count.parse().unwrap();
                values.extend((0..=count).map(|n| Some(start + step * f64::from(n))));
            }
        }
    }
    values
}

struct Stage<'a> {
    db: &'a Db,
    engine: Engine,
    clock: ManualClock,
    evaluation: AlertEvaluation,
    _dir: tempfile::TempDir,
}

/// Its own instant zero, since a store wants today's samples.
const ZERO: Timestamp = Timestamp::from_ms(1_800_000_000_000);

impl<'a> Stage<'a> {
    async fn new(db: &'a Db, interval_ms: i64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(ZERO);
        let store = Embedded::open(dir.path(), Options::default(), clock.shared()).await.unwrap();
        let engine = Engine::new(Arc::new(store), EngineOptions::default());
        let settings = Settings { evaluation_interval_ms: interval_ms, ..Settings::default() };
        let evaluation = AlertEvaluation::new(
            db.clone(),
            clock.shared(),
            Bus::default(),
            Arc::new(settings),
            Arc::new(engine.clone()),
        );
        let mut tx = db.begin_write().await.unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rules.yml");
        rules::store::load_files(&mut tx, ZERO, &[file]).await.unwrap();
        tx.commit().await.unwrap();
        Self { db, engine, clock, evaluation, _dir: dir }
    }

    async fn play(&self, test: &Test, tick_ms: i64) {
        let interval_ms = ms(&test.interval);
        let input: Vec<_> =
            test.input_series.iter().map(|i| (labels(&i.series), values(&i.values))).collect();
        let times = test.alert_rule_test.iter().map(|t| ms(&t.eval_time));
        let last_ms = times.chain(test.promql_expr_test.iter().map(|t| ms(&t.eval_time))).max();
        for at_ms in (0..=last_ms.unwrap()).step_by(usize::try_from(tick_ms).unwrap()) {
            self.clock.set(ZERO.saturating_add_ms(at_ms));
            let position = usize::try_from(at_ms / interval_ms).unwrap();
            for (labels, values) in &input {
                if let Some(Some(value)) = values.get(position) {
                    let sample = Sample { at_ms: self.now_ms(), value: *value };
                    let series = Series { labels: labels.clone(), samples: vec![sample] };
                    self.engine.append(&[series]).await.unwrap();
                }
            }
            let outcome = self.evaluation.run().await.unwrap();
            assert_eq!(outcome.status["failed"], serde_json::json!([]));
            for case in test.alert_rule_test.iter().filter(|t| ms(&t.eval_time) == at_ms) {
                self.check_alerts(case).await;
            }
            for case in test.promql_expr_test.iter().filter(|t| ms(&t.eval_time) == at_ms) {
                self.check_expr(case).await;
            }
        }
    }

    fn now_ms(&self) -> i64 {
        base::time::Clock::now(&self.clock).ms()
    }

    async fn check_alerts(&self, case: &AlertTest) {
        let all = alerts::list(&mut self.db.read().await.unwrap(), None, None, 100).await.unwrap();
        let mut firing: Vec<_> = all
            .into_iter()
            .filter(|a| a.state == AlertState::Firing && a.name == case.alertname)
            .map(|mut a| {
                a.labels.remove("alertname");
                ExpectedAlert { exp_labels: a.labels, exp_annotations: a.annotations }
            })
            .collect();
        firing.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(firing, case.exp_alerts, "{} at {}", case.alertname, case.eval_time);
    }

    async fn check_expr(&self, case: &ExprTest) {
        let value = self.engine.query(&Scope::ALL, &case.expr, self.now_ms()).await.unwrap();
        let Value::Vector(series) = value else { panic!("a vector") };
        let seen: Vec<_> = series.into_iter().map(|s| (s.metric, s.value.value)).collect();
        // ALERTS_FOR_STATE counts from promtool's zero, 1970.
        #[allow(clippy::cast_precision_loss)]
        let zero_s = (ZERO.ms() / 1_000) as f64;
        let expected = case.exp_samples.iter().map(|e| {
            let labels = labels(&e.labels);
            let is_instant = labels.name() == "ALERTS_FOR_STATE";
            (labels, e.value + if is_instant { zero_s } else { 0.0 })
        });
        assert_eq!(seen, expected.collect::<Vec<_>>(), "{} at {}", case.expr, case.eval_time);
    }
}

#[tokio::test]
async fn the_unit_tests_pass_here() {
    let text = include_str!("../../testdata/unittest.yml");
    let file: File = serde_yaml_ng::from_str(text).unwrap();
    let tick_ms = ms(&file.evaluation_interval);
    for test in &file.tests {
        for db in testing::each().await {
            Stage::new(&db.db, tick_ms).await.play(test, tick_ms).await;
        }
    }
}

#[test]
fn the_unit_tests_pass_at_promtool() {
    let output = std::process::Command::new("promtool")
        .args(["test", "rules", "unittest.yml"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata"))
        .output()
        .expect("promtool is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
