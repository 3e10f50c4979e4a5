//! Facts in random batches, with and without ordinals, some of which contradict or lie ahead: what
//! was written piece by piece is what follows from all of it.

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    testing::{World, at},
    usage::{Fact, ResourceState},
};

const SEEDS: u64 = 6;
const BATCHES: usize = 25;
const STATES: [&str; 6] = ["running", "paused", "stopped", "absent", "running", "stopped"];

#[tokio::test]
async fn the_short_way_comes_to_the_same_as_the_long_one() {
    for seed in 0..SEEDS {
        for w in World::each().await {
            let mut rng = StdRng::seed_from_u64(seed);
            let guests = ["a", "b", "c", "d"].map(|name| w.guest(name));
            let mut sent: Vec<Fact> = Vec::new();
            let mut now = at("08:00");
            for _ in 0..BATCHES {
                now = now.saturating_add_ms(rng.random_range(0..600_000));
                let mut facts = Vec::new();
                for _ in 0..rng.random_range(1..8) {
                    if !sent.is_empty() && rng.random_range(0..5) == 0 {
                        facts.push(sent[rng.random_range(0..sent.len())].clone());
                        continue;
                    }
                    let n = rng.random_range(0..guests.len());
                    let when = now.saturating_add_ms(rng.random_range(-1_200_000..400_000));
                    let mut fact = w.event(&guests[n], ResourceState::Running, when);
                    fact.state = STATES[rng.random_range(0..STATES.len())].to_owned();
                    // The first two have ordinals, the third sometimes, the last none.
                    if n < 2 || (n == 2 && rng.random_range(0..2) == 0) {
                        fact.ordinal = rng.random_range(1..10_000);
                    }
                    if rng.random_range(0..60) == 0 {
                        fact.state = "flying".to_owned();
                    }
                    if rng.random_range(0..60) == 0 {
                        fact.state = "deleted".to_owned();
                    }
                    sent.push(fact.clone());
                    facts.push(fact);
                }
                for taken in w.record_all(now, &facts).await {
                    taken.unwrap();
                }
                w.assert_rebuilt().await;
            }
        }
    }
}
