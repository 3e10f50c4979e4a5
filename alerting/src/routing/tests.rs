use std::sync::Arc;

use base::{
    bus::Bus,
    db::{Db, testing},
    id::TenantId,
    reconcile::Reconciler,
    time::ManualClock,
};

use super::{message::Payload, reconciler::AlertRouting, *};
use crate::{
    evaluation::reconciler::AlertEvaluation,
    notices::{self, Notice},
    state::AlertState,
    testing::{Told as Samples, at, put},
};

fn settings() -> Settings {
    Settings {
        group_wait_ms: 10_000,
        group_interval_ms: 60_000,
        resend_interval_ms: 600_000,
        ..Settings::default()
    }
}

fn episode(name: &str) -> Episode {
    Episode {
        state: AlertState::Firing,
        labels: Labels::new([("alertname".to_owned(), name.to_owned())]),
        annotations: BTreeMap::new(),
        value: 1.0,
        active_at: at(0),
        fired_at: Some(at(0)),
        resolved_at: None,
        keep_firing_since: None,
    }
}

fn set(names: &str) -> BTreeSet<String> {
    names.split_whitespace().map(str::to_owned).collect()
}

fn members(firing: &str, resolved: &str) -> Members {
    let all = |names: &str| set(names).into_iter().map(|n| (n.clone(), episode(&n))).collect();
    Members { firing: all(firing), resolved: all(resolved) }
}

/// What was told (firing, resolved), what is (firing, resolved), seconds since, and the decision.
#[allow(clippy::type_complexity)]
const FLUSHES: &[(Option<(&str, &str)>, (&str, &str), i64, Option<Reason>, &str)] = &[
    (None, ("a", ""), 0, Some(Reason::First), ""),
    (None, ("a", "b"), 0, Some(Reason::First), "b"),
    (None, ("", "a"), 0, None, "a"),
    (Some(("a", "")), ("a", ""), 60, None, ""),
    (Some(("a", "")), ("a b", ""), 60, Some(Reason::NewFiring), ""),
    (Some(("a b", "")), ("a", "b"), 60, Some(Reason::SomeResolved), "b"),
    (Some(("a", "b")), ("a", "b"), 60, None, ""),
    (Some(("a", "")), ("a", "c"), 60, Some(Reason::SomeResolved), "c"),
    (Some(("a", "")), ("", "a"), 60, Some(Reason::AllResolved), "a"),
    (Some(("a", "")), ("a", ""), 600, Some(Reason::Repeat), ""),
    (Some(("a", "")), ("a", ""), 599, None, ""),
    // Its last episode is over, but it fires again: not resolved.
    (Some(("a", "")), ("a", "a"), 60, None, ""),
];

fn told(told: Option<(&str, &str)>) -> Told {
    match told {
        None => Told::nothing(&settings(), at(0), at(0)),
        Some((firing, resolved)) => Told {
            notified_at: Some(at(0)),
            flushed_at: Some(at(0)),
            firing: set(firing),
            resolved: set(resolved),
            ..Told::default()
        },
    }
}

#[test]
fn a_flush_tells_what_is_new() {
    for (before, (firing, over), s, reason, resolved) in FLUSHES {
        let flush = flush(&settings(), at(*s), &told(*before), &members(firing, over));
        assert_eq!((flush.reason, flush.resolved), (*reason, set(resolved)), "{before:?} {firing}");
        assert_eq!(flush.told.is_none(), firing.is_empty());
        if let Some(told) = flush.told {
            assert_eq!(told.next_flush_at, at(s + 60));
        }
    }
}

#[test]
fn without_send_resolved_nobody_hears_of_the_end() {
    let settings = Settings { send_resolved: false, ..settings() };
    for (firing, over) in [("a", "b"), ("", "a b")] {
        let flush = flush(&settings, at(60), &told(Some(("a b", ""))), &members(firing, over));
        assert_eq!(flush.reason, None);
    }
}

struct Scene<'a> {
    db: &'a Db,
    clock: ManualClock,
    samples: Arc<Samples>,
    evaluation: AlertEvaluation,
    routing: AlertRouting,
}

impl<'a> Scene<'a> {
    async fn new(db: &'a Db) -> Self {
        let (clock, bus, settings) = (ManualClock::at(at(0)), Bus::default(), Arc::new(settings()));
        let samples = Arc::new(Samples::default());
        put(
            db,
            at(0),
            "g",
            "groups: [{name: g, interval: 5s, rules: [{alert: Hot, expr: hot, \
             annotations: {summary: '{{ $labels.domain }} is hot'}}]}]",
        )
        .await;
        let shared = || clock.shared();
        Self {
            evaluation: AlertEvaluation::new(
                db.clone(),
                shared(),
                bus.clone(),
                settings.clone(),
                samples.clone(),
            ),
            routing: AlertRouting::new(db.clone(), shared(), bus, settings),
            db,
            clock,
            samples,
        }
    }

    /// Evaluates and routes at that second with these domains hot; returns the new notices.
    async fn at(&self, s: i64, domains: &[&[(&str, &str)]]) -> Vec<Notice> {
        let vector: Vec<_> = domains.iter().map(|labels| (*labels, 1.0)).collect();
        self.samples.answer("hot", &vector);
        self.clock.set(at(s));
        let before = self.notices().await.len();
        self.evaluation.run().await.unwrap();
        self.routing.run().await.unwrap();
        let mut notices = self.notices().await;
        notices.truncate(notices.len() - before);
        notices
    }

    async fn notices(&self) -> Vec<Notice> {
        notices::list(&mut self.db.read().await.unwrap(), None, None, 100).await.unwrap()
    }

