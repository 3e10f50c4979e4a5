//! The durable, bounded queue between sources and sink: segment files in a directory.
//!
//! ```text
//! 0000000000000007.seg   record record record …
//! record                 length 4 | CRC-32 of the payload 4 | payload      (little endian)
//! read                   segment 8 | offset 8 | index 8 | CRC-32 4: up to where the sink took
//! ```
//!
//! A record is synced before [`Queue::push`] returns. A record is read until it is acknowledged,
//! so that a crash repeats some and loses none. A torn tail (a kill in the middle of a write) is
//! cut off when the queue is opened. When the bytes run out, the oldest segment goes, and what
//! nobody had read of it is counted.

mod segment;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};

use segment::{RECORD_BYTES_MAX, Scan, Writer};
use tokio::sync::Notify;

/// A queue has at least this many segments, so that dropping the oldest keeps most of it.
const SEGMENTS_LEAST: u64 = 8;
const SEGMENT_BYTES_MOST: u64 = 8 * 1024 * 1024;
const READ_FILE: &str = "read";

#[derive(Debug, thiserror::Error)]
#[error("the sample queue in {dir} can't be {doing}: {source}")]
pub struct QueueError {
    pub dir: PathBuf,
    doing: &'static str,
    source: io::Error,
}

/// Behind a record: where reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    segment: u64,
    offset: u64,
    /// Records of the segment before this position.
    index: u64,
}

/// Records in order, and what to acknowledge for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub records: Vec<Vec<u8>>,
    pub end: Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueStats {
    pub bytes: u64,
    pub bytes_max: u64,
    /// Not yet acknowledged.
    pub records: u64,
    /// Since it was opened: gone unread because the queue was full.
    pub dropped_records: u64,
    /// Since it was opened: pieces of segments that could not be read.
    pub damaged_segments: u64,
}

#[derive(Debug)]
pub struct Queue {
    dir: PathBuf,
    bytes_max: u64,
    segment_bytes_max: u64,
    state: Mutex<State>,
    pushed: Notify,
}

#[derive(Debug)]
struct State {
    /// All on disk, by number: valid bytes and records.
    segments: BTreeMap<u64, Scan>,
    writer: Option<Writer>,
    next_segment: u64,
    read: Position,
    dropped_records: u64,
    damaged_segments: u64,
}

impl Queue {
    /// Opens the queue in `dir`, which is made where it is missing.
    pub fn open(dir: &Path, bytes_max: u64) -> Result<Self, QueueError> {
        let failed = |source| QueueError { dir: dir.to_owned(), doing: "opened", source };
        let state = State::open(dir).map_err(failed)?;
        Ok(Self {
            dir: dir.to_owned(),
            bytes_max,
            segment_bytes_max: (bytes_max / SEGMENTS_LEAST).clamp(1, SEGMENT_BYTES_MOST),
            state: Mutex::new(state),
            pushed: Notify::new(),
        })
    }

    /// Appends, and returns once it is on disk.
    pub fn push(&self, payload: &[u8]) -> Result<(), QueueError> {
        if payload.len() > RECORD_BYTES_MAX {
            return Err(self.failed("written", io::ErrorKind::FileTooLarge.into()));
        }
        let mut state = self.lock();
        let limits = (self.bytes_max, self.segment_bytes_max);
        state.push(&self.dir, limits, payload).map_err(|e| self.failed("written", e))?;
        drop(state);
        self.pushed.notify_one();
        Ok(())
    }

    /// The oldest records that were not acknowledged: at most `records_max`, and no more once
    /// they have `bytes_max`. Empty when there are none.
    pub fn read(&self, records_max: usize, bytes_max: usize) -> Result<Batch, QueueError> {
        let mut state = self.lock();
        state.read(&self.dir, records_max, bytes_max).map_err(|e| self.failed("read", e))
    }

    /// The sink has all before `end`.
    pub fn acknowledge(&self, end: Position) -> Result<(), QueueError> {
        let mut state = self.lock();
        state.acknowledge(&self.dir, end).map_err(|e| self.failed("acknowledged", e))
    }

    /// Returns after a push; one that came before is not missed.
    pub async fn pushed(&self) {
        self.pushed.notified().await;
    }

    pub fn stats(&self) -> QueueStats {
        let state = self.lock();
        let records: u64 = state.segments.values().map(|scan| scan.records).sum();
        QueueStats {
            bytes: state.bytes(),
            bytes_max: self.bytes_max,
            records: records.saturating_sub(state.read.index),
            dropped_records: state.dropped_records,
            damaged_segments: state.damaged_segments,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> QueueError {
        QueueError { dir: self.dir.clone(), doing, source }
    }
}

impl State {
    fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut segments = BTreeMap::new();
        let mut damaged_segments = 0;
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let Some(number) = segment::number(&path) else { continue };
            let scan = segment::scan(&path)?;
            if scan.torn {
                damaged_segments += 1;
                fs::OpenOptions::new().write(true).open(&path)?.set_len(scan.bytes)?;
            }
            segments.insert(number, scan);
        }
        let read = decode_read(&fs::read(dir.join(READ_FILE)).unwrap_or_default());
        let last = segments.keys().last().copied().unwrap_or(0);
        let mut state = Self {
            segments,
            writer: None,
            next_segment: last.max(read.segment) + 1,
            read,
            dropped_records: 0,
            damaged_segments,
        };
        state.forget_read(dir)?;
        Ok(state)
    }

