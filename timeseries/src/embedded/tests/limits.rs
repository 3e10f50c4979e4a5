//! Active series: the limit of all, and each tenant's own.

use super::*;

/// Longer than a series may be idle, shorter than what makes a flush due.
const LATER_MS: i64 = 90 * 60 * 1000;

fn of(tenant: &str, name: &str, at_ms: i64) -> Series {
    let one = series(name, &[(at_ms, 1.0)]);
    Series { labels: one.labels.with("tenant", tenant), ..one }
}

fn options() -> Options {
    let tenant_series_max_of = [("large".to_owned(), 3)].into();
    Options { tenant_series_max: 2, tenant_series_max_of, ..Options::default() }
}

fn counts(store: &Embedded) -> Vec<(String, usize)> {
    store.stats().tenant_series.into_iter().collect()
}

#[tokio::test]
async fn a_tenant_at_its_limit_is_refused_alone_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), options()).await;
    let names = ["a", "b", "c", "d"];
    let batch = ["small", "large", ""].map(|tenant| names.map(|name| of(tenant, name, 0)));
    let appended = store.append(batch.concat()).await.unwrap();
    assert_eq!((appended.written, appended.over_tenant_limit, appended.rejected()), (9, 3, 3));
    let why = appended.first_error.unwrap();
    assert!(why.contains("series allowed of tenant") && why.contains("max_tenant_series"), "{why}");
    let expected = [("large".to_owned(), 3), ("small".to_owned(), 2)];
    assert_eq!(counts(&store), expected);
    assert_eq!(store.stats().over_tenant_limit_samples, 3);

    // Series that are there take samples, and other tenants and nobody's make new ones.
    let known = store.select(all()).await.unwrap();
    let its = known.iter().find(|one| one.labels.get("tenant") == Some("small")).unwrap();
    let more = Series { labels: Labels::clone(&its.labels), ..series("", &[(1, 1.0)]) };
    let batch = vec![more, of("small", "e", 1), of("other", "e", 1), of("", "e", 1)];
    let appended = store.append(batch.clone()).await.unwrap();
    assert_eq!((appended.written, appended.over_tenant_limit), (3, 1));
    store.close().await.unwrap();

    let store = open(dir.path(), options()).await;
    let expected = [("large".to_owned(), 3), ("other".to_owned(), 1), ("small".to_owned(), 2)];
    assert_eq!(counts(&store), expected);
    let appended = store.append(batch).await.unwrap();
    assert_eq!((appended.duplicates, appended.over_tenant_limit), (3, 1));
}

#[tokio::test]
async fn idle_series_that_leave_the_head_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = Embedded::open(dir.path(), options(), clock.shared()).await.unwrap();
    store.append(vec![of("small", "a", 0), of("small", "b", 0)]).await.unwrap();
    clock.advance(Duration::from_millis(LATER_MS as u64));
    let later = vec![of("", "x", LATER_MS), of("small", "b", LATER_MS)];
    assert_eq!(store.append(later).await.unwrap().written, 2);
    let new = vec![of("small", "c", LATER_MS)];
    assert_eq!(store.append(new.clone()).await.unwrap().over_tenant_limit, 1);
    store.flush().await.unwrap();
    assert_eq!(counts(&store), [("small".to_owned(), 1)]);
    assert_eq!(store.append(new).await.unwrap().written, 1);
    let again = vec![of("small", "a", LATER_MS)];
    assert_eq!(store.append(again).await.unwrap().over_tenant_limit, 1);
    // A restart counts what is active in the log alone.
    store.close().await.unwrap();
    let store = Embedded::open(dir.path(), options(), clock.shared()).await.unwrap();
    assert_eq!(counts(&store), [("small".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn appenders_at_once_never_exceed_a_tenants_limit() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { tenant_series_max: 50, ..Options::default() };
    let store = Arc::new(open(dir.path(), options).await);
    let appenders = (0..8).map(|appender| {
        let store = store.clone();
        tokio::spawn(async move {
            let batch = (0..20).map(|i| of("t", &format!("m{appender}_{i}"), 0)).collect();
            store.append(batch).await.unwrap()
        })
    });
    let (mut written, mut refused) = (0, 0);
    for appender in appenders.collect::<Vec<_>>() {
        let appended = appender.await.unwrap();
        written += appended.written;
        refused += appended.over_tenant_limit;
    }
    assert_eq!((written, refused), (50, 110));
    assert_eq!(content(&store).await.len(), 50);
}

#[tokio::test]
async fn a_tenants_retention_hides_what_no_block_holds_yet() {
    let dir = tempfile::tempdir().unwrap();
    let tenant_retention = vec![("t".to_owned(), Duration::from_secs(24 * 3600))];
    let options = Options { tenant_retention, ..Options::default() };
    let store = open(dir.path(), options).await;
    let old = -2 * DAY_MS;
    let batch = vec![of("t", "a", old), of("t", "b", old), of("t", "b", 0), of("u", "c", old)];
    assert_eq!(store.append(batch).await.unwrap().written, 4);
    let expected = [("b".to_owned(), vec![(0, 1.0)]), ("c".to_owned(), vec![(old, 1.0)])];
    assert_eq!(content(&store).await, expected);
    store.flush().await.unwrap();
    assert_eq!(content(&store).await, expected);
}

#[tokio::test]
async fn a_read_ends_when_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    for block in 0..2 {
        store.append(vec![of("", "a", block), of("", "b", block)]).await.unwrap();
        store.flush().await.unwrap();
    }
    let (asked, asking) = read::asked();
    assert_eq!(store.inner.select(&all(), &asked).unwrap().len(), 2);
    assert_eq!(store.inner.series(&all(), &asked).unwrap().len(), 2);
    drop(asking);
    assert!(matches!(store.inner.select(&all(), &asked), Err(Error::Canceled)));
    assert!(matches!(store.inner.series(&all(), &asked), Err(Error::Canceled)));
    assert!(matches!(store.inner.label_names(&all(), &asked), Err(Error::Canceled)));
}
