//! The write-ahead log: what was acknowledged is in it, or in a block.
//!
//! ```text
//! NNNNNNNN.wal        one segment; numbers are contiguous, the manifest names the first one needed
//! +-----------------------+----------------+-------+-------+-- ... --+
//! | magic "OHWAL\0\0\1"  8 | number u64 LE 8 | frame | frame |         |
//! +-----------------------+----------------+-------+-------+-- ... --+
//!
//! frame               all that one fsync made durable: it is there whole, or not at all
//! +--------------------+---------------+------------------------+-------------------+
//! | mark F7 A3 E1 9C  4 | length u32 LE | CRC-32 u32 LE of the    | payload: records  |
//! |                    |               | length and the payload |                   |
//! +--------------------+---------------+------------------------+-------------------+
//!
//! record
//! +---+------------+----------------+-----------------------------------------------+
//! | 1 | id varint  | labels varint  | (name, value), each a varint length and bytes |  series and its key
//! +---+------------+----------------+-----------------------------------------------+
//! | 2 | count varint                | (id varint, instant zigzag, value f64 LE)     |  samples
//! +---+-----------------------------+-----------------------------------------------+
//! ```
//!
//! A sample's instant is the difference to the one before it in its record. A segment stands
//! alone: a series is named in each segment before its first sample there, so old segments can
//! go without a checkpoint.
//!
//! Appenders stage their records in memory and wait; one thread writes all that is staged as one
//! frame and syncs it, and while it does, the next group gathers. So many appenders share one
//! fsync, and a lone one waits for no timer. ([`LogSync`] has the option that acknowledges before
//! the fsync.) After a failed write or fsync nothing is acknowledged any more (what the kernel
//! then holds is unknown) until a restart has replayed the log.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use base::sample::Sample;
use tokio::sync::watch;

use super::{codec, files, options::LogSync};
use crate::error::{Error, Result};

pub mod replay;
#[cfg(test)]
mod tests;

pub const MAGIC: &[u8; 8] = b"OHWAL\0\0\x01";
pub const SEGMENT_HEADER_BYTES: usize = 16;
pub const FRAME_HEADER_BYTES: usize = 12;
/// Begins each frame, so that one behind a damaged one is found.
pub const FRAME_MARK: [u8; 4] = [0xf7, 0xa3, 0xe1, 0x9c];
/// What waits for the log's thread; beyond it appends answer `Busy`. A group of more takes several
/// frames.
pub const STAGED_MAX_BYTES: usize = 32 << 20;
/// No frame is larger: an append's records of one shard stay together, and
/// [`super::options::APPEND_MAX_KEY_BYTES`] bounds them.
pub const FRAME_MAX_BYTES: usize = 256 << 20;

pub const RECORD_SERIES: u8 = 1;
pub const RECORD_SAMPLES: u8 = 2;

pub fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.wal"))
}

pub fn put_series(out: &mut Vec<u8>, id: u64, key: &[u8]) {
    out.push(RECORD_SERIES);
    codec::put_varint(out, id);
    out.extend_from_slice(key);
}

pub fn put_samples(out: &mut Vec<u8>, samples: &[(u64, Sample)]) {
    out.push(RECORD_SAMPLES);
    codec::put_varint(out, samples.len() as u64);
    let mut last_ms = 0i64;
    for (id, sample) in samples {
        codec::put_varint(out, *id);
        codec::put_signed(out, sample.at_ms.wrapping_sub(last_ms));
        out.extend_from_slice(&sample.value.to_bits().to_le_bytes());
        last_ms = sample.at_ms;
    }
}

#[derive(Debug)]
enum Item {
    Records(Vec<u8>),
    /// Go on in the segment of this number.
    Rotate(u64),
}

#[derive(Debug, Default)]
struct Queue {
    items: Vec<Item>,
    bytes: usize,
    /// The ticket of the newest item.
    staged: u64,
    stop: bool,
}

#[derive(Debug, Clone, Default)]
struct Progress {
    /// All items up to this ticket are on disk.
    durable: u64,
    failed: Option<Arc<str>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    progress: watch::Sender<Progress>,
    fsyncs: std::sync::atomic::AtomicU64,
}

