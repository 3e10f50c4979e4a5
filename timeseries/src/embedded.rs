//! The embedded engine: one directory, one process, one [`Store`].
//!
//! ```text
//! append ── judge ──> log (group fsync) ──> acknowledged
//!             └─────> head (memory) ── flush ──> block of a day ── merge ──> larger block ── retention
//! select <─────────── head + blocks, merged by labels and instant
//! ```
//!
//! | File | What |
//! | --- | --- |
//! | `LOCK` | held while the store is open; a second process is refused |
//! | `MANIFEST` | which blocks and segments count, see [`manifest`] |
//! | `wal/NNNNNNNN.wal` | the log, see [`wal`] |
//! | `blocks/NNNNNNNN.blk` | the blocks, see [`block`] |
//! | `blocks/NNNNNNNN.blk.damaged` | set aside at a start because its index was damaged |
//!
//! Of two samples of one series at one instant the one that was acknowledged first stays. Within
//! the out-of-order window that is decided at the append; a doubled sample that comes later than
//! that, or that only a block from before a restart knows, is dropped when it is read or merged.
//!
//! Memory is bounded by the unflushed samples, the active series, and the cache of block indexes
//! ([`options`] names the bounds); the log by the flushes.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock, atomic::AtomicU64},
};

use async_trait::async_trait;
use base::{
    sample::{Labels, Series},
    time::{SharedClock, Timestamp},
};
use tokio::sync::{Notify, watch};

use self::{block::Block, cache::IndexCache, head::Head, manifest::Manifest, wal::Wal};
pub use self::{options::Options, stats::Stats};
use crate::{
    error::{Error, Result},
    store::{Appended, Select, Selected, Store},
};

pub mod block;
mod cache;
mod codec;
mod files;
mod head;
mod maintain;
pub mod manifest;
pub mod options;
mod postings;
mod read;
mod stats;
pub mod wal;
mod write;

#[cfg(test)]
mod tests;

const LOCK_FILE: &str = "LOCK";
const LOG_DIR: &str = "wal";
const BLOCK_DIR: &str = "blocks";

/// The embedded store. Dropping it lets go of everything; [`Store::close`] also waits for that.
#[derive(Debug)]
pub struct Embedded {
    inner: Arc<Inner>,
    /// Ends the maintenance task when it goes.
    maintenance: Mutex<Option<watch::Sender<()>>>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    options: Options,
    clock: SharedClock,
    state: RwLock<State>,
    wal: Wal,
    /// Whoever holds it, and nobody else, may change the blocks.
    manifest: Mutex<Manifest>,
    indexes: IndexCache,
    /// There is something to flush.
    due: Notify,
    counters: stats::Counters,
    damaged: AtomicU64,
    lock: Mutex<Option<File>>,
}

#[derive(Debug)]
struct State {
    head: Head,
    /// Older samples first, where two blocks could hold the same instant.
    blocks: Arc<Vec<Arc<Block>>>,
    /// The segment that staged records go to.
    segment: u64,
    segment_bytes: u64,
    /// The log since the last flush.
    log_bytes: u64,
    /// When the oldest of what no block holds was appended.
    oldest_unflushed: Option<Timestamp>,
    /// The log's ticket of the newest append.
    ticket: u64,
    closed: bool,
}

impl Embedded {
    /// Takes the directory (made if it is not there), replays the log, and starts maintenance on
    /// the current tokio runtime.
    pub async fn open(dir: &Path, options: Options, clock: SharedClock) -> Result<Self> {
        let dir = dir.to_owned();
        let inner = blocking(move || Inner::open(dir, options, clock)).await?;
        let inner = Arc::new(inner);
        let (sender, receiver) = watch::channel(());
        tokio::spawn(maintain::run(inner.clone(), receiver));
        Ok(Self { inner, maintenance: Mutex::new(Some(sender)) })
    }

    /// Flush, merge and retention as far as they are due. Runs by itself, too.
    pub async fn maintain(&self) -> Result<()> {
        let inner = self.inner.clone();
        blocking(move || inner.maintain()).await
    }

    /// Moves all that only the log holds to blocks.
    pub async fn flush(&self) -> Result<()> {
        let inner = self.inner.clone();
        blocking(move || inner.flush()).await
    }

    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

/// Disk work stays off the runtime's own threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is going down.
        Err(_) => Err(Error::Closed),
    }
}

