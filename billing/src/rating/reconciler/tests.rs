use crate::{
    meter::ResourceState::{Absent, Running},
    testing::{World, at, micros},
};

/// An hour in which nothing changed: the lock is taken once, and the next look is the next hour's.
#[tokio::test]
async fn an_hour_is_one_transaction() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.rate(at("10:01")).await;
        let version = "SELECT version FROM accounts";
        let before = w.scalar(version).await;
        w.rate(at("11:01")).await;
        assert_eq!(w.scalar(version).await, before + 1);
        assert_eq!(w.lines().await, [(at("10:00"), at("11:00"), 1, micros("0.36"))]);
        assert_eq!(w.scalar("SELECT rate_due_ms FROM agenda").await, at("12:01").ms());
    }
}

/// What changed beyond the hour's end is posted in the same run, behind the hour.
#[tokio::test]
async fn a_change_behind_the_hour_is_posted_after_it() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let (a, b) = (w.guest("a"), w.guest("b"));
        w.seen(&a, Running, at("10:00")).await;
        w.seen(&b, Running, at("10:30")).await;
        w.rate(at("10:31")).await;
        w.seen(&b, Absent, at("11:00:30")).await;
        w.rate(at("11:01")).await;
        let lines = w.lines().await;
        let (hour, half) = (micros("0.36"), micros("0.18"));
        assert!(lines.contains(&(at("10:00"), at("11:00"), 1, hour)), "{lines:?}");
        assert!(lines.contains(&(at("10:30"), at("11:00"), 1, half)), "{lines:?}");
        assert!(lines.contains(&(at("11:00"), at("11:00:30"), 1, micros("0.003"))), "{lines:?}");
        assert_eq!(w.scalar("SELECT rate_due_ms FROM agenda").await, at("12:01").ms());
    }
}
