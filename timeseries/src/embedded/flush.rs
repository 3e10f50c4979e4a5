//! Flush: the head's samples become blocks, and the log before them goes. And what flush, merge and
//! retention share: a new set of blocks is committed by the manifest's rename, so a crash before it
//! leaves what was, one after it what is.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{
    BLOCK_DIR, Inner, LOG_DIR,
    block::{Block, FLUSHED_CHUNK_SAMPLES, write::Writer},
    block_path, files,
    head::Frozen,
    manifest::{Entry, Manifest},
    options::{DAY_MS, IDLE_MS},
};
use crate::error::Result;

/// Of two blocks that could hold the same instant the one with the older samples comes first: a
/// merge takes all of a day's blocks of its level, so that what is of a lower level is newer.
pub fn sort_by_age(blocks: &mut [Arc<Block>]) {
    blocks.sort_by_key(|block| (Reverse(block.level), block.number));
}

pub fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

impl Inner {
    pub(super) fn flush(&self) -> Result<()> {
        self.check_open()?;
        let mut manifest = self.manifest.lock().expect("no panic while held");
        self.flush_held(&mut manifest)
    }

    /// With the manifest held.
    pub(super) fn flush_held(&self, manifest: &mut Manifest) -> Result<()> {
        if self.head.unflushed() == 0 {
            return Ok(());
        }
        self.flush_to_new_segment(manifest)
    }

    /// Even where the head is empty, so that all segments so far go.
    pub(super) fn flush_all_segments(&self) -> Result<()> {
        let mut manifest = self.manifest.lock().expect("no panic while held");
        self.flush_to_new_segment(&mut manifest)
    }

    fn flush_to_new_segment(&self, manifest: &mut Manifest) -> Result<()> {
        if let Some(left) = self.head.left_frozen() {
            self.flush_frozen(manifest, &left)?;
        }
        let frozen = self.head.freeze(|| {
            let segment = self.head.segment() + 1;
            self.wal.rotate(segment)?;
            self.oldest_unflushed_ms.store(i64::MAX, Relaxed);
            Ok((segment, self.log_bytes.load(Relaxed)))
        })?;
        self.flush_frozen(manifest, &frozen)
    }

    fn flush_frozen(&self, manifest: &mut Manifest, frozen: &Frozen) -> Result<()> {
        let segment = frozen.segment;
        let flushed = self
            .write_blocks(manifest, frozen)
            .and_then(|added| self.commit(manifest, added, &[], Some(segment)));
        if let Err(error) = flushed {
            self.counters.failed_flushes.fetch_add(1, Relaxed);
            // Long ago: due at once.
            self.oldest_unflushed_ms.store(0, Relaxed);
            return Err(error);
        }
        self.head.flushed(IDLE_MS);
        self.log_bytes.fetch_sub(frozen.log_bytes, Relaxed);
        self.counters.flushes.fetch_add(1, Relaxed);
        for (number, path) in files::numbered(&self.dir.join(LOG_DIR), "wal")? {
            if number < segment {
                files::remove(&path)?;
            }
        }
        self.grown.notify_one();
        Ok(())
    }

    /// One block a day that has samples.
    fn write_blocks(&self, manifest: &mut Manifest, frozen: &Frozen) -> Result<Vec<Arc<Block>>> {
        let first = manifest.next_block;
        let written = self.write_days(manifest, frozen);
        if written.is_err() {
            // Or a full disk would fill with what each try left.
            for number in first..manifest.next_block {
                let _ = std::fs::remove_file(block_path(&self.dir.join(BLOCK_DIR), number));
            }
        }
        written
    }

    fn write_days(&self, manifest: &mut Manifest, frozen: &Frozen) -> Result<Vec<Arc<Block>>> {
        let mut added = Vec::new();
        let order = frozen.order(&self.head);
        for day in days(frozen) {
            let (first_ms, last_ms) = (day * DAY_MS, day * DAY_MS + (DAY_MS - 1));
            let number = manifest.next_block;
            manifest.next_block += 1;
            let path = block_path(&self.dir.join(BLOCK_DIR), number);
            let mut writer = Writer::create(&path, FLUSHED_CHUNK_SAMPLES)?;
            frozen.each(&self.head, &order, |key, part, series| {
                writer.add(key, &part.samples(series, first_ms, last_ms))
            })?;
            added.extend(self.finish_block(writer, number, 0)?);
        }
        Ok(added)
    }

    pub(super) fn finish_block(
        &self,
        writer: Writer,
        number: u64,
        level: u32,
    ) -> Result<Option<Arc<Block>>> {
        if !writer.finish()? {
            return Ok(None);
        }
        let path = block_path(&self.dir.join(BLOCK_DIR), number);
        Ok(Some(Arc::new(Block::open(path, number, level)?)))
    }

    /// Makes a new set of blocks the store's: on disk by the manifest, then in memory. With
    /// `first_segment` the head's frozen samples are in the added blocks. The files of what was
    /// removed are the caller's.
    pub(super) fn commit(
        &self,
        manifest: &mut Manifest,
        added: Vec<Arc<Block>>,
        removed: &[u64],
        first_segment: Option<u64>,
    ) -> Result<()> {
        files::sync_dir(&self.dir.join(BLOCK_DIR))?;
        let mut next = manifest.clone();
        next.first_segment = first_segment.unwrap_or(next.first_segment);
        next.blocks.retain(|entry| !removed.contains(&entry.number));
        next.blocks.extend(added.iter().map(|b| Entry { number: b.number, level: b.level }));
        next.store(&self.dir)?;
        *manifest = next;
        // Even when the store is closing: memory follows what the disk says.
        let mut blocks = self.blocks.write().expect("no panic while held");
        let kept = blocks.iter().filter(|block| !removed.contains(&block.number));
        let mut set: Vec<_> = kept.cloned().chain(added).collect();
        sort_by_age(&mut set);
        *blocks = Arc::new(set);
        drop(blocks);
        self.indexes.forget(removed);
        Ok(())
    }
}

fn days(frozen: &Frozen) -> BTreeSet<i64> {
    let mut days = BTreeSet::new();
    for (part, series) in frozen.series() {
        let Some((first_ms, last_ms)) = part.span(series) else { continue };
        let (first, last) = (day_of(first_ms), day_of(last_ms));
        if first == last {
            days.insert(first);
        } else {
            let samples = part.samples(series, i64::MIN, i64::MAX);
            days.extend(samples.iter().map(|sample| day_of(sample.at_ms)));
        }
    }
    days
}
