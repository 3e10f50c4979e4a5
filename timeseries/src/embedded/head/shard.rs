//! Some of the head's series, with their index.

use hashbrown::HashTable;

use super::{Frozen, MemSeries};
use crate::{embedded::postings::Postings, matcher::Matcher};

#[derive(Debug, Default)]
pub struct Shard {
    series: Vec<MemSeries>,
    by_key: HashTable<u32>,
    postings: Postings,
}

impl Shard {
    pub fn find_key(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let found = self.by_key.find(hash, |at| &*self.series[*at as usize].key == key)?;
        Some(*found as usize)
    }

    pub(super) fn create(
        &mut self,
        hash: u64,
        series: MemSeries,
        hasher: impl Fn(&[u8]) -> u64,
    ) -> usize {
        let at = u32::try_from(self.series.len()).expect("the limit of active series is lower");
        self.postings.add(at, &series.key);
        self.series.push(series);
        self.by_key.insert_unique(hash, at, |at| hasher(&self.series[*at as usize].key));
        at as usize
    }

    pub fn series(&mut self, at: usize) -> &mut MemSeries {
        &mut self.series[at]
    }

    pub fn find(&self, matchers: &[Matcher]) -> impl Iterator<Item = &MemSeries> {
        let key = |at: u32| &*self.series[at as usize].key;
        self.postings.find(matchers, key).into_iter().map(|at| &self.series[at as usize])
    }

    pub(super) fn forget_newest(&mut self, matchers: &[Matcher]) {
        let found = self.postings.find(matchers, |at| &*self.series[at as usize].key);
        for at in found {
            self.series[at as usize].forget_newest();
        }
    }

    pub(super) fn freeze(&mut self, all: &mut Frozen) {
        for series in &mut self.series {
            all.extend(series.freeze().map(|part| (series.key.clone(), part)));
        }
    }

    /// Returns how many samples blocks now hold, and how many idle series were forgotten; `leave` is
    /// told of each of these.
    pub(super) fn flushed(
        &mut self,
        horizon_ms: i64,
        hasher: impl Fn(&[u8]) -> u64,
        leave: impl Fn(&[u8]),
    ) -> (usize, usize) {
        let samples = self.series.iter_mut().map(MemSeries::flushed).sum();
        let before = self.series.len();
        self.series.retain(|series| {
            let idle = series.is_idle(horizon_ms);
            if idle {
                leave(&series.key);
            }
            !idle
        });
        if self.series.len() < before {
            self.by_key.clear();
            self.postings = Postings::default();
            for at in 0..self.series.len() as u32 {
                let key = &self.series[at as usize].key;
                self.postings.add(at, key);
                let of = |at: &u32| hasher(&self.series[*at as usize].key);
                self.by_key.insert_unique(hasher(key), at, of);
            }
        }
        (samples, before - self.series.len())
    }
}
