//! Backfill: history of any age goes straight to blocks, past the log, the head and the
//! out-of-order window.
//!
//! ```text
//! batch ── bounds ── what blocks hold ── what the head holds ──> one block a day ── fsync ──┐
//!   acknowledged <── manifest ── what the head took meanwhile (appends wait) <──────────────┘
//! ```
//!
//! The manifest's lock keeps other changes of the set of blocks away; appends go on until the
//! commit. What blocks or the head hold already stays, so that no instant of a series is in two
//! places, and it doesn't matter that a backfilled block is of the level of a flushed one.

use std::{
    collections::BTreeSet,
    sync::{Arc, RwLockWriteGuard},
};

use base::{
    sample::{NAME, Sample, Series},
    time::Timestamp,
};
use hashbrown::HashMap;

use super::{
    BLOCK_DIR, Inner,
    block::{Block, ChunkReader, FLUSHED_CHUNK_SAMPLES, write::Writer},
    block_path, files,
    flush::day_of,
    head::{Head, Shard, Verdict},
    key,
    manifest::Manifest,
    options::{DAY_MS, FUTURE_MAX_MS, MERGED_MAX_BYTES, millis},
};
use crate::{
    error::{Error, Result},
    scope::TENANT,
    store::{Appended, Backfilled},
    validate,
};

/// One batch.
pub const BACKFILL_MAX_SAMPLES: usize = 1_000_000;
/// A day with so many blocks is merged before it gets another one: whoever sends many small
/// batches waits for that, instead of making thousands of small blocks.
pub const BACKFILL_DAY_MAX_BLOCKS: usize = 8;

type Shards<'a> = Vec<RwLockWriteGuard<'a, Shard>>;

/// What is still to be written of one series.
struct Pending {
    key: Vec<u8>,
    hash: u64,
    /// In order of time.
    samples: Vec<Placed>,
}

#[derive(Clone, Copy)]
struct Placed {
    sample: Sample,
    /// Where it stood in the batch: its series, and its place there.
    place: (u32, u32),
}

/// What became of the batch so far.
#[derive(Default)]
struct Tally {
    appended: Appended,
    /// Of the first rejected one, as they stood in the batch.
    first: Option<(u32, u32)>,
}

impl Tally {
    fn reject(
        &mut self,
        count: impl FnOnce(&mut Appended) -> &mut usize,
        place: (u32, u32),
        why: impl FnOnce() -> String,
    ) {
        *count(&mut self.appended) += 1;
        if self.first.is_none_or(|first| place < first) {
            self.first = Some(place);
            self.appended.first_error = Some(why());
        }
    }

    /// Of a sample at an instant at which `there` is already.
    fn against(&mut self, key: &[u8], one: Placed, there: f64) {
        match Verdict::against(one.sample, there) {
            Verdict::Duplicate => self.appended.duplicates += 1,
            _ => self.reject(
                |appended| &mut appended.conflicts,
                one.place,
                || format!("{} has another value", at(key, one.sample)),
            ),
        }
    }
}

fn at(key: &[u8], sample: Sample) -> String {
    format!("{} at {}", key::get(key, NAME), Timestamp::from_ms(sample.at_ms))
}

impl Inner {
    /// What it counts as written is durable and seen by every reader when it returns.
    pub(super) fn backfill(&self, batch: &[Series]) -> Result<Backfilled> {
        self.check_open()?;
        let count: usize = batch.iter().map(|series| series.samples.len()).sum();
        if count > BACKFILL_MAX_SAMPLES {
            return Err(Error::BadData(format!(
                "one batch of history takes at most {BACKFILL_MAX_SAMPLES} samples"
            )));
        }
        let mut tally = Tally::default();
        let mut pending = self.admit(batch, &mut tally);
        self.make_room(&days(&pending))?;
        let mut manifest = self.manifest.lock().expect("no panic while held");
        // A store that closes waits for this lock.
        self.check_open()?;
        self.drop_what_blocks_hold(&mut pending, &mut tally)?;
        for number in 0..Head::shards() {
            let shard = &mut self.head.write(number);
            let its = pending.iter_mut().filter(|one| Head::shard_of(one.hash) == number);
            its.for_each(|one| drop_what_head_holds(shard, one, &mut tally));
        }
        pending.iter_mut().for_each(|one| one.keep_first(&mut tally));
        pending.retain(|one| !one.samples.is_empty());
        if !pending.is_empty() {
            tally.appended.written = self.write_history(&mut manifest, &mut pending, &mut tally)?;
        }
        drop(manifest);
        self.counters.count(&tally.appended);
        let first_rejected = tally.first.map(|(series, at)| (series as usize, at as usize));
        Ok(Backfilled { appended: tally.appended, first_rejected })
    }

