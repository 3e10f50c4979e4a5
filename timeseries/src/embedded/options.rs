//! The embedded store's settings and bounds.

use std::time::Duration;

/// How much of the past, how much in memory. The defaults suit one machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is older goes, a day's block at a time.
    pub retention: Duration,
    /// How far behind its series' newest sample one is still taken.
    pub out_of_order_window: Duration,
    /// A flush begins at this many samples that only the log holds.
    pub flush_samples: usize,
    /// A flush begins at this size of the log.
    pub flush_log_bytes: u64,
    /// A flush begins when the oldest unflushed append is this old.
    pub flush_age: Duration,
    /// New series beyond this many active ones are refused.
    pub active_series_max: usize,
    /// Blocks of one day and level that are merged into one.
    pub merge_fan_in: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(400 * 24 * 3600),
            out_of_order_window: Duration::from_secs(30 * 60),
            flush_samples: 2_000_000,
            flush_log_bytes: 128 << 20,
            flush_age: Duration::from_secs(2 * 3600),
            active_series_max: 1_000_000,
            merge_fan_in: 6,
        }
    }
}

/// With flushes failing, appends answer `Busy` at this multiple of `flush_samples`.
pub const UNFLUSHED_MAX_FACTOR: usize = 4;
/// How far ahead of the clock a sample may be.
pub const FUTURE_MAX_MS: i64 = 10 * 60 * 1000;
/// A series without a sample for this long leaves memory at the next flush.
pub const IDLE_MS: i64 = 60 * 60 * 1000;
/// A block's samples are of one such span of time, aligned to the epoch.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// A segment is closed at this size.
pub const SEGMENT_MAX_BYTES: u64 = 32 << 20;
/// Merged blocks do not grow beyond about this.
pub const MERGED_MAX_BYTES: u64 = 1 << 30;
/// Block indexes kept in memory.
pub const INDEX_CACHE_MAX_BYTES: usize = 256 << 20;
/// How often age, merges and retention are looked at.
pub const MAINTENANCE_PERIOD: Duration = Duration::from_secs(60);
/// One append.
pub const APPEND_MAX_SAMPLES: usize = 1_000_000;

pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
