//! The embedded store's settings and bounds.

use std::{collections::BTreeMap, time::Duration};

/// How much of the past, how much in memory. The defaults suit one machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is older goes, a day's block at a time.
    pub retention: Duration,
    /// Beyond so many bytes of blocks the oldest go.
    pub retention_bytes: Option<u64>,
    /// Shorter retention of some tenants' series, by the value of their `tenant` label.
    pub tenant_retention: Vec<(String, Duration)>,
    /// When an append is acknowledged.
    pub log_sync: LogSync,
    /// How far behind its series' newest sample one is still taken.
    pub out_of_order_window: Duration,
    /// A flush begins at this many samples that only the log holds.
    pub flush_samples: usize,
    /// Beyond that it waits for so many samples a series: shorter chunks are larger and slower.
    pub flush_samples_a_series: usize,
    /// A flush begins at this size of the log (or at what the samples take that it waits for).
    pub flush_log_bytes: u64,
    /// A flush begins when the oldest unflushed append is this old.
    pub flush_age: Duration,
    /// New series beyond this many active ones are refused.
    pub active_series_max: usize,
    /// The same of one tenant, by the value of the `tenant` label; series without it have none.
    pub tenant_series_max: usize,
    /// Other limits of some tenants.
    pub tenant_series_max_of: BTreeMap<String, usize>,
    /// Blocks of one day and level that are merged into one.
    pub merge_fan_in: usize,
}

/// When the log is synced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogSync {
    /// Before an append is acknowledged: a group is synced as soon as the one before it is. What
    /// was acknowledged survives a power failure.
    #[default]
    Group,
    /// Acknowledged when the kernel has it, synced at most so much later. What was acknowledged
    /// survives `kill -9`; a power failure loses up to this much of it.
    Every(Duration),
}

impl Options {
    /// How many active series a tenant may have.
    pub fn series_max_of(&self, tenant: &str) -> usize {
        self.tenant_series_max_of.get(tenant).copied().unwrap_or(self.tenant_series_max)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(400 * 24 * 3600),
            retention_bytes: None,
            tenant_retention: Vec::new(),
            log_sync: LogSync::Group,
            out_of_order_window: Duration::from_secs(30 * 60),
            flush_samples: 2_500_000,
            flush_samples_a_series: 30,
            flush_log_bytes: 128 << 20,
            flush_age: Duration::from_secs(2 * 3600),
            active_series_max: 1_000_000,
            tenant_series_max: 100_000,
            tenant_series_max_of: BTreeMap::new(),
            merge_fan_in: 6,
        }
    }
}

/// With flushes failing, appends answer `Busy` at this multiple of what a flush waits for.
pub const UNFLUSHED_MAX_FACTOR: usize = 4;
/// A store that closes flushes so many samples or more; fewer are replayed in a moment, and would
/// make small blocks.
pub const CLOSE_FLUSH_MIN_SAMPLES: usize = 100_000;
/// About what a sample takes in the log, the names of its series included.
pub const LOGGED_SAMPLE_BYTES: u64 = 16;
/// How far ahead of the clock a sample may be.
pub const FUTURE_MAX_MS: i64 = 10 * 60 * 1000;
/// A series without a sample for this long leaves memory at the next flush.
pub const IDLE_MS: i64 = 60 * 60 * 1000;
/// A block's samples are of one such span of time, aligned to the epoch.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Merged blocks do not grow beyond about this.
pub const MERGED_MAX_BYTES: u64 = 1 << 30;
/// A merge pauses where it is faster: queries and appends come first.
pub const MERGE_RATE_MAX_SAMPLES_PER_S: u64 = 5_000_000;
/// Deletions that wait for their blocks to be rewritten.
pub const TOMBSTONES_MAX: usize = 1000;
/// Metric families whose metadata is kept.
pub const METADATA_MAX: usize = 50_000;
/// Recent exemplars kept, in memory only.
pub const EXEMPLARS_MAX: usize = 10_000;
/// Block indexes kept in memory.
pub const INDEX_CACHE_MAX_BYTES: usize = 256 << 20;
/// Of routes kept in memory (see `routes`), and how long one may lie idle while others want its room.
pub const ROUTES_MAX_BYTES: usize = 4 << 20;
pub const ROUTE_IDLE_MS: i64 = 5 * 60_000;
/// How often age, merges and retention are looked at.
pub const MAINTENANCE_PERIOD: Duration = Duration::from_secs(60);
/// One append.
pub const APPEND_MAX_SAMPLES: usize = 1_000_000;
/// Names and values of the labels of all its series.
pub const APPEND_MAX_KEY_BYTES: usize = 128 << 20;

pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