    /// By rising key, without what may not be taken whatever the store holds.
    fn admit(&self, batch: &[Series], tally: &mut Tally) -> Vec<Pending> {
        let now = self.clock.now();
        let last_ms = now.ms().saturating_add(FUTURE_MAX_MS);
        let mut found: HashMap<Vec<u8>, Vec<Placed>, foldhash::fast::FixedState> =
            HashMap::default();
        for (number, series) in batch.iter().enumerate() {
            let place = |sample: usize| (number as u32, sample as u32);
            let key = key::of(&series.labels);
            if let Err(why) = validate::check_labels(&series.labels) {
                for sample in 0..series.samples.len() {
                    tally.reject(|all| &mut all.invalid, place(sample), || why.clone());
                }
                continue;
            }
            let first_ms = self.horizon_ms(&key, now);
            let mut taken = Vec::with_capacity(series.samples.len());
            for (index, sample) in series.samples.iter().enumerate() {
                let why = |what: &str| format!("{} {what}", at(&key, *sample));
                if sample.at_ms < first_ms {
                    let why = || why("is beyond the retention");
                    tally.reject(|all| &mut all.too_old, place(index), why);
                } else if sample.at_ms > last_ms {
                    let why = || why("is in the future");
                    tally.reject(|all| &mut all.too_new, place(index), why);
                } else {
                    taken.push(Placed { sample: *sample, place: place(index) });
                }
            }
            found.entry(key).or_default().append(&mut taken);
        }
        let mut pending = Vec::with_capacity(found.len());
        for (key, mut samples) in found {
            // Stable: of two at one instant the first one comes first.
            samples.sort_by_key(|one| one.sample.at_ms);
            if !samples.is_empty() {
                pending.push(Pending { hash: self.head.hash(&key), key, samples });
            }
        }
        pending.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        pending
    }

    /// The oldest instant that is kept of a series.
    fn horizon_ms(&self, key: &[u8], now: Timestamp) -> i64 {
        let all = now.ms().saturating_sub(millis(self.options.retention));
        let tenant = key::get(key, TENANT);
        let its = self.options.tenant_retention.iter().filter(|(name, _)| name == tenant);
        its.map(|(_, retention)| now.ms().saturating_sub(millis(*retention))).fold(all, i64::max)
    }

    /// Merges the blocks of days that have too many to get another one.
    fn make_room(&self, days: &BTreeSet<i64>) -> Result<()> {
        for day in days {
            let its = |blocks: &[Arc<Block>]| -> Vec<Arc<Block>> {
                blocks.iter().filter(|block| day_of(block.first_ms) == *day).cloned().collect()
            };
            if its(&self.blocks()).len() < BACKFILL_DAY_MAX_BLOCKS {
                continue;
            }
            let _one = self.merging.lock().expect("no panic while held");
            self.check_open()?;
            let mut group = its(&self.blocks());
            group.sort_by_key(|block| block.file_bytes);
            let mut bytes = 0;
            let small = group.iter().take_while(|block| {
                bytes += block.file_bytes;
                bytes <= MERGED_MAX_BYTES
            });
            let small = small.count();
            group.truncate(small);
            if group.len() >= BACKFILL_DAY_MAX_BLOCKS / 2 {
                // As a merge reads them: older samples first.
                super::flush::sort_by_age(&mut group);
                self.merge_blocks(&group, self.clock.now())?;
            }
        }
        Ok(())
    }

    fn drop_what_blocks_hold(&self, pending: &mut [Pending], tally: &mut Tally) -> Result<()> {
        let spans = pending.iter().map(Pending::span);
        let (first_ms, last_ms) =
            spans.fold((i64::MAX, i64::MIN), |all, its| (all.0.min(its.0), all.1.max(its.1)));
        let now = self.clock.now();
        let mut there = Vec::new();
        for block in self.blocks().iter().filter(|block| block.overlaps(first_ms, last_ms)) {
            let Some(index) = self.sound(block, self.indexes.get(block))? else { continue };
            // What was deleted is not there.
            let mask = self.mask(block, &index, now)?;
            let mut reader = ChunkReader::new(block, &index);
            for one in pending.iter_mut().filter(|one| !one.samples.is_empty()) {
                let Some(series) = index.get(&one.key) else { continue };
                let (first_ms, last_ms) = one.span();
                there.clear();
                for chunk in index.chunks_in(series, first_ms, last_ms) {
                    let read = reader.read(chunk, first_ms, last_ms, &mut there);
                    if self.sound(block, read)?.is_none() {
                        break;
                    }
                }
                mask.apply(series, &mut there);
                one.drop_known(&there, tally);
            }
        }
        Ok(())
    }

