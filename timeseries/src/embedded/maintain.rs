//! Flush, merge, retention and snapshot: what changes the set of blocks. One at a time, each
//! committed by the manifest's rename; a crash before it leaves what was, one after it what is.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use base::{sample::Sample, time::Timestamp};
use tokio::sync::watch;

use super::{
    BLOCK_DIR, Inner, LOG_DIR,
    block::{Block, write::Writer},
    block_path, files,
    head::{Frozen, clip, merge},
    manifest::{Entry, Manifest},
    options::{DAY_MS, IDLE_MS, MAINTENANCE_PERIOD, MERGED_MAX_BYTES, millis},
};
use crate::error::{Error, Result};

/// How long after its end a day is taken as complete.
const DAY_SETTLES_MS: i64 = 60 * 60 * 1000;

/// The background task; ends when the store's handle goes.
pub async fn run(store: Arc<Inner>, mut end: watch::Receiver<()>) {
    loop {
        let wake_at = store.clock.now() + MAINTENANCE_PERIOD;
        tokio::select! {
            _ = end.changed() => return,
            () = store.due.notified() => {}
            () = store.clock.sleep_until(wake_at) => {}
        }
        let inner = store.clone();
        match super::blocking(move || inner.maintain()).await {
            Ok(()) => {}
            Err(Error::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "the store's maintenance failed; it is tried again");
            }
        }
    }
}

/// Of two blocks that could hold the same instant the one with the older samples comes first: a
/// merge takes all of a day's blocks of its level, so that what is of a lower level is newer.
pub fn sort_by_age(blocks: &mut [Arc<Block>]) {
    blocks.sort_by_key(|block| (Reverse(block.level), block.number));
}

fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

impl Inner {
    pub(super) fn maintain(&self) -> Result<()> {
        let mut manifest = self.manifest.lock().expect("no panic while held");
        let now = self.clock.now();
        let due = {
            let state = self.read()?;
            self.flush_is_due(&state, now)
        };
        if due {
            self.flush_held(&mut manifest)?;
        }
        self.drop_expired(&mut manifest, now)?;
        while let Some(group) = self.merge_candidates(now)? {
            self.merge_blocks(&mut manifest, &group, now)?;
        }
        Ok(())
    }

    pub(super) fn flush(&self) -> Result<()> {
        let mut manifest = self.manifest.lock().expect("no panic while held");
        self.flush_held(&mut manifest)
    }

    fn flush_held(&self, manifest: &mut Manifest) -> Result<()> {
        let (frozen, segment, log_bytes) = {
            let mut state = self.write()?;
            if state.head.unflushed() == 0 {
                return Ok(());
            }
            let frozen = state.head.freeze();
            state.segment += 1;
            state.segment_bytes = 0;
            self.wal.rotate(state.segment);
            state.oldest_unflushed = None;
            (frozen, state.segment, std::mem::take(&mut state.log_bytes))
        };
        let flushed = self
            .write_blocks(manifest, &frozen)
            .and_then(|added| self.commit(manifest, added, &[], Some(segment)));
        if let Err(error) = flushed {
            self.counters.failed_flushes.fetch_add(1, Relaxed);
            let mut state = self.write()?;
            state.log_bytes += log_bytes;
            // Long ago: due at once.
            state.oldest_unflushed = Some(Timestamp::default());
            return Err(error);
        }
        self.counters.flushes.fetch_add(1, Relaxed);
        for (number, path) in files::numbered(&self.dir.join(LOG_DIR), "wal")? {
            if number < segment {
                files::remove(&path)?;
            }
        }
        Ok(())
    }

    /// One block a day that has samples.
    fn write_blocks(&self, manifest: &mut Manifest, frozen: &Frozen) -> Result<Vec<Arc<Block>>> {
        let instants = frozen.iter().flat_map(|(_, samples)| samples.iter().map(|s| s.at_ms));
        let days: BTreeSet<i64> = instants.map(day_of).collect();
        let mut added = Vec::new();
        for day in days {
            let (first_ms, last_ms) = (day * DAY_MS, day * DAY_MS + (DAY_MS - 1));
            let (number, mut writer) = self.new_block(manifest)?;
            for (labels, samples) in frozen {
                writer.add(labels, clip(samples, first_ms, last_ms))?;
            }
            added.extend(self.finish_block(writer, number, 0)?);
        }
        Ok(added)
    }

    fn new_block(&self, manifest: &mut Manifest) -> Result<(u64, Writer)> {
        let number = manifest.next_block;
        manifest.next_block += 1;
        let path = block_path(&self.dir.join(BLOCK_DIR), number);
        Ok((number, Writer::create(&path)?))
    }

    fn finish_block(&self, writer: Writer, number: u64, level: u32) -> Result<Option<Arc<Block>>> {
        if !writer.finish()? {
            return Ok(None);
        }
        let path = block_path(&self.dir.join(BLOCK_DIR), number);
        Ok(Some(Arc::new(Block::open(path, number, level)?)))
    }

