use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::counters::delta::deltas;

const NOW_MS: i64 = 1_000_000_000;
/// As far as no reading is taken as it is dated.
const AHEAD_MS: i64 = 2 * FUTURE_MAX_MS;

fn reading(at_ms: i64, epoch: &str, value: i64) -> Reading {
    Reading { at_ms, epoch: epoch.to_owned(), value }
}

fn instants(readings: &[Reading]) -> Vec<i64> {
    readings.iter().map(|reading| reading.at_ms - NOW_MS).collect()
}

#[test]
fn those_that_are_ahead_come_as_of_now_and_in_their_order() {
    let now = Timestamp::from_ms(NOW_MS);
    let ahead = |ms, value| reading(NOW_MS + AHEAD_MS + ms, "1", value);
    let place = |before: &Before, all: &[Reading]| instants(&placed(now, before, all.to_vec()));
    let none = Before::default();
    assert_eq!(place(&none, &[ahead(0, 0), ahead(10, 5), ahead(20, 9)]), [-2, -1, 0]);
    let good = reading(NOW_MS + FUTURE_MAX_MS, "1", 7);
    assert_eq!(place(&none, std::slice::from_ref(&good)), [FUTURE_MAX_MS]);
    // The clock was set back before the last one.
    let back = reading(NOW_MS - 500, "1", 9);
    assert_eq!(place(&none, &[ahead(0, 0), ahead(10, 5), back]), [-502, -501, -500]);
    // Behind what is known, and without what is less than that.
    let known = |at_ms, value| Before {
        at_ms: Some(at_ms),
        high: [("1".to_owned(), value)].into_iter().collect(),
    };
    let told = [ahead(0, 0), ahead(10, 5), ahead(20, 9)];
    assert_eq!(place(&known(good.at_ms, 5), &told), [FUTURE_MAX_MS + 1, FUTURE_MAX_MS + 2]);
    assert_eq!(place(&known(NOW_MS - 9, 0), &told), [-2, -1, 0]);
    assert_eq!(place(&known(NOW_MS - 9, 9), &told), [0]);
    assert!(place(&known(NOW_MS - 9, 10), &told).is_empty());
}

/// A clock that is right or an hour ahead and more, and reports that are told twice: what each epoch
/// came to is counted once.
#[test]
fn whatever_a_clock_says_each_byte_is_counted_once() {
    const SEEDS: u64 = 500;
    // No reading waits until it is not ahead any more.
    const AN_HOUR_MS: i64 = 3_600_000;
    for seed in 0..SEEDS {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut now_ms, mut off_ms) = (NOW_MS, AN_HOUR_MS);
        let (mut kept, mut waiting) = (Vec::<Reading>::new(), Vec::<Reading>::new());
        let (mut epoch, mut value, mut ended) = (1, 0, 0);
        for step in 0..40 {
            now_ms += rng.random_range(1_000..60_000);
            match rng.random_range(0..12) {
                0 => off_ms = AN_HOUR_MS + rng.random_range(0..AN_HOUR_MS),
                1 => off_ms = 0,
                2 => (epoch, ended, value) = (epoch + 1, ended + value, 0),
                _ => {}
            }
            value += if step == 0 { 0 } else { rng.random_range(0..1_000) };
            waiting.push(reading(now_ms + off_ms, &epoch.to_string(), value));
            if rng.random_range(0..3) == 0 {
                continue;
            }
            take(&mut kept, Timestamp::from_ms(now_ms), &waiting);
            // Otherwise the acknowledgement is lost.
            if rng.random_range(0..4) > 0 {
                waiting.clear();
            }
        }
        take(&mut kept, Timestamp::from_ms(now_ms + 1), &waiting);
        let counted: i64 =
            deltas(Before::default(), &kept, true).unwrap().iter().map(|d| d.quantity).sum();
        assert_eq!(counted, ended + value, "seed {seed}: {kept:?}");
    }
}

/// As rows are kept: one of an instant and epoch.
fn take(kept: &mut Vec<Reading>, now: Timestamp, told: &[Reading]) {
    let mut before = Before { at_ms: kept.iter().map(|r| r.at_ms).max(), ..Before::default() };
    for reading in kept.iter() {
        let high = before.high.entry(reading.epoch.clone()).or_default();
        *high = reading.value.max(*high);
    }
    for reading in placed(now, &before, told.to_vec()) {
        if !kept.iter().any(|k| (k.at_ms, &k.epoch) == (reading.at_ms, &reading.epoch)) {
            kept.push(reading);
        }
    }
}
