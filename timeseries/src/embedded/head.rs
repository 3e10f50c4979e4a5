//! The open part of the store: series with the samples that no block holds yet.
//!
//! A series' samples are in three lists, each sorted by time:
//!
//! ```text
//! tail    in a block already; kept as far back as the out-of-order window, to know duplicates
//! frozen  being written to a block
//! fresh   written since; only the log makes them durable
//! ```
//!
//! Whether a sample is too old is judged against the newest sample of its own series, so an
//! agent's backlog of hours is in order, whatever others have sent since.

use std::{collections::HashMap, sync::Arc};

use base::sample::{Labels, Sample};

use super::postings::Postings;
use crate::{matcher::Matcher, store::Selected};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Write,
    Duplicate,
    Conflict,
    TooOld,
}

#[derive(Debug)]
pub struct MemSeries {
    pub labels: Arc<Labels>,
    /// Its name in the log.
    pub wal_id: u64,
    /// The last segment that names it.
    pub named_in: u64,
    /// The newest instant seen, in a block or here.
    pub max_ms: Option<i64>,
    fresh: Vec<Sample>,
    frozen: Option<Arc<Vec<Sample>>>,
    tail: Vec<Sample>,
}

impl MemSeries {
    pub fn judge(&self, sample: Sample, window_ms: i64) -> Verdict {
        let Some(max_ms) = self.max_ms else { return Verdict::Write };
        if sample.at_ms > max_ms {
            return Verdict::Write;
        }
        if sample.at_ms < max_ms.saturating_sub(window_ms) {
            return Verdict::TooOld;
        }
        let frozen = self.frozen.as_deref().map(Vec::as_slice).unwrap_or_default();
        let lists = [self.fresh.as_slice(), frozen, self.tail.as_slice()];
        let there = lists.iter().find_map(|list| {
            let index = list.binary_search_by_key(&sample.at_ms, |s| s.at_ms).ok()?;
            Some(list[index])
        });
        match there {
            Some(there) if there.value.to_bits() == sample.value.to_bits() => Verdict::Duplicate,
            Some(_) => Verdict::Conflict,
            None => Verdict::Write,
        }
    }

    fn insert(&mut self, sample: Sample) {
        let index = self.fresh.partition_point(|s| s.at_ms < sample.at_ms);
        self.fresh.insert(index, sample);
        self.max_ms = Some(self.max_ms.map_or(sample.at_ms, |max| max.max(sample.at_ms)));
    }

    /// What no block holds, within the range, older lists first.
    fn unflushed(&self, start_ms: i64, end_ms: i64) -> Vec<Sample> {
        let fresh = clip(&self.fresh, start_ms, end_ms);
        match &self.frozen {
            Some(frozen) => merge(clip(frozen, start_ms, end_ms).to_vec(), fresh),
            None => fresh.to_vec(),
        }
    }

    fn is_in(&self, start_ms: i64, end_ms: i64) -> bool {
        let overlaps = |list: &[Sample]| !clip(list, start_ms, end_ms).is_empty();
        overlaps(&self.fresh) || self.frozen.as_ref().is_some_and(|list| overlaps(list))
    }
}

/// The part of a sorted list within the range, both ends included.
pub fn clip(samples: &[Sample], start_ms: i64, end_ms: i64) -> &[Sample] {
    let from = samples.partition_point(|s| s.at_ms < start_ms);
    let to = samples.partition_point(|s| s.at_ms <= end_ms);
    &samples[from..to.max(from)]
}

/// Both sorted; of two samples at one instant the first list's stays: it was acknowledged first.
pub fn merge(mut first: Vec<Sample>, second: &[Sample]) -> Vec<Sample> {
    let Some(begin) = second.first() else { return first };
    if first.last().is_none_or(|last| last.at_ms < begin.at_ms) {
        first.extend_from_slice(second);
        return first;
    }
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let mut rest = second;
    for sample in first {
        let before = rest.partition_point(|s| s.at_ms < sample.at_ms);
        merged.extend_from_slice(&rest[..before]);
        rest = &rest[before..];
        if rest.first().is_some_and(|s| s.at_ms == sample.at_ms) {
            rest = &rest[1..];
        }
        merged.push(sample);
    }
    merged.extend_from_slice(rest);
    merged
}

/// What a flush takes: sorted by labels, each with its samples in order of time.
pub type Frozen = Vec<(Arc<Labels>, Arc<Vec<Sample>>)>;

#[derive(Debug, Default)]
pub struct Head {
    series: Vec<MemSeries>,
    by_labels: HashMap<Arc<Labels>, u32>,
    postings: Postings,
    next_wal_id: u64,
    /// Samples that no block holds.
    unflushed: usize,
}

