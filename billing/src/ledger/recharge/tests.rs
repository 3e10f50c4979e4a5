use base::ErrorKind;

use super::*;
use crate::testing::{World, at, micros};

#[tokio::test]
async fn a_payment_that_comes_again_with_another_end_of_its_bonus_is_another_one() {
    for w in World::each().await {
        let with = |expires: Option<&str>| Recharge {
            bonus: Some(WithBonus { amount: micros("2"), expires: expires.map(at) }),
            ..w.payment("10", "p-1")
        };
        let ask = async |payment: &Recharge<'_>| {
            w.write(async |tx| recharge(tx, at("09:00"), payment).await).await
        };
        let first = ask(&with(Some("12:00"))).await.unwrap();
        assert_eq!(ask(&with(Some("12:00"))).await.unwrap(), Written::Known(first.id()));
        for other in [with(Some("13:00")), with(None), w.payment("10", "p-1")] {
            let refused = ask(&other).await.unwrap_err();
            let about = (refused.kind, refused.field.as_deref());
            assert_eq!(about, (ErrorKind::Conflict, Some("provider_id")), "{refused}");
        }
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn a_colon_in_a_providers_name_is_its_own() {
    for w in World::each().await {
        let of = |provider, provider_id| Recharge { provider, ..w.payment("10", provider_id) };
        let ask = async |payment: &Recharge<'_>| {
            w.write(async |tx| recharge(tx, at("09:00"), payment).await).await.unwrap()
        };
        for (provider, id) in [("a:b", "c"), ("a", "b:c"), ("3", "a:b:c"), ("a:b:c", "d")] {
            assert!(ask(&of(provider, id)).await.is_new(), "{provider} {id}");
            assert!(!ask(&of(provider, id)).await.is_new(), "{provider} {id}");
        }
        // What names no colon is named as ever.
        let keys = w.scalar("SELECT COUNT(*) FROM journal WHERE dedup_key = 'recharge:a:b:c'");
        assert_eq!(keys.await, 1);
        w.assert_sound().await;
    }
}
