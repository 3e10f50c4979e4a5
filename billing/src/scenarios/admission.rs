//! Whether something may start.

use base::ErrorKind;

use crate::{
    admission, meter,
    testing::{Guest, World, at},
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
