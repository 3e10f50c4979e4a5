//! Ends that come late: every figure is that of ends in their instants.

use super::*;
use crate::{
    ledger::{self, Bonus, LedgerReconciler, Wallet, holds::NewHold},
    testing::{World, at, micros},
    usage::ResourceState::*,
};

async fn give(w: &World, tenant: TenantId, key: &str, amount: &str, expires: &str) {
    let expires = Some(at(expires));
    let bonus = Bonus { tenant, amount: micros(amount), expires, key, memo: "", actor: ACTOR };
    w.write(async |tx| ledger::bonus(tx, at("10:00"), &bonus).await).await.unwrap();
}

async fn hold(w: &World, amount: &str, expires: &str) -> LedgerTransactionId {
    let new = NewHold {
        tenant: w.tenant,
        amount: micros(amount),
        purpose: "a server",
        expires: at(expires),
        key: "h",
        actor: ACTOR,
    };
    w.write(async |tx| holds::hold(tx, at("10:00"), &new).await).await.unwrap().id()
}

async fn end_what_is_over(w: &World, now: &str) -> usize {
    let ledger = LedgerReconciler::new(w.db.clone(), w.clock.shared(), w.bus.clone());
    let (ended, failed) = ledger.end_what_is_over(at(now)).await.unwrap();
    assert_eq!(failed, [""; 0]);
    ended
}

async fn wallet(w: &World) -> Wallet {
    w.read(async |c| accounts::get(c, w.tenant).await).await.wallet
}

/// One an hour is used from ten on. Of a bonus of 5 until 11:30, 2 are on hold until 12:15 (what
/// they give back is over); of one of 3 until 13:20 the hours to 13:20 take a part.
async fn begin(w: &World) {
    w.price_small("1").await;
    w.topup(at("10:00"), "10").await;
    give(w, w.tenant, "a", "5", "11:30").await;
    hold(w, "2", "12:15").await;
    give(w, w.tenant, "b", "3", "13:20").await;
    w.seen(&w.guest("web-1"), Running, at("10:00")).await;
}

/// Who comes to the tenant first after the pause.
enum First {
    Nobody,
    Rating,
    Ledger,
    Request,
    Report,
}

async fn left_by(w: &World, first: &First) -> Wallet {
    begin(w).await;
    match first {
        First::Nobody => {
            for now in ["10:30", "11:01", "11:30", "12:01", "12:15", "13:01", "13:20"] {
                w.rate(at(now)).await;
                end_what_is_over(w, now).await;
            }
        }
        First::Rating => w.rate(at("14:05")).await,
        First::Ledger => assert_eq!(end_what_is_over(w, "14:05").await, 3),
        First::Request => w
            .write(async |tx| accounts::post_accrued(tx, at("14:00"), w.tenant).await)
            .await
            .unwrap(),
        First::Report => w
            .write(async |tx| rating::post_changed(tx, at("14:05"), w.tenant).await)
            .await
            .map(|_| ())
            .unwrap(),
    }
    w.rate(at("14:05")).await;
    assert_eq!(end_what_is_over(w, "14:05").await, 0);
    w.assert_sound().await;
    wallet(w).await
}

#[tokio::test]
async fn however_late_it_ends_a_bonus_has_paid_what_was_used_until_then() {
    for first in [First::Nobody, First::Rating, First::Ledger, First::Request, First::Report] {
        for w in World::each().await {
            let left = left_by(&w, &first).await;
            // By hand, to 14:00: 1.5 of the first bonus, whose other 1.5 end at 11:30 and whose 2 at
            // 12:15; 110 minutes of the second one, of which the rest ends; 40 minutes of the cash.
            let (cash, zero) = (micros("9.333333"), Micros::ZERO);
            assert_eq!((left.cash, left.bonus, left.holds), (cash, zero, zero));
            let promotions = "SELECT balance_micros FROM journal_entries \
                 WHERE account = 'promotions' ORDER BY account_sequence DESC LIMIT 1";
            assert_eq!(w.scalar(promotions).await, -3_333_333);
            let ends = w.scalar("SELECT CAST(SUM(at_ms) AS BIGINT) FROM bonus_ends");
            assert_eq!(ends.await, at("11:30").ms() + at("13:20").ms());
            let at_its_end = w.scalar("SELECT at_ms FROM hold_ends");
            assert_eq!(at_its_end.await, at("12:15").ms());
        }
    }
}

/// A hold is voided after a bonus's end that nobody came to yet.
#[tokio::test]
async fn who_ends_a_hold_ends_first_what_is_over() {
    for w in World::each().await {
        w.price_small("1").await;
        w.topup(at("10:00"), "10").await;
        give(&w, w.tenant, "a", "5", "11:30").await;
        let held = hold(&w, "2", "15:00").await;
        w.seen(&w.guest("web-1"), Running, at("10:00")).await;
        let end = async |now: &str| {
            w.write(async |tx| holds::end(tx, at(now), held, End::Void, ACTOR).await).await
        };
        end("12:00").await.unwrap();
        let left = wallet(&w).await;
        assert_eq!((left.cash, left.bonus), (micros("10"), Micros::ZERO));
        assert_eq!(w.scalar("SELECT at_ms FROM bonus_ends").await, at("11:30").ms());
        w.rate(at("12:05")).await;
        assert_eq!(wallet(&w).await.cash, micros("9.5"));
        w.assert_sound().await;
    }
}

/// Tenants that can't be rated: their zone is one that nobody knows.
async fn broken(w: &World, number: i64) -> TenantId {
    let tenant = w.write(async |tx| {
        let id = identity::tenants::create(tx, at("00:00"), &format!("t{number}")).await?.id;
        accounts::open_account(tx, at("00:00"), &w.settings, id, "CNY", None).await?;
        Ok(id)
    });
    let tenant = tenant.await.unwrap();
    give(w, tenant, "a", "1", "11:00").await;
    w.write(async |tx| {
        sqlx::query("UPDATE accounts SET timezone = 'Nowhere' WHERE tenant_id = $1")
            .bind(tenant.to_string())
            .execute(tx)
            .await?;
        Ok(())
    })
    .await
    .unwrap();
    tenant
}

#[tokio::test]
async fn who_fails_hides_nobody_however_many_there_are() {
    for w in World::each().await {
        for number in 0..TENANTS_A_PAGE + 5 {
            broken(&w, number).await;
        }
        // Behind them in any order: by id, and by the instant.
        let last = w.write(async |tx| {
            let id = identity::tenants::create(tx, at("00:00"), "last").await?.id;
            accounts::open_account(tx, at("00:00"), &w.settings, id, "CNY", None).await?;
            Ok(id)
        });
        let last = last.await.unwrap();
        give(&w, last, "a", "1", "11:30").await;
        let ledger = LedgerReconciler::new(w.db.clone(), w.clock.shared(), w.bus.clone());
        let (ended, failed) = ledger.end_what_is_over(at("12:00")).await.unwrap();
        assert_eq!((ended, i64::try_from(failed.len()).unwrap()), (1, TENANTS_A_PAGE + 5));
        assert_eq!(w.scalar("SELECT COUNT(*) FROM bonus_ends").await, 1);
        assert_eq!(w.read(async |c| accounts::get(c, last).await).await.wallet.bonus, Micros::ZERO);
    }
}
