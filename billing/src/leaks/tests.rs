//! What leaks is found, told when it was seen twice, and over when it is mended.

use base::{
    bus::Bus,
    db::Backend,
    id::{ImageId, InstanceId},
    reconcile::Reconciler,
    time::{Clock, Timestamp},
};

use super::*;
use crate::{
    counters::{self, Reading, Series},
    meter,
    prices::{
        self, Price,
        publish::{Terms, publish},
    },
    testing::{Guest, World, at},
    usage::{
        Resource,
        ResourceState::{Absent, Running, Stopped},
    },
};

async fn look_at(w: &World, time: Timestamp) -> Looked {
    look(&w.db, time, w.tenant).await.unwrap()
}

/// The listed findings, by kind and subject's last part.
async fn listed(w: &World) -> Vec<(String, String)> {
    let all = w.read(async |conn| findings::list(conn, false).await).await;
    all.into_iter().map(|finding| (finding.kind, finding.subject)).collect()
}

/// One that runs, in the inventory and on the meter.
async fn machine(w: &World, image: ImageId, name: &str) -> (InstanceId, Guest) {
    let id = w.create(image, name).await;
    observed(w, id, "running").await;
    let guest = Guest { id: id.to_string(), disk_gib: 1, ..w.guest(name) };
    (id, guest)
}

async fn observed(w: &World, id: InstanceId, state: &str) {
    w.write(async |tx| {
        sqlx::query("UPDATE instances SET observed = $2 WHERE id = $1")
            .bind(id.to_string())
            .bind(state.to_owned())
            .execute(tx)
            .await?;
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_metered_and_billed_as_it_is_does_not_leak() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let (_, guest) = machine(&w, w.with_host().await, "web-1").await;
        w.seen(&guest, Running, at("09:05")).await;
        w.rate(at("11:02")).await;
        assert_eq!(look_at(&w, at("11:03")).await, Looked::default());
        assert_eq!(w.scalar("SELECT COUNT(*) FROM findings").await, 0);
    }
}

#[tokio::test]
async fn a_resource_without_a_bill_is_reported_when_seen_twice_and_closed_when_mended() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let (id, guest) = machine(&w, w.with_host().await, "web-1").await;
        w.rate(at("11:02")).await;
        let once = look_at(&w, at("11:03")).await;
        assert_eq!(once, Looked { seen: 1, waiting: 1, ..Looked::default() });
        assert_eq!(listed(&w).await, []);
        // Looked at again at once, it is the same look.
        assert_eq!(look_at(&w, at("11:04")).await, once);
        assert!(w.subjects().await.is_empty());
        let twice = look_at(&w, at("12:03")).await;
        assert_eq!(twice, Looked { seen: 1, reported: 1, ..Looked::default() });
        let subject = format!("instance/{id}");
        assert_eq!(listed(&w).await, [(UNBILLED.to_owned(), subject.clone())]);
        assert_eq!(w.subjects().await, [format!("a resource without a bill: {subject}")]);
        // Told once.
        assert_eq!(look_at(&w, at("13:03")).await, Looked { seen: 1, ..Looked::default() });
        assert_eq!(w.subjects().await.len(), 1);
        w.seen(&guest, Running, at("13:10")).await;
        w.rate(at("14:02")).await;
        let over = look_at(&w, at("14:03")).await;
        assert_eq!(over, Looked { resolved: 1, ..Looked::default() });
        assert_eq!(listed(&w).await, []);
    }
}

