use std::sync::Arc;

use base::{
    bus::{Bus, Topic},
    db::{Db, testing},
    id::TenantId,
    reconcile::{Outcome, Reconciler},
    time::ManualClock,
};

use super::{reconciler::AlertEvaluation, *};
use crate::{
    alerts::{self, Alert},
    prometheus,
    rules::{self, parse},
    settings::Settings,
    testing::{Told, at, put},
};

const RULES: &str = r#"
groups:
- name: guests
  interval: 10s
  rules:
  - record: cpu:rate
    expr: raw
    labels: { from: rule }
  - alert: CpuHigh
    expr: hot
    for: 20s
    labels: { severity: page }
    annotations: { summary: "{{ $labels.domain }} at {{ humanizePercentage $value }}" }
"#;

fn evaluation(db: &Db, clock: &ManualClock, bus: &Bus, samples: &Arc<Told>) -> AlertEvaluation {
    let settings = Arc::new(Settings::default());
    AlertEvaluation::new(db.clone(), clock.shared(), bus.clone(), settings, samples.clone())
}

async fn run(evaluation: &AlertEvaluation, clock: &ManualClock, s: i64) -> Outcome {
    clock.set(at(s));
    evaluation.run().await.unwrap()
}

async fn listed(db: &Db) -> Vec<Alert> {
    alerts::list(&mut db.read().await.unwrap(), None, None, 100).await.unwrap()
}

fn states(alerts: &[Alert]) -> Vec<&'static str> {
    alerts.iter().map(|a| a.state.as_str()).collect()
}

fn group(yaml: &str) -> Group {
    parse::file(yaml).unwrap().remove(0).group
}

#[test]
fn a_recording_rule_renames_and_labels() {
    let group = group(RULES);
    let vector = vec![(Labels::metric("raw", &[("domain", "a"), ("from", "x")]), 2.0)];
    let applied = apply(&group, &group.rules[0], at(0), BTreeMap::new(), vector).unwrap();
    let expected = Labels::metric("cpu:rate", &[("domain", "a"), ("from", "rule")]);
    assert_eq!(applied.samples, [(expected, 2.0)]);
}

#[test]
fn two_series_that_become_one_are_an_error() {
    let group = group(RULES);
    let vector = || {
        let labelled = |from| Labels::metric("raw", &[("domain", "a"), ("from", from)]);
        vec![(labelled("x"), 1.0), (labelled("y"), 2.0)]
    };
    let error = apply(&group, &group.rules[0], at(0), BTreeMap::new(), vector()).unwrap_err();
    assert!(error.contains("two series with the same labels"), "{error}");
    let two = vec![(Labels::metric("a", &[]), 1.0), (Labels::metric("b", &[]), 1.0)];
    let error = apply(&group, &group.rules[1], at(0), BTreeMap::new(), two).unwrap_err();
    assert!(error.contains("two series with the same labels"), "{error}");
}

#[test]
fn a_limit_stops_the_rule() {
    let group = group("groups: [{name: g, limit: 1, rules: [{alert: A, expr: x}]}]");
    let one = |d| (Labels::metric("m", &[("domain", d)]), 1.0);
    let answer = |vector| apply(&group, &group.rules[0], at(0), BTreeMap::new(), vector);
    assert!(answer(vec![one("a")]).is_ok());
    assert_eq!(answer(vec![one("a"), one("b")]).unwrap_err(), "2 series are above the limit of 1");
}

