use super::*;

const HOUR: i64 = 3_600_000;

fn slice(from: i64, to: i64, quantity: i64) -> Slice {
    Slice {
        key: 3,
        group: 2,
        from: from * HOUR,
        to: to * HOUR,
        quantity,
        opened: 1,
        quality: Quality::Observed,
        coverage_ppm: 1_000_000,
        kind: LineKind::Usage,
    }
}

fn told(slices: &[Slice]) -> Vec<(i64, i64, i64)> {
    assert!(slices.iter().all(|s| s.kind == LineKind::Adjustment && (s.key, s.group) == (3, 2)));
    slices.iter().map(|s| (s.from / HOUR, s.to / HOUR, s.quantity)).collect()
}

#[test]
fn differences_say_what_differs_and_when() {
    let posted = [slice(0, 2, 10), slice(2, 4, 10)];
    // It shrank to 4 after an hour, was gone after three, and nobody had said so.
    let wanted = [slice(0, 1, 10), slice(1, 3, 4)];
    let found = differences(&wanted, &posted, &[], &[]).unwrap();
    assert_eq!(told(&found), [(1, 3, -6), (3, 4, -10)]);
    assert_eq!(told(&differences(&wanted, &posted, &[], &[2 * HOUR, 9 * HOUR]).unwrap()).len(), 3);
    assert!(differences(&posted, &posted, &[], &[]).unwrap().is_empty());
    assert!(differences(&[slice(0, 4, 10)], &posted, &[], &[]).unwrap().is_empty());
    // What has no price any more is taken back, what has one now is given.
    assert_eq!(told(&differences(&[], &posted, &[], &[]).unwrap()), [(0, 4, -10)]);
    assert_eq!(told(&differences(&wanted, &[], &[], &[]).unwrap()), [(0, 1, 10), (1, 3, 4)]);
    // An adjustment that was posted counts as posted.
    let corrected = [posted[0], posted[1], slice(1, 3, -6), slice(3, 4, -10)];
    assert!(differences(&wanted, &corrected, &[], &[]).unwrap().is_empty());
}

type Known = (i64, i64, i64, Quality, i64);

fn is(quality: Quality, slice: Slice) -> Slice {
    Slice { quality, coverage_ppm: quality.coverage_ppm(), ..slice }
}

/// What is to be posted, in hours; it is posted.
fn post(posted: &mut Vec<Slice>, wanted: &[Slice], gaps: &[(i64, i64)]) -> Vec<Known> {
    let gaps: Vec<_> = gaps.iter().map(|(from, to)| (from * HOUR, to * HOUR)).collect();
    let found = differences(wanted, posted, &gaps, &[]).unwrap();
    posted.extend(&found);
    assert_eq!(differences(wanted, posted, &gaps, &[]), Ok(vec![]), "a second look finds nothing");
    let known =
        |s: &Slice| (s.from / HOUR, s.to / HOUR, s.quantity, s.quality, s.coverage_ppm / 10_000);
    found.iter().map(known).collect()
}

use Quality::{Corrected, Estimated, Observed};

#[test]
fn a_gap_that_is_told_late_makes_an_estimate_of_what_was_observed() {
    let gap = [(1, 3)];
    let mut posted = vec![slice(0, 2, 10), slice(2, 4, 10)];
    let same = [slice(0, 1, 10), is(Estimated, slice(1, 3, 10)), slice(3, 4, 10)];
    let pair = [(1, 3, -10, Observed, 100), (1, 3, 10, Estimated, 0)];
    assert_eq!(post(&mut posted, &same, &gap), pair);
    // Somebody says that it was so, and then that it was less.
    let answered = [slice(0, 1, 10), is(Corrected, slice(1, 3, 10)), slice(3, 4, 10)];
    let back = [(1, 3, -10, Estimated, 0), (1, 3, 10, Corrected, 100)];
    assert_eq!(post(&mut posted, &answered, &[]), back);
    let less = [slice(0, 1, 10), is(Corrected, slice(1, 3, 4)), slice(3, 4, 10)];
    assert_eq!(post(&mut posted, &less, &[]), [(1, 3, -6, Corrected, 100)]);
    // Less of it while it is an estimate, too.
    let mut posted = vec![slice(0, 4, 10)];
    let less = [slice(0, 1, 10), is(Estimated, slice(1, 3, 4)), slice(3, 4, 10)];
    let pair = [(1, 3, -10, Observed, 100), (1, 3, 4, Estimated, 0)];
    assert_eq!(post(&mut posted, &less, &gap), pair);
    let still = [slice(0, 1, 10), is(Estimated, slice(1, 3, 3)), slice(3, 4, 10)];
    assert_eq!(post(&mut posted, &still, &gap), [(1, 3, -1, Estimated, 0)]);
}

#[test]
fn what_is_free_in_a_gap_is_taken_back_as_an_estimate() {
    let mut posted = vec![slice(0, 4, 10)];
    let free = [slice(0, 1, 10), slice(3, 4, 10)];
    assert_eq!(post(&mut posted, &free, &[(1, 3)]), [(1, 3, -10, Estimated, 0)]);
    // It was there after all; then it was not, and nobody guesses.
    let answered = [slice(0, 1, 10), is(Corrected, slice(1, 3, 10)), slice(3, 4, 10)];
    assert_eq!(post(&mut posted, &answered, &[]), [(1, 3, 10, Corrected, 100)]);
    assert_eq!(post(&mut posted, &free, &[]), [(1, 3, -10, Corrected, 100)]);
    // By another price it is not free.
    let mut posted = vec![slice(0, 4, 10)];
    post(&mut posted, &free, &[(1, 3)]);
    let same = [slice(0, 1, 10), is(Estimated, slice(1, 3, 10)), slice(3, 4, 10)];
    let given = [(1, 3, -10, Observed, 100), (1, 3, 20, Estimated, 0)];
    assert_eq!(post(&mut posted, &same, &[(1, 3)]), given);
}

/// Adjustments were corrections once, whatever they adjusted.
#[test]
fn what_an_older_version_posted_is_brought_to_what_is_known() {
    let gap = [(0, 4)];
    let mut posted = vec![is(Estimated, slice(0, 4, 10)), is(Corrected, slice(0, 4, -10))];
    assert_eq!(post(&mut posted, &[], &gap), []);
    let mut posted = vec![slice(0, 4, 10), is(Corrected, slice(0, 4, -4))];
    let pair = [(0, 4, -6, Observed, 100), (0, 4, 6, Estimated, 0)];
    assert_eq!(post(&mut posted, &[is(Estimated, slice(0, 4, 6))], &gap), pair);
}
