//! Remote write into the embedded store: borrowed labels, metadata, exemplars.

use super::*;
use crate::{
    remote_write::{Body, Label, Relabel, Unchanged, tests::encoded},
    store::Metadata,
};

#[derive(Debug)]
struct Forced;

impl Relabel for Forced {
    fn relabel<'a>(&'a self, labels: &mut Vec<Label<'a>>) {
        labels.push((b"host", b"alpha"));
    }
}

#[tokio::test]
async fn a_body_is_taken_as_its_series_would_be() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let mut sent = vec![series("a", &[(0, 1.0), (1, f64::NAN)]), series("b", &[(0, 2.5)])];
    let body = || Body::read(&encoded(&sent)).unwrap();
    let appended = store.append_remote_write(body(), Arc::new(Forced)).await.unwrap();
    assert_eq!(appended, Appended { written: 3, ..Appended::default() });
    for one in &mut sent {
        one.labels = one.labels.clone().with("host", "alpha");
    }
    let again = store.append(sent.clone()).await.unwrap();
    assert_eq!(again, Appended { duplicates: 3, ..Appended::default() });
    let bad = Body::read(&encoded(&[series("", &[(0, 1.0)]), series("c", &[(0, 1.0)])]));
    let appended = store.append_remote_write(bad.unwrap(), Arc::new(Unchanged)).await.unwrap();
    assert_eq!((appended.written, appended.invalid), (1, 1));
}

#[tokio::test]
async fn metadata_is_kept_over_a_restart_and_exemplars_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let body = crate::remote_write::tests::annotated("a", NOW_MS);
    let body = Body::read(&body).unwrap();
    store.append_remote_write(body.clone(), Arc::new(Forced)).await.unwrap();
    store.append_remote_write(body, Arc::new(Forced)).await.unwrap();
    let found = store.exemplars(all()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].labels.get("host"), Some("alpha"));
    assert_eq!(found[0].exemplars.len(), 1);
    assert_eq!(found[0].exemplars[0].labels.get("trace_id"), Some("abc"));
    let before = Select { end_ms: NOW_MS - 1, ..all() };
    assert_eq!(store.exemplars(before).await.unwrap(), []);
    store.close().await.unwrap();
    let store = open(dir.path(), Options::default()).await;
    let text = str::to_owned;
    let (metric, kind, help, unit) =
        (text("a"), text("counter"), text("what it is"), text("bytes"));
    assert_eq!(store.metadata().await.unwrap(), [Metadata { metric, kind, help, unit }]);
}

/// A body's series are remembered by their numbers, which end with the series that are forgotten.
#[tokio::test]
async fn samples_stay_with_their_series_when_those_are_numbered_anew() {
    const LATER_MS: i64 = 3 * 3_600_000;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let one = |n: &i64, at_ms| series(&format!("s{n:02}"), &[(at_ms, (1000 * n + at_ms) as f64)]);
    let send = async |numbers: &[i64], at_ms: i64| {
        let sent: Vec<Series> = numbers.iter().map(|n| one(n, at_ms)).collect();
        let body = Body::read(&encoded(&sent)).unwrap();
        let appended = store.append_remote_write(body, Arc::new(Unchanged)).await.unwrap();
        assert_eq!(appended, Appended { written: numbers.len(), ..Appended::default() });
    };
    let every: Vec<i64> = (0..64).collect();
    send(&every, -LATER_MS).await;
    send(&every, 1 - LATER_MS).await;
    // Each third goes on; the others are forgotten behind the flush.
    let some: Vec<i64> = every.iter().copied().filter(|n| n % 3 == 0).collect();
    send(&some, 0).await;
    store.flush().await.unwrap();
    assert_eq!(store.stats().active_series, some.len());
    send(&every, 1).await;
    send(&every, 2).await;
    // Then they are known by their new numbers.
    let body = Body::read(&encoded(&every.iter().map(|n| one(n, 3)).collect::<Vec<_>>())).unwrap();
    let (inner, now) = (&store.inner, store.inner.clock.now());
    let batch = Batch::of_body(&inner.head, &inner.routes, now, &body, &Unchanged);
    for number in 0..every.len() {
        let entry = batch.entry(number);
        let shard = inner.head.write(Head::shard_of(entry.hash));
        let place = entry.place.map(|place| (place.epoch, place.at));
        let expected = shard.find_key(entry.hash, batch.key(&entry)).map(|at| (shard.epoch(), at));
        assert!(place.is_some() && place == expected, "{place:?} {expected:?}");
    }
    let found = content(&store).await;
    assert_eq!(found.len(), every.len());
    for ((name, samples), n) in found.into_iter().zip(&every) {
        let before = [-LATER_MS, 1 - LATER_MS].into_iter();
        let at = before.chain((n % 3 == 0).then_some(0)).chain([1, 2]);
        let expected: Vec<_> = at.map(|at| (at, (1000 * n + at) as f64)).collect();
        assert_eq!((name, samples), (format!("s{n:02}"), expected));
    }
}
