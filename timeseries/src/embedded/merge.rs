//! Merges: a day's blocks become fewer and larger, and what was deleted leaves the disk. At a
//! bounded rate, and without holding up a flush.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use base::{sample::Sample, time::Timestamp};

use super::{
    BLOCK_DIR, Inner,
    block::{Block, ChunkReader, Index, MERGED_CHUNK_SAMPLES, write::Writer},
    block_path,
    delete::Mask,
    files,
    flush::day_of,
    head::{clip, merge},
    options::{DAY_MS, MERGE_RATE_MAX_SAMPLES_PER_S, MERGED_MAX_BYTES, millis},
};
use crate::error::Result;

/// How long after its end a day is taken as complete.
const DAY_SETTLES_MS: i64 = 60 * 60 * 1000;
/// How often a merge looks at its rate and at the store's end.
const PACE_SAMPLES: u64 = 100_000;

type Group = Vec<Arc<Block>>;

/// One input of a merge, read series by series.
struct Input<'a> {
    block: &'a Arc<Block>,
    index: &'a Index,
    reader: ChunkReader<'a>,
    mask: Mask,
    next: u32,
    /// Of the next series; empty at the end.
    key: Vec<u8>,
}

impl<'a> Input<'a> {
    fn new(block: &'a Arc<Block>, index: &'a Index, mask: Mask) -> Self {
        let reader = ChunkReader::new(block, index);
        let mut input = Self { block, index, reader, mask, next: 0, key: Vec::new() };
        input.load_key();
        input
    }
    fn load_key(&mut self) {
        self.key.clear();
        if (self.next as usize) < self.index.series_count() {
            self.index.key(self.next, &mut self.key);
        }
    }
    /// The next series' samples.
    fn take(&mut self) -> Result<Vec<Sample>> {
        let mut samples = Vec::new();
        for chunk in self.index.chunks(self.next) {
            self.reader.read(chunk, i64::MIN, i64::MAX, &mut samples)?;
        }
        self.mask.apply(self.next, &mut samples);
        self.next += 1;
        self.load_key();
        Ok(samples)
    }
}

impl Inner {
    /// All merges that are due, one after another.
    pub(super) fn merge_all(&self) -> Result<()> {
        let _one = self.merging.lock().expect("no panic while held");
        loop {
            self.check_open()?;
            let now = self.clock.now();
            let Some(group) = self.merge_candidates(now)? else { break };
            self.merge_blocks(&group, now)?;
        }
        self.forget_tombstones()
    }

