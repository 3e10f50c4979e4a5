use std::time::Duration;

use base::{
    sample::Sample,
    time::{ManualClock, Timestamp},
};

use super::{options::DAY_MS, *};
use crate::Matcher;

mod backfill;
mod few;
mod limits;
pub mod matching;
mod model;
mod remote;
mod safety;

const NOW_MS: i64 = 20_000 * DAY_MS + DAY_MS / 2;

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_ms(NOW_MS))
}

fn series(name: &str, samples: &[(i64, f64)]) -> Series {
    let samples =
        samples.iter().map(|(at_ms, value)| Sample { at_ms: NOW_MS + at_ms, value: *value });
    Series { labels: Labels::metric(name, &[]), samples: samples.collect() }
}

async fn open(dir: &Path, options: Options) -> Embedded {
    Embedded::open(dir, options, clock().shared()).await.unwrap()
}

fn all() -> Select {
    Select {
        matchers: vec![Matcher::regex("__name__", ".+").unwrap()],
        start_ms: i64::MIN,
        end_ms: i64::MAX,
        max_samples: usize::MAX,
        max_bytes: usize::MAX,
        newest_only: false,
    }
}

/// Instants relative to now, and values, by name.
async fn content(store: &Embedded) -> Vec<(String, Vec<(i64, f64)>)> {
    let selected = store.select(all()).await.unwrap().into_iter().map(|one| {
        let samples = one.samples.iter().map(|s| (s.at_ms - NOW_MS, s.value));
        (one.labels.name().to_owned(), samples.collect())
    });
    selected.collect()
}

#[tokio::test]
async fn samples_survive_close_flush_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    store.append(vec![series("a", &[(1, 1.0), (2, 2.0)]), series("b", &[(1, 5.0)])]).await.unwrap();
    store.flush().await.unwrap();
    store.append(vec![series("a", &[(3, 3.0)])]).await.unwrap();
    let expected = vec![
        ("a".to_owned(), vec![(1, 1.0), (2, 2.0), (3, 3.0)]),
        ("b".to_owned(), vec![(1, 5.0)]),
    ];
    assert_eq!(content(&store).await, expected);
    store.close().await.unwrap();
    assert!(matches!(store.select(all()).await, Err(Error::Closed)));
    assert!(matches!(store.append(vec![]).await, Err(Error::Closed)));
    let store = open(dir.path(), Options::default()).await;
    assert_eq!(content(&store).await, expected);
    assert_eq!(store.stats().blocks, 1);
    assert_eq!(store.stats().unflushed_samples, 1);
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_closes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let second = Embedded::open(dir.path(), Options::default(), clock().shared()).await;
    let error = second.unwrap_err();
    assert!(matches!(error, Error::Locked { .. }));
    assert!(error.to_string().contains("stop it"), "{error}");
    store.close().await.unwrap();
    open(dir.path(), Options::default()).await;
}

#[tokio::test]
async fn each_sample_is_judged_and_the_rest_of_a_batch_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { active_series_max: 3, ..Options::default() };
    let store = open(dir.path(), options).await;
    store
        .append(vec![series("a", &[(0, 1.0)]), series("slow", &[(-9_000_000, 1.0)])])
        .await
        .unwrap();
    let window_ms = 30 * 60 * 1000;
    let batch = vec![
        series(
            "a",
            &[(0, 1.0), (0, 2.0), (-window_ms, 3.0), (-window_ms - 1, 4.0), (700_000, 5.0)],
        ),
        series("a", &[(-1, f64::NAN), (-1, f64::NAN), (5, 6.0)]),
        // In order for itself, however late.
        series("slow", &[(-8_000_000, 1.0)]),
        series("", &[(1, 1.0), (2, 1.0)]),
        series("c", &[(1, 1.0)]),
        series("d", &[(1, 1.0)]),
        series("ancient", &[(-401 * DAY_MS, 1.0)]),
    ];
    let appended = store.append(batch).await.unwrap();
    let first_error = appended.first_error.clone();
    let expected = Appended {
        written: 5,
        duplicates: 2,
        conflicts: 1,
        too_old: 2,
        too_new: 1,
        invalid: 2,
        over_limit: 1,
        over_tenant_limit: 0,
        first_error: first_error.clone(),
    };
    assert_eq!(appended, expected);
    assert!(first_error.is_some());
    assert_eq!(appended.rejected(), 7);
    let content = content(&store).await;
    assert_eq!(content[0].1.len(), 4);
    assert_eq!(content[2].1, [(-9_000_000, 1.0), (-8_000_000, 1.0)]);
}