#[tokio::test]
async fn bills_without_a_resource_and_states_that_disagree_are_told_apart() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let image = w.with_host().await;
        let (gone, first) = machine(&w, image, "gone").await;
        let (state, second) = machine(&w, image, "state").await;
        let (size, third) = machine(&w, image, "size").await;
        let (silent, fourth) = machine(&w, image, "silent").await;
        let unknown = w.guest("unknown");
        for guest in [&first, &second, &fourth, &unknown] {
            w.seen(guest, Running, at("09:05")).await;
        }
        w.seen(&Guest { disk_gib: 8, ..third }, Running, at("09:05")).await;
        observed(&w, gone, "absent").await;
        observed(&w, state, "stopped").await;
        // Nobody knows, which is no evidence.
        observed(&w, silent, "unknown").await;
        w.rate(at("11:02")).await;
        for time in ["11:03", "12:03"] {
            assert_eq!(look_at(&w, at(time)).await.seen, 4);
        }
        let subject = |id: &str| format!("instance/{id}");
        let mut expected = vec![
            (STATE.to_owned(), subject(&state.to_string())),
            (STATE.to_owned(), subject(&size.to_string())),
            (UNUSED.to_owned(), subject(&gone.to_string())),
            (UNUSED.to_owned(), subject(&unknown.id)),
        ];
        expected.sort();
        let mut found = listed(&w).await;
        found.sort();
        assert_eq!(found, expected);
        w.seen(&second, Stopped, at("12:10")).await;
        w.seen(&first, Absent, at("12:10")).await;
        w.rate(at("13:02")).await;
        assert_eq!(look_at(&w, at("13:03")).await.resolved, 2);
    }
}

/// Lines are append-only and follow from spans, so that these need somebody behind the triggers.
#[tokio::test]
async fn lines_that_do_not_follow_from_the_meter_are_found() {
    for w in World::each().await {
        w.price_both("0.36", "0.72").await;
        let (id, guest) = machine(&w, w.with_host().await, "web-1").await;
        w.seen(&guest, Running, at("09:05")).await;
        w.rate(at("11:02")).await;
        for (sql, kind) in [
            ("UPDATE charges SET quantity = 2", UNUSED),
            ("UPDATE charges SET from_ms = from_ms + 1000", UNBILLED),
            ("UPDATE rated_keys SET unit_price_nanos = 350000000", PRICE),
            (
                "UPDATE rated_keys SET rate = (SELECT MAX(rate) FROM price_rates \
                 WHERE rate <> rated_keys.rate)",
                PRICE,
            ),
        ] {
            let mut tx = w.db.begin_write().await.unwrap();
            for table in ["charges", "rated_keys"] {
                let drop = match w.db.backend() {
                    Backend::Sqlite => format!("DROP TRIGGER {table}_no_update"),
                    Backend::Postgres => format!("DROP TRIGGER {table}_append_only ON {table}"),
                };
                sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut *tx).await.unwrap();
            }
            sqlx::query(sql).execute(&mut *tx).await.unwrap();
            let account = accounts::get(&mut tx, w.tenant).await.unwrap();
            let mut found = rated::leaks(&mut tx, &account).await.unwrap();
            found.sort();
            found.dedup_by(|a, b| (a.kind, &a.subject) == (b.kind, &b.subject));
            let found: Vec<_> = found.into_iter().map(|leak| (leak.kind, leak.subject)).collect();
            assert_eq!(found, [(kind, format!("instance/{id}/compute"))], "{sql}");
        }
        let mut conn = w.db.read().await.unwrap();
        let account = accounts::get(&mut conn, w.tenant).await.unwrap();
        assert_eq!(rated::leaks(&mut conn, &account).await.unwrap(), []);
    }
}

