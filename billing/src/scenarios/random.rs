//! Random workloads, seeded: whatever happens in whatever order, the books balance, and the sum is
//! that of the time used.

use std::collections::HashMap;

use base::{
    money::{Exact, Micros},
    time::Timestamp,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    meter, rating,
    testing::{Guest, World, at, nanos},
    usage::{Fact, ResourceState},
};

/// Sampled in every run; `make soak` takes more by `OPSHAWK_SOAK_SEEDS`.
const SEEDS: u64 = 3;
const STEPS: usize = 60;
const PRICE: &str = "0.123456789";
const DISK_PRICE: &str = "0.000000777";

pub(super) fn seeds() -> u64 {
    std::env::var("OPSHAWK_SOAK_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS)
}

#[tokio::test]
async fn scenario_16_the_ledger_sums_to_zero_after_every_step() {
    for seed in 0..seeds() {
        for w in World::each().await {
            let mut rng = StdRng::seed_from_u64(seed);
            run(&w, &mut rng).await;
        }
    }
}

#[tokio::test]
async fn what_happens_at_once_is_counted_once() {
    const ROUNDS: i64 = 12;
    for w in World::each().await {
        w.publish(
            at("00:00"),
            &[(meter::instance(w.small), PRICE), (meter::DISK_GIB.to_owned(), DISK_PRICE)],
        )
        .await;
        let guests = ["a", "b"].map(|name| Guest { disk_gib: 3, ..w.guest(name) });
        let minute = |n: i64| at("10:00").saturating_add_ms(n * 60_000);
        let state = |round: i64| match round % 2 {
            0 => ResourceState::Running,
            _ => ResourceState::Stopped,
        };
        let report = async |guest: &Guest| {
            for round in 0..ROUNDS {
                w.seen(guest, state(round), minute(round)).await;
            }
        };
        let rate = async || {
            for round in 0..ROUNDS {
                w.post(minute(round)).await;
                w.write(async |tx| rating::post_changed(tx, minute(round), w.tenant).await)
                    .await
                    .unwrap();
            }
        };
        let pay = async || {
            for round in 0..ROUNDS {
                w.topup(minute(round), "0.01").await;
                w.balance(minute(round)).await;
            }
        };
        tokio::join!(report(&guests[0]), report(&guests[1]), rate(), rate(), pay());
        w.post(minute(ROUNDS)).await;
        let mut model = Model::default();
        for guest in &guests {
            for round in 0..ROUNDS {
                model.record(guest, state(round), minute(round));
            }
        }
        let now = minute(ROUNDS);
        assert_eq!(w.balance(now).await.posted.0, ROUNDS * 10_000 - model.cost(now).0);
        w.assert_sound().await;
    }
}

async fn run(w: &World, rng: &mut StdRng) {
    w.publish(
        at("00:00"),
        &[(meter::instance(w.small), PRICE), (meter::DISK_GIB.to_owned(), DISK_PRICE)],
    )
    .await;
    let guests: Vec<Guest> =
        (0..3).map(|n| Guest { disk_gib: n, ..w.guest(&format!("g{n}")) }).collect();
    let mut now = at("08:00");
    let mut model = Model::default();
    let mut sent: Vec<Fact> = Vec::new();
    let mut paid: i64 = 0;
    for _ in 0..STEPS {
        now = now.saturating_add_ms(rng.random_range(0..1_200_000));
        match rng.random_range(0..10) {
            0..5 => {
                let guest = &guests[rng.random_range(0..guests.len())];
                let state = [
                    ResourceState::Running,
                    ResourceState::Stopped,
                    ResourceState::Paused,
                    ResourceState::Absent,
                ][rng.random_range(0..4)];
                // Late, early, or by a clock that is off.
                let at = now.saturating_add_ms(rng.random_range(-7_200_000..240_000));
                let event = w.event(guest, state, at);
                w.record(now, &event).await.unwrap();
                model.record(guest, state, at);
                sent.push(event);
            }
            5 if !sent.is_empty() => {
                let again = &sent[rng.random_range(0..sent.len())];
                w.record(now, again).await.unwrap();
            }
            6 => {
                w.topup(now, "1.5").await;
                paid += 1_500_000;
            }
            7 => {
                w.write(async |tx| rating::post_changed(tx, now, w.tenant).await).await.unwrap();
            }
            8 => {
                w.post(now).await;
            }
            _ => w.rate(now).await,
        }
        w.assert_sound().await;
        let balance = w.balance(now).await;
        assert_eq!(balance.balance.0, paid - model.cost(now).0, "at {now}");
    }
    now = now.saturating_add_ms(600_000);
    w.post(now).await;
    let balance = w.balance(now).await;
    assert_eq!(balance.posted.0, paid - model.cost(now).0);
    assert_eq!(balance.accrued, Micros::ZERO);
    w.assert_sound().await;
}

/// The same rules in the plainest way: a list of states a guest, and one rounding at the end (all
/// within one month and one price version).
#[derive(Default)]
struct Model(HashMap<String, (i64, Vec<(Timestamp, ResourceState)>)>);

impl Model {
    fn record(&mut self, guest: &Guest, state: ResourceState, at: Timestamp) {
        let (_, states) = self.0.entry(guest.id.clone()).or_insert((guest.disk_gib, Vec::new()));
        let at = states.last().map_or(at, |(last, _)| at.max(*last));
        states.push((at, state));
    }

    fn cost(&self, now: Timestamp) -> Micros {
        let mut sum = 0;
        for (disk_gib, states) in self.0.values() {
            // Running, paused and disk round apart.
            let mut used = [Exact::default(); 3];
            let ends = states.iter().skip(1).map(|(at, _)| *at).chain([now]);
            for ((from, state), to) in states.iter().zip(ends) {
                let ms = to.min(now).since_ms(*from).max(0);
                let mut add = |slot: usize, price: &str, quantity| {
                    let cost = nanos(price).over(quantity, ms).unwrap();
                    used[slot] = used[slot].checked_add(cost).unwrap();
                };
                match state {
                    ResourceState::Running => add(0, PRICE, 1),
                    ResourceState::Paused => add(1, PRICE, 1),
                    ResourceState::Stopped | ResourceState::Absent => {}
                }
                if *state != ResourceState::Absent {
                    add(2, DISK_PRICE, *disk_gib);
                }
            }
            sum += used.iter().map(|e| e.to_micros().unwrap().0).sum::<i64>();
        }
        Micros(sum)
    }
}
