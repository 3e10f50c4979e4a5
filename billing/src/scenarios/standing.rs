//! Warnings, cut-offs and what ends them. Delivery of the notices is tested where it happens.

use std::{sync::Arc, time::Duration};

use base::{
    ErrorKind,
    bus::Topic,
    id::InstanceId,
    reconcile::Driver,
    time::{Clock, Timestamp},
};
use identity::Actor;
use inventory::{
    instances::{self, Change, Hold, Power, Wanted},
    operations::{self, Filter},
};

use crate::{
    accounts, admission, meter,
    prices::publish::Terms,
    standing::{Standing, StandingReconciler, exemptions},
    testing::{Guest, World, at, micros},
    usage::ResourceState::*,
};

const HOUR_MS: i64 = 3_600_000;

/// Standing and episode, in order of time.
pub(super) async fn log(w: &World) -> Vec<(String, i64)> {
    let mut conn = w.db.read().await.unwrap();
    sqlx::query_as(
        "SELECT standing, episode FROM standing_log ORDER BY at_ms, episode, \
         CASE standing WHEN 'active' THEN 9 WHEN 'warned' THEN 1 WHEN 'overdue' THEN 2 \
           WHEN 'suspended' THEN 3 WHEN 'stopped' THEN 4 WHEN 'reclaim_pending' THEN 5 ELSE 6 END",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap()
}

pub(super) async fn standing(w: &World) -> Standing {
    w.read(async |conn| accounts::get(conn, w.tenant).await).await.standing
}

#[tokio::test]
async fn a_block_of_hours_counts_when_it_begins() {
    for w in World::each().await {
        let block =
            r#"{"id":"b","component":"instance.compute","package":{"size":2,"price":"100"}}"#;
        w.publish_rates(Terms::default(), block).await;
        w.topup(at("10:00"), "150").await;
        w.seen(&w.guest("web-1"), Running, at("10:00")).await;
        let begun = |time: &str| at(time).saturating_add_ms(1);
        // Both blocks are foreseen: the second can't be paid.
        assert_eq!(w.balance(at("10:00")).await.runs_out_at, Some(begun("12:00")));
        assert_eq!(w.stand(at("10:00")).await.wake_at, Some(begun("10:00")));
        assert_eq!(w.balance(begun("10:00")).await.runs_out_at, Some(begun("12:00")));
        assert_eq!(w.stand(begun("10:00")).await.wake_at, Some(at("11:00:00.001")));
        assert_eq!(w.balance(begun("10:00")).await.balance, micros("50"));
        assert_eq!(standing(&w).await, Standing::Warned);
        w.stand(begun("12:00")).await;
        assert_eq!(standing(&w).await, Standing::Overdue);
    }
}

#[tokio::test]
async fn scenario_21_a_warning_once_an_episode() {
    for mut w in World::each().await {
        w.settings.warnings_ms = vec![24 * HOUR_MS];
        const WARNING: &str = "tenant acme is expected to run out of balance within a day";
        w.price_small("1.00").await;
        w.topup(at("10:00"), "25").await;
        w.seen(&w.guest("web-1"), Running, at("10:00")).await;
        let outcome = w.stand(at("10:00")).await;
        assert_eq!(outcome.wake_at, Some(at("11:00")));
        assert!(w.subjects().await.is_empty());
        // 24.00 left, at 1.00 an hour.
        for time in ["11:00", "11:00", "11:30"] {
            w.stand(at(time)).await;
        }
        assert_eq!(w.subjects().await, [WARNING]);
        assert_eq!(w.balance(at("11:00")).await.balance, micros("24"));
        w.topup(at("11:30"), "100").await;
        let outcome = w.stand(at("11:30")).await;
        assert_eq!(standing(&w).await, Standing::Active);
        let dip = outcome.wake_at.unwrap();
        assert_eq!(dip, at("11:00").saturating_add_ms(100 * HOUR_MS));
        w.stand(dip).await;
        w.stand(dip.saturating_add_ms(1)).await;
        assert_eq!(w.subjects().await, [WARNING, "tenant acme has balance again", WARNING]);
        assert_eq!(
            log(&w).await,
            [("warned".into(), 1), ("active".into(), 1), ("warned".into(), 2)]
        );
    }
}

#[tokio::test]
async fn scenario_22_no_burn_has_no_run_out_time_and_a_debt_has_it_now() {
    for w in World::each().await {
        w.price_small("1.00").await;
        assert_eq!(w.balance(at("10:00")).await.runs_out_at, None);
        w.topup(at("10:00"), "5").await;
        assert_eq!(w.balance(at("10:00")).await.runs_out_at, None);
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        let balance = w.balance(at("10:30")).await;
        assert_eq!(balance.runs_out_at, Some(at("15:00")));
        assert_eq!(balance.burn_per_hour, "1".parse().unwrap());
        assert_eq!(balance.balance_display, "4.5000");
        assert_eq!(w.balance(at("16:00")).await.runs_out_at, Some(at("16:00")));
        w.record(at("16:00"), &w.event(&guest, Stopped, at("16:00"))).await.unwrap();
        let balance = w.balance(at("17:00")).await;
        assert_eq!((balance.balance, balance.runs_out_at), (micros("-1"), Some(at("17:00"))));
    }
}

#[tokio::test]
async fn scenario_23_down_the_ladder_each_step_recorded_once() {
    const DAY_MS: i64 = 24 * HOUR_MS;
    for mut w in World::each().await {
        w.settings.furthest = Standing::Reclaimed;
        let image = w.with_host().await;
        w.price_small("1.00").await;
        w.topup(at("10:00"), "1").await;
        let mut ids = Vec::new();
        for name in ["web-1", "exempt", "locked"] {
            ids.push(w.create(image, name).await);
        }
        change(&w, ids[2], "instance.lock", Change::Lock(true)).await;
        super::gates::exempt(&w, at("10:00"), Some(ids[1]), None).await;
        w.seen(&Guest { id: ids[0].to_string(), ..w.guest("web-1") }, Running, at("10:00")).await;
        let mut now = at("10:00");
        let mut seen = Vec::new();
        while let Some(wake_at) = w.stand(now).await.wake_at {
            seen.push((now, standing(&w).await));
            w.stand(now).await;
            now = wake_at;
        }
        seen.push((now, standing(&w).await));
        let stopped = at("13:00").saturating_add_ms(DAY_MS);
        assert_eq!(
            seen,
            [
                (at("10:00"), Standing::Warned),
                (at("11:00"), Standing::Overdue),
                (at("13:00"), Standing::Suspended),
                (stopped, Standing::Stopped),
                (stopped.saturating_add_ms(7 * DAY_MS), Standing::ReclaimPending),
                (stopped.saturating_add_ms(14 * DAY_MS), Standing::Reclaimed),
            ]
        );
        assert_eq!(
            log(&w).await,
            ["warned", "overdue", "suspended", "stopped", "reclaim_pending", "reclaimed"]
                .map(|s| (s.to_owned(), 1))
        );
        assert_eq!(
            w.subjects().await,
            [
                "tenant acme is expected to run out of balance within an hour",
                "tenant acme has run out of balance",
                "tenant acme is suspended: its balance ran out",
                "instances of tenant acme are stopped: its balance ran out",
                "instances of tenant acme will be deleted: its balance ran out",
                "instances of tenant acme are deleted: its balance ran out",
            ]
        );
        assert_eq!(powers(&w, &ids).await, [Power::Absent, Power::Running, Power::Stopped]);
        assert_eq!(w.scalar("SELECT COUNT(*) FROM reclaims").await, 1);
        assert_eq!(
            w.scalar("SELECT COUNT(*) FROM audit WHERE action = 'instance.reclaim'").await,
            1
        );
        // What kept the others ends: they go with the next look, and nobody is told of a step.
        change(&w, ids[2], "instance.unlock", Change::Lock(false)).await;
        let open = w.read(async |conn| exemptions::open(conn, now, None).await).await;
        w.write(async |tx| exemptions::end(tx, now, open[0].id).await).await.unwrap();
        w.stand(now).await;
        assert_eq!(powers(&w, &ids).await, [Power::Absent; 3]);
        assert_eq!(w.scalar("SELECT COUNT(*) FROM reclaims").await, 3);
        assert_eq!(w.subjects().await.len(), 6);
    }
}

#[tokio::test]
async fn scenario_24_what_does_not_suffice_ends_nothing_and_zero_does_not_flap() {
    for mut w in World::each().await {
        w.settings.grace_ms = 0;
        w.price_small("60.00").await;
        w.topup(at("10:00"), "10").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.seen(&guest, Stopped, at("11:00")).await;
        w.stand(at("11:00")).await;
        assert_eq!(w.balance(at("11:00")).await.balance, micros("-50"));
        assert_eq!(standing(&w).await, Standing::Suspended);
        w.topup(at("11:10"), "40").await;
        w.stand(at("11:10")).await;
        assert_eq!(standing(&w).await, Standing::Suspended);
        w.topup(at("11:20"), "10").await;
        assert_eq!(w.balance(at("11:20")).await.balance, micros("0.000000"));
        let before = log(&w).await;
        for time in ["11:20", "11:20:01", "11:20:02", "15:00"] {
            w.stand(at(time)).await;
            assert_eq!(standing(&w).await, Standing::Suspended);
        }
        assert_eq!(log(&w).await, before);
        w.topup(at("15:00"), "0.000001").await;
        w.stand(at("15:00")).await;
        assert_eq!(standing(&w).await, Standing::Active);
        assert_eq!(log(&w).await.last().unwrap(), &("active".to_owned(), 1));
    }
}

pub(super) async fn change(w: &World, id: InstanceId, kind: &str, change: Change) {
    w.write(async |tx| {
        let instance = instances::get(tx, id).await?;
        instances::change(tx, at("09:30"), &Actor::system("test"), &instance, kind, change).await
    })
    .await
    .unwrap();
}

pub(super) async fn powers(w: &World, ids: &[InstanceId]) -> Vec<Power> {
    let mut powers = Vec::new();
    for id in ids {
        let instance = w.read(async |conn| instances::get(conn, *id).await).await;
        powers.push(instance.effective());
    }
    powers
}

#[tokio::test]
async fn scenario_25_only_what_the_cut_off_stopped_starts_again() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.suspend_to_stop_ms) = (0, 0);
        let image = w.with_host().await;
        w.price_small("1.00").await;
        w.topup(at("10:00"), "1").await;
        let mut ids = Vec::new();
        for name in ["runs", "stopped", "locked"] {
            ids.push(w.create(image, name).await);
        }
        change(&w, ids[1], "instance.stop", Change::Want(Wanted::Stopped)).await;
        change(&w, ids[2], "instance.lock", Change::Lock(true)).await;
        let guest = Guest { id: ids[0].to_string(), ..w.guest("runs") };
        w.seen(&guest, Running, at("10:00")).await;
        w.stand(at("10:30")).await;
        assert_eq!(powers(&w, &ids).await, [Power::Running, Power::Stopped, Power::Stopped]);

        let mut bus = w.bus.subscribe();
        w.stand(at("11:00")).await;
        assert_eq!(standing(&w).await, Standing::Stopped);
        assert_eq!(powers(&w, &ids).await, [Power::Stopped; 3]);
        let mut told = Vec::new();
        while let Ok(change) = bus.try_recv() {
            told.push(change.topic);
        }
        for topic in [Topic::HostDesired, Topic::Instance, Topic::Operation, Topic::Money] {
            assert!(told.contains(&topic), "{told:?}");
        }
        w.seen(&guest, Stopped, at("11:00:02")).await;
        // Refused while stopped, admitted again after the top-up.
        let new = [admission::Component { meter: meter::instance(w.small), quantity: 1 }];
        let admit = async |now: Timestamp| {
            w.write(async |tx| admission::admit(tx, now, &w.settings, w.tenant, &new).await).await
        };
        assert_eq!(admit(at("11:01")).await.unwrap_err().kind, ErrorKind::PaymentRequired);

        w.topup(at("12:00"), "50").await;
        w.stand(at("12:00")).await;
        assert_eq!(standing(&w).await, Standing::Active);
        assert_eq!(powers(&w, &ids).await, [Power::Running, Power::Stopped, Power::Stopped]);
        admit(at("12:00")).await.unwrap();
        let list = w
            .read(async |conn| {
                let tenant_id = Some(w.tenant);
                let filter = Filter { tenant_id, limit: 100, ..Default::default() };
                operations::list(conn, &filter).await
            })
            .await;
        let mine: Vec<_> = list
            .iter()
            .filter(|o| o.actor_id == "standing")
            .map(|o| (o.kind.as_str(), o.target_name.as_str()))
            .collect();
        assert_eq!(mine.len(), 2, "{mine:?}");
        assert!(mine.contains(&("instance.stop", "runs")), "{mine:?}");
        assert!(mine.contains(&("instance.start", "runs")), "{mine:?}");
    }
}

