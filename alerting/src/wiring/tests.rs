use base::{Error, db::testing, time::ManualClock};

use super::*;
use crate::{
    notices,
    testing::{Told, at, eventually, put},
};

/// From a hot sample to what the receiver says, and its end, woken by hints and by the clock alone.
#[tokio::test]
async fn one_part_wakes_the_next() {
    for test in testing::each().await {
        let (db, clock, bus) = (&test.db, ManualClock::at(at(100)), Bus::default());
        let samples = Arc::new(Told::default());
        let settings = Settings {
            evaluation_interval_ms: 3_600_000,
            group_wait_ms: 1_000,
            group_interval_ms: 2_000,
            // Without a mail server: it fails, and that is enough of an end.
            operator_mail: vec!["ops@opshawk.example".to_owned()],
            ..Settings::default()
        };
        samples.answer("hot", &[(&[], 1.0)]);
        let driver = Driver::new(clock.shared());
        let shared = clock.shared();
        let alerting =
            Alerting::start(&driver, db, &shared, &bus, Arc::new(settings), samples.clone())
                .await
                .unwrap();
        put(
            db,
            at(100),
            "g",
            "groups: [{name: g, interval: 5s, rules: [{alert: Hot, expr: hot}]}]",
        )
        .await;
        alerting.rules_changed();
        let subjects = async || {
            let mut conn = db.read().await.unwrap();
            let notices = notices::list(&mut conn, None, None, 10).await.unwrap();
            let done = |n: &notices::Notice| n.deliveries.iter().any(|d| d.state == "failed");
            notices.into_iter().filter(done).map(|n| n.subject).collect::<Vec<_>>()
        };
        // Until the group is known, moving the clock would be too early.
        let next = async |reconciler: &str, now: i64| {
            eventually(reconciler, async || {
                let all = driver.statuses();
                let status = all.iter().find(|s| s.name == reconciler).unwrap();
                (!status.running && status.next_run_at == Some(at(now))).then_some(())
            })
            .await;
        };
        next("alert-routing", 101).await;
        clock.set(at(101));
        eventually("the first notice", async || {
            (subjects().await == ["[FIRING:1] Hot"]).then_some(())
        })
        .await;
        samples.answer("hot", &[]);
        next("alert-evaluation", 105).await;
        clock.set(at(105));
        // The group's next flush may have come before the evaluation: then the one after it tells.
        next("alert-evaluation", 110).await;
        clock.set(at(109));
        eventually("the second notice", async || {
            (subjects().await == ["[RESOLVED] Hot", "[FIRING:1] Hot"]).then_some(())
        })
        .await;
        driver.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    let clock = ManualClock::at(at(0)).shared();
    let test = base::db::testing::TestDb::sqlite().await;
    let start = async |settings: Settings| -> Option<Error> {
        let driver = Driver::new(clock.clone());
        let samples = Arc::new(Told::default());
        let (db, bus) = (&test.db, Bus::default());
        Alerting::start(&driver, db, &clock, &bus, Arc::new(settings), samples).await.err()
    };
    let wrong = [
        (
            Settings { operator_mail: vec!["nobody".into()], ..Settings::default() },
            "notify.operator_mail",
        ),
        (
            Settings { webhook_urls: vec!["ftp://x".into()], ..Settings::default() },
            "notify.webhook_urls",
        ),
        (
            Settings { rule_files: vec!["/nowhere/rules.yml".into()], ..Settings::default() },
            "alerting.rule_files",
        ),
        (Settings { group_interval_ms: 0, ..Settings::default() }, "alerting.group_interval_s"),
    ];
    for (settings, key) in wrong {
        let error = start(settings).await.unwrap();
        assert_eq!(error.field.as_deref(), Some(key));
        assert!(error.message.contains(key), "{error}");
    }
}
