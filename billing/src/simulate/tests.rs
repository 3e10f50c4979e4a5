use base::reconcile::Reconciler;

use super::*;
use crate::{
    meter::ResourceState::*,
    packages,
    prices::{
        self,
        document::Document,
        publish::{Terms, publish},
    },
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

async fn draft(w: &World, price: &str) -> PriceDraftId {
    let document = document(w, price);
    w.write(async |tx| drafts::create(tx, at("00:00"), "ann", w.book, Some(document)).await)
        .await
        .unwrap()
        .id
}

fn ask(draft: PriceDraftId, from: &str, until: &str) -> Ask {
    Ask { draft, from: at(from), until: at(until), effective_at: None, tenants: None }
}

async fn run(w: &World, ask: &Ask) -> Result<Simulation> {
    let mut conn = w.db.read().await?;
    simulate(&mut conn, at("14:00"), ask).await
}

/// What it says is charged is what was posted; what it simulates is what a correction then posts.
#[tokio::test]
async fn a_simulation_is_what_publishing_comes_to() {
    for w in World::each().await {
        let first = document(&w, "0.07");
        w.write(async |tx| {
            prices::publish::publish(tx, at("00:00"), w.book, Terms::default(), &first).await
        })
        .await
        .unwrap();
        let (a, b) = (w.guest("a"), w.guest("b"));
        w.seen(&a, Running, at("10:00")).await;
        w.seen(&b, Running, at("10:10")).await;
        w.seen(&a, Paused, at("11:00")).await;
        w.seen(&b, Absent, at("12:20")).await;
        w.seen(&a, Absent, at("13:00")).await;
        w.rate(at("13:05")).await;
        let posted = "SELECT CAST(SUM(net + tax) AS BIGINT) FROM charges";
        let was = w.scalar(posted).await;
        let draft = draft(&w, "0.13").await;
        let mut asked = ask(draft, "09:00", "14:00");
        asked.effective_at = Some(at("10:45"));
        let found = run(&w, &asked).await.unwrap();
        assert_eq!(found.tenants.len(), 1);
        assert_eq!((found.tenants[0].tenant_id, found.tenants[0].charged.0), (w.tenant, was));
        assert_eq!(w.scalar(posted).await, was, "nothing is posted");

        w.write(async |tx| drafts::check(tx, at("13:06"), draft).await).await.unwrap();
        let terms = Terms { effective_at: Some(at("10:45")), correction: Some("too cheap") };
        w.write(async |tx| drafts::publish(tx, at("13:06"), draft, terms).await).await.unwrap();
        w.rate(at("13:07")).await;
        assert_eq!(w.scalar(posted).await, found.tenants[0].simulated.0);
        assert_eq!(w.scalar(posted).await - was, found.difference.0);
        assert!(found.difference.0 > 0);
    }
}

#[tokio::test]
async fn a_part_of_the_past_is_what_it_added() {
    for w in World::each().await {
        let first = document(&w, "0.36");
        w.write(async |tx| {
            prices::publish::publish(tx, at("00:00"), w.book, Terms::default(), &first).await
        })
        .await
        .unwrap();
        w.seen(&w.guest("a"), Running, at("10:00")).await;
        let draft = draft(&w, "0.72").await;
        let found = run(&w, &ask(draft, "11:00", "12:30")).await.unwrap();
        let amounts = [found.tenants[0].charged, found.tenants[0].simulated, found.difference];
        assert_eq!(amounts.map(|amount| amount.0), [540_000, 1_080_000, 540_000]);
        let mut later = ask(draft, "11:00", "12:30");
        later.effective_at = Some(at("12:00"));
        assert_eq!(run(&w, &later).await.unwrap().difference.0, 180_000);
        let mut named = ask(draft, "11:00", "12:30");
        named.tenants = Some(vec![]);
        assert_eq!(run(&w, &named).await.unwrap().tenants, []);
    }
}

/// Of another book than the one that the tenant pays by: 0.36 an hour there, 0.50 in the draft, and 0.80
/// in the other book's own version from 12:30 on.
#[tokio::test]
async fn who_is_named_is_rated_as_if_it_paid_by_the_drafts_book() {
    for w in World::each().await {
        w.price_small("0.36").await;
        w.seen(&w.guest("a"), Running, at("10:00")).await;
        let other = w
            .write(async |tx| {
                let other = prices::create_book(tx, at("00:00"), "gold", "CNY").await?.id;
                let terms = Terms { effective_at: Some(at("12:30")), correction: None };
                publish(tx, at("00:00"), other, terms, &document(&w, "0.8")).await?;
                Ok(other)
            })
            .await
            .unwrap();
        let half = document(&w, "0.5");
        let draft = w
            .write(async |tx| drafts::create(tx, at("00:00"), "ann", other, Some(half)).await)
            .await
            .unwrap()
            .id;
        assert_eq!(run(&w, &ask(draft, "10:00", "13:00")).await.unwrap().tenants, []);
        let named = Ask { tenants: Some(vec![w.tenant]), ..ask(draft, "10:00", "13:00") };
        let found = run(&w, &named).await.unwrap();
        let amounts = (found.tenants[0].charged.0, found.tenants[0].simulated.0);
        // Two and a half hours by the draft, and half an hour behind it.
        assert_eq!(amounts, (1_080_000, 1_250_000 + 400_000));
        // Until the draft would count it pays as it does.
        let later = Ask { effective_at: Some(at("12:00")), ..named.clone() };
        let found = run(&w, &later).await.unwrap();
        assert_eq!(found.tenants[0].simulated.0, 720_000 + 250_000 + 400_000);
        // Once it pays by that book, it is all that do as long as they do: from 12:15 on.
        w.write(async |tx| {
            prices::assign::assign(tx, at("12:15"), w.tenant, other, Some(at("12:15"))).await
        })
        .await
        .unwrap();
        let found = run(&w, &ask(draft, "10:00", "13:00")).await.unwrap();
        assert_eq!(found.tenants[0].simulated.0, 810_000 + 125_000 + 400_000);
        assert_eq!(run(&w, &named).await.unwrap().tenants[0].simulated.0, 1_650_000);
    }
}

/// A book that could not be assigned to it is refused.
#[tokio::test]
async fn who_could_not_pay_by_the_drafts_book_is_refused() {
    for w in World::each().await {
        let half = document(&w, "0.5");
        let drafts = w
            .write(async |tx| {
                let now = at("00:00");
                let other = identity::tenants::create(tx, now, "beta").await?.id;
                accounts::open_account(tx, now, &w.settings, other, "CNY", None).await?;
                let deal = prices::books::create_own_book(tx, now, "deal", other).await?.id;
                let dollars = prices::create_book(tx, now, "dollars", "USD").await?.id;
                let deal = drafts::create(tx, now, "ann", deal, Some(half.clone())).await?.id;
                Ok([deal, drafts::create(tx, now, "ann", dollars, Some(half)).await?.id])
            })
            .await
            .unwrap();
        for draft in drafts {
            let named = Ask { tenants: Some(vec![w.tenant]), ..ask(draft, "10:00", "13:00") };
            let error = run(&w, &named).await.unwrap_err();
            assert_eq!(error.field.as_deref(), Some("tenants"), "{error:?}");
            assert!(error.remedy.is_some());
        }
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    for w in World::each().await {
        let draft = draft(&w, "0.36").await;
        let field = async |ask: Ask| run(&w, &ask).await.unwrap_err().field.unwrap_or_default();
        assert_eq!(field(ask(draft, "10:00", "10:00")).await, "until");
        assert_eq!(field(ask(draft, "10:00", "14:01")).await, "until");
        let ages = Ask { from: Timestamp::from_ms(0), ..ask(draft, "10:00", "11:00") };
        assert_eq!(field(ages).await, "until");
        let stranger = Ask { tenants: Some(vec![TenantId::new()]), ..ask(draft, "10:00", "11:00") };
        assert_eq!(field(stranger).await, "tenants");
        assert_eq!(field(ask(PriceDraftId::new(), "10:00", "11:00")).await, "draft_id");
        let wrong = self::draft(&w, "-1").await;
        assert_eq!(field(ask(wrong, "10:00", "11:00")).await, "rates");
    }
}

fn instant(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

/// A machine for two hours, and what is bought by the month.
fn with_packages(w: &World, compute: &str, packages: &[(&str, &str)]) -> Document {
    let mut document = document(w, compute);
    let package = |(id, price): &(&str, &str)| {
        crate::prices::document::Rate::standard(*id, packages::COMPONENT, price.parse().unwrap())
    };
    document.rates.extend(packages.iter().map(package));
    document
}

async fn ordered(w: &World, now: Timestamp, rate: &str) -> packages::Package {
    let new = packages::NewOrder { tenant: w.tenant, name: "", rate, actor: "user:test" };
    w.write(async |tx| packages::order(tx, now, &new).await).await.unwrap()
}

async fn renewed(w: &World, now: Timestamp) {
    w.clock.set(now);
    let (db, clock, bus) = (w.db.clone(), w.clock.shared(), w.bus.clone());
    let outcome = packages::PackageReconciler::new(db, clock, bus).run().await.unwrap();
    assert_eq!(outcome.status["failed"], serde_json::json!([]));
}

/// Of three packages one is cancelled within the period, and one the draft has no more.
#[tokio::test]
async fn packages_are_bought_at_the_drafts_prices() {
    for w in World::each().await {
        let first = with_packages(&w, "0.07", &[("vpn", "30"), ("care", "10"), ("old", "5")]);
        let terms = Terms::default();
        w.write(async |tx| publish(tx, at("00:00"), w.book, terms, &first).await).await.unwrap();
        w.topup(at("00:00"), "1000").await;
        let guest = w.guest("a");
        w.seen(&guest, Running, at("10:00")).await;
        w.seen(&guest, Absent, at("12:00")).await;
        ordered(&w, at("10:00"), "vpn").await;
        let care = ordered(&w, at("10:00"), "care").await;
        ordered(&w, at("11:00"), "old").await;
        w.write(async |tx| packages::cancel(tx, at("13:00"), w.tenant, care.id, "u").await)
            .await
            .unwrap();
        let now = instant("2026-12-16T00:00");
        w.rate(now).await;
        renewed(&w, now).await;
        let posted = "SELECT CAST(SUM(net + tax) AS BIGINT) FROM charges";
        let was = w.scalar(posted).await;
        // Three months of two, one of the cancelled, and two hours.
        assert_eq!(was, 90_000_000 + 15_000_000 + 10_000_000 + 140_000);
        let dearer = with_packages(&w, "0.13", &[("vpn", "40"), ("care", "11")]);
        let draft = w
            .write(async |tx| drafts::create(tx, now, "ann", w.book, Some(dearer)).await)
            .await
            .unwrap()
            .id;
        let run = async |from: &str, until: Timestamp, effective: Option<Timestamp>| {
            let (from, effective_at) = (instant(from), effective);
            let ask = Ask { draft, from, until, effective_at, tenants: None };
            let mut conn = w.db.read().await.unwrap();
            let found = simulate(&mut conn, now, &ask).await.unwrap();
            (found.tenants[0].charged.0, found.tenants[0].simulated.0, found.difference.0)
        };
        let all = run("2026-10-15T00:00", now, None).await;
        let dear = 120_000_000 + 11_000_000 + 260_000;
        // The one that the draft does not name could not have been ordered.
        assert_eq!(all, (was, dear, dear - was));
        // From the second month on: nothing of October, and the unnamed one ends.
        let november = Some(instant("2026-11-01T00:00"));
        let later = run("2026-10-01T00:00", now, november).await;
        assert_eq!(later.1, was + 2 * 10_000_000 - 2 * 5_000_000);
        // What began within the period, and no earlier month's.
        let some = run("2026-11-10T00:00", instant("2026-12-15T10:00"), november).await;
        assert_eq!(some, (35_000_000, 40_000_000, 5_000_000));
        assert_eq!(w.scalar(posted).await, was, "nothing is posted");

        w.write(async |tx| drafts::check(tx, now, draft).await).await.unwrap();
        let terms = Terms { effective_at: november, correction: Some("too cheap") };
        w.write(async |tx| drafts::publish(tx, now, draft, terms).await).await.unwrap();
        w.rate(now).await;
        renewed(&w, now).await;
        assert_eq!(w.scalar(posted).await, later.1, "as it is corrected then");
    }
}
