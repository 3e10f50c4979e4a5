//! One series of the head.
//!
//! Its samples are in parts:
//!
//! ```text
//! frozen  being written to a block
//! fresh   written since, in order of time; only the log makes them durable
//! late    written since, behind their series' newest
//! ```
//!
//! Whether a sample is too old is judged against the newest sample of its own series, so an
//! agent's backlog of hours is in order, whatever others have sent since.

use std::sync::Arc;

use base::sample::Sample;

use super::samples::{Column, clip, merge};

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

/// What one freeze took of a series.
#[derive(Debug, Default)]
pub struct Part {
    column: Column,
    late: Vec<Sample>,
}

impl Part {
    pub fn len(&self) -> usize {
        self.column.count as usize + self.late.len()
    }
    pub fn first_ms(&self) -> i64 {
        let column = (self.column.count > 0).then_some(self.column.first_ms);
        let late = self.late.first().map(|sample| sample.at_ms);
        column.into_iter().chain(late).min().unwrap_or(i64::MAX)
    }
    pub fn last_ms(&self) -> i64 {
        let column = (self.column.count > 0).then_some(self.column.last_ms());
        column.max(self.late.last().map(|sample| sample.at_ms)).unwrap_or(i64::MIN)
    }
    /// Within the range, in order of time.
    pub fn samples(&self, start_ms: i64, end_ms: i64) -> Vec<Sample> {
        if self.first_ms() > end_ms || self.last_ms() < start_ms {
            return Vec::new();
        }
        let column = self.column.from(start_ms);
        let mut samples = Vec::new();
        samples.extend(column.skip_while(|s| s.at_ms < start_ms).take_while(|s| s.at_ms <= end_ms));
        merge(samples, clip(&self.late, start_ms, end_ms))
    }
    fn at(&self, at_ms: i64) -> Option<f64> {
        if let Ok(found) = self.late.binary_search_by_key(&at_ms, |sample| sample.at_ms) {
            return Some(self.late[found].value);
        }
        if self.column.count == 0
            || !(self.column.first_ms..=self.column.last_ms()).contains(&at_ms)
        {
            return None;
        }
        self.column.from(at_ms).find(|sample| sample.at_ms == at_ms).map(|sample| sample.value)
    }
}

#[derive(Debug)]
pub struct MemSeries {
    pub key: Arc<[u8]>,
    /// Its name in the log.
    pub wal_id: u64,
    /// The last segment that names it.
    pub named_in: u64,
    /// The newest instant seen, in a block or here.
    pub max_ms: Option<i64>,
    /// The value there, where it came by here.
    newest: Option<f64>,
    /// Blocks were asked for what is newer: the log alone doesn't know.
    pub blocks_asked: bool,
    fresh: Part,
    frozen: Option<Arc<Part>>,
}

impl MemSeries {
    pub fn new(key: Arc<[u8]>, wal_id: u64) -> Self {
        let (max_ms, newest, fresh, frozen) = (None, None, Part::default(), None);
        Self { key, wal_id, named_in: 0, max_ms, newest, blocks_asked: false, fresh, frozen }
    }

    /// What blocks know of its newest instant.
    pub fn learn(&mut self, newest_ms: Option<i64>) {
        self.blocks_asked = true;
        if newest_ms > self.max_ms {
            self.max_ms = newest_ms;
            self.newest = None;
        }
    }

    pub fn judge(&self, sample: Sample, window_ms: i64) -> Verdict {
        let Some(max_ms) = self.max_ms else { return Verdict::Write };
        if sample.at_ms > max_ms {
            return Verdict::Write;
        }
        if let (true, Some(newest)) = (sample.at_ms == max_ms, self.newest) {
            return Verdict::against(sample, newest);
        }
        if sample.at_ms < max_ms.saturating_sub(window_ms) {
            return Verdict::TooOld;
        }
        let frozen = self.frozen.as_ref().and_then(|part| part.at(sample.at_ms));
        match frozen.or_else(|| self.fresh.at(sample.at_ms)) {
            Some(there) => Verdict::against(sample, there),
            None => Verdict::Late,
        }
    }

    pub fn insert(&mut self, sample: Sample) {
        let in_order = self.max_ms.is_none_or(|max| sample.at_ms > max);
        if in_order {
            self.max_ms = Some(sample.at_ms);
            self.newest = Some(sample.value);
        }
        if in_order || (self.fresh.column.count > 0 && sample.at_ms > self.fresh.column.last_ms()) {
            self.fresh.column.push(sample);
        } else {
            let late = &mut self.fresh.late;
            let place = late.partition_point(|other| other.at_ms < sample.at_ms);
            late.insert(place, sample);
        }
    }

    /// After a deletion: whether its newest sample is still there, blocks know.
    pub fn forget_newest(&mut self) {
        self.newest = None;
    }

    /// What no block holds, within the range.
    pub fn unflushed(&self, start_ms: i64, end_ms: i64) -> Vec<Sample> {
        let fresh = self.fresh.samples(start_ms, end_ms);
        match &self.frozen {
            Some(frozen) => merge(frozen.samples(start_ms, end_ms), &fresh),
            None => fresh,
        }
    }

    /// May have such a sample.
    pub fn is_in(&self, start_ms: i64, end_ms: i64) -> bool {
        let overlaps =
            |part: &Part| part.len() > 0 && part.first_ms() <= end_ms && part.last_ms() >= start_ms;
        overlaps(&self.fresh) || self.frozen.as_deref().is_some_and(overlaps)
    }

    pub fn freeze(&mut self) -> Option<Arc<Part>> {
        let fresh = std::mem::take(&mut self.fresh);
        let part = match self.frozen.take() {
            Some(frozen) if fresh.len() == 0 => frozen,
            Some(frozen) => {
                let all = |part: &Part| part.samples(i64::MIN, i64::MAX);
                let late = merge(all(&frozen), &all(&fresh));
                Arc::new(Part { column: Column::default(), late })
            }
            None if fresh.len() == 0 => return None,
            None => Arc::new(fresh),
        };
        self.frozen = Some(part.clone());
        Some(part)
    }

    /// Lets go of what a block now holds; returns how many samples that were.
    pub fn flushed(&mut self) -> usize {
        self.frozen.take().map_or(0, |part| part.len())
    }

    /// Nothing here is only here, and nothing came since `horizon_ms`.
    pub fn is_idle(&self, horizon_ms: i64) -> bool {
        self.fresh.len() == 0
            && self.frozen.is_none()
            && self.max_ms.is_none_or(|max| max < horizon_ms)
    }
}