#[derive(Debug)]
pub struct Wal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Wal {
    /// Starts a new segment and the thread that writes it.
    pub fn start(dir: &Path, segment: u64, sync: LogSync) -> Result<Self> {
        let file = create_segment(dir, segment)?;
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            progress: watch::Sender::new(Progress::default()),
            fsyncs: std::sync::atomic::AtomicU64::new(0),
        });
        let (dir, its) = (dir.to_owned(), shared.clone());
        let thread = std::thread::Builder::new()
            .name("wal".to_owned())
            .spawn(move || run(&its, &dir, file, sync))
            .map_err(Error::io("served by a thread", &segment_path(Path::new(""), segment)))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues records; the ticket is for [`Wal::wait`], after [`Wal::kick`]. Whoever holds the lock
    /// of the records' series calls it, so that the log's order is the head's.
    pub fn stage(&self, records: Vec<u8>) -> Result<u64> {
        self.push(Item::Records(records))
    }
    /// Has the thread look at what is queued.
    pub fn kick(&self) {
        self.shared.wake.notify_one();
    }
    pub fn rotate(&self, segment: u64) -> Result<u64> {
        let ticket = self.push(Item::Rotate(segment));
        self.kick();
        ticket
    }
    fn push(&self, item: Item) -> Result<u64> {
        let mut queue = self.shared.queue.lock().expect("no panic while held");
        if queue.stop {
            return Err(Error::Closed);
        }
        if let Item::Records(records) = &item {
            queue.bytes += records.len();
        }
        queue.items.push(item);
        queue.staged += 1;
        Ok(queue.staged)
    }

    /// Fails early where the log already has, or where too much waits.
    pub fn check(&self) -> Result<()> {
        if let Some(why) = &self.shared.progress.borrow().failed {
            return Err(Error::LogFailed(why.to_string()));
        }
        let queue = self.shared.queue.lock().expect("no panic while held");
        if queue.stop {
            return Err(Error::Closed);
        }
        if queue.bytes >= STAGED_MAX_BYTES / 2 {
            return Err(Error::Busy("the disk does not keep up with the log"));
        }
        Ok(())
    }

    /// Returns when the ticket's item is on disk.
    pub async fn wait(&self, ticket: u64) -> Result<()> {
        let mut progress = self.shared.progress.subscribe();
        let reached = progress
            .wait_for(|p| p.durable >= ticket || p.failed.is_some())
            .await
            .map_err(|_| Error::Closed)?;
        match &reached.failed {
            Some(why) if reached.durable < ticket => Err(Error::LogFailed(why.to_string())),
            _ => Ok(()),
        }
    }

    /// Writes what is staged and ends the thread. Idempotent.
    pub fn stop(&self) {
        {
            let mut queue = self.shared.queue.lock().expect("no panic while held");
            queue.stop = true;
            self.shared.wake.notify_one();
        }
        if let Some(thread) = self.thread.lock().expect("no panic while held").take() {
            // A panic there has been reported as a failure of the log already.
            let _ = thread.join();
        }
    }

    pub fn fsyncs(&self) -> u64 {
        self.shared.fsyncs.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        self.stop();
    }
}

fn create_segment(dir: &Path, number: u64) -> Result<File> {
    let path = segment_path(dir, number);
    let create = |path: &Path| -> std::io::Result<File> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(MAGIC)?;
        file.write_all(&number.to_le_bytes())?;
        file.sync_all()?;
        Ok(file)
    };
    let file = create(&path).map_err(Error::io("created", &path))?;
    files::sync_dir(dir)?;
    Ok(file)
}

/// Sets the failure if the thread panics, so that nobody waits for ever.
struct FailOnPanic<'a>(&'a Shared);

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.progress.send_modify(|p| p.failed = Some("its thread panicked".into()));
        }
    }
}