    /// Returns how many samples were written.
    fn write_history(
        &self,
        manifest: &mut Manifest,
        pending: &mut Vec<Pending>,
        tally: &mut Tally,
    ) -> Result<usize> {
        let mut blocks = self.write_blocks_of_days(manifest, pending)?;
        let mut shards: Shards<'_> = (0..Head::shards()).map(|n| self.head.write(n)).collect();
        let count =
            |pending: &[Pending]| pending.iter().map(|one| one.samples.len()).sum::<usize>();
        let before = count(pending);
        for one in pending.iter_mut() {
            drop_what_head_holds(&mut shards[Head::shard_of(one.hash)], one, tally);
        }
        if count(pending) < before {
            // An append was quicker. Once more, while all others wait.
            self.remove_blocks(blocks.iter().map(|block| block.number));
            pending.retain(|one| !one.samples.is_empty());
            blocks = self.write_blocks_of_days(manifest, pending)?;
        }
        // Where it fails the files stay: the manifest on the disk may name them already.
        self.commit(manifest, blocks, &[], None)?;
        for one in pending.iter() {
            let shard = &mut shards[Head::shard_of(one.hash)];
            if let Some(at) = shard.find_key(one.hash, &one.key) {
                let series = shard.series(at);
                // One that was not told yet asks the blocks itself.
                if series.blocks_asked {
                    series.learn(Some(one.span().1));
                }
            }
        }
        Ok(count(pending))
    }

    /// One block a day that has samples; all of them, or none.
    fn write_blocks_of_days(
        &self,
        manifest: &mut Manifest,
        pending: &[Pending],
    ) -> Result<Vec<Arc<Block>>> {
        let first = manifest.next_block;
        let mut blocks = Vec::new();
        for day in days(pending) {
            let number = manifest.next_block;
            manifest.next_block += 1;
            match self.write_day(number, day, pending) {
                Ok(block) => blocks.extend(block),
                Err(error) => {
                    self.remove_blocks(first..=number);
                    return Err(error);
                }
            }
        }
        Ok(blocks)
    }

    fn write_day(&self, number: u64, day: i64, pending: &[Pending]) -> Result<Option<Arc<Block>>> {
        let path = block_path(&self.dir.join(BLOCK_DIR), number);
        let mut writer = Writer::create(&path, FLUSHED_CHUNK_SAMPLES)?;
        let mut samples = Vec::new();
        for one in pending {
            let from = one.samples.partition_point(|its| its.sample.at_ms < day * DAY_MS);
            let its = one.samples[from..].iter().map(|its| its.sample);
            samples.clear();
            samples.extend(its.take_while(|sample| day_of(sample.at_ms) == day));
            writer.add(&one.key, &samples)?;
        }
        self.finish_block(writer, number, 0)
    }

    /// Of blocks that the manifest never named. What can't be removed goes at the next start.
    fn remove_blocks(&self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            if let Err(error) = files::remove(&block_path(&self.dir.join(BLOCK_DIR), number)) {
                tracing::warn!(%error, "a block that is not used stays until the next start");
            }
        }
    }
}

impl Pending {
    /// Its first and last instant; it has samples.
    fn span(&self) -> (i64, i64) {
        match (self.samples.first(), self.samples.last()) {
            (Some(first), Some(last)) => (first.sample.at_ms, last.sample.at_ms),
            _ => (i64::MAX, i64::MIN),
        }
    }

    /// `there` is sorted.
    fn drop_known(&mut self, there: &[Sample], tally: &mut Tally) {
        let mut rest = there;
        let key = &self.key;
        self.samples.retain(|one| {
            rest = &rest[rest.partition_point(|its| its.at_ms < one.sample.at_ms)..];
            match rest.first() {
                Some(its) if its.at_ms == one.sample.at_ms => {
                    tally.against(key, *one, its.value);
                    false
                }
                _ => true,
            }
        });
    }

    /// One an instant, as they came.
    fn keep_first(&mut self, tally: &mut Tally) {
        let key = &self.key;
        self.samples.dedup_by(|later, first| {
            let same = later.sample.at_ms == first.sample.at_ms;
            if same {
                tally.against(key, *later, first.sample.value);
            }
            same
        });
    }
}

fn drop_what_head_holds(shard: &mut Shard, one: &mut Pending, tally: &mut Tally) {
    if one.samples.is_empty() {
        return;
    }
    if let Some(at) = shard.find_key(one.hash, &one.key) {
        let (first_ms, last_ms) = one.span();
        one.drop_known(&shard.unflushed(at, first_ms, last_ms), tally);
    }
}

fn days(pending: &[Pending]) -> BTreeSet<i64> {
    let mut days = BTreeSet::new();
    for one in pending {
        let mut rest = one.samples.as_slice();
        while let Some(first) = rest.first() {
            let day = day_of(first.sample.at_ms);
            days.insert(day);
            rest = &rest[rest.partition_point(|its| day_of(its.sample.at_ms) <= day)..];
        }
    }
    days
}
