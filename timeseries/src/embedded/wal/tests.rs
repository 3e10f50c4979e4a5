use std::fs;

use base::sample::Labels;

use super::{
    replay::{Record, Replayed, read_records, replay},
    *,
};
use crate::embedded::key;

fn records(id: u64, at_ms: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_series(&mut bytes, id, &key::of(&Labels::metric("m", &[("id", &id.to_string())])));
    put_samples(&mut bytes, &[(id, Sample { at_ms, value: 0.5 })]);
    bytes
}

fn start(dir: &Path, segment: u64) -> Wal {
    Wal::start(dir, segment, LogSync::Group).unwrap()
}

fn stage(wal: &Wal, at_ms: i64) -> u64 {
    let ticket = wal.stage(records(1, at_ms)).unwrap();
    wal.kick();
    ticket
}

/// Writes one frame a record group; returns where each one ends.
async fn write(dir: &Path, segment: u64, instants: &[i64]) -> Vec<u64> {
    let wal = start(dir, segment);
    let mut ends = Vec::new();
    for at_ms in instants {
        wal.wait(stage(&wal, *at_ms)).await.unwrap();
        ends.push(fs::metadata(segment_path(dir, segment)).unwrap().len());
    }
    ends
}

fn read(dir: &Path, first: u64) -> (Vec<i64>, Replayed) {
    let mut instants = Vec::new();
    let done = replay(dir, first, |_, record| {
        if let Record::Sample { sample, .. } = record {
            instants.push(sample.at_ms);
        }
    });
    (instants, done.unwrap())
}

/// Names of what was set aside.
fn aside(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".damaged")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_was_waited_for_is_read_back_over_segments() {
    let dir = tempfile::tempdir().unwrap();
    let wal = start(dir.path(), 1);
    stage(&wal, 10);
    wal.rotate(2).unwrap();
    let ticket = stage(&wal, 20);
    wal.wait(ticket).await.unwrap();
    drop(wal);
    let (instants, done) = read(dir.path(), 1);
    assert_eq!(instants, [10, 20]);
    assert_eq!((done.last_segment, done.torn_bytes, done.damaged_parts), (Some(2), 0, 0));
    assert_eq!(read(dir.path(), 2).0, [20]);
}

#[tokio::test]
async fn many_appenders_share_an_fsync() {
    let dir = tempfile::tempdir().unwrap();
    let wal = Arc::new(start(dir.path(), 1));
    let tickets: Vec<u64> = (0..1000).map(|at_ms| stage(&wal, at_ms)).collect();
    let waits = tickets.iter().map(|ticket| {
        let (wal, ticket) = (wal.clone(), *ticket);
        tokio::spawn(async move { wal.wait(ticket).await })
    });
    for wait in waits.collect::<Vec<_>>() {
        wait.await.unwrap().unwrap();
    }
    assert!(wal.fsyncs() < 500, "{}", wal.fsyncs());
    drop(wal);
    assert_eq!(read(dir.path(), 1).0.len(), 1000);
}

/// The thread that answers is not the one that syncs, and a lone appender waits for no other.
#[tokio::test]
async fn nothing_is_acknowledged_before_its_fsync() {
    let dir = tempfile::tempdir().unwrap();
    let wal = start(dir.path(), 1);
    for number in 1..=100 {
        wal.wait(stage(&wal, number)).await.unwrap();
        assert!(wal.fsyncs() >= number as u64, "{} of {number}", wal.fsyncs());
    }
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let wal = start(dir.path(), 1);
    wal.wait(stage(&wal, 10)).await.unwrap();
    // The next segment can't be made.
    fs::create_dir(segment_path(dir.path(), 2)).unwrap();
    let (rotated, staged) = (wal.rotate(2).unwrap(), stage(&wal, 20));
    for ticket in [rotated, staged, stage(&wal, 30)] {
        assert!(matches!(wal.wait(ticket).await, Err(Error::LogFailed(_))));
    }
    assert!(matches!(wal.check(), Err(Error::LogFailed(_))));
    drop(wal);
    fs::remove_dir(segment_path(dir.path(), 2)).unwrap();
    assert_eq!(read(dir.path(), 1).0, [10]);
}

#[tokio::test]
async fn a_group_larger_than_a_frame_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let wal = start(dir.path(), 1);
    let value = "v".repeat(STAGED_MAX_BYTES);
    let key = key::of(&Labels::metric("m", &[("long", &value)]));
    let instants = [1, 2, 3];
    let tickets = instants.map(|at_ms| {
        let mut records = Vec::new();
        put_series(&mut records, at_ms as u64, &key);
        put_samples(&mut records, &[(at_ms as u64, Sample { at_ms, value: 0.5 })]);
        wal.stage(records).unwrap()
    });
    wal.kick();
    wal.wait(tickets[2]).await.unwrap();
    drop(wal);
    let (read, done) = read(dir.path(), 1);
    assert_eq!((read.as_slice(), done.damaged_parts), (&instants[..], 0));
}

