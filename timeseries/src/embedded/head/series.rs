//! What the head knows of one series beside its labels and samples.

use base::sample::Sample;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Write,
    Duplicate,
    Conflict,
    TooOld,
    /// No sample here has its instant; a block could.
    Late,
}

impl Verdict {
    /// Of a sample at an instant at which `there` is already.
    pub fn against(sample: Sample, there: f64) -> Self {
        if there.to_bits() == sample.value.to_bits() { Self::Duplicate } else { Self::Conflict }
    }
}

/// No sample was seen.
const NEVER: i64 = i64::MIN;

/// There are many: it is kept small.
#[derive(Debug)]
pub struct MemSeries {
    /// Its name in the log.
    pub wal_id: u64,
    /// The last segment that names it.
    pub named_in: u64,
    /// The newest instant seen, in a block or here.
    pub max_ms: i64,
    /// The value there, where it came by here.
    newest: f64,
    knows_newest: bool,
    /// Blocks were asked for what is newer: the log alone doesn't know.
    pub blocks_asked: bool,
}

impl MemSeries {
    pub fn new(wal_id: u64) -> Self {
        let (newest, knows_newest, blocks_asked) = (0.0, false, false);
        Self { wal_id, named_in: 0, max_ms: NEVER, newest, knows_newest, blocks_asked }
    }

    /// What blocks know of its newest instant.
    pub fn learn(&mut self, newest_ms: Option<i64>) {
        self.blocks_asked = true;
        if let Some(newest_ms) = newest_ms.filter(|newest_ms| *newest_ms > self.max_ms) {
            self.max_ms = newest_ms;
            self.knows_newest = false;
        }
    }

    /// Sees a sample that is taken; true where it is its newest.
    pub(super) fn see(&mut self, sample: Sample) -> bool {
        let newest = self.is_newer(sample);
        if newest {
            (self.max_ms, self.newest, self.knows_newest) = (sample.at_ms, sample.value, true);
        }
        newest
    }

    fn is_newer(&self, sample: Sample) -> bool {
        sample.at_ms > self.max_ms || self.max_ms == NEVER
    }

    /// None where only a look at its samples tells.
    ///
    /// Whether a sample is too old is judged against the newest sample of its own series, so an
    /// agent's backlog of hours is in order, whatever others have sent since.
    pub(super) fn judge(&self, sample: Sample, window_ms: i64) -> Option<Verdict> {
        if self.is_newer(sample) {
            return Some(Verdict::Write);
        }
        if sample.at_ms == self.max_ms && self.knows_newest {
            return Some(Verdict::against(sample, self.newest));
        }
        (sample.at_ms < self.max_ms.saturating_sub(window_ms)).then_some(Verdict::TooOld)
    }

    /// After a deletion: whether its newest sample is still there, blocks know.
    pub(super) fn forget_newest(&mut self) {
        self.knows_newest = false;
    }
}
