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