#[tokio::test]
async fn a_longer_window_acknowledges_before_the_fsync_and_syncs_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let wal = Wal::start(dir.path(), 1, LogSync::Every(Duration::from_secs(3600))).unwrap();
    for at_ms in 0..10 {
        wal.wait(stage(&wal, at_ms)).await.unwrap();
    }
    assert_eq!(wal.fsyncs(), 0);
    // What the kernel has, `kill -9` does not take.
    assert_eq!(read(dir.path(), 1).0.len(), 10);
    wal.stop();
    assert_eq!(wal.fsyncs(), 1);
    assert!(matches!(wal.stage(records(1, 11)), Err(Error::Closed)));
    let wal = Wal::start(dir.path(), 2, LogSync::Every(Duration::ZERO)).unwrap();
    wal.wait(stage(&wal, 20)).await.unwrap();
    while wal.fsyncs() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_torn_tail_is_cut_at_every_length_and_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let ends = write(dir.path(), 1, &[10, 20, 30]).await;
    let path = segment_path(dir.path(), 1);
    let whole = fs::read(&path).unwrap();
    for length in ends[1]..ends[2] {
        fs::write(&path, &whole[..length as usize]).unwrap();
        let (instants, done) = read(dir.path(), 1);
        assert_eq!((instants, done.torn_bytes), (vec![10, 20], length - ends[1]), "{length}");
        assert_eq!(done.damaged_parts, 0, "{length}");
        assert_eq!(fs::metadata(&path).unwrap().len(), ends[1]);
    }
    // Garbage and zeros in place of the last frame's bytes.
    for filler in [0u8, 0xaa] {
        let mut bytes = whole.clone();
        bytes[ends[1] as usize..].fill(filler);
        fs::write(&path, bytes).unwrap();
        let (instants, done) = read(dir.path(), 1);
        assert_eq!((instants, done.damaged_parts), (vec![10, 20], 1));
        assert_eq!(aside(dir.path()), [format!("00000001.{}.damaged", ends[1])]);
    }
    write(dir.path(), 2, &[40]).await;
    assert_eq!(read(dir.path(), 1).0, [10, 20, 40]);
}

#[tokio::test]
async fn a_segment_that_was_being_created_is_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1, &[10]).await;
    for length in 0..SEGMENT_HEADER_BYTES {
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&2u64.to_le_bytes());
        fs::write(segment_path(dir.path(), 2), &header[..length]).unwrap();
        let (instants, done) = read(dir.path(), 1);
        assert_eq!((instants, done.last_segment), (vec![10], Some(1)));
        assert!(!segment_path(dir.path(), 2).exists());
    }
}

#[tokio::test]
async fn what_lies_around_a_flipped_byte_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let ends = write(dir.path(), 1, &[10, 20, 30]).await;
    write(dir.path(), 2, &[40]).await;
    let path = segment_path(dir.path(), 1);
    let whole = fs::read(&path).unwrap();
    let last = fs::read(segment_path(dir.path(), 2)).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        fs::write(segment_path(dir.path(), 2), &last).unwrap();
        let (instants, done) = read(dir.path(), 1);
        let at = at as u64;
        let expected: &[i64] = match at {
            _ if at < SEGMENT_HEADER_BYTES as u64 => &[10, 20, 30, 40],
            _ if at < ends[0] => &[20, 30, 40],
            _ if at < ends[1] => &[10, 30, 40],
            _ => &[10, 20, 40],
        };
        assert_eq!((instants.as_slice(), done.damaged_parts), (expected, 1), "byte {at}");
        assert!(!aside(dir.path()).is_empty(), "byte {at}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(read(dir.path(), 1), (vec![10, 20, 30, 40], read(dir.path(), 1).1));
}

#[tokio::test]
async fn a_missing_segment_is_reported_and_the_others_are_read() {
    let dir = tempfile::tempdir().unwrap();
    for segment in 1..=3 {
        write(dir.path(), segment, &[segment as i64 * 10]).await;
    }
    fs::remove_file(segment_path(dir.path(), 2)).unwrap();
    let (instants, done) = read(dir.path(), 1);
    assert_eq!((instants, done.damaged_parts, done.last_segment), (vec![10, 30], 1, Some(3)));
}

proptest::proptest! {
    #[test]
    fn garbage_is_no_record_and_never_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = read_records(&bytes, |_| {});
    }
}