#[tokio::test]
async fn a_hold_that_went_missing_is_set_again() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.suspend_to_stop_ms) = (0, 0);
        let image = w.with_host().await;
        w.price_small("1.00").await;
        let id = w.create(image, "runs").await;
        let guest = Guest { id: id.to_string(), ..w.guest("runs") };
        w.seen(&guest, Running, at("10:00")).await;
        w.stand(at("10:00")).await;
        assert_eq!(powers(&w, &[id]).await, [Power::Stopped]);
        change(&w, id, "instance.start", Change::Hold(Hold::None)).await;
        // Nothing says that it is due, so that it is found when everybody is looked at again.
        w.stand(at("10:00").saturating_add_ms(crate::agenda::STALE_MS)).await;
        assert_eq!(powers(&w, &[id]).await, [Power::Stopped]);
    }
}

#[tokio::test]
async fn scenario_26_what_fails_to_stop_is_billed_until_it_did() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.suspend_to_stop_ms) = (0, 0);
        w.price_small("0.36").await;
        w.topup(at("10:00"), "1.08").await;
        let guests = ["a", "b", "c"].map(|name| w.guest(name));
        for guest in &guests {
            w.seen(guest, Running, at("10:00")).await;
        }
        w.stand(at("11:00")).await;
        assert_eq!(standing(&w).await, Standing::Stopped);
        // Two confirm; the third's stop fails and is tried again until it has stopped.
        w.seen(&guests[0], Stopped, at("11:00:01")).await;
        w.seen(&guests[1], Stopped, at("11:00:01")).await;
        w.rate(at("11:05")).await;
        w.stand(at("11:05")).await;
        w.seen(&guests[2], Stopped, at("11:25")).await;
        w.rate(at("12:05")).await;
        for (guest, amount) in guests.iter().zip(["0.3601", "0.3601", "0.51"]) {
            let mut conn = w.db.read().await.unwrap();
            let (sum, end): (i64, i64) = sqlx::query_as(
                "SELECT CAST(SUM(c.net) AS BIGINT), MAX(c.to_ms) FROM charges c \
                 JOIN rated_keys k ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no \
                 WHERE k.resource_id = $1",
            )
            .bind(&guest.id)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
            assert_eq!(sum, micros(amount).0, "{}", guest.name);
            let stopped = if guest.name == "c" { at("11:25") } else { at("11:00:01") };
            assert_eq!(Timestamp::from_ms(end), stopped);
        }
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_27_a_lowered_credit_limit_gives_the_whole_grace() {
    for w in World::each().await {
        let limit = async |text: &str| {
            let (limit, now, actor) = (micros(text), w.clock.now(), "system:test");
            w.write(async |tx| {
                accounts::set_credit_limit(tx, now, w.tenant, limit, actor, "").await
            })
            .await
            .unwrap();
        };
        w.price_small("80.00").await;
        limit("100").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("06:00")).await;
        w.seen(&guest, Stopped, at("07:00")).await;
        w.stand(at("10:00")).await;
        assert_eq!(w.balance(at("10:00")).await.balance, micros("-80"));
        assert_eq!(standing(&w).await, Standing::Active);
        limit("50").await;
        let outcome = w.stand(at("11:00")).await;
        assert_eq!(standing(&w).await, Standing::Overdue);
        assert_eq!(outcome.wake_at, Some(at("13:00")));
        w.stand(at("12:59:59.999")).await;
        assert_eq!(standing(&w).await, Standing::Overdue);
        w.stand(at("13:00")).await;
        assert_eq!(standing(&w).await, Standing::Suspended);
    }
}