    /// All of a day's blocks of one level when they are many; all of a day that is over; a block
    /// that still holds what was deleted.
    fn merge_candidates(&self, now: Timestamp) -> Result<Option<Group>> {
        let blocks = self.blocks();
        let mut days: BTreeMap<i64, Group> = BTreeMap::new();
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
            let mut levels: BTreeMap<u32, Group> = BTreeMap::new();
            for block in group {
                levels.entry(block.level).or_default().push(block);
            }
            let full =
                |level: &Group| level.len() >= self.options.merge_fan_in.max(2) && small(level);
            if let Some(level) = levels.into_values().find(full) {
                return Ok(Some(level));
            }
        }
        for block in blocks.iter() {
            if self.holds_deleted(block, now)? {
                return Ok(Some(vec![block.clone()]));
            }
        }
        Ok(None)
    }

    /// Series by series, so that memory holds one series' samples and the indexes.
    pub(super) fn merge_blocks(&self, group: &[Arc<Block>], now: Timestamp) -> Result<()> {
        let number = {
            let mut manifest = self.manifest.lock().expect("no panic while held");
            manifest.next_block += 1;
            manifest.next_block - 1
        };
        let path = block_path(&self.dir.join(BLOCK_DIR), number);
        let mut writer = Writer::create(&path, MERGED_CHUNK_SAMPLES)?;
        // A rewritten block keeps its age.
        let raise = u32::from(group.len() > 1);
        let level = group.iter().map(|block| block.level).max().unwrap_or(0) + raise;
        match self.write_merged(group, now, &mut writer) {
            Ok(true) => self.finish_merge(group, writer, number, level),
            // A damaged input is out of use now; the others get another try.
            Ok(false) => writer.abandon(),
            Err(error) => {
                writer.abandon()?;
                Err(error)
            }
        }
    }

    /// False where an input turned out to be damaged.
    fn write_merged(
        &self,
        group: &[Arc<Block>],
        now: Timestamp,
        writer: &mut Writer,
    ) -> Result<bool> {
        let horizon = now.ms().saturating_sub(millis(self.options.retention));
        let mut indexes = Vec::with_capacity(group.len());
        for block in group {
            match self.sound(block, self.indexes.get(block))? {
                Some(index) => indexes.push(index),
                None => return Ok(false),
            }
        }
        let masks = group.iter().zip(&indexes).map(|(block, index)| self.mask(block, index, now));
        let masks: Vec<Mask> = masks.collect::<Result<_>>()?;
        let inputs = group.iter().zip(&indexes).zip(masks);
        let mut inputs: Vec<Input<'_>> =
            inputs.map(|((block, index), mask)| Input::new(block, index, mask)).collect();
        let mut pace = Pace { began: Instant::now(), samples: 0, checked: 0 };
        let rest = |input: &Input<'_>| !input.key.is_empty();
        while let Some(key) = inputs.iter().filter(|i| rest(i)).map(|i| &i.key).min().cloned() {
            let mut samples: Vec<Sample> = Vec::new();
            for input in inputs.iter_mut().filter(|input| input.key == key) {
                let taken = input.take();
                match self.sound(input.block, taken)? {
                    Some(its) if samples.is_empty() => samples = its,
                    Some(its) => samples = merge(samples, &its),
                    None => return Ok(false),
                }
            }
            pace.samples += samples.len() as u64;
            writer.add(&key, clip(&samples, horizon, i64::MAX))?;
            self.keep_pace(&mut pace)?;
        }
        Ok(true)
    }

    fn finish_merge(
        &self,
        group: &[Arc<Block>],
        writer: Writer,
        number: u64,
        level: u32,
    ) -> Result<()> {
        let merged = self.finish_block(writer, number, level)?;
        let mut manifest = self.manifest.lock().expect("no panic while held");
        // Meanwhile retention may have taken an input, or a query found it damaged; and a deletion
        // may have come that the output knows nothing of.
        let blocks = self.blocks();
        let there = |input: &Arc<Block>| blocks.iter().any(|block| Arc::ptr_eq(block, input));
        let newer = manifest.tombstones.iter().any(|t| t.below_block > number);
        if newer || !group.iter().all(there) {
            drop(manifest);
            return files::remove(&block_path(&self.dir.join(BLOCK_DIR), number));
        }
        let numbers: Vec<u64> = group.iter().map(|block| block.number).collect();
        self.commit(&mut manifest, merged.into_iter().collect(), &numbers, None)?;
        drop(manifest);
        for number in numbers {
            files::remove(&block_path(&self.dir.join(BLOCK_DIR), number))?;
        }
        self.counters.merges.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Pauses where the merge is faster than it may be; ends it where the store closes.
    fn keep_pace(&self, pace: &mut Pace) -> Result<()> {
        if pace.samples - pace.checked < PACE_SAMPLES {
            return Ok(());
        }
        pace.checked = pace.samples;
        self.check_open()?;
        let due_ms = pace.samples.saturating_mul(1000) / MERGE_RATE_MAX_SAMPLES_PER_S;
        let ahead = Duration::from_millis(due_ms).saturating_sub(pace.began.elapsed());
        if !ahead.is_zero() {
            let (ending, wake) = &self.ending;
            let ending = ending.lock().expect("no panic while held");
            let _ = wake.wait_timeout_while(ending, ahead, |ending| !*ending);
        }
        self.check_open()
    }
}

struct Pace {
    began: Instant,
    samples: u64,
    checked: u64,
}
