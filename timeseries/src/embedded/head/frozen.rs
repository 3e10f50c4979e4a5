//! What a flush takes: the parts that a freeze made of all shards, read by rising key.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use super::{Head, Part};
use crate::error::Result;

#[derive(Debug)]
pub struct Frozen {
    /// What came after it is in this segment of the log and later ones.
    pub segment: u64,
    /// About what its samples take in the log.
    pub log_bytes: u64,
    /// By shard.
    pub(super) parts: Vec<Arc<Part>>,
}

impl Frozen {
    /// All series, by part, in no order.
    pub fn series(&self) -> impl Iterator<Item = (&Part, u32)> {
        self.parts.iter().flat_map(|part| part.series().map(|series| (&**part, series)))
    }

    /// The series of each shard by rising key. Their numbers stay theirs until the flush has ended.
    ///
    /// Whole keys are put together for one shard at a time: those of all would take more than
    /// the samples do.
    pub fn order(&self, head: &Head) -> Vec<Vec<u32>> {
        let (mut all, mut bytes, mut key) = (Vec::new(), Vec::new(), Vec::new());
        for (number, part) in self.parts.iter().enumerate() {
            bytes.clear();
            let mut keys = Vec::new();
            let shard = head.read_one(number);
            for series in part.series() {
                shard.key(series, &mut key);
                keys.push((bytes.len(), bytes.len() + key.len(), series));
                bytes.extend_from_slice(&key);
            }
            drop(shard);
            keys.sort_unstable_by(|a, b| bytes[a.0..a.1].cmp(&bytes[b.0..b.1]));
            all.push(keys.into_iter().map(|(.., series)| series).collect());
        }
        all
    }

    /// Calls with each series' key, part and number, by rising key.
    pub fn each(
        &self,
        head: &Head,
        order: &[Vec<u32>],
        mut each: impl FnMut(&[u8], &Part, u32) -> Result<()>,
    ) -> Result<()> {
        let mut shards: Vec<_> = order.iter().map(|series| series.iter().copied()).collect();
        let mut next = BinaryHeap::new();
        let mut advance = |next: &mut BinaryHeap<_>, number: usize, mut key: Vec<u8>| {
            if let Some(series) = shards[number].next() {
                head.read_one(number).key(series, &mut key);
                next.push(Reverse((key, number, series)));
            }
        };
        for number in 0..order.len() {
            advance(&mut next, number, Vec::new());
        }
        while let Some(Reverse((key, number, series))) = next.pop() {
            each(&key, &self.parts[number], series)?;
            advance(&mut next, number, key);
        }
        Ok(())
    }
}