fn run(shared: &Shared, dir: &Path, file: File, sync: LogSync) {
    let _guard = FailOnPanic(shared);
    let mut log = Log { shared, dir, file, sync, unsynced_since: None };
    loop {
        let (items, ticket, stop) = log.next_group();
        let ended = stop && items.is_empty();
        let written = log.write_group(items).and_then(|()| log.sync_if_due(ended));
        if let Err(error) = written {
            tracing::error!(%error, "the write-ahead log failed; nothing more is acknowledged");
            shared.progress.send_modify(|p| p.failed = Some(error.to_string().into()));
            return;
        }
        if ended {
            return;
        }
        shared.progress.send_modify(|p| p.durable = ticket);
    }
}

/// The thread's own.
struct Log<'a> {
    shared: &'a Shared,
    dir: &'a Path,
    file: File,
    sync: LogSync,
    /// Written, acknowledged and not synced: only where [`LogSync::Every`] asks for it.
    unsynced_since: Option<Instant>,
}

impl Log<'_> {
    /// Waits for something to write, for the end, or for the time to sync.
    fn next_group(&self) -> (Vec<Item>, u64, bool) {
        let mut queue = self.shared.queue.lock().expect("no panic while held");
        while queue.items.is_empty() && !queue.stop {
            let left = self.until_due();
            if left == Some(Duration::ZERO) {
                break;
            }
            let wake = &self.shared.wake;
            queue = match left {
                None => wake.wait(queue).expect("no panic while held"),
                Some(left) => wake.wait_timeout(queue, left).expect("no panic while held").0,
            };
        }
        queue.bytes = 0;
        (std::mem::take(&mut queue.items), queue.staged, queue.stop)
    }

    /// None where nothing waits for its fsync.
    fn until_due(&self) -> Option<Duration> {
        let (since, LogSync::Every(period)) = (self.unsynced_since?, self.sync) else {
            return None;
        };
        Some(period.saturating_sub(since.elapsed()))
    }

    fn write_group(&mut self, items: Vec<Item>) -> Result<()> {
        let mut frame = vec![0; FRAME_HEADER_BYTES];
        for item in items {
            match item {
                Item::Records(records) => {
                    if frame.len() + records.len() > STAGED_MAX_BYTES {
                        self.write_frame(&mut frame)?;
                    }
                    frame.extend_from_slice(&records);
                }
                Item::Rotate(number) => {
                    self.write_frame(&mut frame)?;
                    self.sync_if_due(true)?;
                    self.file = create_segment(self.dir, number)?;
                }
            }
        }
        self.write_frame(&mut frame)
    }

    /// Writes the payload behind the header's place, syncs it where that is asked for, and empties
    /// the frame.
    fn write_frame(&mut self, frame: &mut Vec<u8>) -> Result<()> {
        let payload = frame.len() - FRAME_HEADER_BYTES;
        if payload == 0 {
            return Ok(());
        }
        let length = u32::try_from(payload)
            .ok()
            .filter(|_| payload <= FRAME_MAX_BYTES)
            .ok_or(Error::TooLarge { what: "an append's records", limit: FRAME_MAX_BYTES })?;
        frame[..4].copy_from_slice(&FRAME_MARK);
        frame[4..8].copy_from_slice(&length.to_le_bytes());
        let crc = frame_crc(length, &frame[FRAME_HEADER_BYTES..]);
        frame[8..12].copy_from_slice(&crc.to_le_bytes());
        self.file.write_all(frame).map_err(Error::io("written", self.dir))?;
        frame.truncate(FRAME_HEADER_BYTES);
        match self.sync {
            LogSync::Group => self.sync_data(),
            LogSync::Every(_) => {
                self.unsynced_since.get_or_insert_with(Instant::now);
                Ok(())
            }
        }
    }

    fn sync_if_due(&mut self, at_once: bool) -> Result<()> {
        let due = self.unsynced_since.is_some() && self.until_due() == Some(Duration::ZERO);
        if due || (at_once && self.unsynced_since.is_some()) { self.sync_data() } else { Ok(()) }
    }

    fn sync_data(&mut self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("synced", self.dir))?;
        self.unsynced_since = None;
        self.shared.fsyncs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }
}

pub fn frame_crc(length: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}
