//! Once, whatever happens.

use base::{ErrorKind, Result};

use crate::{
    ledger, meter, rating,
    testing::{Guest, World, at, micros},
    usage::ResourceState::*,
};

#[tokio::test]
async fn scenario_17_a_posting_that_was_not_acknowledged_is_repeated_without_effect() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        // Committed, and the poster died before it could tell.
        let first = w.post(at("11:00")).await;
        assert_eq!((first.lines, first.amount), (1, micros("0.36")));
        let again = w.post(at("11:00")).await;
        assert_eq!((again.transaction_id, again.lines), (None, 0));
        assert_eq!(w.scalar("SELECT COUNT(*) FROM journal").await, 1);
        // Died before the commit: nothing is there, and the next run posts it.
        let died: Result<()> = w
            .write(async |tx| {
                rating::post(tx, at("12:00"), w.tenant).await?;
                Err(base::Error::internal("killed"))
            })
            .await;
        assert!(died.is_err());
        assert_eq!(w.scalar("SELECT COUNT(*) FROM journal").await, 1);
        assert_eq!(w.post(at("12:00")).await.amount, micros("0.36"));
        assert_eq!(w.balance(at("12:00")).await.posted, micros("-0.72"));
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_18_two_raters_make_one_set_of_lines() {
    for w in World::each().await {
        w.publish(
            at("00:00"),
            &[(meter::instance(w.small), "0.07"), (meter::DISK_GIB.to_owned(), "0.001")],
        )
        .await;
        for name in ["a", "b", "c"] {
            let guest = Guest { disk_gib: 10, ..w.guest(name) };
            w.seen(&guest, Running, at("09:30")).await;
        }
        for (hour, transactions) in [("10:00", 1), ("11:00", 2), ("12:00", 3)] {
            let (a, b) = tokio::join!(w.post(at(hour)), w.post(at(hour)));
            let (posted, idle) = if a.lines > 0 { (a, b) } else { (b, a) };
            assert_eq!((posted.lines, idle.lines), (6, 0));
            let count = w.scalar("SELECT COUNT(*) FROM journal").await;
            assert_eq!(count, transactions);
        }
        let lines = w.scalar(
            "SELECT COUNT(*) FROM (SELECT DISTINCT key_no, from_ms FROM charges) AS distinct_lines",
        );
        assert_eq!(lines.await, 18);
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn scenario_19_a_top_up_repeated_is_one_credit() {
    for w in World::each().await {
        let topup = async |amount: &str| {
            let payment = w.payment(amount, "provider-7");
            w.write(async |tx| ledger::recharge(tx, at("10:00"), &payment).await).await
        };
        let first = topup("100").await.unwrap();
        let again = topup("100").await.unwrap();
        assert_eq!(first.id(), again.id());
        assert_eq!((first.is_new(), again.is_new()), (true, false));
        let error = topup("101").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        for _ in 0..2 {
            let payment = w.payment("101", "provider-7");
            w.write(async |tx| ledger::recharge::report(tx, at("10:00"), &payment).await)
                .await
                .unwrap();
        }
        assert_eq!(w.subjects().await, ["a top-up came again with another amount"]);
        assert_eq!(w.balance(at("10:00")).await.balance, micros("100"));
        assert_eq!(w.scalar("SELECT COUNT(*) FROM journal").await, 1);
        for amount in ["0", "-1"] {
            assert_eq!(topup(amount).await.unwrap_err().kind, ErrorKind::Invalid);
        }
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn an_event_beside_a_posting_keeps_its_mark() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        let event = w.event(&guest, Stopped, at("10:40"));
        let (posted, recorded) = tokio::join!(w.post(at("10:50")), w.record(at("10:50"), &event));
        assert_eq!(posted.lines, 1);
        recorded.unwrap();
        w.rate(at("11:05")).await;
        assert_eq!(w.balance(at("11:05")).await.posted, micros("-0.24"));
        w.assert_sound().await;
    }
}
