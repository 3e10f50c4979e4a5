//! Damage, deletion and retention: what is left is served, and writing goes on.

use super::*;

/// A tenant's series.
fn owned(tenant: &str, name: &str, samples: &[(i64, f64)]) -> Series {
    let one = series(name, samples);
    Series { labels: one.labels.with(crate::scope::TENANT, tenant), ..one }
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let numbered = files::numbered(&dir.join(LOG_DIR), "wal").unwrap();
    numbered.into_iter().map(|(_, path)| path).collect()
}

/// A log of three segments with samples at 1 to 9, three frames each; and where each frame of the
/// second one ends.
async fn written_log(dir: &Path) -> Vec<u64> {
    let mut store = open(dir, Options::default()).await;
    let mut ends = Vec::new();
    for i in 1..=9 {
        store.append(vec![series("a", &[(i, i as f64)]), series("b", &[(i, 0.5)])]).await.unwrap();
        if (4..=6).contains(&i) {
            ends.push(std::fs::metadata(segments(dir).pop().unwrap()).unwrap().len());
        }
        if i == 3 || i == 6 {
            // Each start begins a segment.
            store.close().await.unwrap();
            store = open(dir, Options::default()).await;
        }
    }
    store.close().await.unwrap();
    assert_eq!(segments(dir).len(), 3);
    ends
}

/// Damages the second of three segments, and says which samples are left.
async fn after_damage(damage: impl FnOnce(&Path, &mut Vec<u8>, &[u64])) -> (Vec<i64>, Stats) {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let ends = written_log(dir).await;
    let path = segments(dir).remove(1);
    let mut bytes = std::fs::read(&path).unwrap();
    damage(&path, &mut bytes, &ends);
    if path.exists() {
        std::fs::write(&path, bytes).unwrap();
    }
    let store = open(dir, Options::default()).await;
    let stats = store.stats();
    let left = content(&store).await;
    for (_, samples) in &left {
        assert_eq!(samples.len(), left[0].1.len());
    }
    let instants: Vec<i64> = left[0].1.iter().map(|(at, _)| *at).collect();
    for (at, value) in &left[0].1 {
        assert_eq!(*value, *at as f64);
    }
    // Writing goes on, and the next start finds no damage any more.
    assert_eq!(store.append(vec![series("a", &[(100, 100.0)])]).await.unwrap().written, 1);
    store.close().await.unwrap();
    let store = open(dir, Options::default()).await;
    assert_eq!(store.stats().damaged_log_parts, 0);
    assert_eq!(content(&store).await[0].1.len(), instants.len() + 1);
    (instants, stats)
}

/// A series is named in its segment's first frame: where that is gone, the samples behind it belong
/// to nobody.
const WITHOUT_FRAME_5: [i64; 8] = [1, 2, 3, 4, 6, 7, 8, 9];

#[tokio::test]
async fn a_truncated_log_keeps_all_before_and_behind() {
    let (left, stats) = after_damage(|_, bytes, ends| bytes.truncate(ends[0] as usize + 5)).await;
    assert_eq!(left, [1, 2, 3, 4, 7, 8, 9]);
    assert_eq!((stats.damaged_log_parts, stats.damaged_log_bytes), (1, 5));
}

#[tokio::test]
async fn garbage_in_the_log_keeps_all_before_and_behind() {
    let garbage = |_: &Path, bytes: &mut Vec<u8>, ends: &[u64]| {
        bytes[ends[0] as usize..ends[1] as usize].fill(0xaa);
    };
    let (left, stats) = after_damage(garbage).await;
    assert_eq!((left.as_slice(), stats.damaged_log_parts), (&WITHOUT_FRAME_5[..], 1));
}

#[tokio::test]
async fn a_bad_checksum_in_the_log_keeps_all_before_and_behind() {
    let flip = |_: &Path, bytes: &mut Vec<u8>, ends: &[u64]| bytes[ends[0] as usize + 8] ^= 1;
    let (left, stats) = after_damage(flip).await;
    assert_eq!((left.as_slice(), stats.damaged_log_parts), (&WITHOUT_FRAME_5[..], 1));
}

