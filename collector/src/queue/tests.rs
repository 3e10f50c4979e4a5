use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use super::*;

const ROOMY: u64 = 1 << 20;

fn number(n: u32) -> Vec<u8> {
    n.to_le_bytes().to_vec()
}

/// All that is left, in order; nothing is acknowledged.
fn left(queue: &Queue) -> Vec<u32> {
    let batch = queue.read(usize::MAX, usize::MAX).unwrap();
    batch.records.iter().map(|r| u32::from_le_bytes(r[..4].try_into().unwrap())).collect()
}

#[test]
fn records_come_in_order_and_stay_until_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(dir.path(), ROOMY).unwrap();
    assert_eq!(queue.read(10, 1000).unwrap().records, Vec::<Vec<u8>>::new());
    for n in 0..5 {
        queue.push(&number(n)).unwrap();
    }
    let first = queue.read(2, 1000).unwrap();
    assert_eq!(first.records, [number(0), number(1)]);
    assert_eq!(queue.read(2, 1000).unwrap(), first, "not acknowledged yet");
    queue.acknowledge(first.end).unwrap();
    assert_eq!((left(&queue), queue.stats().records), (vec![2, 3, 4], 3));
    drop(queue);

    let queue = Queue::open(dir.path(), ROOMY).unwrap();
    assert_eq!((left(&queue), queue.stats().records), (vec![2, 3, 4], 3));
    queue.push(&number(5)).unwrap();
    assert_eq!(left(&queue), [2, 3, 4, 5]);
    let all = queue.read(100, 1000).unwrap();
    queue.acknowledge(all.end).unwrap();
    assert_eq!((left(&queue), queue.stats().records), (vec![], 0));
    queue.push(&number(6)).unwrap();
    assert_eq!(left(&queue), [6]);
    drop(queue);
    assert_eq!(left(&Queue::open(dir.path(), ROOMY).unwrap()), [6]);
}

#[test]
fn a_batch_ends_at_its_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(dir.path(), ROOMY).unwrap();
    for n in 0..10 {
        queue.push(&number(n)).unwrap();
    }
    assert_eq!(queue.read(3, 1000).unwrap().records.len(), 3);
    assert_eq!(queue.read(100, 8).unwrap().records.len(), 2);
    assert_eq!(queue.read(100, 1).unwrap().records.len(), 1, "never none");
    assert!(queue.push(&vec![0; RECORD_BYTES_MAX + 1]).is_err());
}

#[test]
fn when_full_the_oldest_go_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(dir.path(), 8 * 100).unwrap();
    for n in 0..1000u32 {
        queue.push(&number(n)).unwrap();
        assert!(queue.stats().bytes <= 800);
    }
    let left = left(&queue);
    let dropped = queue.stats().dropped_records;
    assert!(left.len() >= 40, "{} left", left.len());
    assert_eq!(left, (u32::try_from(dropped).unwrap()..1000).collect::<Vec<_>>());
    assert_eq!(queue.stats().records, u64::try_from(left.len()).unwrap());
    assert!(fs::read_dir(dir.path()).unwrap().count() < 20, "the files are gone");
}

#[test]
fn an_acknowledgement_of_what_was_dropped_meanwhile_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(dir.path(), 8 * 100).unwrap();
    queue.push(&number(0)).unwrap();
    let early = queue.read(1, 100).unwrap();
    for n in 1..1000 {
        queue.push(&number(n)).unwrap();
    }
    let before = left(&queue);
    queue.acknowledge(early.end).unwrap();
    assert_eq!(left(&queue), before);
}

#[test]
fn a_torn_tail_is_cut_off_wherever_it_was_torn() {
    for torn_bytes in 1..=12u64 {
        let dir = tempfile::tempdir().unwrap();
        let queue = Queue::open(dir.path(), ROOMY).unwrap();
        for n in 0..3 {
            queue.push(&number(n)).unwrap();
        }
        drop(queue);
        let path = segment::path(dir.path(), 1);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(36 - torn_bytes).unwrap();
        let queue = Queue::open(dir.path(), ROOMY).unwrap();
        assert_eq!(left(&queue), [0, 1], "{torn_bytes} bytes torn off");
        queue.push(&number(9)).unwrap();
        drop(queue);
        assert_eq!(left(&Queue::open(dir.path(), ROOMY).unwrap()), [0, 1, 9]);
    }
}

#[test]
fn garbage_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(dir.path(), ROOMY).unwrap();
    for n in 0..3 {
        queue.push(&number(n)).unwrap();
    }
    drop(queue);
    let path = segment::path(dir.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    fs::write(dir.path().join(READ_FILE), b"nonsense").unwrap();
    let queue = Queue::open(dir.path(), ROOMY).unwrap();
    assert_eq!((left(&queue), queue.stats().damaged_segments), (vec![0], 1));
    // And while it runs.
    queue.push(&number(3)).unwrap();
    queue.push(&number(4)).unwrap();
    let path = segment::path(dir.path(), 2);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!((left(&queue), queue.stats().damaged_segments), (vec![0], 2));
}

const CHILD: &str = "OPSHAWK_TEST_QUEUE_CHILD";

/// The child is this same test, told by a variable to push until it is killed.
#[test]
fn what_was_pushed_survives_kill_9() {
    if let Ok(dir) = std::env::var(CHILD) {
        let queue = Queue::open(Path::new(&dir), ROOMY).unwrap();
        for n in 0.. {
            queue.push(&number(n)).unwrap();
            println!("pushed {n}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "queue::tests::what_was_pushed_survives_kill_9", "--nocapture"])
        .env(CHILD, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let pushed: Vec<u32> = lines
        .map_while(Result::ok)
        .filter_map(|line| line.rsplit_once("pushed ")?.1.parse().ok())
        .take(200)
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(pushed.len(), 200);
    let left = left(&Queue::open(dir.path(), ROOMY).unwrap());
    assert!(left.len() >= 200, "{} left", left.len());
    assert_eq!(left, (0..u32::try_from(left.len()).unwrap()).collect::<Vec<_>>());
}