#[tokio::test]
async fn without_grace_crossing_zero_stops_in_one_run_at_the_exact_instant() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.suspend_to_stop_ms) = (0, 0);
        w.settings.warnings_ms = vec![30_000];
        w.publish(
            at("00:00"),
            &[(meter::instance(w.small), "36.0"), (meter::DISK_GIB.to_owned(), "0.7")],
        )
        .await;
        w.topup(at("10:00"), "0.60").await;
        let guest = Guest { disk_gib: 1, ..w.guest("cc") };
        w.seen(&guest, Running, at("10:00")).await;
        // 0.60 at 36.7 an hour: 58,855.59 ms.
        let crossing = at("10:00").saturating_add_ms(58_856);
        assert_eq!(w.balance(at("10:00")).await.runs_out_at, Some(crossing));
        let warning = w.stand(at("10:00")).await.wake_at.unwrap();
        assert_eq!(warning, crossing.saturating_add_ms(-30_000));
        assert_eq!(w.stand(warning).await.wake_at, Some(crossing));
        // Whether somebody posts in between does not move it.
        w.post(at("10:00:45.678")).await;
        assert_eq!(w.balance(at("10:00:50")).await.runs_out_at, Some(crossing));
        w.stand(crossing.saturating_add_ms(-1)).await;
        assert_eq!(standing(&w).await, Standing::Warned);
        assert_eq!(w.stand(crossing).await.wake_at, None);
        assert_eq!(standing(&w).await, Standing::Stopped);
        assert_eq!(
            w.subjects().await,
            [
                "tenant acme is expected to run out of balance within 30 seconds",
                "instances of tenant acme are stopped: its balance ran out",
            ]
        );
        assert_eq!(
            log(&w).await,
            ["warned", "overdue", "suspended", "stopped"].map(|s| (s.to_owned(), 1))
        );
    }
}