#[tokio::test]
async fn a_bad_length_in_the_log_keeps_all_before_and_behind() {
    for length in [0u32, 1, 9999, u32::MAX] {
        let set = |_: &Path, bytes: &mut Vec<u8>, ends: &[u64]| {
            bytes[ends[0] as usize + 4..][..4].copy_from_slice(&length.to_le_bytes());
        };
        let (left, stats) = after_damage(set).await;
        assert_eq!((left.as_slice(), stats.damaged_log_parts), (&WITHOUT_FRAME_5[..], 1));
    }
}

#[tokio::test]
async fn a_record_torn_in_its_middle_keeps_all_before_and_behind() {
    let tear = |_: &Path, bytes: &mut Vec<u8>, ends: &[u64]| {
        let (begin, end) = (ends[0] as usize, ends[1] as usize);
        bytes.drain((begin + end) / 2..end);
    };
    let (left, stats) = after_damage(tear).await;
    assert_eq!((left.as_slice(), stats.damaged_log_parts), (&WITHOUT_FRAME_5[..], 1));
}

#[tokio::test]
async fn zeros_in_the_log_keep_all_before_and_behind() {
    let zero = |_: &Path, bytes: &mut Vec<u8>, ends: &[u64]| {
        bytes[ends[0] as usize..ends[1] as usize].fill(0);
    };
    let (left, stats) = after_damage(zero).await;
    assert_eq!((left.as_slice(), stats.damaged_log_parts), (&WITHOUT_FRAME_5[..], 1));
    // From the naming frame on: the rest of the segment is nobody's, and counted.
    let zero = |_: &Path, bytes: &mut Vec<u8>, ends: &[u64]| {
        bytes[20..ends[0] as usize].fill(0);
    };
    let (left, stats) = after_damage(zero).await;
    assert_eq!((left.as_slice(), stats.unnamed_samples), (&[1, 2, 3, 7, 8, 9][..], 4));
}

#[tokio::test]
async fn a_missing_segment_keeps_the_others() {
    let remove = |path: &Path, _: &mut Vec<u8>, _: &[u64]| std::fs::remove_file(path).unwrap();
    let (left, stats) = after_damage(remove).await;
    assert_eq!((left.as_slice(), stats.damaged_log_parts), (&[1, 2, 3, 7, 8, 9][..], 1));
}

/// A sender that got no answer sends again: it must not be told that all is well before it is.
#[tokio::test]
async fn a_duplicate_waits_for_what_it_repeats() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let inner = &store.inner;
    let mut batch = Batch::of_series(&inner.head, &[series("a", &[(0, 1.0)])]);
    let (first, ticket) = inner.stage(&mut batch).unwrap();
    let (again, its_ticket) = inner.stage(&mut batch).unwrap();
    assert_eq!((first.written, again.duplicates), (1, 1));
    assert!(ticket > 0 && its_ticket >= ticket, "{ticket} {its_ticket}");
}

