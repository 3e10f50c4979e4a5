use base::sample::Labels;
use proptest::prelude::*;

use super::*;
use crate::embedded::key;

fn samples(list: &[(i64, f64)]) -> Vec<Sample> {
    list.iter().map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }).collect()
}

#[test]
fn merging_keeps_order_and_what_came_first() {
    let merged = merge(
        samples(&[(1, 1.0), (3, 3.0), (5, 5.0)]),
        &samples(&[(0, 9.0), (3, 9.0), (4, 4.0), (6, 6.0)]),
    );
    assert_eq!(merged, samples(&[(0, 9.0), (1, 1.0), (3, 3.0), (4, 4.0), (5, 5.0), (6, 6.0)]));
}

/// Judges, and writes what is to be written.
fn offer(head: &Head, name: &str, at_ms: i64, value: f64) -> Verdict {
    let key = key::of(&Labels::metric(name, &[]));
    let hash = head.hash(&key);
    let mut shard = head.write(Head::shard_of(hash));
    let at = match shard.find_key(hash, &key) {
        Some(at) => at,
        None => head.create(&mut shard, hash, &key, |_| usize::MAX).unwrap(),
    };
    let sample = Sample { at_ms, value };
    let verdict = shard.judge(at, sample, 100);
    if matches!(verdict, Verdict::Write | Verdict::Late) {
        shard.insert(at, sample);
        head.count(1, at_ms);
    }
    verdict
}

/// The series that a flush would write, with their samples.
fn frozen(head: &Head, frozen: &Frozen) -> Vec<(Labels, Vec<Sample>)> {
    let mut all = Vec::new();
    frozen
        .each(head, &frozen.order(head), |key, part, series| {
            all.push((key::labels(key), part.samples(series, i64::MIN, i64::MAX)));
            Ok(())
        })
        .unwrap();
    all
}

fn freeze(head: &Head, segment: u64) -> Arc<Frozen> {
    head.freeze(|| Ok((segment, 0))).unwrap()
}

fn content(head: &Head, name: &str) -> Vec<Sample> {
    let found = head.select(&[Matcher::equal("__name__", name)], i64::MIN, i64::MAX);
    found.unwrap().into_iter().next().map(|(_, samples)| samples).unwrap_or_default()
}

#[test]
fn the_window_is_each_series_own_and_the_newest_outlives_a_flush() {
    let head = Head::new();
    assert_eq!(offer(&head, "fast", 1_000, 1.0), Verdict::Write);
    assert_eq!(offer(&head, "slow", 10, 1.0), Verdict::Write);
    assert_eq!(offer(&head, "fast", 900, 1.0), Verdict::Late);
    assert_eq!(offer(&head, "fast", 900, 1.0), Verdict::Duplicate);
    assert_eq!(offer(&head, "fast", 899, 1.0), Verdict::TooOld);
    assert_eq!(frozen(&head, &freeze(&head, 2)).len(), 2);
    assert_eq!(offer(&head, "fast", 900, 2.0), Verdict::Conflict);
    assert_eq!(offer(&head, "fast", 950, 3.0), Verdict::Late);
    assert_eq!(content(&head, "fast"), samples(&[(900, 1.0), (950, 3.0), (1_000, 1.0)]));
    head.flushed(10_000);
    assert_eq!((head.unflushed(), head.segment()), (1, 2));
    // A block is asked.
    assert_eq!(offer(&head, "fast", 900, 1.0), Verdict::Late);
    assert_eq!(offer(&head, "fast", 1_000, 2.0), Verdict::Conflict);
    assert_eq!(offer(&head, "slow", 20, 1.0), Verdict::Write);
    freeze(&head, 3);
    head.flushed(500);
    assert_eq!(head.series_count(), 1);
    assert_eq!(offer(&head, "slow", 1, 1.0), Verdict::Write);
}