#[tokio::test]
async fn the_driver_wakes_it_at_the_instant_and_a_signal_wakes_it_for_a_top_up() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.suspend_to_stop_ms) = (0, 0);
        w.settings.warnings_ms = Vec::new();
        w.price_small("36.0").await;
        w.clock.set(at("10:00"));
        w.topup(at("10:00"), "0.10").await;
        w.seen(&w.guest("cc"), Running, at("10:00")).await;
        let driver = Driver::new(w.clock.shared());
        let signal = driver.spawn(Arc::new(StandingReconciler::new(
            w.db.clone(),
            w.clock.shared(),
            w.bus.clone(),
            w.settings.clone(),
        )));
        let planned = async |at: Timestamp| {
            eventually(async || {
                driver.statuses().iter().any(|s| !s.running && s.next_run_at == Some(at))
            })
            .await;
        };
        planned(at("10:00:10")).await;
        assert_eq!(standing(&w).await, Standing::Active);
        w.clock.set(at("10:00:10"));
        eventually(async || standing(&w).await == Standing::Stopped).await;
        w.topup(at("10:00:10"), "5").await;
        signal.wake();
        eventually(async || standing(&w).await == Standing::Active).await;
        driver.stop().await;
    }
}

/// Waits for a condition, looking often.
async fn eventually(condition: impl AsyncFn() -> bool) {
    const LIMIT: Duration = Duration::from_secs(20);
    const LOOK_EVERY: Duration = Duration::from_millis(5);
    let wait = async {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        while !condition().await {
            tick.tick().await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.expect("the condition comes true");
}

#[tokio::test]
async fn a_top_up_beside_the_cut_off_wins_in_the_end() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.suspend_to_stop_ms) = (0, 0);
        let image = w.with_host().await;
        w.price_small("1.00").await;
        let id = w.create(image, "runs").await;
        w.topup(at("10:00"), "1").await;
        w.seen(&Guest { id: id.to_string(), ..w.guest("runs") }, Running, at("10:00")).await;
        tokio::join!(w.stand(at("11:00")), w.topup(at("11:00"), "500"));
        w.stand(at("11:00")).await;
        assert_eq!(standing(&w).await, Standing::Active);
        assert_eq!(powers(&w, &[id]).await, [Power::Running]);
    }
}
