//! The embedded engine: one directory, one process, one [`Store`].
//!
//! ```text
//! append ── judge ──> log (group fsync) ──> acknowledged
//!             └─────> head (memory) ── flush ──> block of a day ── merge ──> larger block ── retention
//! backfill ── judge ──> block of a day ──> acknowledged
//! find, select <───── head + blocks, merged by series and instant
//! ```
//!
//! | File | What |
//! | --- | --- |
//! | `LOCK` | held while the store is open; a second process is refused |
//! | `MANIFEST`, `MANIFEST.copy` | which blocks and segments count, see [`manifest`] |
//! | `METADATA` | what senders said about metric families, see [`notes`] |
//! | `wal/NNNNNNNN.wal` | the log, see [`wal`] |
//! | `blocks/NNNNNNNN.blk` | the blocks, see [`block`] |
//! | `MANIFEST.damaged`, `wal/NNNNNNNN.OFFSET.damaged`, `blocks/NNNNNNNN.blk.damaged` | set aside because a checksum was wrong, see [`lost`] |
//!
//! docs/formats/timeseries.md has the bytes of all of them.
//!
//! Of two samples of one series at one instant the one that was acknowledged first stays, as in
//! Prometheus: the same value is a duplicate, another one a conflict.
//!
//! Memory is bounded by the unflushed samples (30 a series may be, where series are many), the active
//! series, the cache of block indexes, and the routes of senders ([`options`] names the bounds); the log
//! by the flushes.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use base::{
    sample::{Labels, Series},
    time::SharedClock,
};
use tokio::sync::{Notify, watch};

pub use self::{
    backfill::{BACKFILL_DAY_MAX_BLOCKS, BACKFILL_MAX_SAMPLES},
    options::{LogSync, Options},
    stats::Stats,
};
use self::{
    batch::Batch, block::Block, cache::IndexCache, head::Head, manifest::Manifest, notes::Notes,
    options::CLOSE_FLUSH_MIN_SAMPLES, read::Asked, routes::Routes, wal::Wal,
};
use crate::{
    error::{Error, Result},
    lost::Lost,
    matcher::Matcher,
    remote_write::{Body, Relabel},
    selection::Selection,
    store::{Appended, Backfilled, Exemplars, Metadata, Noted, Select, Selected, Store},
};

mod backfill;
mod batch;
pub mod block;
mod cache;
pub mod codec;
mod delete;
mod files;
mod flush;
mod head;
pub mod key;
mod lost;
mod maintain;
pub mod manifest;
mod merge;
pub mod notes;
mod open;
pub mod options;
mod read;
mod replay;
mod routes;
mod snapshot;
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
    /// Ends the maintenance tasks when it goes.
    maintenance: Mutex<Option<watch::Sender<()>>>,
}

type Blocks = Arc<Vec<Arc<Block>>>;

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    options: Options,
    clock: SharedClock,
    head: Head,
    /// Older samples first, where two blocks could hold the same instant.
    blocks: RwLock<Blocks>,
    /// The manifest's.
    tombstones: RwLock<Arc<Vec<manifest::Tombstone>>>,
    wal: Wal,
    notes: Notes,
    /// The log since the last flush.
    log_bytes: AtomicU64,
    /// When the oldest of what no block holds was appended; `i64::MAX` when there is nothing.
    oldest_unflushed_ms: AtomicI64,
    closed: AtomicBool,
    /// Whoever holds it, and nobody else, may change the set of blocks.
    manifest: Mutex<Manifest>,
    /// One merge at a time; it holds the manifest only to commit, so that flushes go on.
    merging: Mutex<()>,
    /// Wakes a merge that pauses when the store closes.
    ending: (Mutex<bool>, Condvar),
    /// Blocks with a wrong checksum, out of use, whose files still have their names.
    condemned: Mutex<Vec<Arc<Block>>>,
    /// All that were set aside, those of an earlier start among them.
    lost: Mutex<Vec<Lost>>,
    indexes: IndexCache,
    routes: Routes,
    /// There is something to flush.
    due: Notify,
    /// There may be something to merge.
    grown: Notify,
    counters: stats::Counters,
    lock: Mutex<Option<File>>,
}

impl Embedded {
    /// Takes the directory (made if it is not there), replays the log, and starts maintenance on
    /// the current tokio runtime.
    pub async fn open(dir: &Path, options: Options, clock: SharedClock) -> Result<Self> {
        let dir = dir.to_owned();
        let inner = blocking(move || Inner::open(dir, options, clock)).await?;
        let inner = Arc::new(inner);
        let (sender, receiver) = watch::channel(());
        tokio::spawn(maintain::flush_when_due(inner.clone(), receiver.clone()));
        tokio::spawn(maintain::merge_when_due(inner.clone(), receiver));
        Ok(Self { inner, maintenance: Mutex::new(Some(sender)) })
    }

    /// Flush, retention and merges as far as they are due. Runs by itself, too.
    pub async fn maintain(&self) -> Result<()> {
        let inner = self.inner.clone();
        blocking(move || {
            inner.keep_up()?;
            inner.merge_all()
        })
        .await
    }

