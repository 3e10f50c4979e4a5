//! Block indexes in memory, as many as fit; the others are read again when they are needed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use super::{
    block::{Block, Index},
    options::INDEX_CACHE_MAX_BYTES,
};
use crate::error::Result;

#[derive(Debug, Default)]
pub struct IndexCache {
    /// By block number; the least recently used first.
    entries: Mutex<VecDeque<(u64, Arc<Index>)>>,
}

impl IndexCache {
    pub fn get(&self, block: &Block) -> Result<Arc<Index>> {
        if let Some(index) = self.touch(block.number) {
            return Ok(index);
        }
        // Two readers may both read it; that costs less than waiting under the lock.
        let index = Arc::new(block.read_index()?);
        let mut entries = self.entries.lock().expect("no panic while held");
        if entries.iter().all(|(number, _)| *number != block.number) {
            entries.push_back((block.number, index.clone()));
        }
        let mut bytes: usize = entries.iter().map(|(_, index)| index.bytes()).sum();
        while bytes > INDEX_CACHE_MAX_BYTES && entries.len() > 1 {
            bytes -= entries.pop_front().map_or(0, |(_, index)| index.bytes());
        }
        Ok(index)
    }

    /// If it is in memory.
    pub fn touch(&self, number: u64) -> Option<Arc<Index>> {
        let mut entries = self.entries.lock().expect("no panic while held");
        let found = entries.iter().position(|(its, _)| *its == number)?;
        let entry = entries.remove(found)?;
        entries.push_back(entry.clone());
        Some(entry.1)
    }

    pub fn forget(&self, numbers: &[u64]) {
        let mut entries = self.entries.lock().expect("no panic while held");
        entries.retain(|(number, _)| !numbers.contains(number));
    }
}
