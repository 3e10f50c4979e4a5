//! Whether something may start.

use base::{ErrorKind, money::Micros};

use crate::{
    admission::{self, Ask},
    meter,
    prices::publish::Terms,
    testing::{Guest, World, at, micros},
    usage::ResourceState::*,
};

#[tokio::test]
async fn a_start_is_admitted_only_if_all_that_burns_is_covered_for_the_runway() {
    for w in World::each().await {
        let image = w.with_host().await;
        w.publish(
            at("00:00"),
            &[(meter::instance(w.small), "0.36"), (meter::DISK_GIB.to_owned(), "0.01")],
        )
        .await;
        let new = meter::components(Running, w.small, 1);
        let admit = async || {
            w.write(async |tx| admission::admit(tx, at("10:00"), &w.settings, w.tenant, &new).await)
                .await
        };
        let error = admit().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::PaymentRequired);
        assert_eq!(
            error.to_string(),
            "the balance of 0.000000 CNY does not cover an hour of all that would run, \
             at 0.370000 CNY an hour (top up at least 0.370000 CNY)"
        );
        w.topup(at("10:00"), "0.369999").await;
        assert!(admit().await.is_err());
        w.topup(at("10:00"), "0.000001").await;
        admit().await.unwrap();
        // It was admitted and does not run yet: its money is spoken for.
        let id = w.create(image, "one").await;
        assert!(admit().await.unwrap_err().message.contains("0.740000 CNY an hour"));
        w.topup(at("10:00"), "0.37").await;
        admit().await.unwrap();
        let guest = Guest { id: id.to_string(), disk_gib: 1, ..w.guest("one") };
        w.seen(&guest, Running, at("10:00")).await;
        admit().await.unwrap();
    }
}

/// What is asked for more of an hour of compute: none where it is admitted.
async fn missing(w: &World, now: &str) -> Option<String> {
    let new = [admission::Component { meter: meter::instance(w.small), quantity: 1 }];
    let settings = &w.settings;
    let asked = w.write(async |tx| admission::admit(tx, at(now), settings, w.tenant, &new).await);
    let error = asked.await.err()?;
    assert_eq!(error.kind, ErrorKind::PaymentRequired);
    let remedy = error.remedy.unwrap();
    let amount = remedy.strip_prefix("top up at least ").and_then(|r| r.strip_suffix(" CNY"));
    Some(amount.unwrap().to_owned())
}

/// What is missing is missing to the last digit, and what is admitted is not overdue within the hour.
async fn admitted_with(w: &World, now: &str, amount: &str, until: &str) {
    assert_eq!(missing(w, now).await.as_deref(), Some(amount));
    let almost = Micros(micros(amount).0 - 1);
    w.topup(at(now), &almost.to_string()).await;
    assert_eq!(missing(w, now).await.as_deref(), Some("0.000001"));
    w.topup(at(now), "0.000001").await;
    assert_eq!(missing(w, now).await, None);
    w.seen(&w.guest("new"), Running, at(now)).await;
    assert_eq!(w.balance(at(until)).await.balance, Micros::ZERO);
}

#[tokio::test]
async fn an_allowance_that_is_used_up_admits_nothing() {
    for used in ["12:00", "11:30"] {
        for w in World::each().await {
            let free = r#"{"id":"c","component":"instance.compute","price":"1.2","free":2}"#;
            w.publish_rates(Terms::default(), free).await;
            assert_eq!(missing(&w, "10:00").await, None, "all of the allowance is left");
            let first = w.guest("first");
            w.seen(&first, Running, at("10:00")).await;
            // Both use it up within the hour, and not more than it.
            assert_eq!(missing(&w, "10:00").await, None);
            assert_eq!(missing(&w, "10:45").await.as_deref(), Some("0.900000"));
            w.seen(&first, Stopped, at(used)).await;
            w.rate(at("12:30")).await;
            let amount = if used == "12:00" { "1.200000" } else { "0.600000" };
            admitted_with(&w, "13:00", amount, "14:00").await;
            w.assert_sound().await;
        }
    }
}

#[tokio::test]
async fn a_start_is_admitted_at_the_price_of_its_tier() {
    for w in World::each().await {
        let tiers = r#"{"id":"c","component":"instance.compute",
            "graduated":[{"up_to":2,"price":"1"},{"price":"5"}]}"#;
        w.publish_rates(Terms::default(), tiers).await;
        assert_eq!(missing(&w, "10:00").await.as_deref(), Some("1.000000"));
        w.topup(at("10:00"), "1.5").await;
        let first = w.guest("first");
        w.seen(&first, Running, at("10:00")).await;
        w.seen(&first, Stopped, at("11:30")).await;
        // Half an hour of the cheap tier is left.
        admitted_with(&w, "13:00", "3.000000", "14:00").await;
        // It goes on in the dear one, beside what is asked for.
        assert_eq!(missing(&w, "14:00").await.as_deref(), Some("10.000000"));
        w.assert_sound().await;
    }
}

/// A resize goes on in the resource's own tiers; a block is needed when it begins, and not while one
/// that is paid lasts.
#[tokio::test]
async fn a_resize_and_a_block_need_what_they_will_be_charged() {
    for w in World::each().await {
        let rates = format!(
            r#"{{"id":"s","component":"instance.compute","where":{{"flavor":"{}"}},"price":"1"}},
               {{"id":"l","component":"instance.compute","where":{{"flavor":"{}"}},"free":1,
                 "price":"4","scope":"resource"}},
               {{"id":"d","component":"instance.disk","package":{{"size":3,"price":"6"}}}}"#,
            w.small, w.large
        );
        w.publish_rates(Terms::default(), &rates).await;
        w.topup(at("09:00"), "6").await;
        let guest = w.guest("web-1");
        let large = Guest { flavor: w.large, disk_gib: 1, ..guest.clone() };
        w.seen(&large, Running, at("09:00")).await;
        w.seen(&Guest { disk_gib: 1, ..guest.clone() }, Running, at("10:00")).await;
        w.topup(at("10:00"), "1").await;
        let instance = Some(guest.id.parse().unwrap());
        let (old, new) =
            (meter::components(Running, w.small, 1), meter::components(Running, w.large, 1));
        let resize = async |now: &str| {
            let ask = Ask { instance, old: &old, new: &new, selected_by: None };
            let done = w.write(async |tx| {
                admission::admit_change(tx, at(now), &w.settings, w.tenant, ask).await
            });
            done.await.err().and_then(|e| e.remedy)
        };
        // Its free hour of the large flavor is used, and the disk's block lasts to noon.
        assert_eq!(resize("11:00").await.as_deref(), Some("top up at least 4.000000 CNY"));
        w.topup(at("11:00"), "4").await;
        assert_eq!(resize("11:00").await, None);
        // A millisecond later the hour reaches into the next block.
        let later = "11:00:00.001";
        assert_eq!(resize(later).await.as_deref(), Some("top up at least 6.000000 CNY"));
        w.assert_sound().await;
    }
}
