//! Whatever way the same facts come: split by postings in any way, in any order, and again and
//! again, the ledger is that of a run in which each came in its time and was rated once.

use base::time::Timestamp;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::random::seeds;
use crate::{
    prices::{
        document::Document,
        publish::{Terms, publish},
    },
    testing::{Guest, World, at},
    usage::{Fact, ResourceState},
};

const GUESTS: usize = 3;
const FACTS: usize = 14;

/// Tiers over all of the tenant's instances with tax on top, then other tiers from 14:00 on.
const PRICES: [(&str, &str); 2] = [
    (
        "00:00",
        r#"{"tax":{"mode":"on_top","rate":"0.06"},"rates":[
            {"id":"c","component":"instance.compute","free":1,
             "graduated":[{"up_to":4,"price":"0.123456789"},{"price":"0.7"}]},
            {"id":"d","component":"instance.disk","price":"0.000000777"}]}"#,
    ),
    (
        "14:00",
        r#"{"tax":{"mode":"included","rate":"0.19"},"rates":[
            {"id":"c","component":"instance.compute","free":2,
             "graduated":[{"up_to":9,"price":"0.2"},{"price":"0.11"}]},
            {"id":"d","component":"instance.disk","package":{"size":5,"price":"0.3"}}]}"#,
    ),
];

/// By account: credits minus debits.
async fn ledger(w: &World) -> Vec<(String, i64)> {
    w.read(async |conn| {
        Ok(sqlx::query_as(
            "SELECT account, CAST(SUM(CASE direction WHEN 'credit' THEN amount_micros \
             ELSE -amount_micros END) AS BIGINT) FROM journal_entries \
             GROUP BY account ORDER BY account",
        )
        .fetch_all(conn)
        .await?)
    })
    .await
}

async fn publish_all(w: &World) {
    for (from, text) in PRICES {
        let document: Document = serde_json::from_str(text).unwrap();
        let terms = Terms { effective_at: Some(at(from)), correction: None };
        w.write(async |tx| publish(tx, at("00:00"), w.book, terms, &document).await).await.unwrap();
    }
}

/// Of each guest in order, with the ordinals of their source.
fn facts(w: &World, rng: &mut StdRng) -> Vec<Fact> {
    let states = [
        ResourceState::Running,
        ResourceState::Stopped,
        ResourceState::Paused,
        ResourceState::Absent,
    ];
    let mut all = Vec::new();
    for n in 0..GUESTS {
        let disk_gib = i64::try_from(n).unwrap();
        let guest = Guest { disk_gib, ..w.guest(&format!("g{n}")) };
        let mut now = at("08:00");
        for ordinal in 1..=FACTS {
            now = now.saturating_add_ms(rng.random_range(0..3_600_000));
            let state = states[rng.random_range(0..states.len())];
            let ordinal = i64::try_from(ordinal).unwrap();
            all.push(Fact { ordinal, ..w.event(&guest, state, now) });
        }
    }
    all
}

#[tokio::test]
async fn any_splitting_order_and_repetition_gives_the_same_ledger() {
    let end: Timestamp = at("23:30");
    for seed in 0..seeds() {
        let (plain, mixed) = (World::each().await, World::each().await);
        for (plain, mixed) in plain.iter().zip(&mixed) {
            let mut rng = StdRng::seed_from_u64(seed);
            publish_all(plain).await;
            for fact in facts(plain, &mut rng) {
                plain.record(end, &fact).await.unwrap();
            }
            plain.post(end).await;
            plain.assert_sound().await;

            let mut rng = StdRng::seed_from_u64(seed);
            publish_all(mixed).await;
            let mut facts = facts(mixed, &mut rng);
            facts.shuffle(&mut rng);
            let mut sent: Vec<Fact> = Vec::new();
            let mut now = at("22:00");
            while let Some(fact) = facts.pop() {
                now = now.saturating_add_ms(rng.random_range(0..60_000));
                mixed.record(now, &fact).await.unwrap();
                sent.push(fact);
                if rng.random_bool(0.3) {
                    let again = &sent[rng.random_range(0..sent.len())];
                    mixed.record(now, again).await.unwrap();
                }
                match rng.random_range(0..4) {
                    0 => drop(mixed.post(now).await),
                    1 => mixed.rate(now).await,
                    _ => {}
                }
                mixed.assert_sound().await;
            }
            mixed.post(end).await;
            mixed.assert_sound().await;
            assert_eq!(ledger(mixed).await, ledger(plain).await, "seed {seed}");
        }
    }
}
