use base::{id::TenantId, reconcile::Reconciler};

use super::*;
use crate::{
    accounts,
    ledger::{self, Recharge},
    meter,
    rating::RatingReconciler,
    standing::StandingReconciler,
    testing::{World, at},
    usage::ResourceState::*,
};

/// Tenants with an account and a balance that nothing burns.
async fn more(w: &World, count: usize) -> Vec<TenantId> {
    let mut all = Vec::new();
    for n in 0..count {
        let id = w
            .write(async |tx| {
                let now = at("00:00");
                let id = identity::tenants::create(tx, now, &format!("t{n}")).await?.id;
                accounts::open_account(tx, now, &w.settings, id, "CNY", None).await?;
                let payment_id = id.to_string();
                let payment = Recharge { tenant: id, ..w.payment("1", &payment_id) };
                ledger::recharge(tx, now, &payment).await?;
                Ok(id)
            })
            .await
            .unwrap();
        all.push(id);
    }
    all
}

async fn touch_all(w: &World, tenants: &[TenantId]) {
    w.write(async |tx| {
        for tenant in tenants {
            accounts::lock(tx, *tenant).await?;
            touch(tx, *tenant, Due::Both).await?;
        }
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_run_looks_at_who_is_due_and_at_nobody_else() {
    for w in World::each().await {
        let others = more(&w, 30).await;
        let looked = async |time: &str| w.stand(at(time)).await.status["tenants"].clone();
        let rated = async |time: &str| {
            w.clock.set(at(time));
            let rating = RatingReconciler::new(w.db.clone(), w.clock.shared(), w.bus.clone());
            rating.run().await.unwrap().status["tenants"].clone()
        };
        assert_eq!((looked("10:00").await, rated("10:00:30").await), (31.into(), 31.into()));
        assert_eq!((looked("10:00:30").await, rated("10:00:30").await), (0.into(), 0.into()));
        w.topup(at("10:00:30"), "5").await;
        assert_eq!((looked("10:00:30").await, rated("10:00:30").await), (1.into(), 0.into()));
        w.price_small("1.00").await;
        assert_eq!((looked("10:00:30").await, rated("10:00:30").await), (1.into(), 1.into()));
        w.seen(&w.guest("web-1"), Running, at("10:00:30")).await;
        assert_eq!((looked("10:00:30").await, rated("10:00:30").await), (1.into(), 1.into()));
        touch_all(&w, &others[..12]).await;
        assert_eq!((looked("10:00:31").await, rated("10:00:31").await), (12.into(), 12.into()));
        // The hour's end is everybody's; who has no threshold to come is looked at once a day.
        assert_eq!((looked("11:01").await, rated("11:01").await), (0.into(), 31.into()));
        let tomorrow = at("10:00").saturating_add_ms(STALE_MS);
        assert_eq!(w.stand(tomorrow).await.status["tenants"], 19);
    }
}

/// Of a run that is to be met in its middle.
const RUNS_MAX: usize = 20;

#[tokio::test]
async fn who_is_due_by_time_does_not_wait_for_those_that_were_touched() {
    for mut w in World::each().await {
        (w.settings.grace_ms, w.settings.suspend_to_stop_ms) = (0, 0);
        let others = more(&w, 40).await;
        w.price_small("1.00").await;
        w.topup(at("10:00"), "1").await;
        w.seen(&w.guest("web-1"), Running, at("10:00")).await;
        assert_eq!(w.stand(at("10:00")).await.wake_at, Some(at("11:00")));
        let left = async || w.scalar("SELECT COUNT(*) FROM agenda WHERE stand_due_ms = 0").await;
        // Each look takes a while: the instant comes in the middle of them. A run that was through
        // before it came says nothing, and is made again.
        let mut waiting = 0;
        for _ in 0..RUNS_MAX {
            touch_all(&w, &others).await;
            let mut bus = w.bus.subscribe();
            w.clock.set(at("10:59"));
            let standing = StandingReconciler::new(
                w.db.clone(),
                w.clock.shared(),
                w.bus.clone(),
                w.settings.clone(),
            );
            let mut run = tokio::spawn(async move { standing.run().await.unwrap() });
            while left().await > 35 && !run.is_finished() {
                tokio::task::yield_now().await;
            }
            w.clock.set(at("11:00"));
            let change = tokio::select! {
                biased;
                change = bus.recv() => change.unwrap(),
                _ = &mut run => continue,
            };
            assert_eq!(change.id, w.tenant.to_string());
            waiting = left().await;
            run.await.unwrap();
            break;
        }
        assert!(waiting > 0, "all the others came first");
        assert_eq!(left().await, 0);
    }
}

#[tokio::test]
async fn what_was_found_is_kept() {
    for w in World::each().await {
        w.publish(at("00:00"), &[(meter::instance(w.small), "2.00")]).await;
        w.publish(at("10:30"), &[(meter::instance(w.small), "4.00")]).await;
        w.topup(at("10:00"), "5").await;
        w.seen(&w.guest("web-1"), Running, at("10:00")).await;
        // Looked at again when the price changes, so that what is kept stays true.
        assert_eq!(w.stand(at("10:15")).await.wake_at, Some(at("10:30")));
        let kept = async || {
            let mut conn = w.db.read().await.unwrap();
            let row: (i64, i64, i64, i64, i64) = sqlx::query_as(
                "SELECT assessed_ms, balance_micros, burn_nanos, runs_out_ms, cut_ms FROM agenda",
            )
            .fetch_one(&mut *conn)
            .await
            .unwrap();
            row
        };
        let (out, grace) = (at("11:30").ms(), w.settings.grace_ms);
        let at_1015 = (at("10:15").ms(), 4_500_000, 2_000_000_000, out, out + grace);
        assert_eq!(kept().await, at_1015);
        w.stand(at("10:30")).await;
        let at_1030 = (at("10:30").ms(), 4_000_000, 4_000_000_000, out, out + grace);
        assert_eq!(kept().await, at_1030);
        // That it is to be looked at again makes none of it another.
        w.write(async |tx| make_stale(tx).await).await.unwrap();
        assert_eq!(kept().await, at_1030);
        assert_eq!(w.stand(at("10:30")).await.status["tenants"], 1);
        assert_eq!(w.stand(at("10:30")).await.status["tenants"], 0);
    }
}
