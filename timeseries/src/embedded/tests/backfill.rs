//! History beside what is appended: the same map of first words, whatever came which way.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    model::{Model, check, delete},
    *,
};
use crate::store::Backfilled;

/// Nothing is too old for it.
const WIDE: Duration = Duration::from_secs(100 * 24 * 3600);

/// Name, instant, value.
type Given = (u8, i64, i64);

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Given>),
    Backfill(Vec<Given>),
    Flush,
    Maintain,
    Reopen,
    /// What `kill -9` leaves: the files as they are, and nobody to close them.
    Kill,
    Delete(u8, i64, i64),
}

/// With deletions or, where the window counts, without: whether a series' newest sample counts
/// after it was deleted depends on whether its block was rewritten since.
fn step(deletions: bool) -> impl Strategy<Value = Step> {
    // Close ones hit the same instants, in the window and behind it; the others several days.
    let near = (0u8..3, -40i64..10, 0i64..3).prop_map(|(name, at, value)| (name, at * 60, value));
    let far = (0u8..3, -3 * DAY_MS / 1000..600, 0i64..3);
    let given = || prop::collection::vec(prop_oneof![3 => near.clone(), 1 => far.clone()], 1..20);
    prop_oneof![
        4 => given().prop_map(Step::Append),
        4 => given().prop_map(Step::Backfill),
        2 => Just(Step::Flush),
        1 => Just(Step::Maintain),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        u32::from(deletions) => (0u8..3, -2400i64..600, 0i64..1200)
            .prop_map(|(name, from, length)| Step::Delete(name, from, from + length)),
    ]
}

fn options(out_of_order_window: Duration) -> Options {
    Options { merge_fan_in: 2, out_of_order_window, ..Options::default() }
}

fn batch(given: &[Given]) -> Vec<Series> {
    let one =
        |(name, at, value): &Given| series(&format!("s{name}"), &[(at * 1000, *value as f64)]);
    given.iter().map(one).collect()
}

/// What the store must answer to samples that it judges one by one.
fn take(
    model: &mut Model,
    given: &[Given],
    mut too_old: impl FnMut(&str, i64) -> bool,
) -> Appended {
    let mut expected = Appended::default();
    for (name, at, value) in given {
        let (name, at, value) = (format!("s{name}"), at * 1000, *value as f64);
        let outside = too_old(&name, at);
        let held = model.entry(name).or_default();
        match held.get(&at) {
            _ if outside => expected.too_old += 1,
            None => {
                expected.written += 1;
                held.insert(at, value);
            }
            Some(there) if *there == value => expected.duplicates += 1,
            Some(_) => expected.conflicts += 1,
        }
    }
    expected
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

async fn play(steps: Vec<Step>, window: Duration) {
    let scratch = tempfile::tempdir().unwrap();
    let mut dir = scratch.path().join("0");
    let mut store = open(&dir, options(window)).await;
    let mut model = Model::new();
    // The newest instant that each series ever had.
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Append(given) => {
                let expected = {
                    let newest = &mut newest;
                    take(&mut model, &given, |name, at| {
                        let its = newest.entry(name.to_owned()).or_insert(at);
                        let outside = at < *its - options::millis(window);
                        *its = at.max(*its);
                        outside
                    })
                };
                let appended = store.append(batch(&given)).await.unwrap();
                assert_eq!(Appended { first_error: None, ..appended }, expected);
            }
            Step::Backfill(given) => {
                let expected = take(&mut model, &given, |_, _| false);
                for (name, at, _) in &given {
                    let its = newest.entry(format!("s{name}")).or_insert(at * 1000);
                    *its = (at * 1000).max(*its);
                }
                let Backfilled { appended, .. } = store.backfill(batch(&given)).await.unwrap();
                assert_eq!(Appended { first_error: None, ..appended }, expected);
            }
            Step::Flush => store.flush().await.unwrap(),
            Step::Maintain => store.maintain().await.unwrap(),
            Step::Reopen => {
                store.close().await.unwrap();
                store = open(&dir, options(window)).await;
            }
            Step::Kill => {
                // Holds files still while they are copied; what is acknowledged is in them.
                let merging = store.inner.merging.lock().unwrap();
                let manifest = store.inner.manifest.lock().unwrap();
                let next = scratch.path().join(format!("{}", number + 1));
                copy_dir(&dir, &next);
                drop((manifest, merging));
                store = open(&next, options(window)).await;
                dir = next;
            }
            Step::Delete(name, from, to) => {
                delete(&store, &mut model, &format!("s{name}"), from * 1000, to * 1000).await;
            }
        }
        check(&store, &model).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn history_and_appends_are_one_map_of_first_words(
        steps in prop::collection::vec(step(true), 1..25),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(play(steps, WIDE));
    }

    #[test]
    fn history_counts_in_the_window_of_its_series(
        steps in prop::collection::vec(step(false), 1..25),
    ) {
        let window = Options::default().out_of_order_window;
        tokio::runtime::Runtime::new().unwrap().block_on(play(steps, window));
    }
}

