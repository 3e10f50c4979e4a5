//! Some of the head's series, with their labels and their samples:
//!
//! ```text
//! frozen  being written to a block
//! fresh   came since; only the log makes them durable
//! ```

use std::sync::Arc;

use base::sample::Sample;
use hashbrown::HashTable;

use super::{Found, MemSeries, Part, Verdict, index::Index, samples::merge, sought::Sought};

/// A series by the lower half of its key's hash, kept because a key is put together only for it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u32,
    series: u32,
}

impl Entry {
    /// The table looks at the upper bits, too: Fibonacci hashing (Knuth, volume 3, 6.4).
    fn spread(self) -> u64 {
        u64::from(self.hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

#[derive(Debug, Default)]
pub struct Shard {
    series: Vec<MemSeries>,
    by_key: HashTable<Entry>,
    index: Index,
    fresh: Part,
    frozen: Option<Arc<Part>>,
    /// How often its series were numbered anew.
    epoch: u32,
}

impl Shard {
    /// A series' number holds as long as this does.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    pub fn find_key(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let sought = Entry { hash: hash as u32, series: 0 };
        let same = |its: &Entry| its.hash == sought.hash && self.index.is_key(its.series, key);
        self.by_key.find(sought.spread(), same).map(|found| found.series)
    }

    pub(super) fn create(&mut self, hash: u64, key: &[u8], series: MemSeries) -> u32 {
        let at = self.index.add(key);
        self.series.push(series);
        let entry = Entry { hash: hash as u32, series: at };
        self.by_key.insert_unique(entry.spread(), entry, |its| its.spread());
        at
    }

    pub fn series(&mut self, at: u32) -> &mut MemSeries {
        &mut self.series[at as usize]
    }

    pub fn judge(&self, at: u32, sample: Sample, window_ms: i64) -> Verdict {
        self.series[at as usize].judge(sample, window_ms).unwrap_or_else(|| {
            match self.parts().find_map(|part| part.value_at(at, sample.at_ms)) {
                Some(there) => Verdict::against(sample, there),
                None => Verdict::Late,
            }
        })
    }

    /// Of a sample that was judged so.
    pub fn insert(&mut self, at: u32, sample: Sample) {
        let newest = self.series[at as usize].see(sample);
        self.fresh.insert(at, sample, newest, self.series.len());
    }

    /// Older ones first.
    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.frozen.as_deref().into_iter().chain([&self.fresh])
    }

    /// What no block holds of a series, within the range.
    pub fn unflushed(&self, at: u32, start_ms: i64, end_ms: i64) -> Vec<Sample> {
        let mut parts = self.parts().map(|part| part.samples(at, start_ms, end_ms));
        let first = parts.next().unwrap_or_default();
        parts.fold(first, |before, part| merge(before, &part))
    }

    /// Those of some series with samples in the range that no block holds.
    pub(super) fn select(&self, series: &[u32], start_ms: i64, end_ms: i64) -> Found {
        let mut found = Found::new();
        let mut key = Vec::new();
        for at in series {
            let samples = self.unflushed(*at, start_ms, end_ms);
            if !samples.is_empty() {
                self.index.key(*at, &mut key);
                found.push((key.as_slice().into(), samples));
            }
        }
        found
    }

    /// May have such a sample.
    pub(super) fn is_in(&self, at: u32, start_ms: i64, end_ms: i64) -> bool {
        let inside = |(first, last)| first <= end_ms && last >= start_ms;
        self.parts().any(|part| part.span(at).is_some_and(inside))
    }

    pub(super) fn find(&self, sought: &Sought<'_>) -> Vec<u32> {
        self.index.find(sought)
    }
    /// A bound from a look at the lists' lengths alone.
    pub(super) fn finds_at_most(&self, sought: &Sought<'_>) -> usize {
        self.index.finds_at_most(sought)
    }
    /// See [`Index::find_few`].
    pub(super) fn find_few(&self, sought: &Sought<'_>, most: usize) -> Option<Vec<u32>> {
        self.index.find_few(sought, most)
    }
    /// Replaces what `out` holds.
    pub(super) fn key(&self, at: u32, out: &mut Vec<u8>) {
        self.index.key(at, out);
    }

    pub(super) fn forget_newest(&mut self, sought: &Sought<'_>) {
        for at in self.index.find(sought) {
            self.series[at as usize].forget_newest();
        }
    }

    /// What is fresh is frozen; nothing is frozen already.
    pub(super) fn freeze(&mut self) -> Arc<Part> {
        let part = Arc::new(std::mem::take(&mut self.fresh));
        self.frozen = Some(part.clone());
        part
    }

    /// Lets go of what blocks now hold, and of series that are only here and have had no sample since
    /// `horizon_ms`; `leave` is told of each of these. Returns how many samples and series that were.
    pub(super) fn flushed(&mut self, horizon_ms: i64, leave: impl Fn(&[u8])) -> (usize, usize) {
        let samples = self.frozen.take().map_or(0, |part| part.len());
        let is_idle = |(at, series): (usize, &MemSeries)| {
            series.max_ms < horizon_ms && self.fresh.span(at as u32).is_none()
        };
        let idle: Vec<bool> = self.series.iter().enumerate().map(is_idle).collect();
        let forgotten = idle.iter().filter(|idle| **idle).count();
        if forgotten > 0 {
            self.forget(&idle, leave);
        }
        (samples, forgotten)
    }

    /// The others are numbered anew.
    fn forget(&mut self, idle: &[bool], leave: impl Fn(&[u8])) {
        let old = std::mem::take(self);
        self.epoch = old.epoch + 1;
        let mut hashes = vec![0; old.series.len()];
        for entry in old.by_key {
            hashes[entry.series as usize] = entry.hash;
        }
        let mut key = Vec::new();
        let mut stayed = Vec::new();
        for (at, series) in old.series.into_iter().enumerate() {
            old.index.key(at as u32, &mut key);
            if idle[at] {
                leave(&key);
            } else {
                self.create(hashes[at].into(), &key, series);
                stayed.push(at as u32);
            }
        }
        self.fresh = old.fresh.renumbered(&stayed);
    }
}
