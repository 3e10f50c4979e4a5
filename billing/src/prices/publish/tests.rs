use base::{ErrorKind, money::Micros};

use super::*;
use crate::{
    meter::ResourceState::*,
    prices,
    testing::{World, at},
};

fn document(w: &World, price: &str) -> Document {
    let text = format!(
        r#"{{"rates":[{{"id":"small","component":"instance.compute",
            "where":{{"flavor":"{}"}},"price":"{price}"}}]}}"#,
        w.small
    );
    serde_json::from_str(&text).unwrap()
}

async fn publish_at(
    w: &World,
    now: &str,
    terms: Terms<'_>,
    document: &Document,
) -> Result<PriceVersion> {
    w.write(async |tx| publish(tx, at(now), w.book, terms, document).await).await
}

#[tokio::test]
async fn a_version_is_read_as_it_was_published() {
    for w in World::each().await {
        let mut sent = document(&w, "0.36");
        sent.rates.push(crate::prices::document::Rate::standard(
            "disk",
            crate::prices::components::DISK,
            "0.001".parse().unwrap(),
        ));
        let made = publish_at(&w, "00:00", Terms::default(), &sent).await.unwrap();
        let book = w.read(async |conn| prices::get(conn, w.book).await).await;
        assert_eq!(book.versions, std::slice::from_ref(&made));
        assert_eq!(made.document(), sent);
        let meters: Vec<_> = made.prices.iter().map(|p| p.meter.as_str()).collect();
        assert_eq!(meters, ["disk_gib".to_owned(), format!("instance:{}", w.small)]);
        let sha: String = w
            .read(async |conn| {
                Ok(sqlx::query_scalar("SELECT sha256 FROM price_documents").fetch_one(conn).await?)
            })
            .await;
        assert_eq!(sha, sent.sha256());
    }
}

#[tokio::test]
async fn the_past_changes_only_by_a_correction_with_a_reason() {
    for w in World::each().await {
        let first = document(&w, "0.36");
        publish_at(&w, "00:00", Terms::default(), &first).await.unwrap();
        let past = Terms { effective_at: Some(at("10:30")), correction: None };
        let error = publish_at(&w, "12:00", past, &first).await.unwrap_err();
        assert!(error.message.contains("can't be changed in the past"), "{error}");
        let nameless = Terms { correction: Some("  "), ..past };
        let error = publish_at(&w, "12:00", nameless, &first).await.unwrap_err();
        assert_eq!(error.field.as_deref(), Some("correction"));
        let future = Terms { effective_at: Some(at("13:00")), correction: Some("why") };
        let error = publish_at(&w, "12:00", future, &first).await.unwrap_err();
        assert!(error.message.contains("begins in the past"), "{error}");
        assert_eq!(w.scalar("SELECT COUNT(*) FROM price_versions").await, 1, "nothing half-made");
    }
}

/// Until the next version after it; what was posted is adjusted, also of what is gone by now.
#[tokio::test]
async fn a_correction_adjusts_what_was_posted() {
    for w in World::each().await {
        let (first, next) = (document(&w, "0.36"), document(&w, "0.48"));
        publish_at(&w, "00:00", Terms::default(), &first).await.unwrap();
        let later = Terms { effective_at: Some(at("12:00")), correction: None };
        publish_at(&w, "00:00", later, &next).await.unwrap();
        let (gone, stays) = (w.guest("gone"), w.guest("stays"));
        w.seen(&gone, Running, at("10:00")).await;
        w.seen(&stays, Running, at("10:00")).await;
        w.seen(&gone, Absent, at("11:00")).await;
        w.seen(&stays, Absent, at("13:00")).await;
        w.rate(at("13:05")).await;
        // 1 × 0.36, and 2 × 0.36 + 0.48.
        let posted = "SELECT CAST(SUM(net + tax) AS BIGINT) FROM charges";
        assert_eq!(w.scalar(posted).await, 360_000 + 720_000 + 480_000);

        let terms = Terms { effective_at: Some(at("10:30")), correction: Some("a typing error") };
        let made = publish_at(&w, "13:05", terms, &document(&w, "0.72")).await.unwrap();
        assert_eq!((made.kind, made.reason.as_str()), (VersionKind::Correction, "a typing error"));
        w.rate(at("13:06")).await;
        // Half an hour each at 0.36, then 0.72 until 12:00; from there 0.48 as before.
        let wanted = (180_000 + 360_000) + (180_000 + 1_080_000 + 480_000);
        assert_eq!(w.scalar(posted).await, wanted);
        let lines = w.scalar("SELECT COUNT(*) FROM charges").await;
        w.rate(at("13:06")).await;
        assert_eq!(w.scalar("SELECT COUNT(*) FROM charges").await, lines, "once");
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_name() {
    for w in World::each().await {
        let mut least = document(&w, "0.36");
        least.rates[0].minimum = Some(prices::document::Minimum {
            amount: Micros(1),
            per: prices::document::Scope::Tenant,
        });
        let error = publish_at(&w, "00:00", Terms::default(), &least).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert_eq!(
            error.message,
            "the minimum of small is per tenant, and it is counted over each resource: make them \
             the same"
        );
        let mut twice = document(&w, "0.36");
        twice.rates.push(twice.rates[0].clone());
        let error = publish_at(&w, "00:00", Terms::default(), &twice).await.unwrap_err();
        assert!(error.message.starts_with("small stands twice; small and small price"), "{error}");
        assert_eq!(w.scalar("SELECT COUNT(*) FROM price_rates").await, 0);
    }
}
