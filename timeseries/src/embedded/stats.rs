//! The store's own figures, for `/metrics` and the operator.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use super::Inner;
use crate::store::Appended;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    pub active_series: usize,
    /// Samples that only the log and memory hold.
    pub unflushed_samples: usize,
    pub log_bytes: u64,
    pub log_fsyncs: u64,
    pub blocks: usize,
    pub block_bytes: u64,
    /// Blocks set aside at the start.
    pub damaged_blocks: u64,
    /// Since the start.
    pub appended_samples: u64,
    pub duplicate_samples: u64,
    pub rejected_samples: u64,
    pub flushes: u64,
    pub failed_flushes: u64,
    pub merges: u64,
}

#[derive(Debug, Default)]
pub struct Counters {
    appended: AtomicU64,
    duplicates: AtomicU64,
    rejected: AtomicU64,
    pub flushes: AtomicU64,
    pub failed_flushes: AtomicU64,
    pub merges: AtomicU64,
}

impl Counters {
    pub fn count(&self, appended: &Appended) {
        self.appended.fetch_add(appended.written as u64, Relaxed);
        self.duplicates.fetch_add(appended.duplicates as u64, Relaxed);
        self.rejected.fetch_add(appended.rejected() as u64, Relaxed);
    }
}

impl Inner {
    pub(super) fn stats(&self) -> Stats {
        let state = self.state.read().expect("no panic while held");
        Stats {
            active_series: state.head.series_count(),
            unflushed_samples: state.head.unflushed(),
            log_bytes: state.log_bytes,
            log_fsyncs: self.wal.fsyncs(),
            blocks: state.blocks.len(),
            block_bytes: state.blocks.iter().map(|block| block.file_bytes).sum(),
            damaged_blocks: self.damaged.load(Relaxed),
            appended_samples: self.counters.appended.load(Relaxed),
            duplicate_samples: self.counters.duplicates.load(Relaxed),
            rejected_samples: self.counters.rejected.load(Relaxed),
            flushes: self.counters.flushes.load(Relaxed),
            failed_flushes: self.counters.failed_flushes.load(Relaxed),
            merges: self.counters.merges.load(Relaxed),
        }
    }
}
