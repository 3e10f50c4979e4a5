//! The ledger by its operations: bonus, vouchers, holds, refunds, corrections.

use std::collections::BTreeSet;

use base::{
    ErrorKind, Result,
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    reconcile::Reconciler,
    time::Timestamp,
};

use crate::{
    accounts,
    ledger::{
        self, Account, Bonus, Correction, Entry, LedgerReconciler, Refund, Wallet, Written, bonus,
        holds::{self, End, NewHold},
        recharge::WithBonus,
        refunds, vouchers,
    },
    testing::{World, at, micros, uuid_like},
    usage::ResourceState::*,
};

const ACTOR: &str = "system:test";

async fn wallet(w: &World) -> Wallet {
    w.read(async |c| accounts::get(c, w.tenant).await).await.wallet
}

fn pockets(cash: &str, bonus: &str, holds: &str, receivable: &str) -> Wallet {
    Wallet {
        cash: micros(cash),
        bonus: micros(bonus),
        holds: micros(holds),
        receivable: micros(receivable),
    }
}

async fn give(w: &World, now: Timestamp, amount: &str, expires: Option<Timestamp>) -> Written {
    let key = uuid_like();
    let (tenant, amount) = (w.tenant, micros(amount));
    let bonus = Bonus { tenant, amount, expires, key: &key, memo: "", actor: ACTOR };
    w.write(async |tx| ledger::bonus(tx, now, &bonus).await).await.unwrap()
}

async fn pay(w: &World, amount: &str, bonus: Option<WithBonus>) -> LedgerTransactionId {
    let id = uuid_like();
    let payment = ledger::Recharge { bonus, ..w.payment(amount, &id) };
    w.write(async |tx| ledger::recharge(tx, at("09:00"), &payment).await).await.unwrap().id()
}

async fn hold(w: &World, key: &str, amount: &str, expires: Timestamp) -> Result<Written> {
    let new = NewHold {
        tenant: w.tenant,
        amount: micros(amount),
        purpose: "a reserved server",
        expires,
        key,
        actor: ACTOR,
    };
    w.write(async |tx| holds::hold(tx, at("10:00"), &new).await).await
}

async fn refund(
    w: &World,
    recharge: LedgerTransactionId,
    amount: &str,
    key: &str,
) -> Result<Written> {
    let new = Refund { recharge, amount: micros(amount), reason: "asked for", key, actor: ACTOR };
    w.write(async |tx| ledger::refund(tx, at("12:00"), &new).await).await
}

/// Uses sixty.
async fn spend_sixty(w: &World) {
    w.price_small("60").await;
    let guest = w.guest("web-1");
    w.seen(&guest, Running, at("10:00")).await;
    w.seen(&guest, Stopped, at("11:00")).await;
    w.post(at("11:00")).await;
}

#[tokio::test]
async fn scenario_20_of_many_sessions_one_redeems_the_voucher() {
    const SESSIONS: usize = 100;
    for w in World::each().await {
        let new = vouchers::NewVoucher {
            currency: "CNY",
            amount: micros("50"),
            tenant: None,
            valid_from: at("00:00"),
            valid_to: Some(at("12:00")),
            bonus_expires: None,
            memo: "welcome",
            actor: ACTOR,
        };
        let made = w.write(async |tx| vouchers::create(tx, at("00:00"), &new).await).await;
        let (_, code) = made.unwrap();
        let other = other_tenant(&w).await;
        let mut sessions = tokio::task::JoinSet::new();
        for n in 0..SESSIONS {
            let (db, code) = (w.db.clone(), code.clone());
            let tenant = if n % 2 == 0 { w.tenant } else { other };
            sessions.spawn(async move {
                let mut tx = db.begin_write().await?;
                let done = vouchers::redeem(&mut tx, at("10:00"), tenant, &code, ACTOR).await?;
                tx.commit().await?;
                Ok::<_, base::Error>(done)
            });
        }
        let all = sessions.join_all().await;
        assert_eq!(all.iter().filter(|done| done.is_ok()).count(), 1);
        for error in all.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
        }
        let given = "SELECT CAST(SUM(balance_micros) AS BIGINT) FROM journal_entries \
             WHERE account = 'bonus'";
        assert_eq!(w.scalar(given).await, micros("50").0);
        assert_eq!(w.scalar("SELECT COUNT(*) FROM journal").await, 1);
        w.assert_sound().await;
    }
}

