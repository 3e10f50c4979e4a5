use super::*;
use crate::{
    meter::ResourceState::*,
    prices::{self, assign, document::Rate},
    testing::{World, at},
};

fn rate(w: &World, price: &str) -> Rate {
    let mut rate = Rate::standard("deal", "instance.compute", price.parse().unwrap());
    rate.r#where.flavor = Some(w.small.to_string());
    rate
}

fn deal<'a>(w: &World, price: &str, from: Option<&str>, to: Option<&str>) -> NewOverride<'a> {
    NewOverride {
        from: from.map(at),
        to: to.map(at),
        tax: None,
        rates: vec![rate(w, price)],
        reason: "a pilot",
        is_correction: false,
        actor: "ann",
    }
}

async fn give(w: &World, now: &str, new: NewOverride<'_>) -> Result<PriceOverride> {
    w.write(async |tx| create(tx, at(now), w.tenant, new.clone()).await).await
}

const POSTED: &str = "SELECT CAST(SUM(net + tax) AS BIGINT) FROM charges";

#[tokio::test]
async fn an_override_prices_while_it_is_valid() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let made = give(&w, "00:00", deal(&w, "0.12", Some("10:30"), Some("11:00"))).await.unwrap();
        assert_eq!((made.number, made.from, made.to), (1, at("10:30"), Some(at("11:00"))));
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.seen(&guest, Absent, at("12:00")).await;
        w.rate(at("12:05")).await;
        assert_eq!(w.scalar(POSTED).await, 180_000 + 60_000 + 360_000);
        let books = w.read(async |conn| prices::list(conn).await).await;
        assert_eq!(books.len(), 1, "where overrides are kept is no book to be assigned to");
        let hidden: String = w
            .read(async |conn| {
                let query = "SELECT id FROM price_books WHERE kind = 'overrides'";
                Ok(sqlx::query_scalar(query).fetch_one(conn).await?)
            })
            .await;
        let hidden = hidden.parse().unwrap();
        let assigned =
            w.write(async |tx| assign::assign(tx, at("13:00"), w.tenant, hidden, None).await).await;
        assert!(assigned.unwrap_err().message.contains("does not exist"));
    }
}

#[tokio::test]
async fn the_later_made_goes_first_and_one_can_be_ended() {
    for w in World::each().await {
        w.price_small("0.36").await;
        give(&w, "00:00", deal(&w, "0.12", None, None)).await.unwrap();
        let second = give(&w, "00:00", deal(&w, "0.06", Some("11:00"), None)).await.unwrap();
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.rate(at("12:30")).await;
        let end = async |now: &str, at_: Option<&str>| {
            w.write(async |tx| {
                let at_ = at_.map(at);
                end(tx, at(now), (w.tenant, second.number), at_, "the pilot is over", "bob").await
            })
            .await
        };
        let error = end("12:30", Some("12:00")).await.unwrap_err();
        assert!(error.message.contains("does not end in the past"), "{error}");
        let ended = end("12:30", None).await.unwrap();
        assert_eq!(ended.to, Some(at("12:30")));
        assert!(end("12:40", None).await.unwrap_err().message.contains("ends before that already"));
        w.seen(&guest, Absent, at("13:00")).await;
        w.rate(at("13:05")).await;
        // An hour at 0.12, one and a half at 0.06, then 0.12 again.
        assert_eq!(w.scalar(POSTED).await, 120_000 + 90_000 + 60_000);
        let all = w.read(async |conn| list(conn, w.tenant).await).await;
        assert_eq!(all.iter().map(|o| o.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((all[0].to, all[1].to), (None, Some(at("12:30"))));
        let mut conn = w.db.read().await.unwrap();
        for change in ["UPDATE price_overrides SET to_ms = 9", "DELETE FROM price_overrides"] {
            let error = sqlx::query(change).execute(&mut *conn).await.unwrap_err().to_string();
            assert!(error.contains("append-only"), "{error}");
        }
    }
}

#[tokio::test]
async fn one_in_the_past_is_a_correction() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, Running, at("10:00")).await;
        w.seen(&guest, Absent, at("12:00")).await;
        w.rate(at("12:05")).await;
        let past = deal(&w, "0.12", Some("11:00"), None);
        let error = give(&w, "12:05", past.clone()).await.unwrap_err();
        assert!(error.message.contains("does not begin in the past"), "{error}");
        give(&w, "12:05", NewOverride { is_correction: true, ..past }).await.unwrap();
        w.rate(at("12:06")).await;
        assert_eq!(w.scalar(POSTED).await, 360_000 + 120_000);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    for w in World::each().await {
        let backwards = deal(&w, "1", Some("10:00"), Some("10:00"));
        assert_eq!(give(&w, "00:00", backwards).await.unwrap_err().field.as_deref(), Some("to"));
        let silent = NewOverride { reason: " ", ..deal(&w, "1", None, None) };
        assert_eq!(give(&w, "00:00", silent).await.unwrap_err().field.as_deref(), Some("reason"));
        let negative = give(&w, "00:00", deal(&w, "-1", None, None)).await.unwrap_err();
        assert_eq!(negative.message, "the price of deal is negative");
        assert_eq!(w.scalar("SELECT COUNT(*) FROM price_books").await, 1, "nothing half-made");
    }
}