#[tokio::test]
async fn a_block_found_damaged_while_it_is_read_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    for (name, at) in [("a", 0), ("b", 0), ("a", 1)] {
        store.append(vec![series(name, &[(at, at as f64)])]).await.unwrap();
        store.flush().await.unwrap();
    }
    let path = block_path(&dir.path().join(BLOCK_DIR), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    // In the first frame, behind the magic and its checksum.
    bytes[12] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let rest = vec![("a".to_owned(), vec![(1, 1.0)]), ("b".to_owned(), vec![(0, 0.0)])];
    assert!(store.lost(i64::MIN, i64::MAX).is_empty());
    assert_eq!(content(&store).await, rest);
    assert_eq!(store.stats().damaged_blocks, 1);
    let lost = [Lost { file: "00000001.blk".to_owned(), span_ms: Some((NOW_MS, NOW_MS)) }];
    assert_eq!(store.lost(NOW_MS - 5, NOW_MS), lost);
    assert!(store.lost(NOW_MS + 1, i64::MAX).is_empty());
    store.maintain().await.unwrap();
    assert!(!path.exists() && path.with_extension("blk.damaged").exists());
    assert_eq!(content(&store).await, rest);
    store.close().await.unwrap();
    let store = open(dir.path(), Options::default()).await;
    assert_eq!((content(&store).await, store.stats().damaged_blocks), (rest, 0));
    // What the answers lack they lack after a start as well.
    assert_eq!(store.lost(NOW_MS, NOW_MS + 5), lost);
    assert!(store.lost(NOW_MS + 1, NOW_MS + 5).is_empty());
    store.close().await.unwrap();
    // Nothing tells any more what time it was of.
    std::fs::write(path.with_extension("blk.damaged"), b"garbage").unwrap();
    let store = open(dir.path(), Options::default()).await;
    assert_eq!(
        store.lost(NOW_MS + 1, NOW_MS + 5),
        [Lost { file: "00000001.blk".to_owned(), span_ms: None }]
    );
    store.close().await.unwrap();
    std::fs::remove_file(path.with_extension("blk.damaged")).unwrap();
    let store = open(dir.path(), Options::default()).await;
    assert!(store.lost(i64::MIN, i64::MAX).is_empty());
}

#[tokio::test]
async fn a_merge_leaves_out_a_damaged_block() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { merge_fan_in: 3, ..Options::default() };
    let store = open(dir.path(), options).await;
    for at in 0..4 {
        if at == 2 {
            let path = block_path(&dir.path().join(BLOCK_DIR), 2);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[12] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
        store.append(vec![series("a", &[(at, 1.5)])]).await.unwrap();
        store.flush().await.unwrap();
        store.maintain().await.unwrap();
    }
    assert_eq!(content(&store).await[0].1, [(0, 1.5), (2, 1.5), (3, 1.5)]);
    let stats = store.stats();
    assert_eq!((stats.damaged_blocks, stats.merges, stats.blocks), (1, 1, 1));
}

#[tokio::test]
async fn a_block_whose_file_is_gone_is_reported_and_the_rest_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    for name in ["a", "b"] {
        store.append(vec![series(name, &[(0, 1.0)])]).await.unwrap();
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
    std::fs::remove_file(block_path(&dir.path().join(BLOCK_DIR), 2)).unwrap();
    let store = open(dir.path(), Options::default()).await;
    assert_eq!(content(&store).await, [("a".to_owned(), vec![(0, 1.0)])]);
    assert_eq!(store.stats().damaged_blocks, 1);
    let lost = Lost { file: "00000002.blk".to_owned(), span_ms: None };
    assert_eq!(store.lost(0, 0), [lost]);
}

/// Two blocks, one of them with something deleted.
async fn deleted_from(dir: &Path) {
    let store = open(dir, Options::default()).await;
    for name in ["a", "b"] {
        store.append(vec![series(name, &[(0, 1.0), (1, 2.0)])]).await.unwrap();
        store.flush().await.unwrap();
    }
    store.delete(named("a"), NOW_MS, NOW_MS).await.unwrap();
    store.append(vec![series("c", &[(0, 1.0)])]).await.unwrap();
    store.close().await.unwrap();
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[20] ^= 0x80;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_manifest_is_set_aside_and_its_copy_counts() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    deleted_from(dir).await;
    let (file, copy) = (dir.join(manifest::FILE), dir.join(manifest::COPY));
    let sound = std::fs::read(&file).unwrap();
    let all = ["a", "b", "c"].map(|name| match name {
        "a" => (name.to_owned(), vec![(1, 2.0)]),
        "b" => (name.to_owned(), vec![(0, 1.0), (1, 2.0)]),
        _ => (name.to_owned(), vec![(0, 1.0)]),
    });
    let damages: [fn(&Path, &Path); 4] = [
        |file, _| flip(file),
        |file, _| std::fs::remove_file(file).unwrap(),
        |_, copy| flip(copy),
        |_, copy| std::fs::remove_file(copy).unwrap(),
    ];
    for damage in damages {
        damage(&file, &copy);
        let store = open(dir, Options::default()).await;
        assert_eq!(content(&store).await, all);
        store.close().await.unwrap();
        assert_eq!(
            (std::fs::read(&file).unwrap(), std::fs::read(&copy).unwrap()),
            (sound.clone(), sound.clone())
        );
    }
    assert!(dir.join("MANIFEST.damaged").exists());
}

