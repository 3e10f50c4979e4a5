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
        Arc, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use base::sample::Sample;

pub use self::{
    samples::{clip, merge},
    series::{MemSeries, Part, Verdict},
    shard::Shard,
};
use super::key;
use crate::matcher::Matcher;

mod samples;
mod series;
mod shard;
mod tenants;
#[cfg(test)]
mod tests;

/// A power of two; more than the cores that append at once.
const SHARDS: usize = 16;
/// Of a hash; the table inside a shard uses the others.
const SHARD_BITS: u64 = (SHARDS as u64 - 1) << 32;

/// Series with their samples in order of time.
pub type Found = Vec<(Arc<[u8]>, Vec<Sample>)>;
/// What a flush takes, by rising key.
pub type Frozen = Vec<(Arc<[u8]>, Arc<Part>)>;

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
    fn read(&self) -> impl Iterator<Item = RwLockReadGuard<'_, Shard>> {
        self.shards.iter().map(|shard| shard.read().expect("no panic while held"))
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
    ) -> Option<usize> {
        if !self.tenants.enter(key, most) {
            return None;
        }
        self.series.fetch_add(1, Relaxed);
        let wal_id = self.next_wal_id.fetch_add(1, Relaxed);
        Some(shard.create(hash, MemSeries::new(key.into(), wal_id), |key| self.hash(key)))
    }

    /// Samples that were just put into a shard.
    pub fn count(&self, samples: usize, newest_ms: i64) {
        self.unflushed.fetch_add(samples, Relaxed);
        self.newest_ms.fetch_max(newest_ms, Relaxed);
    }

    /// Samples in the range that no block holds, in no order of series.
    pub fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Found {
        let mut found = Found::new();
        for shard in self.read() {
            for series in shard.find(matchers) {
                let samples = series.unflushed(start_ms, end_ms);
                if !samples.is_empty() {
                    found.push((series.key.clone(), samples));
                }
            }
        }
        found
    }

    /// Series with such samples.
    pub fn keys(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Arc<[u8]>> {
        let mut found = Vec::new();
        for shard in self.read() {
            let inside = shard.find(matchers).filter(|series| series.is_in(start_ms, end_ms));
            found.extend(inside.map(|series| series.key.clone()));
        }
        found
    }

    /// After a deletion of samples of these series.
    pub fn forget_newest(&self, matchers: &[Matcher]) {
        for shard in 0..SHARDS {
            self.write(shard).forget_newest(matchers);
        }
    }

    /// Freezes all that no block holds; what an earlier, failed flush froze comes with it. `rotate`
    /// runs while nobody can append: it names the segment for what comes next.
    pub fn freeze(&self, rotate: impl FnOnce() -> u64) -> Frozen {
        let mut all = Frozen::new();
        {
            let mut shards: Vec<_> = (0..SHARDS).map(|shard| self.write(shard)).collect();
            self.start_segment(rotate());
            for shard in &mut shards {
                shard.freeze(&mut all);
            }
        }
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// After blocks hold what was frozen. Series that nobody has written to for `idle_ms` before
    /// the newest sample are forgotten; should one come back, it is made anew.
    pub fn flushed(&self, idle_ms: i64) {
        let horizon = self.newest_ms.load(Relaxed).saturating_sub(idle_ms);
        for index in 0..SHARDS {
            let mut shard = self.write(index);
            let leave = |key: &[u8]| self.tenants.leave(key);
            let (samples, forgotten) = shard.flushed(horizon, |key| self.hash(key), leave);
            self.unflushed.fetch_sub(samples, Relaxed);
            self.series.fetch_sub(forgotten, Relaxed);
        }
    }
}