    /// Makes a new set of blocks the store's: on disk by the manifest, then in memory. With
    /// `first_segment` the head's frozen samples are in the added blocks.
    fn commit(
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
        {
            // Even when the store is closing: memory follows what the disk says.
            let mut state = self.state.write().expect("no panic while held");
            let kept = state.blocks.iter().filter(|block| !removed.contains(&block.number));
            let mut blocks: Vec<_> = kept.cloned().chain(added).collect();
            sort_by_age(&mut blocks);
            state.blocks = Arc::new(blocks);
            if first_segment.is_some() {
                state.head.flushed(millis(self.options.out_of_order_window), IDLE_MS);
            }
        }
        self.indexes.forget(removed);
        for number in removed {
            files::remove(&block_path(&self.dir.join(BLOCK_DIR), *number))?;
        }
        Ok(())
    }

    fn drop_expired(&self, manifest: &mut Manifest, now: Timestamp) -> Result<()> {
        let horizon = now.ms().saturating_sub(millis(self.options.retention));
        let expired: Vec<u64> = {
            let state = self.read()?;
            let old = state.blocks.iter().filter(|block| block.last_ms < horizon);
            old.map(|block| block.number).collect()
        };
        if expired.is_empty() {
            return Ok(());
        }
        self.commit(manifest, Vec::new(), &expired, None)
    }

    /// All of a day's blocks of one level when they are many; all of a day that is over.
    fn merge_candidates(&self, now: Timestamp) -> Result<Option<Vec<Arc<Block>>>> {
        let blocks = self.read()?.blocks.clone();
        let mut days: BTreeMap<i64, Vec<Arc<Block>>> = BTreeMap::new();
        for block in blocks.iter() {
            days.entry(day_of(block.first_ms)).or_default().push(block.clone());
        }
        let small = |group: &[Arc<Block>]| {
            group.iter().map(|block| block.file_bytes).sum::<u64>() <= MERGED_MAX_BYTES
        };
        for (day, group) in days {
            let over = (day + 1) * DAY_MS + DAY_SETTLES_MS < now.ms();
            if over && group.len() > 1 && small(&group) {
                return Ok(Some(group));
            }
            let mut levels: BTreeMap<u32, Vec<Arc<Block>>> = BTreeMap::new();
            for block in group {
                levels.entry(block.level).or_default().push(block);
            }
            let full =
                |level: &Vec<_>| level.len() >= self.options.merge_fan_in.max(2) && small(level);
            if let Some(level) = levels.into_values().find(full) {
                return Ok(Some(level));
            }
        }
        Ok(None)
    }

    /// Series by series, so that memory holds one series' samples and the indexes.
    fn merge_blocks(
        &self,
        manifest: &mut Manifest,
        group: &[Arc<Block>],
        now: Timestamp,
    ) -> Result<()> {
        let horizon = now.ms().saturating_sub(millis(self.options.retention));
        let level = group.iter().map(|block| block.level).max().unwrap_or(0) + 1;
        let indexes: Vec<_> =
            group.iter().map(|block| self.indexes.get(block)).collect::<Result<_>>()?;
        let mut next = vec![0; group.len()];
        let (number, mut writer) = self.new_block(manifest)?;
        loop {
            let heads = indexes.iter().zip(&next).map(|(index, at)| index.series.get(*at));
            let Some(labels) = heads.clone().flatten().map(|s| s.labels.clone()).min() else {
                break;
            };
            let holders: Vec<bool> =
                heads.map(|head| head.is_some_and(|series| series.labels == labels)).collect();
            let mut samples: Vec<Sample> = Vec::new();
            for (i, _) in holders.iter().enumerate().filter(|(_, holds)| **holds) {
                let mut its = Vec::new();
                for chunk in &indexes[i].series[next[i]].chunks {
                    group[i].read_chunk(chunk, &mut its)?;
                }
                samples = merge(samples, &its);
                next[i] += 1;
            }
            writer.add(&labels, clip(&samples, horizon, i64::MAX))?;
        }
        let merged = self.finish_block(writer, number, level)?;
        let numbers: Vec<u64> = group.iter().map(|block| block.number).collect();
        self.commit(manifest, merged.into_iter().collect(), &numbers, None)?;
        self.counters.merges.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Blocks never change, so that links to them are a copy.
    pub(super) fn snapshot(&self, dir: &Path) -> Result<()> {
        let mut manifest = self.manifest.lock().expect("no panic while held");
        if dir.join(super::manifest::FILE).exists() {
            return Err(Error::BadData(format!(
                "{} holds a store already; name a new directory",
                dir.display()
            )));
        }
        self.flush_held(&mut manifest)?;
        let block_dir = dir.join(BLOCK_DIR);
        files::create_dir(&block_dir)?;
        for entry in &manifest.blocks {
            let from = block_path(&self.dir.join(BLOCK_DIR), entry.number);
            let to = block_path(&block_dir, entry.number);
            let copy = || -> std::io::Result<()> {
                if std::fs::hard_link(&from, &to).is_err() {
                    // Another file system.
                    std::fs::copy(&from, &to)?;
                    std::fs::File::open(&to)?.sync_all()?;
                }
                Ok(())
            };
            copy().map_err(Error::io("copied", &to))?;
        }
        files::sync_dir(&block_dir)?;
        Manifest { first_segment: 1, ..manifest.clone() }.store(dir)
    }
}
