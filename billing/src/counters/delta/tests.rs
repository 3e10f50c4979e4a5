use proptest::prelude::*;

use super::*;

fn reading(at_ms: i64, epoch: &str, value: i64) -> Reading {
    Reading { at_ms, epoch: epoch.to_owned(), value }
}

fn counted(readings: &[Reading], has_epochs: bool) -> Vec<(i64, i64, i64, bool, bool)> {
    let all = deltas(Before::default(), readings, has_epochs).unwrap();
    all.iter().map(|d| (d.from_ms, d.to_ms, d.quantity, d.reset, d.dropped)).collect()
}

#[test]
fn scenario_08_an_epoch_begins_at_zero() {
    let readings = [
        reading(0, "1", 1_000),
        reading(10, "1", 1_500),
        reading(20, "2", 200),
        reading(30, "2", 700),
    ];
    assert_eq!(
        counted(&readings, true),
        [(0, 10, 500, false, false), (10, 20, 200, false, false), (20, 30, 500, false, false)]
    );
    let sum: i64 = counted(&readings, true).iter().map(|delta| delta.2).sum();
    assert_eq!(sum, 1_200);
}

#[test]
fn a_drop_within_an_epoch_counts_nothing_until_it_is_passed() {
    let readings = [
        reading(0, "1", 100),
        reading(10, "1", 150),
        reading(20, "1", 120),
        reading(30, "1", 140),
        reading(40, "1", 160),
    ];
    assert_eq!(
        counted(&readings, true),
        [
            (0, 10, 50, false, false),
            (10, 20, 0, false, true),
            (20, 30, 0, false, true),
            (30, 40, 10, false, false),
        ]
    );
    // Without epochs it began anew each time that it read less.
    assert_eq!(
        counted(&readings[..4], false),
        [(0, 10, 50, false, false), (10, 20, 120, true, false), (20, 30, 20, false, false)]
    );
}

#[test]
fn an_epoch_told_late_goes_on_where_it_was() {
    let readings = [
        reading(0, "1", 100),
        reading(10, "2", 5),
        reading(10, "1", 130),
        reading(20, "1", 135),
        reading(20, "2", 9),
    ];
    assert_eq!(counted(&readings, true), [(0, 10, 35, false, false), (10, 20, 9, false, false)]);
    // What is read at the very instant of the first reading was counted just before.
    let at_once = [reading(10, "1", 100), reading(10, "2", 5)];
    assert_eq!(counted(&at_once, true), [(9, 10, 5, false, false)]);
    assert_eq!(counted(&at_once[..1], true), []);
}

#[test]
fn a_long_time_between_readings_is_covered_in_part() {
    let delta = |to_ms| Delta { from_ms: 0, to_ms, quantity: 1, reset: false, dropped: false };
    assert_eq!(delta(READING_GAP_MAX_MS).coverage_ppm(), WHOLE_PPM);
    assert_eq!(delta(2 * READING_GAP_MAX_MS).coverage_ppm(), WHOLE_PPM / 2);
    assert_eq!(delta(i64::MAX).coverage_ppm(), 0);
}

#[test]
fn the_rest_of_a_split_is_the_later_parts() {
    let delta = Delta { from_ms: 0, to_ms: 3, quantity: 10, reset: false, dropped: false };
    let parts: Vec<_> = split(&delta, &[2, 1, 0, 3, 7, 1])
        .iter()
        .map(|d| (d.from_ms, d.to_ms, d.quantity))
        .collect();
    assert_eq!(parts, [(0, 1, 3), (1, 2, 3), (2, 3, 4)]);
    let most = Delta { quantity: i64::MAX, from_ms: i64::MIN, to_ms: i64::MAX, ..delta };
    let sum: i64 = split(&most, &[0, 5]).iter().map(|d| d.quantity).sum();
    assert_eq!(sum, i64::MAX);
}

proptest! {
    #[test]
    fn any_splitting_sums_the_same(
        quantity in 0..i64::MAX,
        from in -1_000_000i64..1_000_000,
        length in 1i64..1_000_000_000,
        cuts in prop::collection::vec(-1_000_000i64..1_002_000_000, 0..20),
    ) {
        let delta =
            Delta { from_ms: from, to_ms: from + length, quantity, reset: false, dropped: false };
        let parts = split(&delta, &cuts);
        prop_assert_eq!(parts.iter().map(|part| part.quantity).sum::<i64>(), quantity);
        prop_assert!(parts.iter().all(|part| part.quantity >= 0 && part.from_ms < part.to_ms));
        prop_assert!(parts.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms));
        // To cut a part again is to have cut there at once.
        let again: Vec<i64> = cuts.iter().map(|cut| cut + 1).collect();
        let all: Vec<i64> = cuts.iter().chain(&again).copied().collect();
        let total: i64 =
            parts.iter().flat_map(|part| split(part, &again)).map(|part| part.quantity).sum();
        prop_assert_eq!(total, split(&delta, &all).iter().map(|p| p.quantity).sum::<i64>());
    }

    #[test]
    fn however_it_is_read_the_sum_is_what_was_counted(
        steps in prop::collection::vec((0i64..1_000, 0usize..8), 1..30),
        kept in prop::collection::vec(any::<bool>(), 40),
        order in prop::collection::vec(any::<u32>(), 80),
    ) {
        // A counter that rises, and begins anew at times; its last value of an epoch is always read.
        let (mut value, mut epoch, mut at) = (500, 0, 0);
        let mut readings = vec![reading(0, "0", value)];
        let mut counted = 0;
        for (n, (step, restart)) in steps.iter().enumerate() {
            at += 10;
            if *restart == 0 {
                readings.push(reading(at - 1, &epoch.to_string(), value));
                epoch += 1;
                value = 0;
            }
            value += step;
            counted += step;
            if kept[n] || n + 1 == steps.len() {
                readings.push(reading(at, &epoch.to_string(), value));
            }
        }
        let sum = |readings: &[Reading]| -> i64 {
            let all = deltas(Before::default(), readings, true).unwrap();
            assert!(all.iter().all(|delta| !delta.dropped && delta.quantity >= 0));
            all.iter().map(|delta| delta.quantity).sum()
        };
        prop_assert_eq!(sum(&readings), counted);
        // In another order, and some of them twice.
        let mut drawn: Vec<(u32, Reading)> = Vec::new();
        for (n, reading) in readings.iter().chain(&readings[..readings.len() / 2]).enumerate() {
            drawn.push((order[n % order.len()], reading.clone()));
        }
        drawn.sort_by_key(|(place, _)| *place);
        let shuffled: Vec<Reading> = drawn.into_iter().map(|(_, reading)| reading).collect();
        prop_assert_eq!(sum(&shuffled), counted);
    }
}