async fn other_tenant(w: &World) -> TenantId {
    w.write(async |tx| {
        let id = identity::tenants::create(tx, at("00:00"), "other").await?.id;
        accounts::open_account(tx, at("00:00"), &w.settings, id, "CNY", None).await?;
        Ok(id)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_voucher_is_its_tenants_and_of_its_time() {
    for w in World::each().await {
        let other = other_tenant(&w).await;
        let new = vouchers::NewVoucher {
            currency: "CNY",
            amount: micros("5"),
            tenant: Some(other),
            valid_from: at("10:00"),
            valid_to: Some(at("11:00")),
            bonus_expires: None,
            memo: "",
            actor: ACTOR,
        };
        let redeem = async |tenant, now: &str, code: &str| {
            w.write(async |tx| vouchers::redeem(tx, at(now), tenant, code, ACTOR).await).await
        };
        let made = w.write(async |tx| vouchers::create(tx, at("09:00"), &new).await).await;
        let (id, code) = made.unwrap();
        for (tenant, now, code, kind) in [
            (w.tenant, "10:30", code.as_str(), ErrorKind::NotFound),
            (other, "10:30", "ohv_unknown", ErrorKind::NotFound),
            (other, "09:59", code.as_str(), ErrorKind::Conflict),
            (other, "11:00", code.as_str(), ErrorKind::Conflict),
        ] {
            assert_eq!(redeem(tenant, now, code).await.unwrap_err().kind, kind);
        }
        redeem(other, "10:59:59.999", &code).await.unwrap();
        let listed = w.read(vouchers::list).await;
        assert_eq!((listed.len(), listed[0].id), (1, id));
        assert_eq!(listed[0].redeemed_by, Some(other));
        let late = vouchers::NewVoucher { valid_to: Some(at("08:00")), ..new };
        let late = w.write(async |tx| vouchers::create(tx, at("09:00"), &late).await).await;
        assert_eq!(late.unwrap_err().kind, ErrorKind::Invalid);
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn a_bonus_is_spent_first_and_ends_in_its_instant() {
    for w in World::each().await {
        pay(&w, "100", None).await;
        give(&w, at("09:00"), "50", Some(at("12:00"))).await;
        give(&w, at("09:00"), "30", None).await;
        spend_sixty(&w).await;
        // 50 of what ends, 10 of the other.
        assert_eq!(wallet(&w).await, pockets("100", "20", "0", "0"));
        give(&w, at("11:00"), "7", Some(at("12:00"))).await;
        let ledger = LedgerReconciler::new(w.db.clone(), w.clock.shared(), w.bus.clone());
        w.clock.set(at("11:30"));
        let outcome = ledger.run().await.unwrap();
        assert_eq!(outcome.wake_at, Some(at("12:00")));
        assert_eq!(wallet(&w).await.bonus, micros("27"));
        w.clock.set(at("12:00"));
        let outcome = ledger.run().await.unwrap();
        assert_eq!((&outcome.status["ended"], &outcome.status["findings"]), (&1.into(), &0.into()));
        assert_eq!(wallet(&w).await, pockets("100", "20", "0", "0"));
        let again = ledger.run().await.unwrap();
        assert_eq!(again.status["ended"], 0);
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn a_hold_is_posted_voided_or_expires_and_ends_once() {
    for w in World::each().await {
        pay(&w, "40", None).await;
        give(&w, at("09:00"), "20", Some(at("11:00"))).await;
        let first = hold(&w, "a", "30", at("12:00")).await.unwrap();
        assert_eq!(wallet(&w).await, pockets("30", "0", "30", "0"));
        assert_eq!(hold(&w, "a", "30", at("12:00")).await.unwrap(), Written::Known(first.id()));
        assert_eq!(hold(&w, "a", "31", at("12:00")).await.unwrap_err().kind, ErrorKind::Conflict);
        let lacking = hold(&w, "b", "30.000001", at("12:00")).await.unwrap_err();
        assert_eq!(lacking.kind, ErrorKind::PaymentRequired);
        assert!(lacking.message.contains("0.000001"), "{lacking}");
        let end = async |id, now: &str, how| {
            w.write(async |tx| holds::end(tx, at(now), id, how, ACTOR).await).await
        };
        let post = |net: &str, tax: &str| End::Post { net: micros(net), tax: micros(tax) };
        let more = end(first.id(), "10:30", post("30", "0.000001")).await.unwrap_err();
        assert_eq!(more.kind, ErrorKind::Conflict);
        let early = end(first.id(), "11:59:59.999", End::Expire).await.unwrap_err();
        assert_eq!(early.kind, ErrorKind::Conflict);
        // 24 earned: all of the bonus, 4 of the cash.
        let done = end(first.id(), "10:30", post("20", "4")).await.unwrap();
        assert_eq!(wallet(&w).await, pockets("36", "0", "0", "0"));
        let again = end(first.id(), "10:40", post("20", "4")).await.unwrap();
        assert_eq!(again, Written::Known(done.id()));
        assert_eq!(
            end(first.id(), "10:40", End::Void).await.unwrap_err().kind,
            ErrorKind::Conflict
        );
        let second = hold(&w, "c", "36", at("12:00")).await.unwrap();
        end(second.id(), "10:50", End::Void).await.unwrap();
        assert_eq!(wallet(&w).await, pockets("36", "0", "0", "0"));
        hold(&w, "d", "6", at("12:00")).await.unwrap();
        w.clock.set(at("12:00"));
        let ledger = LedgerReconciler::new(w.db.clone(), w.clock.shared(), w.bus.clone());
        assert_eq!(ledger.run().await.unwrap().status["ended"], 2);
        assert_eq!(wallet(&w).await, pockets("36", "0", "0", "0"));
        let outcomes: BTreeSet<_> = w
            .read(async |c| holds::list(c, w.tenant).await)
            .await
            .into_iter()
            .filter_map(|hold| hold.outcome)
            .collect();
        assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), ["expired", "posted", "voided"]);
        w.assert_sound().await;
    }
}

/// What a hold gives back after its bonus ended does not come back, and a debt is paid first.
#[tokio::test]
async fn what_a_hold_gives_back_may_be_owed_or_over() {
    for w in World::each().await {
        give(&w, at("09:00"), "20", Some(at("11:00"))).await;
        pay(&w, "10", None).await;
        let held = hold(&w, "a", "25", at("13:00")).await.unwrap().id();
        // 60 used, 5 there.
        spend_sixty(&w).await;
        assert_eq!(wallet(&w).await, pockets("0", "0", "25", "-55"));
        pay(&w, "50", None).await;
        assert_eq!(wallet(&w).await, pockets("0", "0", "25", "-5"));
        w.write(async |tx| holds::end(tx, at("12:00"), held, End::Void, ACTOR).await)
            .await
            .unwrap();
        // 5 of cash paid the debt; 20 of bonus came back and were over.
        assert_eq!(wallet(&w).await, pockets("0", "0", "0", "0"));
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_29_of_a_recharge_no_more_is_refunded_than_is_left() {
    for w in World::each().await {
        let recharge = pay(&w, "100", None).await;
        spend_sixty(&w).await;
        let too_much = refund(&w, recharge, "40.000001", "r1").await.unwrap_err();
        assert_eq!(
            (too_much.kind, too_much.field.as_deref()),
            (ErrorKind::Conflict, Some("amount"))
        );
        assert!(too_much.message.contains("40.000000 of this recharge are left"), "{too_much}");
        let first = refund(&w, recharge, "25", "r1").await.unwrap();
        assert_eq!(refund(&w, recharge, "25", "r1").await.unwrap(), Written::Known(first.id()));
        assert_eq!(refund(&w, recharge, "24", "r1").await.unwrap_err().kind, ErrorKind::Conflict);
        assert_eq!(
            refund(&w, recharge, "15.000001", "r2").await.unwrap_err().kind,
            ErrorKind::Conflict
        );
        refund(&w, recharge, "15", "r2").await.unwrap();
        assert_eq!(wallet(&w).await, pockets("0", "0", "0", "0"));
        w.assert_sound().await;
        // The database would refuse it, too.
        let mut tx = w.db.begin_write().await.unwrap();
        let sql = format!(
            "INSERT INTO refunds SELECT id, tenant_id, '{recharge}', 60000001 FROM journal \
             WHERE kind = 'charge'"
        );
        let error = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap_err();
        assert!(error.to_string().contains("more is refunded than was paid"), "{error}");
    }
}

#[tokio::test]
async fn scenario_29_the_bonus_goes_back_first() {
    for cash_first in [false, true] {
        for w in World::each().await {
            if cash_first {
                let order = Some(ledger::SpendOrder::CashFirst);
                w.write(async |tx| {
                    accounts::change(tx, at("00:00"), w.tenant, ACTOR, "", |settings| {
                        settings.spend_order = order;
                    })
                    .await
                })
                .await
                .unwrap();
            }
            let bonus = WithBonus { amount: micros("20"), expires: None };
            let recharge = pay(&w, "100", Some(bonus)).await;
            spend_sixty(&w).await;
            let paid = w.read(async |c| refunds::recharges(c, w.tenant).await).await;
            assert_eq!((paid[0].refundable, paid[0].bonus), (micros("40"), micros("20")));
            assert!(refund(&w, recharge, "40.000001", "r").await.is_err());
            refund(&w, recharge, "40", "r").await.unwrap();
            assert_eq!(wallet(&w).await, pockets("0", "0", "0", "0"));
            w.assert_sound().await;
        }
    }
}

#[tokio::test]
async fn a_bonus_that_a_hold_has_is_not_taken_back_twice() {
    for w in World::each().await {
        let bonus = WithBonus { amount: micros("20"), expires: Some(at("13:00")) };
        let recharge = pay(&w, "100", Some(bonus)).await;
        let held = hold(&w, "order", "10", at("14:00")).await.unwrap();
        let refused = refund(&w, recharge, "50", "r").await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Conflict);
        assert!(refused.message.contains("a hold has 10.000000"), "{refused}");
        w.write(async |tx| holds::end(tx, at("11:00"), held.id(), End::Void, ACTOR).await)
            .await
            .unwrap();
        refund(&w, recharge, "50", "r").await.unwrap();
        assert_eq!(wallet(&w).await, pockets("50", "0", "0", "0"));
        w.assert_sound().await;
    }
}

/// Neither a hold that was posted wholly nor one that paid a debt gives anything back to the bonus.
#[tokio::test]
async fn a_hold_that_has_ended_keeps_no_refund_waiting() {
    for w in World::each().await {
        let bonus = WithBonus { amount: micros("20"), expires: None };
        let recharge = pay(&w, "100", Some(bonus)).await;
        let held = hold(&w, "posted", "30", at("14:00")).await.unwrap();
        let post = End::Post { net: micros("30"), tax: Micros::ZERO };
        w.write(async |tx| holds::end(tx, at("11:00"), held.id(), post, ACTOR).await)
            .await
            .unwrap();
        // 90 are left in cash, of which the bonus goes back first.
        refund(&w, recharge, "70", "r1").await.unwrap();
        assert_eq!(wallet(&w).await, pockets("0", "0", "0", "0"));
        w.assert_sound().await;
    }
    for w in World::each().await {
        let bonus = WithBonus { amount: micros("20"), expires: None };
        let recharge = pay(&w, "15", Some(bonus)).await;
        let held = hold(&w, "voided", "20", at("14:00")).await.unwrap();
        spend_sixty(&w).await;
        assert_eq!(wallet(&w).await, pockets("0", "0", "20", "-45"));
        w.write(async |tx| holds::end(tx, at("11:30"), held.id(), End::Void, ACTOR).await)
            .await
            .unwrap();
        assert_eq!(wallet(&w).await, pockets("0", "0", "0", "-25"));
        pay(&w, "125", None).await;
        let refused = refund(&w, recharge, "1", "r1").await.unwrap_err();
        // All of the oldest is used, and that is what it says.
        assert_eq!(refused.field.as_deref(), Some("amount"), "{refused}");
        assert!(w.read(async |c| bonus::left(c, w.tenant).await).await.is_empty());
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn a_correction_has_a_reason_and_keeps_the_books_sound() {
    for w in World::each().await {
        pay(&w, "10", None).await;
        let correct = async |key: &str, reason: &str, entries: &[Entry]| {
            let new = Correction {
                tenant: w.tenant,
                entries: entries.to_vec(),
                reason,
                memo: "",
                corrects: None,
                key,
                actor: ACTOR,
            };
            w.write(async |tx| ledger::correct(tx, at("10:00"), &new).await).await
        };
        let back = |amount: &str| {
            let amount = micros(amount);
            [Entry::debit(Account::Revenue, amount), Entry::credit(Account::Cash, amount)]
        };
        let done = correct("a", "a wrong price", &back("2")).await.unwrap();
        assert_eq!(correct("a", "a wrong price", &back("2")).await.unwrap().id(), done.id());
        let other = correct("a", "a wrong price", &back("3")).await.unwrap_err();
        assert_eq!(other.kind, ErrorKind::Conflict);
        let take = |account, amount: &str| {
            let amount = micros(amount);
            [Entry::debit(account, amount), Entry::credit(Account::Revenue, amount)]
        };
        for (reason, entries) in [
            ("", back("2").to_vec()),
            ("r", vec![back("2")[0]]),
            ("r", vec![back("2")[0], back("3")[1]]),
            ("r", take(Account::Cash, "12.000001").to_vec()),
            ("r", take(Account::Receivable, "1").to_vec()),
            ("r", take(Account::Payments, "1").to_vec()),
            // Below zero in its middle: what is left of each bonus could not be told again.
            (
                "r",
                [
                    take(Account::Bonus, "5"),
                    [back("5")[0], Entry::credit(Account::Bonus, micros("5"))],
                ]
                .concat(),
            ),
        ] {
            let error = correct("b", reason, &entries).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        }
        correct("b", "all of it", &take(Account::Cash, "12")).await.unwrap();
        assert_eq!(wallet(&w).await, pockets("0", "0", "0", "0"));
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn settings_keep_their_history() {
    for w in World::each().await {
        for (time, limit) in [("10:00", "5"), ("11:00", "5"), ("12:00", "7")] {
            let limit = micros(limit);
            w.write(async |tx| {
                accounts::set_credit_limit(tx, at(time), w.tenant, limit, ACTOR, "trusted").await
            })
            .await
            .unwrap();
        }
        let history = w.read(async |c| accounts::history(c, w.tenant).await).await;
        let seen: Vec<_> =
            history.iter().map(|h| (h.number, h.at, h.settings.credit_limit)).collect();
        let row = |number, time, limit| (number, at(time), Some(micros(limit)));
        assert_eq!(seen, [row(2, "12:00", "7"), row(1, "10:00", "5")]);
        let negative = micros("-1");
        let error = w
            .write(async |tx| {
                accounts::set_credit_limit(tx, at("13:00"), w.tenant, negative, ACTOR, "").await
            })
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn scenario_17_what_was_not_acknowledged_is_repeated_without_effect() {
    for w in World::each().await {
        let recharge = pay(&w, "10", None).await;
        let id = hold(&w, "h", "4", at("12:00")).await.unwrap().id();
        let before = wallet(&w).await;
        // Committed, and nobody heard: each is asked for again.
        assert_eq!(hold(&w, "h", "4", at("12:00")).await.unwrap(), Written::Known(id));
        let first = refund(&w, recharge, "2", "r").await.unwrap();
        assert_eq!(refund(&w, recharge, "2", "r").await.unwrap(), Written::Known(first.id()));
        // Died before its commit: nothing is there, and the next one does it.
        let died: Result<()> = w
            .write(async |tx| {
                holds::end(tx, at("11:00"), id, End::Void, ACTOR).await?;
                Err(base::Error::internal("killed"))
            })
            .await;
        assert!(died.is_err());
        assert_eq!(wallet(&w).await.holds, before.holds);
        w.write(async |tx| holds::end(tx, at("11:00"), id, End::Void, ACTOR).await).await.unwrap();
        assert_eq!(wallet(&w).await, pockets("8", "0", "0", "0"));
        w.assert_sound().await;
    }
}