#[tokio::test]
async fn the_first_acknowledged_value_stays_across_blocks_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { merge_fan_in: 2, ..Options::default() };
    let mut store = open(dir.path(), options.clone()).await;
    store.append(vec![series("a", &[(0, 1.0), (10, 1.0)])]).await.unwrap();
    store.flush().await.unwrap();
    let again = store.append(vec![series("a", &[(0, 1.0), (10, 2.0)])]).await.unwrap();
    assert_eq!((again.duplicates, again.conflicts), (1, 1));
    store.close().await.unwrap();
    // After a restart only the block knows them.
    store = open(dir.path(), options).await;
    let again = store.append(vec![series("a", &[(0, 9.0), (5, 3.0)])]).await.unwrap();
    assert_eq!((again.written, again.conflicts), (1, 1));
    let too_old = store.append(vec![series("a", &[(-1_800_000, 9.0)])]).await.unwrap();
    assert_eq!(too_old.too_old, 1, "{too_old:?}");
    let expected = vec![("a".to_owned(), vec![(0, 1.0), (5, 3.0), (10, 1.0)])];
    assert_eq!(content(&store).await, expected);
    store.flush().await.unwrap();
    assert_eq!(store.stats().blocks, 2);
    assert_eq!(content(&store).await, expected);
    store.maintain().await.unwrap();
    assert_eq!((store.stats().blocks, store.stats().merges), (1, 1));
    assert_eq!(content(&store).await, expected);
}

#[tokio::test]
async fn the_log_and_the_blocks_stay_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { flush_samples: 100, merge_fan_in: 3, ..Options::default() };
    let store = open(dir.path(), options).await;
    for i in 0..40 {
        let samples: Vec<_> = (0..50).map(|j| (i * 1000 + j, j as f64)).collect();
        store.append(vec![series("a", &samples)]).await.unwrap();
        store.maintain().await.unwrap();
    }
    let stats = store.stats();
    assert!(stats.flushes >= 15, "{stats:?}");
    assert!(stats.unflushed_samples < 100, "{stats:?}");
    assert!(stats.blocks < 9, "{stats:?}");
    let segments = files::numbered(&dir.path().join(LOG_DIR), "wal").unwrap();
    assert!(segments.len() <= 2, "{segments:?}");
    assert_eq!(content(&store).await[0].1.len(), 2000);
}

#[tokio::test]
async fn a_store_that_closes_leaves_little_to_replay_and_all_if_it_can_t_flush() {
    let many: Vec<(i64, f64)> =
        (0..options::CLOSE_FLUSH_MIN_SAMPLES as i64).map(|at| (at * 5, at as f64)).collect();
    for fails in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), Options::default()).await;
        store.append(vec![series("a", &many)]).await.unwrap();
        let blocks = dir.path().join(BLOCK_DIR);
        if fails {
            std::fs::remove_dir(&blocks).unwrap();
        }
        store.close().await.unwrap();
        drop(store);
        if fails {
            std::fs::create_dir(&blocks).unwrap();
        }
        let store = open(dir.path(), Options::default()).await;
        let unflushed = if fails { many.len() } else { 0 };
        assert_eq!(store.stats().unflushed_samples, unflushed);
        assert_eq!(content(&store).await, [("a".to_owned(), many.clone())]);
        // Few stay where they are.
        store.append(vec![series("b", &[(0, 1.0)])]).await.unwrap();
        store.flush().await.unwrap();
        store.append(vec![series("b", &[(1, 1.0)])]).await.unwrap();
        store.close().await.unwrap();
        drop(store);
        assert_eq!(open(dir.path(), Options::default()).await.stats().unflushed_samples, 1);
    }
}

#[tokio::test]
async fn flushes_that_fail_lose_nothing_and_push_back() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { flush_samples: 10, ..Options::default() };
    let store = open(dir.path(), options).await;
    let blocks = dir.path().join(BLOCK_DIR);
    std::fs::remove_dir(&blocks).unwrap();
    let mut written = 0;
    let busy = loop {
        match store.append(vec![series("a", &[(written, 1.0), (written + 1, 1.0)])]).await {
            Ok(_) => written += 2,
            Err(error) => break error,
        }
        let _ = store.maintain().await;
    };
    assert!(matches!(busy, Error::Busy(_)), "{busy}");
    assert_eq!(content(&store).await[0].1.len() as i64, written);
    std::fs::create_dir(&blocks).unwrap();
    store.maintain().await.unwrap();
    store.append(vec![series("a", &[(written, 1.0)])]).await.unwrap();
    assert_eq!(content(&store).await[0].1.len() as i64, written + 1);
    store.close().await.unwrap();
    let store = open(dir.path(), Options::default()).await;
    assert_eq!(content(&store).await[0].1.len() as i64, written + 1);
}

