use base::money::MS_PER_HOUR;
use proptest::prelude::*;

use super::*;
use crate::prices::meters::testing;

const ZONE: Tz = chrono_tz::Asia::Shanghai;

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_790_000_000_000 + ms)
}

fn timeline(versions: &[(Timestamp, i64)]) -> Timeline {
    let prices: Vec<[(&str, i64); 1]> = versions.iter().map(|(_, n)| [("disk_gib", *n)]).collect();
    let versions: Vec<(Timestamp, &[(&str, i64)])> =
        versions.iter().zip(&prices).map(|((from, _), prices)| (*from, &prices[..])).collect();
    testing::timeline(&versions)
}

fn interval(quantity: i64, from: Timestamp, to: Option<Timestamp>) -> Interval {
    Interval { meter: "disk_gib".into(), name: "d".into(), quantity, from, to }
}

/// Rates in the given steps, as the poster does; the sum of all lines and the totals.
fn rate_in_steps(
    intervals: &[Interval],
    prices: &Timeline,
    steps: &[Timestamp],
) -> (i64, BTreeMap<Key, Micros>) {
    let mut totals: BTreeMap<Key, Micros> = BTreeMap::new();
    let mut rated = intervals[0].from;
    let mut sum = 0;
    for &until in steps {
        let first = Month::of(rated, ZONE).start(ZONE);
        let plan = plan(&pieces(intervals, prices, ZONE, first, until), rated, &totals, None);
        assert!(plan.parked.is_empty());
        for line in plan.lines {
            let total = totals.entry(line.piece.key).or_default();
            *total = total.checked_add(line.amount).unwrap();
            sum += line.amount.0;
        }
        rated = rated.max(until);
    }
    (sum, totals)
}

proptest! {
    /// Splitting time in any way gives the same sum, over months and changes of price.
    #[test]
    fn any_splitting_of_time_gives_the_same_sum(
        first in 0i64..5_000_000_000,
        second in 0i64..5_000_000_000,
        change in 1i64..4_000_000_000,
        quantities in (1i64..500, 1i64..500),
        length in 1i64..9_000_000_000,
        mut cuts in prop::collection::vec(0i64..9_000_000_000, 0..12),
    ) {
        let prices = timeline(&[
            (Timestamp::from_ms(0), first),
            (ms(change), second),
        ]);
        let middle = ms(length / 3);
        let intervals = [
            interval(quantities.0, ms(0), Some(middle)),
            interval(quantities.1, middle, None),
        ];
        let end = ms(length);
        let whole = rate_in_steps(&intervals, &prices, &[end]);
        cuts.retain(|cut| *cut < length);
        cuts.sort_unstable();
        let steps: Vec<Timestamp> = cuts.into_iter().map(ms).chain([end]).collect();
        let split = rate_in_steps(&intervals, &prices, &steps);
        prop_assert_eq!(split, whole);
    }
}

#[test]
fn what_has_no_price_makes_no_piece() {
    let prices = timeline(&[(ms(MS_PER_HOUR), 5)]);
    let intervals = [
        interval(1, ms(0), Some(ms(2 * MS_PER_HOUR))),
        Interval { meter: "other".into(), ..interval(1, ms(0), None) },
    ];
    let pieces = pieces(&intervals, &prices, ZONE, ms(0), ms(3 * MS_PER_HOUR));
    assert_eq!(pieces.len(), 1);
    assert_eq!((pieces[0].from, pieces[0].to), (ms(MS_PER_HOUR), ms(2 * MS_PER_HOUR)));
}

#[test]
fn a_line_beyond_what_fits_is_parked_and_the_others_are_planned() {
    let prices = timeline(&[(Timestamp::from_ms(0), i64::MAX)]);
    let big = interval(i64::MAX, ms(0), Some(ms(MS_PER_HOUR)));
    let pieces_big = pieces(&[big], &prices, ZONE, ms(0), ms(MS_PER_HOUR));
    let mut small = pieces_big[0].clone();
    small.key.meter = "small".into();
    (small.quantity, small.unit_price) = (1, Nanos(1_000));
    let plan = plan(&[pieces_big[0].clone(), small], ms(0), &BTreeMap::new(), None);
    assert_eq!(plan.lines.len(), 1);
    assert_eq!(plan.lines[0].amount, Micros(1));
    assert_eq!(plan.parked.len(), 1);
    assert_eq!(plan.parked[0].0.meter, "disk_gib");
}

#[test]
fn adjustments_say_what_differs_and_when() {
    let prices = timeline(&[(Timestamp::from_ms(0), 360_000_000)]);
    let hour = |n: i64| ms(n * MS_PER_HOUR);
    let posted = pieces(&[interval(10, hour(0), None)], &prices, ZONE, hour(0), hour(4));
    let totals = BTreeMap::from([(posted[0].key.clone(), Micros(14_400_000))]);
    // It shrank to 4 after an hour, was gone after three, and nobody had said so.
    let truth = [interval(10, hour(0), Some(hour(1))), interval(4, hour(1), Some(hour(3)))];
    let pieces = pieces(&truth, &prices, ZONE, hour(0), hour(5));
    let plan = plan(&pieces, hour(4), &totals, Some(&posted));
    let lines: Vec<_> = plan
        .lines
        .iter()
        .map(|l| (l.piece.from, l.piece.to, l.piece.quantity, l.amount, l.kind))
        .collect();
    let kind = LineKind::Adjustment;
    assert_eq!(
        lines,
        [
            (hour(1), hour(3), -6, Micros(-4_320_000), kind),
            (hour(3), hour(4), -10, Micros(-3_600_000), kind),
        ]
    );
}