#[tokio::test]
async fn an_alert_goes_from_pending_to_resolved_and_writes_its_series() {
    for test in testing::each().await {
        let (db, clock, bus) = (&test.db, ManualClock::at(at(0)), Bus::default());
        let samples = Arc::new(Told::default());
        let mut changes = bus.subscribe();
        put(db, at(0), "guests", RULES).await;
        let tenant = TenantId::new();
        let labels = [("domain", "vm1"), ("tenant", &tenant.to_string())];
        samples.answer("raw", &[(&[("domain", "vm1")], 0.5)]);
        samples.answer("hot", &[(&labels, 0.5)]);
        let evaluation = evaluation(db, &clock, &bus, &samples);

        let outcome = run(&evaluation, &clock, 103).await;
        assert_eq!(outcome.wake_at, Some(at(110)));
        assert_eq!(states(&listed(db).await), ["pending"]);
        let alerts = format!("alertname=CpuHigh,domain=vm1,severity=page,tenant={tenant}");
        let pending = format!(
            "ALERTS{{alertname=CpuHigh,alertstate=pending,domain=vm1,severity=page,tenant={tenant}}}"
        );
        let firing = pending.replace("pending", "firing");
        let for_state = format!("ALERTS_FOR_STATE{{{alerts}}}");
        assert_eq!(
            samples.take(),
            BTreeSet::from([
                "cpu:rate{domain=vm1,from=rule} 0.5 @100".to_owned(),
                format!("{for_state} 100 @100"),
                format!("{pending} 1 @100"),
            ])
        );
        assert_eq!(changes.try_recv().unwrap().topic, Topic::Alert);

        // The same tick does nothing again.
        assert_eq!(run(&evaluation, &clock, 107).await.status["evaluated"], 0);
        run(&evaluation, &clock, 110).await;
        samples.answer("hot", &[(&labels, 0.75)]);
        samples.take();
        run(&evaluation, &clock, 120).await;
        let alert = listed(db).await.remove(0);
        assert_eq!((alert.state, alert.value), (AlertState::Firing, Some(0.75)));
        assert_eq!((alert.active_at, alert.fired_at), (at(100), Some(at(120))));
        assert_eq!(alert.annotations["summary"], "vm1 at 75%");
        assert!(samples.take().contains(&format!("{pending} stale @120")));
        assert!(changes.try_recv().is_ok_and(|c| c.tenant_id == Some(tenant)));

        samples.answer("hot", &[]);
        samples.answer("raw", &[]);
        run(&evaluation, &clock, 130).await;
        assert_eq!(
            samples.take(),
            BTreeSet::from([
                "cpu:rate{domain=vm1,from=rule} stale @130".to_owned(),
                format!("{firing} stale @130"),
                format!("{for_state} stale @130"),
            ])
        );
        let alert = listed(db).await.remove(0);
        assert_eq!((alert.state, alert.resolved_at), (AlertState::Resolved, Some(at(130))));
        // Another episode is another row; the tenant sees its own.
        samples.answer("hot", &[(&labels, 1.0)]);
        run(&evaluation, &clock, 140).await;
        assert_eq!(states(&listed(db).await), ["pending", "resolved"]);
        let mut conn = db.read().await.unwrap();
        assert_eq!(alerts::list(&mut conn, Some(tenant), None, 9).await.unwrap().len(), 2);
        let other = Some(TenantId::new());
        assert_eq!(alerts::list(&mut conn, other, None, 9).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_store_that_is_away_keeps_the_states() {
    for test in testing::each().await {
        let (db, clock, bus) = (&test.db, ManualClock::at(at(0)), Bus::default());
        let samples = Arc::new(Told::default());
        put(db, at(0), "guests", RULES).await;
        samples.answer("hot", &[(&[("domain", "vm1")], 1.0)]);
        let evaluation = evaluation(db, &clock, &bus, &samples);
        for s in [100, 110, 120] {
            run(&evaluation, &clock, s).await;
        }
        let before = listed(db).await;
        assert_eq!(states(&before), ["firing"]);
        samples.take();
        samples.down(true);
        let outcome = run(&evaluation, &clock, 130).await;
        assert_eq!(outcome.status["failed"][1]["rule"], "CpuHigh");
        assert_eq!(listed(db).await, before);
        let mut conn = db.read().await.unwrap();
        let shown = prometheus::rules(&mut conn, &Settings::default(), None).await.unwrap();
        let shown = serde_json::to_value(shown).unwrap();
        let rule = &shown["groups"][0]["rules"][1];
        assert_eq!((&rule["health"], &rule["state"]), (&"err".into(), &"firing".into()));
        assert_eq!(rule["lastError"], "the store is away");
        samples.down(false);
        run(&evaluation, &clock, 140).await;
        assert_eq!(listed(db).await, before);
        assert!(!samples.take().iter().any(|s| s.contains("stale")));
    }
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    for test in testing::each().await {
        let (db, clock, bus) = (&test.db, ManualClock::at(at(0)), Bus::default());
        let samples = Arc::new(Told::default());
        put(db, at(0), "guests", RULES).await;
        samples.answer("hot", &[(&[("domain", "vm1")], 1.0)]);
        let run_anew = async |s| run(&evaluation(db, &clock, &bus, &samples), &clock, s).await;
        run_anew(100).await;
        run_anew(110).await;
        run_anew(120).await;
        assert_eq!(states(&listed(db).await), ["firing"]);
        samples.answer("hot", &[]);
        run_anew(130).await;
        assert_eq!(states(&listed(db).await), ["resolved"]);
        // The series that were open before the restart were ended after it.
        assert!(
            samples.take().iter().any(|s| s.contains("alertstate=firing") && s.contains("stale"))
        );

        // Pending for 10 s, away for 90 s: 10 s are missing still.
        samples.answer("hot", &[(&[("domain", "vm1")], 1.0)]);
        run_anew(200).await;
        run_anew(300).await;
        assert_eq!(states(&listed(db).await), ["pending", "resolved"]);
        run_anew(310).await;
        assert_eq!(states(&listed(db).await), ["firing", "resolved"]);
    }
}

#[tokio::test]
async fn a_changed_group_keeps_its_alerts_and_ends_those_of_rules_that_went() {
    let actor = identity::Actor::system("test");
    for test in testing::each().await {
        let (db, clock, bus) = (&test.db, ManualClock::at(at(0)), Bus::default());
        let samples = Arc::new(Told::default());
        let evaluation = evaluation(db, &clock, &bus, &samples);
        put(db, at(0), "guests", RULES).await;
        samples.answer("hot", &[(&[("domain", "vm1")], 1.0)]);
        for s in [100, 110, 120] {
            run(&evaluation, &clock, s).await;
        }
        let active_at = listed(db).await[0].active_at;
        put(db, at(125), "guests", &RULES.replace("{{ $labels.domain }} at", "now")).await;
        run(&evaluation, &clock, 130).await;
        let alert = listed(db).await.remove(0);
        assert_eq!((alert.state, alert.active_at), (AlertState::Firing, active_at));
        assert_eq!(alert.annotations["summary"], "now 100%");

        // A rule by another name: the old one's alert is over, its series end.
        samples.take();
        put(db, at(135), "guests", &RULES.replace("CpuHigh", "CpuVeryHigh")).await;
        run(&evaluation, &clock, 140).await;
        assert_eq!(states(&listed(db).await), ["pending", "resolved"]);
        assert!(samples.take().iter().any(|s| s.contains("CpuHigh") && s.contains("stale @140")));

        // The whole group goes.
        for s in [150, 160] {
            run(&evaluation, &clock, s).await;
        }
        samples.take();
        let mut tx = db.begin_write().await.unwrap();
        rules::store::delete(&mut tx, at(165), &actor, "guests").await.unwrap();
        tx.commit().await.unwrap();
        run(&evaluation, &clock, 167).await;
        assert_eq!(states(&listed(db).await), ["resolved", "resolved"]);
        assert!(
            samples.take().iter().any(|s| s.contains("CpuVeryHigh") && s.contains("stale @167"))
        );
        run(&evaluation, &clock, 170).await;
        assert_eq!(samples.take(), BTreeSet::new());
    }
}

#[tokio::test]
async fn a_group_that_changed_during_its_evaluation_is_not_recorded() {
    for test in testing::each().await {
        put(&test.db, at(0), "guests", RULES).await;
        let mut tx = test.db.begin_write().await.unwrap();
        let version = rules::store::get(&mut tx, "guests").await.unwrap().version;
        assert!(store::record(&mut tx, "guests", version, at(10), &[]).await.unwrap());
        assert!(!store::record(&mut tx, "guests", version - 1, at(20), &[]).await.unwrap());
        let stored = rules::store::get(&mut tx, "guests").await.unwrap();
        assert_eq!(stored.evaluated_at, Some(at(10)));
    }
}

#[tokio::test]
async fn resolved_episodes_go_after_a_while() {
    for test in testing::each().await {
        let (db, clock, bus) = (&test.db, ManualClock::at(at(0)), Bus::default());
        let samples = Arc::new(Told::default());
        let evaluation = evaluation(db, &clock, &bus, &samples);
        put(db, at(0), "guests", &RULES.replace("for: 20s", "for: 0s")).await;
        samples.answer("hot", &[(&[("domain", "vm1")], 1.0)]);
        run(&evaluation, &clock, 100).await;
        samples.answer("hot", &[]);
        run(&evaluation, &clock, 110).await;
        let kept_s = reconciler::RESOLVED_KEPT_MS / 1_000;
        run(&evaluation, &clock, 110 + kept_s).await;
        assert_eq!(states(&listed(db).await), ["resolved"]);
        run(&evaluation, &clock, 120 + kept_s).await;
        assert_eq!(listed(db).await, []);
    }
}

#[tokio::test]
async fn prometheus_shapes() {
    for test in testing::each().await {
        let (db, clock, bus) = (&test.db, ManualClock::at(at(0)), Bus::default());
        let samples = Arc::new(Told::default());
        let evaluation = evaluation(db, &clock, &bus, &samples);
        put(db, at(0), "guests", RULES).await;
        samples.answer("hot", &[(&[("domain", "vm1")], 0.5)]);
        run(&evaluation, &clock, 100).await;
        let mut conn = db.read().await.unwrap();
        let alert = serde_json::json!({
            "labels": {"alertname": "CpuHigh", "domain": "vm1", "severity": "page"},
            "annotations": {"summary": "vm1 at 50%"},
            "state": "pending",
            "activeAt": "1970-01-01T00:01:40.000Z",
            "value": "5e-01",
        });
        let shown = prometheus::alerts(&mut conn, None).await.unwrap();
        assert_eq!(serde_json::to_value(shown).unwrap(), serde_json::json!({"alerts": [alert]}));
        let shown = prometheus::rules(&mut conn, &Settings::default(), None).await.unwrap();
        let mut shown = serde_json::to_value(shown).unwrap();
        let group = &mut shown["groups"][0];
        group["evaluationTime"].take();
        for rule in group["rules"].as_array_mut().unwrap() {
            rule["evaluationTime"].take();
        }
        assert_eq!(
            *group,
            serde_json::json!({
                "name": "guests", "file": "api", "interval": 10.0, "limit": 0,
                "lastEvaluation": "1970-01-01T00:01:40.000Z", "evaluationTime": null,
                "rules": [
                    {
                        "type": "recording", "name": "cpu:rate", "query": "raw",
                        "labels": {"from": "rule"}, "health": "ok",
                        "lastEvaluation": "1970-01-01T00:01:40.000Z", "evaluationTime": null,
                    },
                    {
                        "type": "alerting", "name": "CpuHigh", "query": "hot", "state": "pending",
                        "duration": 20.0, "keepFiringFor": 0.0, "labels": {"severity": "page"},
                        "annotations": {
                            "summary": "{{ $labels.domain }} at {{ humanizePercentage $value }}"
                        },
                        "alerts": [alert], "health": "ok",
                        "lastEvaluation": "1970-01-01T00:01:40.000Z", "evaluationTime": null,
                    },
                ],
            })
        );
    }
}