impl Inner {
    fn open(dir: PathBuf, options: Options, clock: SharedClock) -> Result<Self> {
        let (log_dir, block_dir) = (dir.join(LOG_DIR), dir.join(BLOCK_DIR));
        files::create_dir(&log_dir)?;
        files::create_dir(&block_dir)?;
        let lock = take_lock(&dir)?;
        let mut manifest = match Manifest::load(&dir)? {
            Some(manifest) => manifest,
            None => {
                let fresh = Manifest::default();
                fresh.store(&dir)?;
                fresh
            }
        };
        files::sync_dir(&dir)?;
        let (blocks, damaged) = open_blocks(&block_dir, &mut manifest)?;
        if damaged > 0 {
            manifest.store(&dir)?;
        }
        remove_leftovers(&log_dir, &block_dir, &manifest)?;
        let mut head = Head::default();
        let replayed = write::replay(&log_dir, manifest.first_segment, &mut head)?;
        let segment = replayed.last_segment.map_or(manifest.first_segment, |last| last + 1);
        let wal = Wal::start(&log_dir, segment)?;
        let oldest_unflushed = (head.unflushed() > 0).then(|| clock.now());
        let state = State {
            head,
            blocks: Arc::new(blocks),
            segment,
            segment_bytes: 0,
            log_bytes: replayed.bytes,
            oldest_unflushed,
            ticket: 0,
            closed: false,
        };
        Ok(Self {
            dir,
            options,
            clock,
            state: RwLock::new(state),
            wal,
            manifest: Mutex::new(manifest),
            indexes: IndexCache::default(),
            due: Notify::new(),
            counters: stats::Counters::default(),
            damaged: AtomicU64::new(damaged),
            lock: Mutex::new(Some(lock)),
        })
    }

    fn read(&self) -> Result<std::sync::RwLockReadGuard<'_, State>> {
        let state = self.state.read().expect("no panic while held");
        if state.closed { Err(Error::Closed) } else { Ok(state) }
    }
    fn write(&self) -> Result<std::sync::RwLockWriteGuard<'_, State>> {
        let state = self.state.write().expect("no panic while held");
        if state.closed { Err(Error::Closed) } else { Ok(state) }
    }

    fn close(&self) {
        self.state.write().expect("no panic while held").closed = true;
        // Waits for a flush or merge that runs.
        let manifest = self.manifest.lock().expect("no panic while held");
        self.wal.stop();
        drop(manifest);
        self.lock.lock().expect("no panic while held").take();
    }
}

fn take_lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK_FILE);
    let file = File::create(&path).map_err(Error::io("created", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked { dir: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => {
            Err(Error::Io { what: "locked", path, source })
        }
    }
}

/// Opens what the manifest names. A block with a damaged index is set aside and leaves the
/// manifest; the rest is served.
fn open_blocks(dir: &Path, manifest: &mut Manifest) -> Result<(Vec<Arc<Block>>, u64)> {
    let mut blocks = Vec::new();
    let mut sound = Vec::new();
    let mut damaged = 0;
    for entry in &manifest.blocks {
        let path = block_path(dir, entry.number);
        match Block::open(path.clone(), entry.number, entry.level) {
            Ok(block) => {
                blocks.push(Arc::new(block));
                sound.push(entry.clone());
            }
            Err(error @ Error::Corrupt { .. }) => {
                tracing::error!(%error, "a block is damaged; it is set aside");
                let aside = path.with_extension("blk.damaged");
                std::fs::rename(&path, &aside).map_err(Error::io("renamed", &path))?;
                damaged += 1;
            }
            Err(error) => return Err(error),
        }
    }
    manifest.blocks = sound;
    maintain::sort_by_age(&mut blocks);
    Ok((blocks, damaged))
}

fn block_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.blk"))
}

/// What a crash left between writing a file and naming it, or after un-naming it.
fn remove_leftovers(log_dir: &Path, block_dir: &Path, manifest: &Manifest) -> Result<()> {
    for (number, path) in files::numbered(block_dir, "blk")? {
        if manifest.blocks.iter().all(|entry| entry.number != number) {
            files::remove(&path)?;
        }
    }
    for (number, path) in files::numbered(log_dir, "wal")? {
        if number < manifest.first_segment {
            files::remove(&path)?;
        }
    }
    Ok(())
}

#[async_trait]
impl Store for Embedded {
    async fn append(&self, batch: Vec<Series>) -> Result<Appended> {
        let inner = self.inner.clone();
        let (appended, ticket) = blocking(move || inner.stage(batch)).await?;
        self.inner.wal.wait(ticket).await?;
        self.inner.counters.count(&appended);
        Ok(appended)
    }
    async fn select(&self, request: Select) -> Result<Vec<Selected>> {
        let inner = self.inner.clone();
        blocking(move || inner.select(&request)).await
    }
    async fn series(&self, request: Select) -> Result<Vec<Arc<Labels>>> {
        let inner = self.inner.clone();
        blocking(move || inner.series(&request)).await
    }
    async fn label_names(&self, request: Select) -> Result<Vec<String>> {
        let inner = self.inner.clone();
        blocking(move || inner.label_names(&request)).await
    }
    async fn label_values(&self, name: &str, request: Select) -> Result<Vec<String>> {
        let (inner, name) = (self.inner.clone(), name.to_owned());
        blocking(move || inner.label_values(&name, &request)).await
    }
    async fn snapshot(&self, dir: &Path) -> Result<()> {
        let (inner, dir) = (self.inner.clone(), dir.to_owned());
        blocking(move || inner.snapshot(&dir)).await
    }
    async fn close(&self) -> Result<()> {
        self.maintenance.lock().expect("no panic while held").take();
        let inner = self.inner.clone();
        blocking(move || {
            inner.close();
            Ok(())
        })
        .await
    }
}
