use base::Error;

use super::*;
use crate::{
    accounts,
    prices::{self, assign, document::Document, publish::Terms},
    testing::{World, at},
};

async fn book(w: &World, name: &str, price: &str) -> PriceBookId {
    w.write(async |tx| {
        let book = prices::create_book(tx, at("00:00"), name, "CNY").await?.id;
        let text = format!(
            r#"{{"rates":[{{"id":"{name}","component":"instance.compute","price":"{price}"}}]}}"#
        );
        let document: Document = serde_json::from_str(&text).unwrap();
        prices::publish::publish(tx, at("00:00"), book, Terms::default(), &document).await?;
        Ok(book)
    })
    .await
    .unwrap()
}

async fn assign_at(w: &World, book: PriceBookId, from: &str) -> Result<()> {
    w.write(async |tx| assign::assign(tx, at("00:00"), w.tenant, book, Some(at(from))).await).await
}

#[tokio::test]
async fn a_timeline_follows_assignments_of_now_and_later() {
    for w in World::each().await {
        let (a, b) = (book(&w, "a", "1").await, book(&w, "b", "2").await);
        for (which, from) in [(a, "10:00"), (b, "11:00"), (a, "12:00")] {
            assign_at(&w, which, from).await.unwrap();
        }
        let timeline = w.read(async |conn| timeline(conn, w.tenant).await).await;
        let shape = std::collections::BTreeMap::new();
        let id = |time: &str| {
            let found = timeline.find("instance.compute", &shape, at(time));
            found.map(|found| found.rate.id.clone())
        };
        assert_eq!(id("09:59"), None, "the first book has no version");
        let found = ["10:00", "11:00", "12:00"].map(|time| id(time).unwrap());
        assert_eq!(found, ["a", "b", "a"]);
        assert_eq!(timeline.next_change(at("10:00")), Some(at("11:00")));
        let now = w.read(async |conn| accounts::book(conn, at("11:30"), w.tenant).await).await;
        assert_eq!(now, Some(b));
    }
}

#[tokio::test]
async fn a_tenants_own_book_is_nobody_elses() {
    for w in World::each().await {
        let own = w
            .write(async |tx| {
                prices::books::create_own_book(tx, at("00:00"), "deal", w.tenant).await
            })
            .await
            .unwrap();
        assert_eq!((own.tenant_id, own.currency.as_str()), (Some(w.tenant), "CNY"));
        assign_at(&w, own.id, "10:00").await.unwrap();
        let other = w
            .write(async |tx| {
                let other = identity::tenants::create(tx, at("00:00"), "other").await?.id;
                let settings = crate::Settings::default();
                accounts::open_account(tx, at("00:00"), &settings, other, "CNY", Some(own.id)).await
            })
            .await;
        assert!(other.unwrap_err().message.contains("is another tenant's own"));
        let early = w
            .write(async |tx| {
                assign::assign(tx, at("10:00"), w.tenant, own.id, Some(at("09:00"))).await
            })
            .await;
        assert!(early.unwrap_err().message.contains("can't be assigned in the past"));
    }
}

/// What a rolled back transaction wrote and read is asked for by nobody.
#[tokio::test]
async fn a_version_is_read_once() {
    for w in World::each().await {
        let a = book(&w, "a", "1").await;
        assign_at(&w, a, "00:00").await.unwrap();
        let loaded = async || w.read(async |conn| sources(conn, w.tenant).await).await;
        let (first, second) = (loaded().await, loaded().await);
        assert!(Arc::ptr_eq(&first.versions[0].version, &second.versions[0].version));
        let rolled_back = w
            .write(async |tx| {
                let text = r#"{"rates":[{"id":"x","component":"instance.compute","price":"9"}]}"#;
                let document: Document = serde_json::from_str(text).unwrap();
                prices::publish::publish(tx, at("00:00"), a, Terms::default(), &document).await?;
                assert_eq!(sources(tx, w.tenant).await?.versions.len(), 2);
                Err::<(), _>(Error::conflict("not now"))
            })
            .await;
        assert!(rolled_back.is_err());
        assert_eq!(loaded().await.versions.len(), 1);
    }
}
