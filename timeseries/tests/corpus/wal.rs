//! What any bytes may be put through as a log: the records of every sound frame come back, in
//! order, whatever lies between the frames; and reading them again gives the same.
//!
//! ```text
//! input   items, each: kind u8, length u16 LE, bytes
//!   0     a frame with these records, and the right checksum
//!   1     bytes that are no frame; where they make a sound one after all, nothing is claimed
//!   2     a new segment; one that the bytes end (their length mod 3) is left out
//! ```

use std::{ops::Range, path::Path, sync::OnceLock};

use tempfile::TempDir;
use timeseries::embedded::wal::{
    self, MAGIC,
    replay::{Record, Replayed, read_records, replay},
};

const FRAME: u8 = 0;
const GARBAGE: u8 = 1;
const SEGMENTS_MAX: usize = 8;

/// What a record says, with its segment.
type Said = (u64, u64, Option<(i64, u64)>, Vec<u8>);

fn said(segment: u64, record: &Record<'_>) -> Said {
    match record {
        Record::Series { id, key } => (segment, *id, None, key.to_vec()),
        Record::Sample { id, sample } => {
            (segment, *id, Some((sample.at_ms, sample.value.to_bits())), Vec::new())
        }
    }
}

#[derive(Default)]
struct Log {
    /// Number and bytes.
    segments: Vec<(u64, Vec<u8>)>,
    said: Vec<Said>,
    damaged: bool,
    /// Where bytes that should be no frame are, by place of the segment.
    garbage: Vec<(usize, Range<usize>)>,
}

impl Log {
    fn begin(&mut self, number: u64) {
        self.segments.push((number, [MAGIC, &number.to_le_bytes()[..]].concat()));
    }

    fn frame(&mut self, payload: &[u8]) {
        let (number, bytes) = self.segments.last_mut().expect("a segment was begun");
        if payload.is_empty() {
            return;
        }
        let length = u32::try_from(payload.len()).expect("a short payload");
        bytes.extend_from_slice(&wal::FRAME_MARK);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&wal::frame_crc(length, payload).to_le_bytes());
        bytes.extend_from_slice(payload);
        let its = *number;
        let read = read_records(payload, |record| self.said.push(said(its, &record)));
        self.damaged |= read.is_none();
    }

    fn of(mut data: &[u8]) -> Self {
        let mut log = Self::default();
        log.begin(1);
        while let Some((&[kind, low, high], rest)) = data.split_first_chunk() {
            let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
            let (bytes, rest) = rest.split_at(length);
            data = rest;
            match kind % 3 {
                FRAME => log.frame(bytes),
                GARBAGE => {
                    let place = log.segments.len() - 1;
                    let segment = &mut log.segments[place].1;
                    log.garbage.push((place, segment.len()..segment.len() + bytes.len()));
                    segment.extend(bytes);
                    log.damaged |= !bytes.is_empty();
                }
                _ if log.segments.len() < SEGMENTS_MAX => {
                    let (last, _) = log.segments.last().expect("a segment was begun");
                    let missing = (length % 3) as u64;
                    log.damaged |= missing > 0;
                    log.begin(last + 1 + missing);
                }
                _ => {}
            }
        }
        log
    }

    /// A frame with the right checksum begins among the garbage. What it swallows of the frames behind
    /// it is lost to any reader; chance makes one of four thousand million, a fuzzer makes them.
    fn is_forged(&self) -> bool {
        self.garbage.iter().any(|(place, garbage)| {
            let bytes = &self.segments[*place].1;
            garbage.clone().any(|at| is_frame(&bytes[at..]))
        })
    }

    fn write(&self, dir: &Path) {
        for (number, bytes) in &self.segments {
            std::fs::write(wal::segment_path(dir, *number), bytes).expect("a segment");
        }
    }
}

fn is_frame(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(&wal::FRAME_MARK) else { return false };
    let Some((length, rest)) = rest.split_first_chunk() else { return false };
    let Some((crc, rest)) = rest.split_first_chunk() else { return false };
    let (length, crc) = (u32::from_le_bytes(*length), u32::from_le_bytes(*crc));
    rest.get(..length as usize).is_some_and(|payload| wal::frame_crc(length, payload) == crc)
}

fn read(dir: &Path) -> (Vec<Said>, Replayed) {
    let mut all = Vec::new();
    let done = replay(dir, 1, |segment, record| all.push(said(segment, &record)));
    (all, done.expect("a log, damaged or not, can be read"))
}

/// Panics where something is wrong.
pub fn run(data: &[u8]) {
    static DIR: OnceLock<TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| tempfile::tempdir().expect("a directory")).path();
    for entry in std::fs::read_dir(dir).expect("the directory") {
        std::fs::remove_file(entry.expect("a file").path()).expect("a file");
    }
    let log = Log::of(data);
    if log.is_forged() {
        return;
    }
    log.write(dir);
    let (all, done) = read(dir);
    assert_eq!(all, log.said);
    if !log.damaged {
        assert_eq!((done.damaged_parts, done.torn_bytes, done.damaged_bytes), (0, 0, 0));
    }
    let (again, then) = read(dir);
    assert_eq!(again, all);
    assert_eq!(then.torn_bytes, 0, "it was cut off the first time");
    assert!(then.damaged_parts <= done.damaged_parts);
}

#[allow(dead_code)]
pub fn seeds(golden: &Path) -> Vec<Vec<u8>> {
    let item = |kind: u8, bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).expect("a short item");
        [&[kind], &length.to_le_bytes()[..], bytes].concat()
    };
    let sample = |at_ms| base::sample::Sample { at_ms, value: 0.5 };
    let mut records = Vec::new();
    let labels = base::sample::Labels::metric("m", &[("job", "é")]);
    wal::put_series(&mut records, 7, &timeseries::embedded::key::of(&labels));
    wal::put_samples(&mut records, &[(7, sample(1_700_000_000_000)), (7, sample(-1))]);
    let golden = std::fs::read(golden).expect("the golden log");
    let frame = &golden[wal::SEGMENT_HEADER_BYTES..];
    let whole = item(FRAME, &records);
    let unfinished = item(GARBAGE, &frame[..frame.len() - 1]);
    let zeros = item(GARBAGE, &[0; 40]);
    let mark = item(GARBAGE, &[&wal::FRAME_MARK[..], &[9, 0, 0, 0, 1, 2, 3, 4, 5]].concat());
    // Its payload would be the mark of the frame behind it.
    let crc = wal::frame_crc(4, &wal::FRAME_MARK).to_le_bytes();
    let forged = [&wal::FRAME_MARK[..], &4u32.to_le_bytes(), &crc].concat();
    vec![
        whole.clone(),
        item(FRAME, &frame[wal::FRAME_HEADER_BYTES..]),
        [whole.clone(), unfinished.clone()].concat(),
        [whole.clone(), zeros, whole.clone(), mark, whole.clone()].concat(),
        [whole.clone(), item(2, b""), whole.clone(), item(2, b"1"), whole.clone()].concat(),
        [unfinished, whole.clone(), item(2, b""), item(FRAME, b"\x02\xff")].concat(),
        [whole.clone(), item(FRAME, b"\x09"), item(GARBAGE, &wal::FRAME_MARK)].concat(),
        [item(GARBAGE, &forged), whole].concat(),
    ]
}
