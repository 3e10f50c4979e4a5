//! Opening a directory: lock, manifest, blocks, log.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use base::time::SharedClock;
use tokio::sync::Notify;

use super::{
    BLOCK_DIR, Inner, LOCK_FILE, LOG_DIR,
    block::Block,
    block_path,
    cache::IndexCache,
    files, flush,
    head::Head,
    lost,
    manifest::{self, Manifest},
    notes::Notes,
    options::Options,
    replay,
    routes::Routes,
    stats,
    wal::Wal,
};
use crate::{
    error::{Error, Result},
    lost::Lost,
};

impl Inner {
    pub(super) fn open(dir: PathBuf, options: Options, clock: SharedClock) -> Result<Self> {
        let (log_dir, block_dir) = (dir.join(LOG_DIR), dir.join(BLOCK_DIR));
        files::create_dir(&log_dir)?;
        files::create_dir(&block_dir)?;
        let lock = take_lock(&dir)?;
        let mut manifest = match Manifest::load(&dir)? {
            Some(manifest) => manifest,
            None => {
                // What no manifest names would be taken away as a leftover.
                if !files::numbered(&block_dir, "blk")?.is_empty() {
                    let reason = "it is gone, and there are blocks that only it can name";
                    return Err(Error::corrupt(&dir.join(manifest::FILE), 0, reason));
                }
                let fresh = Manifest::default();
                fresh.store(&dir)?;
                fresh
            }
        };
        files::sync_dir(&dir)?;
        let counters = stats::Counters::default();
        let (blocks, damaged, mut lost) = open_blocks(&block_dir, &mut manifest)?;
        lost.extend(lost::load(&block_dir)?);
        if damaged > 0 {
            counters.damaged_blocks.store(damaged, Relaxed);
            manifest.store(&dir)?;
        }
        remove_leftovers(&log_dir, &block_dir, &manifest)?;
        let head = Head::new();
        let replayed = replay::replay(&log_dir, manifest.first_segment, &head)?;
        counters.damaged_log_parts.store(replayed.damaged_parts, Relaxed);
        counters.damaged_log_bytes.store(replayed.damaged_bytes, Relaxed);
        counters.unnamed_samples.store(replayed.unnamed_samples, Relaxed);
        let segment = replayed.last_segment.map_or(manifest.first_segment, |last| last + 1);
        head.start_segment(segment);
        let wal = Wal::start(&log_dir, segment, options.log_sync)?;
        let oldest = if head.unflushed() > 0 { clock.now().ms() } else { i64::MAX };
        let inner = Self {
            notes: Notes::load(&dir),
            dir,
            options,
            clock,
            head,
            blocks: RwLock::new(Arc::new(blocks)),
            tombstones: RwLock::new(Arc::new(manifest.tombstones.clone())),
            wal,
            log_bytes: AtomicU64::new(replayed.bytes),
            oldest_unflushed_ms: AtomicI64::new(oldest),
            closed: AtomicBool::new(false),
            manifest: Mutex::new(manifest),
            merging: Mutex::new(()),
            ending: (Mutex::new(false), Condvar::new()),
            condemned: Mutex::default(),
            lost: Mutex::new(lost),
            indexes: IndexCache::default(),
            routes: Routes::default(),
            due: Notify::new(),
            grown: Notify::new(),
            counters,
            lock: Mutex::new(Some(lock)),
        };
        if replayed.damaged_parts > 0 {
            // So that the damage is met once: what was saved goes to blocks, the segments go.
            inner.flush_all_segments()?;
        }
        Ok(inner)
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

/// Opens what the manifest names. A block that is damaged or gone leaves the manifest; the rest is
/// served. With how many left it, and those of which no file tells at the next start.
fn open_blocks(dir: &Path, manifest: &mut Manifest) -> Result<(Vec<Arc<Block>>, u64, Vec<Lost>)> {
    let (mut blocks, mut gone) = (Vec::new(), Vec::new());
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
                set_aside(&path)?;
                damaged += 1;
            }
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                tracing::error!(path = %path.display(), "a block's file is gone");
                gone.push(lost::gone(entry.number));
                damaged += 1;
            }
            Err(error) => return Err(error),
        }
    }
    manifest.blocks = sound;
    flush::sort_by_age(&mut blocks);
    Ok((blocks, damaged, gone))
}

/// Gives a damaged block's file a name that nobody reads.
pub(super) fn set_aside(path: &Path) -> Result<()> {
    let aside = path.with_extension(lost::ASIDE);
    std::fs::rename(path, &aside).map_err(Error::io("renamed", path))
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