    fn bytes(&self) -> u64 {
        self.segments.values().map(|scan| scan.bytes).sum()
    }

    fn push(&mut self, dir: &Path, limits: (u64, u64), payload: &[u8]) -> io::Result<()> {
        let (bytes_max, segment_bytes_max) = limits;
        let full = |writer: &Writer| writer.bytes() >= segment_bytes_max;
        if self.writer.as_ref().is_none_or(full) {
            let number = self.next_segment;
            self.next_segment += 1;
            self.writer = Some(Writer::create(dir, number)?);
            self.segments.insert(number, Scan::default());
            // What was read to its end was kept only as the segment being written.
            self.forget_read(dir)?;
        }
        while self.bytes() + segment::record_bytes(payload) > bytes_max && self.segments.len() > 1 {
            self.drop_oldest(dir)?;
        }
        let writer = self.writer.as_mut().expect("made above");
        if let Err(error) = writer.append(payload) {
            // A full disk may have left half a record: nothing more goes behind it.
            self.writer = None;
            self.forget_read(dir)?;
            return Err(error);
        }
        let scan = self.segments.entry(writer.number()).or_default();
        scan.bytes = writer.bytes();
        scan.records += 1;
        Ok(())
    }

    fn drop_oldest(&mut self, dir: &Path) -> io::Result<()> {
        let Some((number, scan)) = self.segments.pop_first() else { return Ok(()) };
        fs::remove_file(segment::path(dir, number))?;
        let read = if number == self.read.segment { self.read.index } else { 0 };
        self.dropped_records += scan.records - read.min(scan.records);
        if self.read.segment <= number {
            self.read = Position { segment: number + 1, ..Position::default() };
        }
        Ok(())
    }

    fn read(&mut self, dir: &Path, records_max: usize, bytes_max: usize) -> io::Result<Batch> {
        let mut batch = Batch { records: Vec::new(), end: self.read };
        let mut bytes = 0;
        let mut damaged = Vec::new();
        'full: for (&number, scan) in self.segments.range(self.read.segment..) {
            if number != batch.end.segment {
                batch.end = Position { segment: number, ..Position::default() };
            }
            let mut reader = segment::Reader::open(dir, number, batch.end.offset)?;
            while batch.end.offset < scan.bytes {
                if batch.records.len() >= records_max || bytes >= bytes_max {
                    break 'full;
                }
                let Some(record) = reader.next()? else {
                    // It was whole when it was written: the disk has lost it since. What is
                    // behind it in this segment can't be found any more.
                    damaged.push(batch.end);
                    break;
                };
                batch.end.offset += segment::record_bytes(&record);
                batch.end.index += 1;
                bytes += record.len();
                batch.records.push(record);
            }
        }
        for at in damaged {
            if let Some(scan) = self.segments.get_mut(&at.segment) {
                self.dropped_records += scan.records - at.index;
                *scan = Scan { bytes: at.offset, records: at.index, torn: true };
            }
            // Nothing more goes behind the damage.
            self.writer.take_if(|writer| writer.number() == at.segment);
            self.damaged_segments += 1;
        }
        Ok(batch)
    }

    fn acknowledge(&mut self, dir: &Path, end: Position) -> io::Result<()> {
        // Behind: its segment was dropped meanwhile.
        if end <= self.read {
            return Ok(());
        }
        self.read = end;
        let aside = dir.join("read.new");
        // Not synced: losing it repeats records, which is harmless.
        fs::File::create(&aside)?.write_all(&encode_read(end))?;
        fs::rename(&aside, dir.join(READ_FILE))?;
        self.forget_read(dir)
    }

    /// Removes segments that were read to their end, but for the one being written.
    fn forget_read(&mut self, dir: &Path) -> io::Result<()> {
        let writing = self.writer.as_ref().map(Writer::number);
        while let Some((&number, scan)) = self.segments.first_key_value() {
            let done = number < self.read.segment
                || number == self.read.segment && self.read.offset >= scan.bytes
                || scan.records == 0;
            if !done || writing == Some(number) {
                break;
            }
            fs::remove_file(segment::path(dir, number))?;
            self.segments.pop_first();
            if self.read.segment <= number {
                self.read = Position { segment: number + 1, ..Position::default() };
            }
        }
        Ok(())
    }
}

fn encode_read(at: Position) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        [at.segment, at.offset, at.index].iter().flat_map(|number| number.to_le_bytes()).collect();
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// The beginning, where the file is missing or damaged: records are then read again.
fn decode_read(bytes: &[u8]) -> Position {
    let Some((numbers, crc)) = bytes.split_last_chunk::<4>() else { return Position::default() };
    match *numbers.as_chunks::<8>().0 {
        [segment, offset, index] if crc32fast::hash(numbers).to_le_bytes() == *crc => Position {
            segment: u64::from_le_bytes(segment),
            offset: u64::from_le_bytes(offset),
            index: u64::from_le_bytes(index),
        },
        _ => Position::default(),
    }
}

#[cfg(test)]
mod tests;
