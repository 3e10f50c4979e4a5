//! What is foreseen, and when it is looked at.

use base::{money::Nanos, time::Timestamp};

use super::standing::standing;
use crate::{
    packages::{self, NewOrder},
    prices::publish::Terms,
    standing::Standing,
    testing::{World, at, micros, nanos},
    usage::ResourceState::*,
};

const TIERS: &str = r#"{"id":"c","component":"instance.compute",
    "graduated":[{"up_to":1,"price":"0"},{"price":"1"}]}"#;

impl World {
    async fn burns(&self, now: &str) -> (Nanos, Option<Timestamp>) {
        let balance = self.balance(at(now)).await;
        (balance.burn_per_hour, balance.runs_out_at)
    }
}

/// The month's walk goes on in the new version from its first millisecond.
#[tokio::test]
async fn at_the_instant_of_a_new_price_it_burns_by_it() {
    for w in World::each().await {
        w.publish_rates(Terms::default(), TIERS).await;
        let later = Terms { effective_at: Some(at("12:00")), correction: None };
        w.publish_rates(later, &TIERS.replace("\"1\"", "\"2\"")).await;
        w.topup(at("09:00"), "10").await;
        w.seen(&w.guest("web-1"), Running, at("10:00")).await;
        // An hour of ten is burned at noon, and the nine that are left last four and a half.
        let ends = Some(at("16:30"));
        assert_eq!(w.burns("11:59:59.999").await, (nanos("1"), ends));
        assert_eq!(w.burns("12:00").await, (nanos("2"), ends));
        assert_eq!(w.balance(at("12:00")).await.accrued, micros("1"));
        assert_eq!(w.burns("12:00:00.001").await, (nanos("2"), ends));
    }
}

#[tokio::test]
async fn at_the_instant_of_a_start_it_burns_in_the_months_walk() {
    for w in World::each().await {
        w.publish_rates(Terms::default(), TIERS).await;
        w.topup(at("09:00"), "10").await;
        let (first, second) = (w.guest("web-1"), w.guest("web-2"));
        w.seen(&first, Running, at("10:00")).await;
        assert_eq!(w.burns("11:59:59.999").await, (nanos("1"), Some(at("21:00"))));
        w.seen(&second, Running, at("12:00")).await;
        assert_eq!(w.burns("12:00").await, (nanos("2"), Some(at("16:30"))));
        assert_eq!(w.burns("12:00:00.001").await, (nanos("2"), Some(at("16:30"))));
        // And the instant after which nothing of it is used any more.
        w.seen(&first, Absent, at("13:00")).await;
        w.seen(&second, Absent, at("13:00")).await;
        assert_eq!(w.burns("13:00").await, (nanos("0"), None));
        assert_eq!(w.balance(at("13:00")).await.balance, micros("7"));
    }
}

/// Of a volume all is dearer behind its tier: what is left is gone at once.
#[tokio::test]
async fn the_jump_of_a_volume_is_foreseen() {
    for w in World::each().await {
        let volume = r#"{"id":"c","component":"instance.compute",
            "volume":[{"up_to":4,"price":"1"},{"price":"2"}]}"#;
        w.publish_rates(Terms::default(), volume).await;
        w.topup(at("09:00"), "7").await;
        w.seen(&w.guest("web-1"), Running, at("10:00")).await;
        let jump = at("14:00:00.001");
        assert_eq!(w.burns("10:00").await, (nanos("1"), Some(jump)));
        assert_eq!(w.balance(at("14:00")).await.balance, micros("3"));
        assert_eq!(w.balance(jump).await.balance, micros("-1.000001"));
        w.stand(at("10:00")).await;
        assert!(w.stand(at("13:00")).await.wake_at.unwrap() <= jump);
        w.stand(at("14:00")).await;
        assert_eq!(standing(&w).await, Standing::Warned);
        w.stand(jump).await;
        assert_eq!(standing(&w).await, Standing::Overdue);
    }
}

/// Of what was used once a month's minimum is due when the month ends.
#[tokio::test]
async fn a_minimum_is_foreseen_at_the_months_end() {
    for w in World::each().await {
        let minimum = r#"{"id":"c","component":"instance.compute","price":"1",
            "minimum":{"amount":"5","per":"tenant"}}"#;
        w.publish_rates(Terms::default(), minimum).await;
        w.topup(at("09:00"), "4").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.seen(&guest, Absent, at("11:00")).await;
        let end: Timestamp = "2026-11-01T00:00:00+08:00".parse().unwrap();
        assert_eq!(w.burns("11:00").await, (nanos("0"), Some(end)));
        w.rate(end.saturating_add_ms(-1)).await;
        w.stand(end.saturating_add_ms(-1)).await;
        assert_eq!(standing(&w).await, Standing::Warned);
        w.stand(end).await;
        assert_eq!(w.balance(end).await.balance, micros("-1"));
        assert_eq!(standing(&w).await, Standing::Overdue);
    }
}

/// Who can't pay a package's next month is warned before it is charged.
#[tokio::test]
async fn a_renewal_is_foreseen_by_standing_too() {
    for w in World::each().await {
        let vpn = r#"{"id":"vpn","component":"package.package","price":"30"}"#;
        w.publish_rates(Terms::default(), vpn).await;
        w.topup(at("09:00"), "50").await;
        let new = NewOrder { tenant: w.tenant, name: "", rate: "vpn", actor: "user:test" };
        w.write(async |tx| packages::order(tx, at("10:00"), &new).await).await.unwrap();
        let renews: Timestamp = "2026-11-15T10:00:00+08:00".parse().unwrap();
        assert_eq!(w.balance(at("10:00")).await.runs_out_at, Some(renews));
        let week = renews.saturating_add_ms(-7 * 86_400_000);
        assert_eq!(w.stand(at("10:00")).await.wake_at, Some(week));
        w.stand(week).await;
        assert_eq!(standing(&w).await, Standing::Warned);
        // It is due in that instant, whoever posts it when.
        w.stand(renews).await;
        assert_eq!(standing(&w).await, Standing::Overdue);
    }
}
