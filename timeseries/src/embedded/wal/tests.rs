use std::fs;

use super::{
    replay::{Record, Replayed, replay},
    *,
};

fn records(id: u64, at_ms: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_series(&mut bytes, id, &Labels::metric("m", &[("id", &id.to_string())]));
    put_samples(&mut bytes, &[(id, Sample { at_ms, value: 0.5 })]);
    bytes
}

/// Writes one frame a record group; returns where each one ends.
async fn write(dir: &Path, segment: u64, instants: &[i64]) -> Vec<u64> {
    let wal = Wal::start(dir, segment).unwrap();
    let mut ends = Vec::new();
    for at_ms in instants {
        let ticket = wal.stage(records(1, *at_ms));
        wal.wait(ticket).await.unwrap();
        ends.push(fs::metadata(segment_path(dir, segment)).unwrap().len());
    }
    ends
}

fn read(dir: &Path, first: u64) -> Result<(Vec<i64>, Replayed)> {
    let mut instants = Vec::new();
    let done = replay(dir, first, |_, record| {
        if let Record::Samples(samples) = record {
            instants.extend(samples.iter().map(|(_, sample)| sample.at_ms));
        }
        Ok(())
    })?;
    Ok((instants, done))
}

#[tokio::test]
async fn what_was_waited_for_is_read_back_over_segments() {
    let dir = tempfile::tempdir().unwrap();
    let wal = Wal::start(dir.path(), 1).unwrap();
    wal.stage(records(1, 10));
    wal.rotate(2);
    let ticket = wal.stage(records(1, 20));
    wal.wait(ticket).await.unwrap();
    drop(wal);
    let (instants, done) = read(dir.path(), 1).unwrap();
    assert_eq!(instants, [10, 20]);
    assert_eq!((done.last_segment, done.torn_bytes), (Some(2), 0));
    assert_eq!(read(dir.path(), 2).unwrap().0, [20]);
}

#[tokio::test]
async fn many_appenders_share_an_fsync() {
    let dir = tempfile::tempdir().unwrap();
    let wal = Arc::new(Wal::start(dir.path(), 1).unwrap());
    let tickets: Vec<u64> = (0..1000).map(|at_ms| wal.stage(records(1, at_ms))).collect();
    let waits = tickets.iter().map(|ticket| {
        let (wal, ticket) = (wal.clone(), *ticket);
        tokio::spawn(async move { wal.wait(ticket).await })
    });
    for wait in waits.collect::<Vec<_>>() {
        wait.await.unwrap().unwrap();
    }
    assert!(wal.fsyncs() < 500, "{}", wal.fsyncs());
    drop(wal);
    assert_eq!(read(dir.path(), 1).unwrap().0.len(), 1000);
}

#[tokio::test]
async fn a_torn_tail_is_cut_at_every_length_and_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let ends = write(dir.path(), 1, &[10, 20, 30]).await;
    let path = segment_path(dir.path(), 1);
    let whole = fs::read(&path).unwrap();
    for length in ends[1]..ends[2] {
        fs::write(&path, &whole[..length as usize]).unwrap();
        let (instants, done) = read(dir.path(), 1).unwrap();
        assert_eq!((instants, done.torn_bytes), (vec![10, 20], length - ends[1]), "{length}");
        assert_eq!(fs::metadata(&path).unwrap().len(), ends[1]);
    }
    // Garbage and zeros in place of the last frame's bytes.
    for filler in [0u8, 0xaa] {
        let mut bytes = whole.clone();
        bytes[ends[1] as usize..].fill(filler);
        fs::write(&path, bytes).unwrap();
        assert_eq!(read(dir.path(), 1).unwrap().0, [10, 20]);
    }
    write(dir.path(), 2, &[40]).await;
    assert_eq!(read(dir.path(), 1).unwrap().0, [10, 20, 40]);
}

#[tokio::test]
async fn a_segment_that_was_being_created_is_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1, &[10]).await;
    for length in 0..SEGMENT_HEADER_BYTES {
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&2u64.to_le_bytes());
        fs::write(segment_path(dir.path(), 2), &header[..length]).unwrap();
        let (instants, done) = read(dir.path(), 1).unwrap();
        assert_eq!((instants, done.last_segment), (vec![10], Some(1)));
        assert!(!segment_path(dir.path(), 2).exists());
    }
}

#[tokio::test]
async fn damage_in_the_middle_is_refused_with_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let ends = write(dir.path(), 1, &[10, 20, 30]).await;
    write(dir.path(), 2, &[40]).await;
    let path = segment_path(dir.path(), 1);
    let whole = fs::read(&path).unwrap();
    let refused = |at: usize, last: bool| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let first_only = dir.path().join("only");
        if last {
            fs::create_dir_all(&first_only).unwrap();
            fs::copy(&path, segment_path(&first_only, 1)).unwrap();
        }
        let error = read(if last { &first_only } else { dir.path() }, 1).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{at}: {error}");
        assert!(error.to_string().contains("00000001.wal is damaged at byte"), "{error}");
    };
    // Any byte of the last segment before its last frame, and any byte of an earlier segment.
    (0..ends[1] as usize).for_each(|at| refused(at, true));
    (0..whole.len()).for_each(|at| refused(at, false));
    fs::write(&path, &whole).unwrap();
    assert_eq!(read(dir.path(), 1).unwrap().0, [10, 20, 30, 40]);
    fs::remove_file(&path).unwrap();
    let error = read(dir.path(), 1).unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
}