#[tokio::test]
async fn without_any_manifest_no_block_is_touched() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    deleted_from(dir).await;
    let files = [manifest::FILE, manifest::COPY].map(|name| dir.join(name));
    let blocks = || files::numbered(&dir.join(BLOCK_DIR), "blk").unwrap();
    let before = blocks();
    assert_eq!(before.len(), 2);
    let open = async || {
        let error = Embedded::open(dir, Options::default(), clock().shared()).await.unwrap_err();
        assert!(error.to_string().contains("MANIFEST is damaged"), "{error}");
        assert!(error.to_string().contains("restore a backup"), "{error}");
    };
    files.iter().for_each(|path| flip(path));
    open().await;
    files.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    open().await;
    assert_eq!(blocks(), before);
}

#[tokio::test]
async fn a_flush_that_fails_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let days = [(-DAY_MS, 1.0), (0, 2.0)];
    store.append(vec![series("a", &days)]).await.unwrap();
    // The second day's block can't be made.
    let second = block_path(&dir.path().join(BLOCK_DIR), 2);
    std::fs::create_dir(&second).unwrap();
    assert!(matches!(store.flush().await, Err(Error::Io { .. })));
    assert!(!block_path(&dir.path().join(BLOCK_DIR), 1).exists());
    std::fs::remove_dir(&second).unwrap();
    store.flush().await.unwrap();
    assert_eq!(store.stats().blocks, 2);
    assert_eq!(content(&store).await, [("a".to_owned(), days.to_vec())]);
}

#[tokio::test]
async fn a_snapshot_that_fails_leaves_nothing_and_harms_no_block() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(&scratch.path().join("live"), Options::default()).await;
    store.append(vec![series("a", &[(0, 1.0)])]).await.unwrap();
    store.flush().await.unwrap();
    let (live, copy) = (scratch.path().join("live").join(BLOCK_DIR), scratch.path().join("copy"));
    // What a copy that was interrupted leaves: links to the blocks.
    std::fs::create_dir_all(copy.join(BLOCK_DIR)).unwrap();
    let link = block_path(&copy.join(BLOCK_DIR), 1);
    std::fs::hard_link(block_path(&live, 1), &link).unwrap();
    let error = store.snapshot(&copy).await.unwrap_err();
    assert!(error.to_string().contains("is not empty; name a new directory"), "{error}");
    assert!(link.exists());
    std::fs::remove_dir_all(&copy).unwrap();
    // A block whose file is gone can't be copied.
    std::fs::rename(block_path(&live, 1), live.join("aside")).unwrap();
    assert!(matches!(store.snapshot(&copy).await, Err(Error::Io { .. })));
    assert!(!copy.exists());
    std::fs::rename(live.join("aside"), block_path(&live, 1)).unwrap();
    store.snapshot(&copy).await.unwrap();
    let copy = open(&copy, Options::default()).await;
    assert_eq!(content(&copy).await, [("a".to_owned(), vec![(0, 1.0)])]);
    assert_eq!(content(&store).await, [("a".to_owned(), vec![(0, 1.0)])]);
}

fn named(name: &str) -> Vec<Matcher> {
    vec![Matcher::equal("__name__", name)]
}