#[tokio::test]
async fn days_get_their_own_blocks_and_leave_when_they_expire() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let retention = Duration::from_secs(3 * 24 * 3600);
    let options = Options { retention, ..Options::default() };
    let store = Embedded::open(dir.path(), options, clock.shared()).await.unwrap();
    let days: Vec<_> = (-2..=0).map(|day| (day * DAY_MS, day as f64)).collect();
    store.append(vec![series("a", &days)]).await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(store.stats().blocks, 3);
    clock.advance(Duration::from_secs(2 * 24 * 3600));
    store.maintain().await.unwrap();
    assert_eq!(content(&store).await[0].1, days[1..]);
    clock.advance(Duration::from_secs(9 * 24 * 3600));
    store.maintain().await.unwrap();
    assert_eq!(content(&store).await, []);
    assert_eq!(store.stats().blocks, 0);
}

#[tokio::test]
async fn age_alone_makes_a_flush_due() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = Embedded::open(dir.path(), Options::default(), clock.shared()).await.unwrap();
    store.append(vec![series("a", &[(0, 1.0)])]).await.unwrap();
    store.maintain().await.unwrap();
    assert_eq!(store.stats().flushes, 0);
    clock.advance(Duration::from_secs(2 * 3600));
    store.maintain().await.unwrap();
    assert_eq!((store.stats().flushes, store.stats().unflushed_samples), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_a_store_while_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    // Flushes and merges go on, too.
    let options = Options { flush_samples: 10, merge_fan_in: 2, ..Options::default() };
    let store = Arc::new(open(&dir.path().join("live"), options).await);
    store.append(vec![series("a", &[(0, 0.0)])]).await.unwrap();
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for i in 1..200 {
                // Flushes need not keep up.
                while let Err(error) = store.append(vec![series("a", &[(i, i as f64)])]).await {
                    assert!(matches!(error, Error::Busy(_)), "{error}");
                    tokio::task::yield_now().await;
                }
            }
        })
    };
    let copies: Vec<_> = (0..3).map(|i| dir.path().join(format!("copy{i}"))).collect();
    let mut known = Vec::new();
    for copy in &copies {
        known.push(content(&store).await[0].1.len());
        store.snapshot(copy).await.unwrap();
    }
    writer.await.unwrap();
    while store.stats().merges == 0 {
        tokio::task::yield_now().await;
    }
    let again = store.snapshot(&copies[0]).await.unwrap_err();
    assert!(again.to_string().contains("new directory"), "{again}");
    for (copy, known) in copies.iter().zip(known) {
        let copy = open(copy, Options::default()).await;
        let samples = content(&copy).await.remove(0).1;
        assert!(samples.len() >= known);
        let counted: Vec<_> = (0..samples.len() as i64).map(|i| (i, i as f64)).collect();
        assert_eq!(samples, counted);
    }
}

#[tokio::test]
async fn a_damaged_block_is_set_aside_and_the_rest_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    for name in ["a", "b"] {
        store.append(vec![series(name, &[(0, 1.0)])]).await.unwrap();
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
    let path = block_path(&dir.path().join(BLOCK_DIR), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    for _ in 0..2 {
        let store = open(dir.path(), Options::default()).await;
        assert_eq!(content(&store).await, [("b".to_owned(), vec![(0, 1.0)])]);
        store.close().await.unwrap();
    }
    assert!(path.with_extension("blk.damaged").exists());
}

#[tokio::test]
async fn a_crash_between_a_block_and_the_manifest_leaves_what_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    store.append(vec![series("a", &[(0, 1.0)])]).await.unwrap();
    store.close().await.unwrap();
    let stray = block_path(&dir.path().join(BLOCK_DIR), 77);
    std::fs::write(&stray, b"half a block").unwrap();
    let store = open(dir.path(), Options::default()).await;
    assert!(!stray.exists());
    assert_eq!(content(&store).await, [("a".to_owned(), vec![(0, 1.0)])]);
}

#[tokio::test]
async fn labels_are_listed_by_matcher_and_range() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let with = |job: &str, at| Series {
        labels: Labels::metric("up", &[("job", job)]),
        samples: vec![Sample { at_ms: NOW_MS + at, value: 1.0 }],
    };
    store.append(vec![with("x", 0), with("y", 1000)]).await.unwrap();
    store.flush().await.unwrap();
    store.append(vec![with("z", 2000)]).await.unwrap();
    let within = |start, end| Select { start_ms: NOW_MS + start, end_ms: NOW_MS + end, ..all() };
    assert_eq!(store.label_values("job", all()).await.unwrap(), ["x", "y", "z"]);
    assert_eq!(store.label_values("job", within(500, 2500)).await.unwrap(), ["y", "z"]);
    assert_eq!(store.label_names(all()).await.unwrap(), ["__name__", "job"]);
    assert_eq!(store.series(within(0, 10)).await.unwrap().len(), 1);
    let few = Select { max_samples: 2, ..all() };
    assert!(matches!(store.select(few.clone()).await, Err(Error::TooManySamples { limit: 2 })));
    assert!(matches!(store.series(few).await, Err(Error::TooManySamples { .. })));
}