#[tokio::test]
async fn history_is_seen_at_once_and_needs_no_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    store.append(vec![series("a", &[(0, 9.0)])]).await.unwrap();
    let old = [(-40 * DAY_MS, 1.0), (-2 * DAY_MS, 2.0), (-2 * DAY_MS + 1, 3.0)];
    let refused = store.append(vec![series("a", &old)]).await.unwrap();
    assert_eq!(refused.too_old, 3);
    let done = store.backfill(vec![series("a", &old)]).await.unwrap();
    assert_eq!((done.appended.written, done.first_rejected), (3, None));
    let all = vec![(-40 * DAY_MS, 1.0), (-2 * DAY_MS, 2.0), (-2 * DAY_MS + 1, 3.0), (0, 9.0)];
    assert_eq!(content(&store).await, [("a".to_owned(), all)]);
    let stats = store.stats();
    assert_eq!((stats.unflushed_samples, stats.blocks, stats.appended_samples), (1, 2, 4));
}

#[tokio::test]
async fn what_history_may_not_be_is_counted_and_the_first_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        tenant_retention: vec![("t1".to_owned(), Duration::from_secs(10 * 24 * 3600))],
        ..Options::default()
    };
    let store = open(dir.path(), options).await;
    let early = 3_600_000;
    let of_tenant = |tenant: &str| {
        let one = series("b", &[(-20 * DAY_MS, 1.0)]);
        Series { labels: one.labels.with(crate::TENANT, tenant), ..one }
    };
    let batch = vec![
        series("a", &[(-1, 1.0), (-401 * DAY_MS, 1.0), (early, 1.0)]),
        Series { labels: Labels::metric("a", &[("", "d")]), ..series("a", &[(-1, 1.0)]) },
        of_tenant("t1"),
        of_tenant("t2"),
        // The first of two at one instant stays, in one batch as well.
        series("a", &[(-1, 1.0), (-1, 2.0)]),
    ];
    let done = store.backfill(batch).await.unwrap();
    let error = done.appended.first_error.clone().unwrap();
    assert!(error.starts_with("a at ") && error.ends_with("is beyond the retention"), "{error}");
    let expected = Appended {
        written: 2,
        duplicates: 1,
        conflicts: 1,
        too_old: 2,
        too_new: 1,
        invalid: 1,
        first_error: Some(error),
        ..Appended::default()
    };
    assert_eq!((done.appended, done.first_rejected), (expected, Some((0, 1))));
    // Against blocks and against the head.
    store.append(vec![series("c", &[(0, 1.0)])]).await.unwrap();
    let again = [series("a", &[(-2, 5.0), (-1, 2.0)]), series("c", &[(0, 2.0)])];
    let done = store.backfill(again.to_vec()).await.unwrap();
    assert_eq!((done.appended.written, done.appended.conflicts), (1, 2));
    assert_eq!(done.first_rejected, Some((0, 1)));
    assert!(done.appended.first_error.unwrap().ends_with("has another value"));
    let large = vec![(0, 1.0); BACKFILL_MAX_SAMPLES + 1];
    let error = store.backfill(vec![series("a", &large)]).await.unwrap_err();
    assert!(matches!(error, Error::BadData(_)), "{error}");
}

#[tokio::test]
async fn a_series_of_the_head_knows_what_history_brought() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    store.append(vec![series("a", &[(-10_000, 1.0)])]).await.unwrap();
    // Newer than what the head knows, and older.
    let history = [(-20_000, 2.0), (-5_000, 3.0)];
    assert_eq!(store.backfill(vec![series("a", &history)]).await.unwrap().appended.written, 2);
    let offered = [(-20_000, 9.0), (-20_000, 2.0), (-5_000, 9.0), (-5_000, 3.0), (-7_000, 4.0)];
    let appended = store.append(vec![series("a", &offered)]).await.unwrap();
    assert_eq!((appended.written, appended.duplicates, appended.conflicts), (1, 2, 2));
    let expected = vec![(-20_000, 2.0), (-10_000, 1.0), (-7_000, 4.0), (-5_000, 3.0)];
    assert_eq!(content(&store).await, [("a".to_owned(), expected.clone())]);
    // After a restart the log alone doesn't know; the blocks are asked.
    store.close().await.unwrap();
    let store = open(dir.path(), Options::default()).await;
    assert_eq!(
        store.backfill(vec![series("a", &[(-6_000, 5.0)])]).await.unwrap().appended.written,
        1
    );
    let offered = [(-5_000, 9.0), (-6_000, 9.0), (-10_000, 9.0)];
    let appended = store.append(vec![series("a", &offered)]).await.unwrap();
    assert_eq!((appended.written, appended.conflicts), (0, 3));
}