    async fn payload(&self, notice: &Notice) -> Payload {
        let row = sqlx::query("SELECT data FROM notices WHERE id = $1")
            .bind(notice.id.to_string())
            .fetch_one(&mut *self.db.read().await.unwrap())
            .await
            .unwrap();
        let data: String = sqlx::Row::try_get(&row, "data").unwrap();
        serde_json::from_str(&data).unwrap()
    }
}

#[tokio::test]
async fn a_group_waits_tells_resends_and_resolves() {
    for test in testing::each().await {
        let scene = Scene::new(&test.db).await;
        let (a, b): (&[_], &[_]) = (&[("domain", "a")], &[("domain", "b")]);
        assert_eq!(scene.at(100, &[a]).await, []);
        assert_eq!(scene.routing.run().await.unwrap().wake_at, Some(at(110)));
        // Another of its kind comes while it waits: one notice for both.
        assert_eq!(scene.at(105, &[a, b]).await, []);
        let first = scene.at(110, &[a, b]).await;
        assert_eq!(first[0].subject, "[FIRING:2] Hot");
        assert_eq!(first[0].topic, "alert");
        // One resolves; the receiver hears of it at the next flush.
        assert_eq!(scene.at(120, &[a]).await, []);
        let second = scene.at(170, &[a]).await;
        assert_eq!(second[0].subject, "[FIRING:1] Hot");
        let payload = scene.payload(&second[0]).await;
        let statuses: Vec<&str> = payload.alerts.iter().map(|a| a.status.as_str()).collect();
        assert_eq!(statuses, ["firing", "resolved"]);
        // Nothing changes: silence until the resend.
        for s in (175..770).step_by(5) {
            assert_eq!(scene.at(s, &[a]).await, [], "{s}");
        }
        assert_eq!(scene.at(770, &[a]).await[0].subject, "[FIRING:1] Hot: a is hot");
        assert_eq!(scene.at(800, &[]).await, []);
        let last = scene.at(830, &[]).await;
        assert_eq!(last[0].subject, "[RESOLVED] Hot: a is hot");
        assert_eq!(scene.routing.run().await.unwrap().wake_at, None);
        // The next one is first again, and waits again.
        assert_eq!(scene.at(900, &[b]).await, []);
        assert_eq!(scene.at(910, &[b]).await[0].subject, "[FIRING:1] Hot: b is hot");
    }
}

#[tokio::test]
async fn the_payload_is_alertmanagers() {
    for test in testing::each().await {
        let scene = Scene::new(&test.db).await;
        let a: &[_] = &[("domain", "a")];
        scene.at(100, &[a]).await;
        let notice = scene.at(110, &[a]).await.remove(0);
        let fired = serde_json::to_value(scene.payload(&notice).await).unwrap();
        let labels = serde_json::json!({"alertname": "Hot", "domain": "a"});
        let expected = serde_json::json!({
            "version": "4", "groupKey": "{}:{alertname=\"Hot\"}", "truncatedAlerts": 0,
            "status": "firing", "receiver": "operators", "groupLabels": {"alertname": "Hot"},
            "commonLabels": labels, "commonAnnotations": {"summary": "a is hot"},
            "externalURL": "http://127.0.0.1:8420",
            "alerts": [{
                "status": "firing", "labels": labels, "annotations": {"summary": "a is hot"},
                "startsAt": "1970-01-01T00:01:40.000Z", "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://127.0.0.1:8420/alerts",
                "fingerprint": fired["alerts"][0]["fingerprint"],
            }],
        });
        assert_eq!(fired, expected);
        assert_eq!(
            notice.body,
            "Firing (1):\n\n* Hot\n  summary: a is hot\n  since: 1970-01-01T00:01:40.000Z\n  \
             labels: domain=a\n\nSent at 1970-01-01T00:01:50.000Z by OpsHawk, \
             http://127.0.0.1:8420/alerts\n"
        );
        scene.at(120, &[]).await;
        let notice = scene.at(170, &[]).await.remove(0);
        let over = scene.payload(&notice).await;
        assert_eq!((over.status.as_str(), over.alerts.len()), ("resolved", 1));
        assert_eq!(over.alerts[0].ends_at, "1970-01-01T00:02:00.000Z");
        assert!(notice.body.contains("Resolved (1):"), "{}", notice.body);
    }
}

#[tokio::test]
async fn a_tenants_alert_goes_to_operators_and_to_the_tenant() {
    for test in testing::each().await {
        let scene = Scene::new(&test.db).await;
        let tenant = TenantId::new();
        let id = tenant.to_string();
        let labels: &[_] = &[("domain", "a"), ("tenant", &id)];
        scene.at(100, &[labels, &[("domain", "b")]]).await;
        let notices = scene.at(110, &[labels, &[("domain", "b")]]).await;
        let mut told = Vec::new();
        for notice in &notices {
            told.push((notice.tenant_id, scene.payload(notice).await.alerts.len()));
        }
        told.sort();
        assert_eq!(told, [(None, 2), (Some(tenant), 1)]);
        let mut conn = test.db.read().await.unwrap();
        assert_eq!(notices::list(&mut conn, Some(tenant), None, 9).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_fired_and_was_over_within_the_wait_is_no_news() {
    for test in testing::each().await {
        let scene = Scene::new(&test.db).await;
        scene.at(100, &[&[("domain", "a")]]).await;
        scene.at(105, &[]).await;
        for s in [110, 170, 230] {
            assert_eq!(scene.at(s, &[]).await, [], "{s}");
        }
    }
}