    /// Moves all that only the log holds to blocks.
    pub async fn flush(&self) -> Result<()> {
        let inner = self.inner.clone();
        blocking(move || inner.flush()).await
    }

    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }

    /// Reads until somebody has the answer, or nobody waits for it any more.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Arc<Inner>, &Asked) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        let (asked, _asking) = read::asked();
        blocking(move || read(&inner, &asked)).await
    }

    async fn append_batch(
        &self,
        batch: impl FnOnce(&Inner) -> Batch + Send + 'static,
    ) -> Result<Appended> {
        let inner = self.inner.clone();
        let staged = move || {
            let mut batch = batch(&inner);
            let staged = inner.stage(&mut batch)?;
            batch.keep_route(&inner.routes, inner.clock.now());
            Ok(staged)
        };
        let (appended, ticket) = blocking(staged).await?;
        self.inner.wal.wait(ticket).await?;
        self.inner.counters.count(&appended);
        Ok(appended)
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
    fn check_open(&self) -> Result<()> {
        if self.closed.load(Relaxed) { Err(Error::Closed) } else { Ok(()) }
    }

    fn blocks(&self) -> Blocks {
        self.blocks.read().expect("no panic while held").clone()
    }

    /// None where the block is damaged: it is out of use from here on, and the rest is served.
    fn sound<T>(&self, block: &Arc<Block>, result: Result<T>) -> Result<Option<T>> {
        match result {
            Err(error @ Error::Corrupt { .. }) => {
                if block.condemn() {
                    self.lose(block, &error);
                    let mut blocks = self.blocks.write().expect("no panic while held");
                    let others = blocks.iter().filter(|its| its.number != block.number);
                    *blocks = Arc::new(others.cloned().collect());
                    drop(blocks);
                    self.condemned.lock().expect("no panic while held").push(block.clone());
                    self.due.notify_one();
                }
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    fn close(&self) {
        self.closed.store(true, Relaxed);
        *self.ending.0.lock().expect("no panic while held") = true;
        self.ending.1.notify_all();
        // Waits for a flush or merge that runs.
        let merging = self.merging.lock().expect("no panic while held");
        let mut manifest = self.manifest.lock().expect("no panic while held");
        // What is closed with care is small on the disk and has little to replay; the log has it all
        // should this fail.
        if self.head.unflushed() >= CLOSE_FLUSH_MIN_SAMPLES
            && let Err(error) = self.flush_held(&mut manifest)
        {
            tracing::warn!(%error, "the last samples stay in the log");
        }
        if let Err(error) = self.notes.store(&self.dir) {
            tracing::warn!(%error, "metadata was not kept");
        }
        self.wal.stop();
        drop((manifest, merging));
        self.lock.lock().expect("no panic while held").take();
    }
}

fn block_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.blk"))
}

#[async_trait]
impl Store for Embedded {
    fn stats(&self) -> Option<Stats> {
        Some(self.inner.stats())
    }
    async fn append(&self, batch: Vec<Series>) -> Result<Appended> {
        self.append_batch(move |inner| Batch::of_series(&inner.head, &batch)).await
    }
    async fn append_remote_write(&self, body: Body, relabel: Arc<dyn Relabel>) -> Result<Appended> {
        self.append_batch(move |inner| {
            inner.notes.take(&body, &*relabel);
            Batch::of_body(&inner.head, &inner.routes, inner.clock.now(), &body, &*relabel)
        })
        .await
    }
    async fn backfill(&self, batch: Vec<Series>) -> Result<Backfilled> {
        let inner = self.inner.clone();
        let done = blocking(move || inner.backfill(&batch)).await?;
        if done.appended.duplicates > 0 {
            // What it repeats may be on its way to the disk only.
            self.inner.wal.wait(self.inner.wal.newest()).await?;
        }
        Ok(done)
    }
    async fn select(&self, request: Select) -> Result<Vec<Selected>> {
        self.read(move |inner, asked| inner.select(&request, asked)).await
    }
    async fn find(&self, request: Select) -> Result<Arc<dyn Selection>> {
        if let Some(found) = self.inner.find_few(&request) {
            return Ok(Arc::new(found?));
        }
        let found = self.read(move |inner, asked| inner.find(&request, asked)).await?;
        Ok(Arc::new(found))
    }
    async fn series(&self, request: Select) -> Result<Vec<Arc<Labels>>> {
        self.read(move |inner, asked| inner.series(&request, asked)).await
    }
    async fn label_names(&self, request: Select) -> Result<Vec<String>> {
        self.read(move |inner, asked| inner.label_names(&request, asked)).await
    }
    async fn label_values(&self, name: &str, request: Select) -> Result<Vec<String>> {
        let name = name.to_owned();
        self.read(move |inner, asked| inner.label_values(&name, &request, asked)).await
    }
    async fn delete(&self, matchers: Vec<Matcher>, start_ms: i64, end_ms: i64) -> Result<()> {
        let inner = self.inner.clone();
        blocking(move || inner.delete(&matchers, start_ms, end_ms)).await
    }
    fn lost(&self, start_ms: i64, end_ms: i64) -> Vec<Lost> {
        self.inner.lost(start_ms, end_ms)
    }
    async fn metadata(&self) -> Result<Vec<Metadata>> {
        self.inner.check_open()?;
        Ok(self.inner.notes.metadata())
    }
    async fn note(&self, metadata: Vec<Metadata>, exemplars: Vec<Exemplars>) -> Result<Noted> {
        self.inner.check_open()?;
        let noted = self.inner.notes.note(metadata, exemplars);
        // What is acknowledged is on disk.
        let inner = self.inner.clone();
        blocking(move || inner.notes.store(&inner.dir)).await?;
        Ok(noted)
    }
    async fn exemplars(&self, request: Select) -> Result<Vec<Exemplars>> {
        self.inner.check_open()?;
        Ok(self.inner.notes.exemplars(&request))
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
