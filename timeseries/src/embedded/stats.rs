//! The store's own figures, for `/metrics` and the operator.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use serde::Serialize;

use super::Inner;
use crate::store::Appended;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    pub active_series: usize,
    /// Of each tenant that has any.
    pub tenant_series: BTreeMap<String, usize>,
    /// Samples that only the log and memory hold.
    pub unflushed_samples: usize,
    pub log_bytes: u64,
    pub log_fsyncs: u64,
    pub blocks: usize,
    pub block_bytes: u64,
    /// Since the start: blocks set aside because a checksum was wrong.
    pub damaged_blocks: u64,
    /// At the start: parts of the log set aside because they could not be read.
    pub damaged_log_parts: u64,
    pub damaged_log_bytes: u64,
    /// At the start: samples of the log whose series was named in a damaged part.
    pub unnamed_samples: u64,
    /// Since the start.
    pub appended_samples: u64,
    pub duplicate_samples: u64,
    pub rejected_samples: u64,
    /// Of those, samples of new series over the limit of active ones.
    pub over_limit_samples: u64,
    pub over_tenant_limit_samples: u64,
    pub flushes: u64,
    pub failed_flushes: u64,
    pub merges: u64,
    /// Blocks that retention took.
    pub expired_blocks: u64,
}

#[derive(Debug, Default)]
pub struct Counters {
    appended: AtomicU64,
    duplicates: AtomicU64,
    rejected: AtomicU64,
    over_limit: AtomicU64,
    over_tenant_limit: AtomicU64,
    pub flushes: AtomicU64,
    pub failed_flushes: AtomicU64,
    pub merges: AtomicU64,
    pub expired_blocks: AtomicU64,
    pub damaged_blocks: AtomicU64,
    pub damaged_log_parts: AtomicU64,
    pub damaged_log_bytes: AtomicU64,
    pub unnamed_samples: AtomicU64,
}

impl Counters {
    pub fn count(&self, appended: &Appended) {
        self.appended.fetch_add(appended.written as u64, Relaxed);
        self.duplicates.fetch_add(appended.duplicates as u64, Relaxed);
        self.rejected.fetch_add(appended.rejected() as u64, Relaxed);
        self.over_limit.fetch_add(appended.over_limit as u64, Relaxed);
        self.over_tenant_limit.fetch_add(appended.over_tenant_limit as u64, Relaxed);
    }
}

impl Inner {
    pub(super) fn stats(&self) -> Stats {
        let blocks = self.blocks();
        let counters = &self.counters;
        Stats {
            active_series: self.head.series_count(),
            tenant_series: self.head.tenant_series(),
            unflushed_samples: self.head.unflushed(),
            log_bytes: self.log_bytes.load(Relaxed),
            log_fsyncs: self.wal.fsyncs(),
            blocks: blocks.len(),
            block_bytes: blocks.iter().map(|block| block.file_bytes).sum(),
            damaged_blocks: counters.damaged_blocks.load(Relaxed),
            damaged_log_parts: counters.damaged_log_parts.load(Relaxed),
            damaged_log_bytes: counters.damaged_log_bytes.load(Relaxed),
            unnamed_samples: counters.unnamed_samples.load(Relaxed),
            appended_samples: counters.appended.load(Relaxed),
            duplicate_samples: counters.duplicates.load(Relaxed),
            rejected_samples: counters.rejected.load(Relaxed),
            over_limit_samples: counters.over_limit.load(Relaxed),
            over_tenant_limit_samples: counters.over_tenant_limit.load(Relaxed),
            flushes: counters.flushes.load(Relaxed),
            failed_flushes: counters.failed_flushes.load(Relaxed),
            merges: counters.merges.load(Relaxed),
            expired_blocks: counters.expired_blocks.load(Relaxed),
        }
    }
}
