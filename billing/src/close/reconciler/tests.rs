use base::{
    id::InvoiceId,
    reconcile::Reconciler,
    time::{Clock, Timestamp},
};

use super::*;
use crate::{
    close::{closings, unclosed::UNCLOSED},
    findings::{self, Severity},
    testing::World,
    usage::ResourceState::{Absent, Running},
};

fn shanghai(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

async fn run(world: &World) -> Outcome {
    let (db, clock, bus) = (world.db.clone(), world.clock.shared(), world.bus.clone());
    MonthReconciler::new(db, clock, bus, world.settings.clone()).run().await.unwrap()
}

/// The number that the next invoice would have, which no invoice can have then.
async fn take_first_number(world: &World) {
    world
        .write(async |tx| {
            sqlx::query(
                "INSERT INTO invoices (id, series, number, tenant_id, month, currency, net_micros, \
                 tax_micros, total_micros, rounding_micros, issued_ms) \
                 VALUES ($1, 'INV', 1, $2, '2026-08', 'CNY', 0, 0, 0, 0, 1)",
            )
            .bind(InvoiceId::new().to_string())
            .bind(world.tenant.to_string())
            .execute(tx)
            .await?;
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_month_that_can_not_be_closed_is_a_finding_until_it_is() {
    for mut world in World::each_from(shanghai("2026-10-01T00:00")).await {
        world.price_small("0.07").await;
        let guest = world.guest("web-1");
        world.seen(&guest, Running, shanghai("2026-10-01T00:00")).await;
        world.seen(&guest, Absent, shanghai("2026-10-01T10:00")).await;
        world.rate(shanghai("2026-11-04T00:00")).await;
        take_first_number(&world).await;
        let mut changes = world.bus.subscribe();
        let mut told = || {
            let topics = std::iter::from_fn(|| changes.try_recv().ok());
            topics.filter(|change| matches!(change.topic, Topic::Notice)).count()
        };
        let open = async || world.read(async |conn| findings::list(conn, false).await).await;

        let outcome = run(&world).await;
        let again = world.clock.now().saturating_add_ms(AGAIN_MS);
        assert_eq!(outcome.wake_at, Some(again));
        let failed = outcome.status["failed"].as_array().unwrap();
        assert_eq!((failed.len(), &outcome.status["invoices"]), (1, &serde_json::json!(0)));
        let [found] = open().await.try_into().unwrap();
        let subject = format!("tenant/{}/2026-10", world.tenant);
        assert_eq!(
            (found.kind.as_str(), &found.subject, found.tenant_id, found.severity),
            (UNCLOSED, &subject, Some(world.tenant), Severity::Error)
        );
        assert_eq!(failed[0], format!("{}: {}", world.tenant, found.detail));
        // It may have passed in a minute.
        assert_eq!((world.subjects().await, told()), (Vec::<String>::new(), 0));

        world.clock.set(again);
        run(&world).await;
        let notice = format!("a month that can't be closed: {subject}");
        assert_eq!((world.subjects().await, told()), (vec![notice.clone()], 1));
        run(&world).await;
        assert_eq!((world.subjects().await, told()), (vec![notice], 0), "told once");
        let [seen] = open().await.try_into().unwrap();
        assert_eq!((seen.id, seen.seen), (found.id, 3));

        world.settings.invoice.series = "OTHER".to_owned();
        let outcome = run(&world).await;
        assert_eq!(outcome.status["failed"], serde_json::json!([]));
        let [closed] =
            world.read(async |conn| closings(conn, world.tenant).await).await.try_into().unwrap();
        assert_eq!((closed.month.to_string(), closed.closed), ("2026-10".to_owned(), again));
        assert!(closed.invoice_id.is_some());
        let all = world.read(async |conn| findings::list(conn, true).await).await;
        assert_eq!((all.len(), all[0].resolved_at), (1, Some(again)));
    }
}

#[test]
fn a_status_says_the_first_failures_and_not_all() {
    let mut run = Run::default();
    for nth in 0..3 * FAILED_MAX {
        run.failed(TenantId::new(), "it failed", &Error::internal(format!("failure {nth}")));
    }
    assert_eq!(run.failed.len(), FAILED_MAX);
    assert!(run.failed[FAILED_MAX - 1].ends_with(&format!("failure {}", FAILED_MAX - 1)));
}
