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
    let found = differences(&wanted, &posted, &[]).unwrap();
    assert_eq!(told(&found), [(1, 3, -6), (3, 4, -10)]);
    assert_eq!(told(&differences(&wanted, &posted, &[2 * HOUR, 9 * HOUR]).unwrap()).len(), 3);
    assert!(differences(&posted, &posted, &[]).unwrap().is_empty());
    assert!(differences(&[slice(0, 4, 10)], &posted, &[]).unwrap().is_empty());
    // What has no price any more is taken back, what has one now is given.
    assert_eq!(told(&differences(&[], &posted, &[]).unwrap()), [(0, 4, -10)]);
    assert_eq!(told(&differences(&wanted, &[], &[]).unwrap()), [(0, 1, 10), (1, 3, 4)]);
    // An adjustment that was posted counts as posted.
    let corrected = [posted[0], posted[1], slice(1, 3, -6), slice(3, 4, -10)];
    assert!(differences(&wanted, &corrected, &[]).unwrap().is_empty());
}
