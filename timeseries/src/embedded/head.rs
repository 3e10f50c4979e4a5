//! The open part of the store: series with the samples that no block holds yet.
//!
//! Series are spread over shards by the hash of their key, each with a lock of its own. Whoever
//! appends holds one shard at a time, stages the log's records under its lock, and so a series'
//! records are in the log in the order in which the head took them. A flush holds all shards for
//! the moment in which it freezes them.

use std::{
    collections::BTreeMap,
    hash::BuildHasher,
    sync::{
        Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use base::sample::Sample;

use self::sought::Sought;
pub use self::{
    frozen::Frozen,
    part::Part,
    samples::{clip, merge},
    series::{MemSeries, Verdict},
    shard::Shard,
};
use super::key;
use crate::{
    error::{Error, Result},
    matcher::Matcher,
    parallel,
};

mod column;
mod frozen;
mod index;
mod part;
mod samples;
mod series;
mod shard;
mod sought;
mod tenants;
#[cfg(test)]
mod tests;

/// A power of two; more than the cores that append at once.
const SHARDS: usize = 16;
/// Of a hash; the table inside a shard uses the lower half.
const SHARD_BITS: u64 = (SHARDS as u64 - 1) << 32;

/// Series with their samples in order of time.
pub type Found = Vec<(Arc<[u8]>, Vec<Sample>)>;

#[derive(Debug)]
pub struct Head {
    shards: Vec<RwLock<Shard>>,
    hasher: foldhash::fast::FixedState,
    series: AtomicUsize,
    tenants: tenants::Tenants,
    /// Samples that no block holds.
    unflushed: AtomicUsize,
    next_wal_id: AtomicU64,
    /// The segment that staged records go to. Changes only while all shards are held.
    segment: AtomicU64,
    newest_ms: AtomicI64,
    /// What a flush is writing, or a failed one has left.
    frozen: Mutex<Option<Arc<Frozen>>>,
}

impl Head {
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: foldhash::fast::FixedState::default(),
            series: AtomicUsize::new(0),
            tenants: tenants::Tenants::default(),
            unflushed: AtomicUsize::new(0),
            next_wal_id: AtomicU64::new(1),
            segment: AtomicU64::new(0),
            newest_ms: AtomicI64::new(i64::MIN),
            frozen: Mutex::default(),
        }
    }

    /// Series that differ in nothing but their name come to one shard, whose index then has the texts
    /// of their target once.
    pub fn hash(&self, key: &[u8]) -> u64 {
        let target = self.hasher.hash_one(key::behind_name(key));
        self.hasher.hash_one(key) & !SHARD_BITS | target & SHARD_BITS
    }
    pub fn shard_of(hash: u64) -> usize {
        ((hash & SHARD_BITS) >> SHARD_BITS.trailing_zeros()) as usize
    }
    pub const fn shards() -> usize {
        SHARDS
    }
    pub fn write(&self, shard: usize) -> RwLockWriteGuard<'_, Shard> {
        self.shards[shard].write().expect("no panic while held")
    }
    fn read_one(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        self.shards[shard].read().expect("no panic while held")
    }
    fn read(&self) -> impl Iterator<Item = RwLockReadGuard<'_, Shard>> {
        (0..SHARDS).map(|shard| self.read_one(shard))
    }

    pub fn series_count(&self) -> usize {
        self.series.load(Relaxed)
    }
    /// By tenant.
    pub fn tenant_series(&self) -> BTreeMap<String, usize> {
        self.tenants.all()
    }
    pub fn unflushed(&self) -> usize {
        self.unflushed.load(Relaxed)
    }
    pub fn segment(&self) -> u64 {
        self.segment.load(Relaxed)
    }
    pub fn start_segment(&self, segment: u64) {
        self.segment.store(segment, Relaxed);
    }

    /// Makes a series in the shard of its hash, which the caller holds. None where its tenant has as
    /// many as `most` says already.
    pub fn create(
        &self,
        shard: &mut Shard,
        hash: u64,
        key: &[u8],
        most: impl FnOnce(&str) -> usize,
    ) -> Option<u32> {
        if !self.tenants.enter(key, most) {
            return None;
        }
        self.series.fetch_add(1, Relaxed);
        let wal_id = self.next_wal_id.fetch_add(1, Relaxed);
        Some(shard.create(hash, key, MemSeries::new(wal_id)))
    }

    /// Samples that were just put into a shard.
    pub fn count(&self, samples: usize, newest_ms: i64) {
        self.unflushed.fetch_add(samples, Relaxed);
        self.newest_ms.fetch_max(newest_ms, Relaxed);
    }

    /// Samples in the range that no block holds, in no order of series. A shard is held while it is
    /// read, by one of several threads where much is asked.
    pub fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Found> {
        let sought = Sought::of(matchers);
        let series: usize = self.read().map(|shard| shard.finds_at_most(&sought)).sum();
        let about = series * (self.unflushed() / self.series_count().max(1) + 1);
        let all = parallel::map(
            SHARDS,
            about,
            || (),
            |(), number| {
                let shard = self.read_one(number);
                Ok(shard.select(&shard.find(&sought), start_ms, end_ms))
            },
        )?;
        Ok(all.into_iter().flatten().collect())
    }

    /// The same of so many series at most, without waiting for anybody; None where that can't be.
    pub fn select_few(
        &self,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
        most: usize,
    ) -> Option<Found> {
        let sought = Sought::of(matchers);
        let mut found = Found::new();
        for shard in &self.shards {
            let shard = shard.try_read().ok()?;
            let series = shard.find_few(&sought, most - found.len())?;
            found.extend(shard.select(&series, start_ms, end_ms));
        }
        Some(found)
    }

    /// Series with such samples.
    pub fn keys(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Vec<u8>> {
        let sought = Sought::of(matchers);
        let mut found = Vec::new();
        for shard in self.read() {
            for at in shard.find(&sought) {
                if shard.is_in(at, start_ms, end_ms) {
                    let mut key = Vec::new();
                    shard.key(at, &mut key);
                    found.push(key);
                }
            }
        }
        found
    }

    /// After a deletion of samples of these series.
    pub fn forget_newest(&self, matchers: &[Matcher]) {
        let sought = Sought::of(matchers);
        for shard in 0..SHARDS {
            self.write(shard).forget_newest(&sought);
        }
    }

    /// What an earlier, failed flush froze.
    pub fn left_frozen(&self) -> Option<Arc<Frozen>> {
        self.frozen.lock().expect("no panic while held").clone()
    }

    /// Freezes all that no block holds, which nothing may be that was frozen before. `rotate` runs
    /// while nobody can append: it names the segment for what comes next, and the bytes before it.
    pub fn freeze(&self, rotate: impl FnOnce() -> Result<(u64, u64)>) -> Result<Arc<Frozen>> {
        if self.left_frozen().is_some() {
            return Err(Error::Busy("what an earlier flush froze is not written yet"));
        }
        let mut shards: Vec<_> = (0..SHARDS).map(|shard| self.write(shard)).collect();
        let (segment, log_bytes) = rotate()?;
        self.start_segment(segment);
        let parts = shards.iter_mut().map(|shard| shard.freeze()).collect();
        let frozen = Arc::new(Frozen { segment, log_bytes, parts });
        *self.frozen.lock().expect("no panic while held") = Some(frozen.clone());
        Ok(frozen)
    }

    /// After blocks hold what was frozen. Series that nobody has written to for `idle_ms` before
    /// the newest sample are forgotten; should one come back, it is made anew.
    pub fn flushed(&self, idle_ms: i64) {
        self.frozen.lock().expect("no panic while held").take();
        let horizon = self.newest_ms.load(Relaxed).saturating_sub(idle_ms);
        for index in 0..SHARDS {
            let leave = |key: &[u8]| self.tenants.leave(key);
            let (samples, forgotten) = self.write(index).flushed(horizon, leave);
            self.unflushed.fetch_sub(samples, Relaxed);
            self.series.fetch_sub(forgotten, Relaxed);
        }
    }
}