impl Head {
    pub fn series_count(&self) -> usize {
        self.series.len()
    }
    pub fn unflushed(&self) -> usize {
        self.unflushed
    }
    pub fn get(&self, labels: &Labels) -> Option<u32> {
        self.by_labels.get(labels).copied()
    }
    pub fn create(&mut self, labels: Labels, max_ms: Option<i64>) -> u32 {
        let id = u32::try_from(self.series.len()).expect("the limit of active series is lower");
        let labels = Arc::new(labels);
        self.postings.add(id, &labels);
        self.by_labels.insert(labels.clone(), id);
        self.next_wal_id += 1;
        self.series.push(MemSeries {
            labels,
            wal_id: self.next_wal_id,
            named_in: 0,
            max_ms,
            fresh: Vec::new(),
            frozen: None,
            tail: Vec::new(),
        });
        id
    }
    pub fn series(&mut self, id: u32) -> &mut MemSeries {
        &mut self.series[id as usize]
    }
    pub fn insert(&mut self, id: u32, sample: Sample) {
        self.series[id as usize].insert(sample);
        self.unflushed += 1;
    }

    /// Series with samples in the range that no block holds, in no order.
    pub fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Selected> {
        let selected = self.find(matchers).map(|series| Selected {
            labels: series.labels.clone(),
            samples: series.unflushed(start_ms, end_ms),
        });
        selected.filter(|selected| !selected.samples.is_empty()).collect()
    }
    pub fn label_sets(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Arc<Labels>> {
        let inside = self.find(matchers).filter(|series| series.is_in(start_ms, end_ms));
        inside.map(|series| series.labels.clone()).collect()
    }
    fn find(&self, matchers: &[Matcher]) -> impl Iterator<Item = &MemSeries> {
        let labels = |id: u32| &*self.series[id as usize].labels;
        self.postings.find(matchers, labels).into_iter().map(|id| &self.series[id as usize])
    }

    /// Freezes all that no block holds. What an earlier, failed flush froze comes with it.
    pub fn freeze(&mut self) -> Frozen {
        let mut all = Frozen::new();
        for series in &mut self.series {
            let fresh = std::mem::take(&mut series.fresh);
            let samples = match series.frozen.take() {
                Some(frozen) => Arc::new(merge(frozen.to_vec(), &fresh)),
                None if fresh.is_empty() => continue,
                None => Arc::new(fresh),
            };
            series.frozen = Some(samples.clone());
            all.push((series.labels.clone(), samples));
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// After blocks hold what was frozen. Series that nobody has written to for `idle_ms` before
    /// the newest sample are forgotten; should one come back, it is made anew.
    pub fn flushed(&mut self, window_ms: i64, idle_ms: i64) {
        for series in &mut self.series {
            let Some(frozen) = series.frozen.take() else { continue };
            self.unflushed -= frozen.len();
            let from = series.max_ms.unwrap_or(i64::MIN).saturating_sub(window_ms);
            let tail = merge(std::mem::take(&mut series.tail), &frozen);
            series.tail = clip(&tail, from, i64::MAX).to_vec();
        }
        let newest = self.series.iter().filter_map(|s| s.max_ms).max().unwrap_or(i64::MIN);
        let horizon = newest.saturating_sub(idle_ms);
        let idle = |s: &MemSeries| s.fresh.is_empty() && s.max_ms.is_none_or(|max| max < horizon);
        if !self.series.iter().any(idle) {
            return;
        }
        self.by_labels.clear();
        self.postings = Postings::default();
        self.series.retain(|series| !idle(series));
        for (id, series) in self.series.iter().enumerate() {
            self.by_labels.insert(series.labels.clone(), id as u32);
            self.postings.add(id as u32, &series.labels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(list: &[(i64, f64)]) -> Vec<Sample> {
        list.iter().map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }).collect()
    }

    #[test]
    fn merging_keeps_order_and_what_came_first() {
        let merged = merge(
            samples(&[(1, 1.0), (3, 3.0), (5, 5.0)]),
            &samples(&[(0, 9.0), (3, 9.0), (4, 4.0), (6, 6.0)]),
        );
        assert_eq!(merged, samples(&[(0, 9.0), (1, 1.0), (3, 3.0), (4, 4.0), (5, 5.0), (6, 6.0)]));
    }

    #[test]
    fn the_window_is_each_series_own_and_outlives_a_flush() {
        let mut head = Head::default();
        let fast = head.create(Labels::metric("fast", &[]), None);
        let slow = head.create(Labels::metric("slow", &[]), None);
        let judge = |head: &mut Head, id, at_ms, value| {
            let verdict = head.series(id).judge(Sample { at_ms, value }, 100);
            if verdict == Verdict::Write {
                head.insert(id, Sample { at_ms, value });
            }
            verdict
        };
        assert_eq!(judge(&mut head, fast, 1_000, 1.0), Verdict::Write);
        assert_eq!(judge(&mut head, slow, 10, 1.0), Verdict::Write);
        assert_eq!(judge(&mut head, fast, 900, 1.0), Verdict::Write);
        assert_eq!(judge(&mut head, fast, 899, 1.0), Verdict::TooOld);
        head.freeze();
        head.flushed(100, 10_000);
        assert_eq!(head.unflushed(), 0);
        assert_eq!(judge(&mut head, fast, 900, 1.0), Verdict::Duplicate);
        assert_eq!(judge(&mut head, fast, 1_000, 2.0), Verdict::Conflict);
        assert_eq!(judge(&mut head, slow, 20, 1.0), Verdict::Write);
        head.freeze();
        head.flushed(100, 500);
        assert_eq!(head.get(&Labels::metric("slow", &[])), None);
        assert_eq!(head.get(&Labels::metric("fast", &[])), Some(0));
    }
}
