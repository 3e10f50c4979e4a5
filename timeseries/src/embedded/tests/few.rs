//! What is few is found on the caller's thread, and is what anybody finds.

use super::*;
use crate::{embedded::head::Head, selection::Selection};

fn request(matchers: Vec<Matcher>, start_ms: i64, end_ms: i64) -> Select {
    Select { matchers, start_ms: NOW_MS + start_ms, end_ms: NOW_MS + end_ms, ..all() }
}

fn of_guest(name: &str, guest: usize, samples: &[(i64, f64)]) -> Series {
    let labels = Labels::metric(name, &[("guest", &guest.to_string())]);
    Series { labels, ..series(name, samples) }
}

fn read(found: &dyn Selection) -> Vec<Selected> {
    let mut reader = found.reader();
    let each = found.labels().iter().enumerate().map(|(at, labels)| {
        let mut samples = Vec::new();
        reader.read(at, &mut samples).unwrap();
        Selected { labels: labels.clone(), samples }
    });
    each.collect()
}

#[tokio::test]
async fn few_series_of_head_and_blocks_are_found_as_all_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let batch = |at: i64| {
        let of = |guest| {
            ["a", "b"].map(|name| of_guest(name, guest, &[(at, 1.0), (at + 1, guest as f64)]))
        };
        (0..100).flat_map(of).collect::<Vec<_>>()
    };
    store.append(batch(0)).await.unwrap();
    store.flush().await.unwrap();
    store.append(batch(10)).await.unwrap();
    let one = || vec![Matcher::equal("guest", "7")];
    // The block's index is not in memory yet.
    assert!(store.inner.find_few(&request(one(), 0, 100)).is_none());
    assert!(store.inner.find_few(&request(one(), 5, 100)).is_some());
    store.find(request(one(), 0, 100)).await.unwrap();
    let cases = [
        one(),
        vec![Matcher::equal("guest", "7"), Matcher::equal("__name__", "a")],
        vec![Matcher::equal("guest", "7"), Matcher::regex("__name__", "a|x").unwrap()],
        vec![Matcher::equal("guest", "7"), Matcher::not_equal("__name__", "a")],
        vec![Matcher::equal("guest", "nobody")],
    ];
    for matchers in cases {
        for (start, end) in [(0, 100), (1, 10), (5, 100), (10, 10), (50, 100)] {
            let request = request(matchers.clone(), start, end);
            let found = store.inner.find_few(&request).expect("few").unwrap();
            let expected = store.select(request.clone()).await.unwrap();
            let found: Vec<_> =
                read(&found).into_iter().filter(|one| !one.samples.is_empty()).collect();
            assert_eq!(found, expected, "{request:?}");
        }
    }
    // A hundred are not few, and neither is what needs a look at every value.
    let many = [Matcher::equal("__name__", "a"), Matcher::regex("guest", "7").unwrap()];
    for matcher in many {
        assert!(store.inner.find_few(&request(vec![matcher], 5, 100)).is_none());
    }
    // It waits for nobody.
    let held = store.inner.head.write(Head::shards() - 1);
    assert!(store.inner.find_few(&request(one(), 5, 100)).is_none());
    drop(held);
    // What could be hidden needs a longer look.
    let index_is_read = async || drop(store.find(request(one(), 0, 100)).await.unwrap());
    store.flush().await.unwrap();
    index_is_read().await;
    assert!(store.inner.find_few(&request(one(), 0, 100)).is_some());
    store.delete(vec![Matcher::equal("guest", "8")], i64::MIN, i64::MAX).await.unwrap();
    index_is_read().await;
    assert!(store.inner.find_few(&request(one(), 0, 100)).is_none());
    store.close().await.unwrap();
    assert!(matches!(store.find(request(one(), 5, 100)).await, Err(Error::Closed)));
}

#[tokio::test]
async fn the_newest_samples_alone_are_those_of_a_whole_selection() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let of = |name: &str, at: &[i64]| {
        let samples: Vec<_> = at.iter().map(|at| (*at, *at as f64)).collect();
        series(name, &samples)
    };
    store.append(vec![of("both", &[0, 10]), of("block", &[5]), of("late", &[30])]).await.unwrap();
    store.flush().await.unwrap();
    let newer = vec![of("both", &[20, 30]), of("head", &[20]), of("late", &[20])];
    store.append(newer).await.unwrap();
    let newest = |mut all: Vec<Selected>| {
        all.retain(|one| !one.samples.is_empty());
        all.into_iter().map(|one| (one.labels, *one.samples.last().unwrap())).collect::<Vec<_>>()
    };
    for (start, end) in [(0, 50), (0, 20), (0, 15), (5, 29), (11, 30), (6, 9), (40, 50)] {
        let whole = request(vec![Matcher::not_equal("__name__", "")], start, end);
        let found = store.find(Select { newest_only: true, ..whole.clone() }).await.unwrap();
        let expected = newest(store.select(whole).await.unwrap());
        assert_eq!(newest(read(&*found)), expected, "from {start} to {end}");
    }
    // Where the head has it, no block is read.
    let in_memory = async |name, end| {
        let one = request(vec![Matcher::equal("__name__", name)], 0, end);
        let found = store.find(Select { newest_only: true, ..one }).await.unwrap();
        (found.is_in_memory(), found.samples_about())
    };
    assert_eq!(in_memory("both", 50).await, (true, 1));
    assert_eq!(in_memory("both", 15).await, (false, 2));
    assert_eq!(in_memory("block", 50).await, (false, 1));
    assert!(!in_memory("late", 50).await.0);
}

/// Each day has a block of its own.
#[tokio::test]
async fn some_blocks_are_few_and_many_are_not() {
    const DAY_MS: i64 = 86_400_000;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let days: Vec<_> = (-12..=0).map(|day| (day * DAY_MS, day as f64)).collect();
    store.append(vec![series("one", &days)]).await.unwrap();
    store.flush().await.unwrap();
    let since = |day: i64| request(vec![Matcher::equal("__name__", "one")], -day * DAY_MS, 0);
    // The indexes are in memory then.
    assert_eq!(store.select(since(12)).await.unwrap()[0].samples.len(), 13);
    for day in 0..12 {
        let found = store.inner.find_few(&since(day)).expect("few").unwrap();
        assert_eq!(read(&found), store.select(since(day)).await.unwrap());
    }
    assert!(store.inner.find_few(&since(12)).is_none());
}