#[tokio::test]
async fn many_small_batches_do_not_make_many_blocks() {
    let dir = tempfile::tempdir().unwrap();
    // No merge but those that a batch waits for.
    let store = open(dir.path(), Options { merge_fan_in: 1000, ..Options::default() }).await;
    let mut expected = Vec::new();
    for i in 0..100i64 {
        // Out of order, over three days that are over.
        let at = |day: i64| -(3 + day) * DAY_MS + (i * 37 % 100) * 1000;
        let samples = [(at(0), i as f64), (at(1), i as f64), (at(2), i as f64)];
        expected.extend(samples);
        assert_eq!(store.backfill(vec![series("a", &samples)]).await.unwrap().appended.written, 3);
        assert!(store.stats().blocks <= 3 * BACKFILL_DAY_MAX_BLOCKS);
    }
    expected.sort_by_key(|(at, _)| *at);
    assert_eq!(content(&store).await, [("a".to_owned(), expected.clone())]);
    assert!(store.stats().merges > 0);
    store.maintain().await.unwrap();
    assert_eq!(store.stats().blocks, 3);
    assert_eq!(content(&store).await, [("a".to_owned(), expected)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_append_and_history_at_one_instant_one_is_acknowledged_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        Arc::new(open(dir.path(), Options { flush_samples: 50, ..Options::default() }).await);
    const COUNT: i64 = 400;
    let history = {
        let store = store.clone();
        tokio::spawn(async move {
            let mut written = 0;
            for first in (0..COUNT).step_by(20) {
                let samples: Vec<_> = (first..first + 20).map(|at| (at - COUNT, 2.0)).collect();
                let batch = vec![series("a", &samples), series("b", &samples)];
                written += store.backfill(batch).await.unwrap().appended.written;
            }
            written
        })
    };
    let mut mine = Vec::new();
    for at in 0..COUNT {
        for name in ["a", "b"] {
            let appended = loop {
                match store.append(vec![series(name, &[(at - COUNT, 1.0)])]).await {
                    Err(Error::Busy(_)) => tokio::task::yield_now().await,
                    other => break other.unwrap(),
                }
            };
            assert_eq!(appended.written + appended.conflicts, 1, "{appended:?}");
            if appended.written == 1 {
                mine.push((name, at - COUNT));
            }
        }
    }
    let theirs = history.await.unwrap();
    assert_eq!(mine.len() + theirs, 2 * COUNT as usize);
    let check = |content: Vec<(String, Vec<(i64, f64)>)>| {
        for (name, samples) in &content {
            assert_eq!(samples.len(), COUNT as usize);
            for (at, value) in samples {
                let is_mine = mine.contains(&(name.as_str(), *at));
                assert_eq!(*value, if is_mine { 1.0 } else { 2.0 }, "{name} {at}");
            }
        }
    };
    check(content(&store).await);
    store.flush().await.unwrap();
    store.maintain().await.unwrap();
    check(content(&store).await);
}

/// An agent that was away sends what it kept, in order: however old that is, nothing is lost,
/// whatever others sent since, and whether the head still knows the series.
#[tokio::test]
async fn a_backlog_of_any_age_that_is_in_order_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let small = || Options { flush_samples: 500, ..Options::default() };
    let mut store = open(dir.path(), small()).await;
    let mut expected = Vec::new();
    // 390 days, a sample each three hours, in batches of ten days.
    const STEP_MS: i64 = 3 * 3_600_000;
    let begin = -390 * DAY_MS;
    for batch in 0..39i64 {
        let samples: Vec<_> =
            (batch * 80..(batch + 1) * 80).map(|i| (begin + i * STEP_MS, i as f64)).collect();
        let other = series("b", &[(batch * 1000, 1.0)]);
        let appended = loop {
            match store.append(vec![series("a", &samples), other.clone()]).await {
                Err(Error::Busy(_)) => tokio::task::yield_now().await,
                other => break other.unwrap(),
            }
        };
        assert_eq!((appended.written, appended.rejected()), (81, 0), "{appended:?}");
        expected.extend(samples);
        if batch % 7 == 6 {
            store.flush().await.unwrap();
        }
        if batch % 13 == 12 {
            store.close().await.unwrap();
            store = open(dir.path(), small()).await;
        }
    }
    assert_eq!(content(&store).await[0], ("a".to_owned(), expected));
}

#[tokio::test]
async fn history_that_fails_to_be_written_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let blocks = dir.path().join(BLOCK_DIR);
    let next = store.inner.manifest.lock().unwrap().next_block;
    // The second day's block finds its name taken.
    let taken = block_path(&blocks, next + 1);
    std::fs::create_dir(&taken).unwrap();
    let batch = vec![series("a", &[(-3 * DAY_MS, 1.0), (-2 * DAY_MS, 2.0)])];
    let error = store.backfill(batch.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(content(&store).await, []);
    let names: Vec<_> = std::fs::read_dir(&blocks).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(names, std::slice::from_ref(&taken));
    std::fs::remove_dir(&taken).unwrap();
    assert_eq!(store.backfill(batch).await.unwrap().appended.written, 2);
    assert_eq!(content(&store).await[0].1, [(-3 * DAY_MS, 1.0), (-2 * DAY_MS, 2.0)]);
}