#[tokio::test]
async fn what_is_deleted_is_gone_at_once_and_from_the_disk_after_a_merge() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    let samples: Vec<_> = (0..10).map(|i| (i, i as f64)).collect();
    store.append(vec![series("a", &samples), series("b", &samples)]).await.unwrap();
    store.delete(named("a"), NOW_MS + 3, NOW_MS + 7).await.unwrap();
    store.delete(named("b"), i64::MIN, i64::MAX).await.unwrap();
    let left: Vec<_> = samples.iter().copied().filter(|(at, _)| !(3..=7).contains(at)).collect();
    let expected = vec![("a".to_owned(), left.clone())];
    assert_eq!(content(&store).await, expected);
    assert_eq!(store.label_values("__name__", all()).await.unwrap(), ["a"]);
    // What is written afterwards stays.
    let again = store.append(vec![series("b", &[(20, 20.0)])]).await.unwrap();
    assert_eq!(again.written, 1);
    store.close().await.unwrap();
    let store = open(dir.path(), Options::default()).await;
    let with_new = vec![("a".to_owned(), left), ("b".to_owned(), vec![(20, 20.0)])];
    assert_eq!(content(&store).await, with_new);
    store.maintain().await.unwrap();
    assert_eq!(content(&store).await, with_new);
    assert_eq!(store.inner.manifest.lock().unwrap().tombstones, []);
    for (_, path) in files::numbered(&dir.path().join(BLOCK_DIR), "blk").unwrap() {
        let block = Block::open(path, 0, 0).unwrap();
        assert!(block.read_index().unwrap().find(&named("b")).is_empty());
    }
    let error = store.delete(vec![Matcher::equal("x", "")], 0, 1).await.unwrap_err();
    assert!(matches!(error, Error::BadData(_)), "{error}");
}

#[tokio::test]
async fn a_tenants_own_retention_takes_its_series_alone() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        tenant_retention: vec![("t1".to_owned(), Duration::from_secs(2 * 24 * 3600))],
        ..Options::default()
    };
    let store = open(dir.path(), options).await;
    let days = [(-3 * DAY_MS, 1.0), (-DAY_MS, 2.0)];
    store.append(vec![owned("t1", "a", &days), owned("t2", "b", &days)]).await.unwrap();
    store.flush().await.unwrap();
    let expected = vec![("a".to_owned(), vec![(-DAY_MS, 2.0)]), ("b".to_owned(), days.to_vec())];
    assert_eq!(content(&store).await, expected);
    store.maintain().await.unwrap();
    assert_eq!(content(&store).await, expected);
    let oldest = store.inner.blocks().iter().min_by_key(|b| b.first_ms).cloned().unwrap();
    let index = oldest.read_index().unwrap();
    assert!(index.find(&named("a")).is_empty() && !index.find(&named("b")).is_empty());
}

#[tokio::test]
async fn retention_by_size_takes_the_oldest_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    for day in (1..5).rev() {
        store.append(vec![series(&format!("d{day}"), &[(-day * DAY_MS, 1.0)])]).await.unwrap();
        store.flush().await.unwrap();
    }
    let bytes = store.stats().block_bytes;
    store.close().await.unwrap();
    let options = Options { retention_bytes: Some(bytes / 2 + 10), ..Options::default() };
    let store = open(dir.path(), options).await;
    store.maintain().await.unwrap();
    let names: Vec<_> = content(&store).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["d1", "d2"]);
    assert_eq!(store.stats().expired_blocks, 2);
}

#[tokio::test]
async fn a_merge_under_way_holds_up_no_flush() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default()).await;
    store.append(vec![series("a", &[(0, 1.0)])]).await.unwrap();
    let inner = store.inner.clone();
    let flush = move || {
        let _merging = inner.merging.lock().unwrap();
        inner.keep_up().and_then(|()| inner.flush())
    };
    tokio::task::spawn_blocking(flush).await.unwrap().unwrap();
    assert_eq!((store.stats().flushes, store.stats().unflushed_samples), (1, 0));
}