#[test]
fn what_a_failed_flush_froze_is_left_as_it_was_and_what_came_since_beside_it() {
    let head = Head::new();
    offer(&head, "a", 1, 1.0);
    freeze(&head, 2);
    offer(&head, "a", 2, 2.0);
    let left = head.left_frozen().unwrap();
    assert_eq!((left.segment, head.segment()), (2, 2));
    assert_eq!(frozen(&head, &left)[0].1, samples(&[(1, 1.0)]));
    assert_eq!(content(&head, "a").len(), 2);
    head.flushed(1);
    assert_eq!((head.unflushed(), content(&head, "a").len()), (1, 1));
    assert!(head.left_frozen().is_none());
    assert_eq!(frozen(&head, &freeze(&head, 3))[0].1, samples(&[(2, 2.0)]));
    head.flushed(1);
    assert_eq!((head.unflushed(), content(&head, "a").len()), (0, 0));
}

#[test]
fn a_log_that_does_not_rotate_freezes_nothing() {
    let head = Head::new();
    offer(&head, "a", 1, 1.0);
    head.start_segment(1);
    assert!(head.freeze(|| Err(crate::error::Error::Closed)).is_err());
    assert!(head.left_frozen().is_none());
    assert_eq!((head.segment(), frozen(&head, &freeze(&head, 2)).len()), (1, 1));
}

/// More series than shards, so that all orders are put together from several.
#[test]
fn a_flush_reads_by_rising_key_and_the_idle_are_forgotten() {
    let head = Head::new();
    let names: Vec<String> = (0..200).map(|n| format!("m{}", n * 7919 % 200)).collect();
    names.iter().for_each(|name| {
        offer(&head, name, 1000, 1.0);
    });
    let all = frozen(&head, &freeze(&head, 2));
    let keys: Vec<_> = all.iter().map(|(labels, _)| key::of(labels)).collect();
    assert!(keys.is_sorted() && keys.len() == 200);
    // While that is written, a half of them go on; one of these is behind its newest.
    names.iter().step_by(2).for_each(|name| {
        offer(&head, name, 2000, 2.0);
    });
    assert_eq!(offer(&head, &names[0], 1950, 3.0), Verdict::Late);
    head.flushed(500);
    assert_eq!((head.series_count(), head.unflushed()), (100, 101));
    assert_eq!(content(&head, &names[0]), samples(&[(1950, 3.0), (2000, 2.0)]));
    for name in names.iter().skip(2).step_by(2) {
        assert_eq!(content(&head, name), samples(&[(2000, 2.0)]), "{name}");
        assert_eq!(offer(&head, name, 2000, 9.0), Verdict::Conflict);
        assert_eq!(offer(&head, name, 2001, 9.0), Verdict::Write);
    }
    assert_eq!(offer(&head, &names[1], 1, 1.0), Verdict::Write);
    assert_eq!(head.series_count(), 101);
}

proptest! {
    #[test]
    fn the_head_is_a_map_by_instant(
        offers in prop::collection::vec((0i64..150, 0i64..3, any::<bool>()), 1..200)
    ) {
        let head = Head::new();
        let mut expected = std::collections::BTreeMap::new();
        for (at_ms, value, freeze_it) in offers {
            let verdict = offer(&head, "a", at_ms, value as f64);
            let newest = expected.keys().next_back().copied().unwrap_or(i64::MIN);
            let wanted = match expected.get(&at_ms) {
                Some(there) if *there == value => Verdict::Duplicate,
                Some(_) => Verdict::Conflict,
                None if at_ms > newest => Verdict::Write,
                None => Verdict::Late,
            };
            if at_ms >= newest.saturating_sub(100) {
                prop_assert_eq!(verdict, wanted);
                expected.entry(at_ms).or_insert(value);
            } else {
                prop_assert_eq!(verdict, Verdict::TooOld);
            }
            if freeze_it && at_ms % 7 == 0 && head.left_frozen().is_none() {
                freeze(&head, 2);
            }
        }
        let all: Vec<_> = expected.into_iter().map(|(at, value)| (at, value as f64)).collect();
        prop_assert_eq!(content(&head, "a"), samples(&all));
    }
}
