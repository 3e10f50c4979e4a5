//! How far the ladder of a shortage goes, what of it is counted and foreseen, and which money makes
//! its warnings to be told again.

use base::time::Timestamp;
use inventory::instances::{Change, Power};

use super::{
    gates::{crowd, exempt, in_standing},
    standing::{change, powers, standing},
};
use crate::{
    accounts,
    ledger::{self, holds},
    settings::Mode,
    standing::{Standing, guard, preview},
    testing::{Guest, World, at, micros, uuid_like},
    usage::ResourceState::*,
};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Out of money at eleven, and from there to its end without a delay.
async fn at_the_end(w: &mut World) {
    (w.settings.grace_ms, w.settings.suspend_to_stop_ms) = (0, 0);
    (w.settings.stop_to_notice_ms, w.settings.notice_to_reclaim_ms) = (0, 0);
    w.settings.furthest = Standing::Reclaimed;
    w.price_small("1.00").await;
    w.topup(at("10:00"), "1").await;
}

/// What an operator sets before the lock is lifted.
async fn set(w: &mut World, furthest: Option<Standing>, mode: Mode, guard: &str) {
    w.settings.mode = mode;
    w.write(async |tx| {
        let set = |settings: &mut accounts::AccountSettings| settings.standing.furthest = furthest;
        accounts::change(tx, at("12:00"), w.tenant, "op", "", set).await?;
        let sql = "INSERT INTO standing_guard (number, at_ms, state, tenants, of_tenants, actor, \
                   reason) SELECT COALESCE(MAX(number), 0) + 1, 0, $1, 0, 0, 'op', '' \
                   FROM standing_guard";
        sqlx::query(sql).bind(guard).execute(&mut *tx).await?;
        crate::agenda::make_stale(tx).await
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_a_lock_had_kept_is_deleted_only_where_the_ladder_still_goes_so_far() {
    for mut w in World::each().await {
        at_the_end(&mut w).await;
        let image = w.with_host().await;
        let ids = [w.create(image, "web-1").await, w.create(image, "locked").await];
        change(&w, ids[1], "instance.lock", Change::Lock(true)).await;
        w.seen(&Guest { id: ids[0].to_string(), ..w.guest("web-1") }, Running, at("10:00")).await;
        w.stand(at("11:00")).await;
        assert_eq!(standing(&w).await, Standing::Reclaimed);
        assert_eq!(powers(&w, &ids).await, [Power::Absent, Power::Stopped]);
        change(&w, ids[1], "instance.unlock", Change::Lock(false)).await;
        for (furthest, mode, guard) in [
            (Some(Standing::Overdue), Mode::Enforce, "running"),
            (None, Mode::DryRun, "running"),
            (None, Mode::Approve, "running"),
            (None, Mode::Enforce, "paused"),
        ] {
            set(&mut w, furthest, mode, guard).await;
            w.stand(at("12:00")).await;
            let power = powers(&w, &ids[1..]).await;
            assert_ne!(power, [Power::Absent], "{furthest:?}, {mode:?}, {guard}");
        }
        set(&mut w, None, Mode::Enforce, "running").await;
        w.stand(at("12:00")).await;
        assert_eq!(powers(&w, &ids).await, [Power::Absent; 2]);
    }
}

#[tokio::test]
async fn many_deletions_at_once_wait_for_an_operator_as_many_first_stops_do() {
    for mut w in World::each().await {
        at_the_end(&mut w).await;
        w.settings.notice_to_reclaim_ms = 8 * DAY_MS;
        let limits = w.settings.guard;
        w.settings.guard.tenants = i64::MAX;
        crowd(&w, 30, micros("1")).await;
        w.stand(at("11:00")).await;
        assert_eq!(in_standing(&w, "reclaim_pending").await, 30);
        w.settings.guard = limits;
        let week_later = at("11:00").saturating_add_ms(8 * DAY_MS);
        w.stand(week_later).await;
        assert_eq!(in_standing(&w, "reclaimed").await, 0);
        assert!(w.read(guard::state).await.paused);
        let resumed = async |tx: &mut base::db::Conn| {
            guard::resume(tx, week_later, "op", "they all left").await
        };
        w.write(resumed).await.unwrap();
        w.stand(week_later).await;
        assert_eq!(in_standing(&w, "reclaimed").await, 30);
    }
}

#[tokio::test]
async fn money_of_any_kind_makes_warnings_to_be_told_again() {
    let within =
        |what: &str| format!("tenant acme is expected to run out of balance within {what}");
    for w in World::each().await {
        w.price_small("1.00").await;
        w.topup(at("10:00"), "150").await;
        let put_aside = holds::NewHold {
            tenant: w.tenant,
            amount: micros("100"),
            purpose: "a reserved server",
            expires: at("10:00").saturating_add_ms(30 * DAY_MS),
            key: "it",
            actor: "test",
        };
        let hold =
            w.write(async |tx| holds::hold(tx, at("10:00"), &put_aside).await).await.unwrap();
        w.seen(&w.guest("web-1"), Running, at("10:00")).await;
        // Told of the tightest alone, whenever it is looked at.
        let told = async |hours: i64| {
            w.stand(at("10:00").saturating_add_ms(hours * HOUR_MS)).await;
            w.subjects().await.last().cloned().unwrap_or_default()
        };
        assert_eq!(told(30).await, within("a day"));
        let void = holds::End::Void;
        let now = at("10:00").saturating_add_ms(31 * HOUR_MS);
        w.write(async |tx| holds::end(tx, now, hold.id(), void, "test").await).await.unwrap();
        let count = w.subjects().await.len();
        assert_eq!((told(31).await, w.subjects().await.len()), (within("a day"), count));
        assert_eq!(told(80).await, within("3 days"), "a hold gave its money back");

        // Of a payment that took its instant before the last look, and the account's lock after it.
        let before = at("10:00").saturating_add_ms(79 * HOUR_MS);
        let id = uuid_like();
        w.write(async |tx| ledger::recharge(tx, before, &w.payment("50", &id)).await)
            .await
            .unwrap();
        told(81).await;
        assert_eq!(told(130).await, within("3 days"), "a payment");
        assert_eq!(w.subjects().await.len(), count + 2);

        let now = at("10:00").saturating_add_ms(131 * HOUR_MS);
        w.write(async |tx| {
            accounts::set_credit_limit(tx, now, w.tenant, micros("60"), "op", "").await
        })
        .await
        .unwrap();
        told(131).await;
        assert_eq!(told(190).await, within("3 days"), "a credit limit");
        assert_eq!(w.subjects().await.len(), count + 3);
    }
}

#[tokio::test]
async fn a_preview_shows_each_step_of_its_time_and_what_each_stops() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.suspend_to_stop_ms) = (0, 2 * HOUR_MS);
        let image = w.with_host().await;
        w.price_small("1.00").await;
        w.topup(at("10:00"), "1").await;
        let ids = [w.create(image, "web-1").await, w.create(image, "kept till one").await];
        w.seen(&Guest { id: ids[0].to_string(), ..w.guest("web-1") }, Running, at("10:00")).await;
        exempt(&w, at("10:00"), Some(ids[1]), Some(at("13:00"))).await;
        w.stand(at("10:00")).await;
        let seen = async |w: &World, now: Timestamp, hours: i64| {
            let cuts =
                w.read(async |c| preview::preview(c, now, &w.settings, hours, None).await).await;
            cuts.into_iter()
                .map(|cut| {
                    let names: Vec<String> = cut.instances.into_iter().map(|i| i.name).collect();
                    (cut.at, cut.next, names.join(", "))
                })
                .collect::<Vec<_>>()
        };
        let all = "web-1, kept till one".to_owned();
        let one = "web-1".to_owned();
        assert_eq!(
            seen(&w, at("10:00"), 24).await,
            [
                (at("11:00"), Standing::Suspended, one.clone()),
                (at("13:00"), Standing::Stopped, all.clone()),
            ]
        );
        assert_eq!(seen(&w, at("10:00"), 2).await, [(at("11:00"), Standing::Suspended, one)]);
        // The whole tenant for a while: not before its end, and not never either.
        exempt(&w, at("10:10"), None, Some(at("14:00"))).await;
        w.stand(at("10:10")).await;
        assert_eq!(
            seen(&w, at("10:10"), 24).await,
            [
                (at("14:00"), Standing::Suspended, all.clone()),
                (at("16:00"), Standing::Stopped, all.clone()),
            ]
        );
        // Somebody has to let each step happen.
        w.settings.mode = Mode::Approve;
        assert_eq!(seen(&w, at("10:10"), 24).await, [(at("14:00"), Standing::Suspended, all)]);
    }
}