#[tokio::test]
async fn what_runs_without_any_price_of_it_leaks_and_a_price_of_zero_does_not() {
    for w in World::each().await {
        w.publish(at("00:00"), &[(meter::instance(w.large), "0.72")]).await;
        let (id, guest) = machine(&w, w.with_host().await, "web-1").await;
        w.seen(&guest, Running, at("09:05")).await;
        w.rate(at("11:02")).await;
        let seen = async || {
            let mut conn = w.db.read().await.unwrap();
            let account = accounts::get(&mut conn, w.tenant).await.unwrap();
            rated::leaks(&mut conn, &account).await.unwrap()
        };
        let found = seen().await;
        assert_eq!(found.len(), 1);
        let subject = format!("instance/{id}/compute");
        assert_eq!((found[0].kind, &found[0].subject), (UNBILLED, &subject));
        // What the next posting looks at again is no leak before that.
        let terms = Terms { effective_at: Some(at("10:00")), correction: Some("it was too high") };
        let document = prices::meters::document(&[Price {
            meter: meter::instance(w.large),
            unit_price: "0.7".parse().unwrap(),
        }]);
        w.write(async |tx| publish(tx, at("11:10"), w.book, terms, &document).await).await.unwrap();
        assert_eq!(seen().await, []);
        w.rate(at("12:02")).await;
        assert_eq!(seen().await, found);
        let zero = [(meter::instance(w.large), "0.72"), (meter::instance(w.small), "0")];
        w.publish(at("13:00"), &zero).await;
        w.rate(at("14:02")).await;
        assert_eq!(seen().await, []);
    }
}

#[tokio::test]
async fn the_reconciler_looks_daily_and_again_an_hour_after_a_first_sight() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let (id, _) = machine(&w, w.with_host().await, "web-1").await;
        w.rate(at("11:02")).await;
        let bus = Bus::default();
        let leaks = LeakReconciler { db: w.db.clone(), clock: w.clock.shared(), bus };
        let done = leaks.run().await.unwrap();
        let again = w.clock.now().saturating_add_ms(APART_MS);
        assert_eq!((&done.status["waiting"], done.wake_at), (&json!(1), Some(again)));
        w.clock.set(again);
        let done = leaks.run().await.unwrap();
        assert_eq!((&done.status["reported"], done.wake_at), (&json!(1), None));
        assert_eq!(listed(&w).await, [(UNBILLED.to_owned(), format!("instance/{id}"))]);
        let open = w.read(async |conn| findings::count_open(conn).await).await;
        assert_eq!(open, [(UNBILLED.to_owned(), 1)]);
    }
}

#[tokio::test]
async fn priced_traffic_that_nobody_reads_leaks() {
    for w in World::each().await {
        let rate = |component: &str, price: &str| {
            format!(
                r#"{{"id":"{component}","component":"instance.{component}","price":"{price}"}}"#
            )
        };
        let rates = [rate("compute", "1"), rate("net_tx", "0.1"), rate("net_rx", "0")];
        w.publish_rates(Terms::default(), &rates.join(",")).await;
        let image = w.with_host().await;
        let (unread, first) = machine(&w, image, "unread").await;
        let (read, second) = machine(&w, image, "read").await;
        let (silent, third) = machine(&w, image, "silent").await;
        for guest in [&first, &second, &third] {
            w.seen(guest, Running, at("09:05")).await;
        }
        observed(&w, silent, "unknown").await;
        let next_day = |time: &str| at(time).saturating_add_ms(unread::UNREAD_MAX_MS);
        let reads = async |id: InstanceId, at: Timestamp| {
            let series = Series {
                resource: Resource { kind: "instance".to_owned(), id: id.to_string() },
                component: "net_tx".to_owned(),
                port: "p0".to_owned(),
                has_epochs: true,
            };
            let one = [Reading { at_ms: at.ms(), epoch: "1".to_owned(), value: 0 }];
            w.write(async |tx| counters::read(tx, at, &series, &one).await).await.unwrap();
        };
        reads(read, next_day("09:00")).await;
        // It has not run for a day yet.
        w.rate(next_day("09:02")).await;
        assert_eq!(look_at(&w, next_day("09:03")).await.seen, 0);
        w.rate(next_day("10:02")).await;
        for time in ["10:03", "11:03"] {
            assert_eq!(look_at(&w, next_day(time)).await.seen, 1);
        }
        let subject = format!("instance/{unread}/net_tx");
        assert_eq!(listed(&w).await, [(UNBILLED.to_owned(), subject)]);
        reads(unread, next_day("11:10")).await;
        let over = look_at(&w, next_day("12:03")).await;
        assert_eq!(over, Looked { resolved: 1, ..Looked::default() });
    }
}
