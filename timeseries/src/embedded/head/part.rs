//! A shard's samples since the last freeze, by the numbers of their series.
//!
//! ```text
//! columns  in order of time, see [`column`](super::column)
//! late     behind their series' newest
//! ```
//!
//! A freeze takes a part as a whole, and a flush lets go of it as a whole.

use std::collections::HashMap;

use base::sample::Sample;

use super::{
    column::{Column, Slabs},
    samples::{clip, merge},
};

#[derive(Debug, Default)]
pub struct Part {
    /// Those of the last series may be missing: they have no samples.
    columns: Vec<Column>,
    slabs: Slabs,
    late: HashMap<u32, Vec<Sample>, foldhash::fast::FixedState>,
    count: usize,
}

impl Part {
    /// How many samples it has.
    pub fn len(&self) -> usize {
        self.count
    }

    fn column(&self, series: u32) -> Option<&Column> {
        self.columns.get(series as usize).filter(|column| column.count > 0)
    }
    fn late(&self, series: u32) -> &[Sample] {
        self.late.get(&series).map_or(&[], Vec::as_slice)
    }

    /// That have samples here, each once.
    pub fn series(&self) -> impl Iterator<Item = u32> {
        let in_columns = (0..self.columns.len() as u32).filter(|at| self.column(*at).is_some());
        in_columns.chain(self.late.keys().copied().filter(|at| self.column(*at).is_none()))
    }

    /// `newest` where it is newer than all of its series; `series` of how many, for their columns.
    pub fn insert(&mut self, at: u32, sample: Sample, newest: bool, series: usize) {
        self.count += 1;
        let behind = self.column(at).is_some_and(|column| sample.at_ms > column.last_ms());
        if !newest && !behind {
            let late = self.late.entry(at).or_default();
            let place = late.partition_point(|other| other.at_ms < sample.at_ms);
            late.insert(place, sample);
            return;
        }
        if self.columns.len() <= at as usize {
            self.columns.reserve(series.saturating_sub(self.columns.len()));
            self.columns.resize_with(at as usize + 1, Column::default);
        }
        self.columns[at as usize].push(&mut self.slabs, sample);
    }

    /// The instants of its first and last sample.
    pub fn span(&self, series: u32) -> Option<(i64, i64)> {
        let column = self.column(series).map(|column| (column.first_ms, column.last_ms()));
        let late = self.late(series);
        let late = late.first().zip(late.last()).map(|(first, last)| (first.at_ms, last.at_ms));
        match (column, late) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (one, other) => one.or(other),
        }
    }

    /// Within the range, in order of time.
    pub fn samples(&self, series: u32, start_ms: i64, end_ms: i64) -> Vec<Sample> {
        let inside = |(first, last)| first <= end_ms && last >= start_ms;
        if !self.span(series).is_some_and(inside) {
            return Vec::new();
        }
        let mut samples = Vec::new();
        if let Some(column) = self.column(series) {
            if column.first_ms >= start_ms && column.last_ms() <= end_ms {
                samples.reserve_exact(column.count as usize);
            }
            let from = column.from(&self.slabs, start_ms);
            let begun = from.skip_while(|sample| sample.at_ms < start_ms);
            samples.extend(begun.take_while(|sample| sample.at_ms <= end_ms));
        }
        merge(samples, clip(self.late(series), start_ms, end_ms))
    }

    pub fn value_at(&self, series: u32, at_ms: i64) -> Option<f64> {
        let late = self.late(series);
        if let Ok(found) = late.binary_search_by_key(&at_ms, |sample| sample.at_ms) {
            return Some(late[found].value);
        }
        let column = self.column(series)?;
        if !(column.first_ms..=column.last_ms()).contains(&at_ms) {
            return None;
        }
        let mut from = column.from(&self.slabs, at_ms);
        from.find(|sample| sample.at_ms == at_ms).map(|sample| sample.value)
    }

    /// The same for series that were numbered anew: `stayed` has the former number of each. The others
    /// have no samples.
    pub fn renumbered(mut self, stayed: &[u32]) -> Self {
        let mut take = |at: &u32| self.columns.get_mut(*at as usize).map(std::mem::take);
        let columns = stayed.iter().map(|at| take(at).unwrap_or_default()).collect();
        let mut late = std::mem::take(&mut self.late);
        let its = |(new, old): (usize, &u32)| Some((new as u32, late.remove(old)?));
        self.late = stayed.iter().enumerate().filter_map(its).collect();
        self.columns = columns;
        self
    }
}
