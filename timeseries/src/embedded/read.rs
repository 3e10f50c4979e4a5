//! The way out: head and blocks, merged by series and instant.
//!
//! The head is read first, the set of blocks after it: what a flush moves in between is seen twice
//! and merged, never missed. A read ends where nobody waits for it any more: a query out of time leaves no read behind.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use base::sample::Labels;
use hashbrown::HashMap;

use self::found::{Found, Plan, Source};
use super::{Inner, delete::Mask, head::Found as HeadFound, key};
use crate::{
    error::{Error, Result},
    memory, parallel,
    selection::Selection,
    store::{Select, Selected},
};

pub mod found;

/// Found on the caller's thread, in some ten microseconds.
const FEW_SERIES: usize = 64;
/// As many may hold the last minutes where old samples are sent beside new ones.
const FEW_BLOCKS: usize = 12;

/// By key.
type Plans = HashMap<Arc<[u8]>, Plan, foldhash::fast::FixedState>;

impl Inner {
    pub(super) fn select(
        self: &Arc<Self>,
        request: &Select,
        asked: &Asked,
    ) -> Result<Vec<Selected>> {
        let found = self.find(request, asked)?;
        let labels = found.labels();
        let budget = Budget::new(request, asked);
        for one in labels {
            budget.take_bytes(memory::of_labels(one.iter()))?;
        }
        let reader = || found.reader();
        let all = parallel::map(labels.len(), found.samples_about(), reader, |reader, series| {
            let mut samples = Vec::new();
            reader.read(series, &mut samples)?;
            budget.take(samples.len())?;
            Ok(Selected { labels: labels[series].clone(), samples })
        })?;
        Ok(all.into_iter().filter(|selected| !selected.samples.is_empty()).collect())
    }

    /// The series, with what the head has of them.
    pub(super) fn find(self: &Arc<Self>, request: &Select, asked: &Asked) -> Result<Found> {
        self.check_open()?;
        let head = self.head.select(&request.matchers, request.start_ms, request.end_ms)?;
        let sources = self.sources(request.start_ms, request.end_ms)?;
        self.found(request, asked, head, sources)
    }

    /// The same where that is few and takes no longer than another thread would to wake up: it waits
    /// for no disk and for nobody. None where it could.
    pub(super) fn find_few(self: &Arc<Self>, request: &Select) -> Option<Result<Found>> {
        let (matchers, start, end) = (&request.matchers, request.start_ms, request.end_ms);
        let head = self.head.select_few(matchers, start, end, FEW_SERIES)?;
        let mut sources = Vec::new();
        for block in self.blocks().iter().filter(|block| block.overlaps(start, end)) {
            let index = self.indexes.touch(block.number)?;
            if sources.len() == FEW_BLOCKS
                || self.may_hide()
                || index.finds_at_most(matchers)? > FEW_SERIES
            {
                return None;
            }
            sources.push(Source { block: block.clone(), index, mask: Mask::default() });
        }
        let (asked, _asking) = asked();
        Some(self.check_open().and_then(|()| self.found(request, &asked, head, sources)))
    }

    fn found(
        self: &Arc<Self>,
        request: &Select,
        asked: &Asked,
        mut head: HeadFound,
        sources: Vec<Source>,
    ) -> Result<Found> {
        self.hide_expired(&mut head);
        let budget = Budget::new(request, asked);
        let mut samples_about = 0;
        for (_, samples) in &mut head {
            if request.newest_only {
                samples.drain(..samples.len().saturating_sub(1));
            }
            budget.take(samples.len())?;
            samples_about += samples.len();
        }
        let of_head = head.into_iter().map(|(key, head)| (key, Plan { head, ..Plan::default() }));
        let plans: Vec<(Arc<[u8]>, Plan)> = if sources.is_empty() {
            // Nothing to merge.
            of_head.collect()
        } else {
            let mut plans = of_head.collect();
            plan_blocks(&mut plans, request, &sources, &budget, &mut samples_about)?;
            plans.into_iter().collect()
        };
        let mut found = Vec::with_capacity(plans.len());
        for (key, plan) in plans {
            budget.take_series(&key)?;
            found.push((Arc::new(key::labels(&key)), plan));
        }
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let (labels, plans) = found.into_iter().unzip();
        Ok(Found::new(self.clone(), request, sources, labels, plans, samples_about))
    }

    fn sources(&self, start_ms: i64, end_ms: i64) -> Result<Vec<Source>> {
        let now = self.clock.now();
        let mut sources = Vec::new();
        for block in self.blocks().iter().filter(|block| block.overlaps(start_ms, end_ms)) {
            let Some(index) = self.sound(block, self.indexes.get(block))? else { continue };
            let mask = self.mask(block, &index, now)?;
            sources.push(Source { block: block.clone(), index, mask });
        }
        Ok(sources)
    }

    pub(super) fn series(&self, request: &Select, asked: &Asked) -> Result<Vec<Arc<Labels>>> {
        let keys = self.keys(request, asked)?;
        let mut all: Vec<_> = keys.iter().map(|key| Arc::new(key::labels(key))).collect();
        all.sort_unstable();
        Ok(all)
    }

    /// Of the series that may have a sample in the range.
    fn keys(&self, request: &Select, asked: &Asked) -> Result<BTreeSet<Vec<u8>>> {
        self.check_open()?;
        let (start, end) = (request.start_ms, request.end_ms);
        let budget = Budget::new(request, asked);
        let head = self.head.keys(&request.matchers, start, end);
        head.iter().try_for_each(|key| budget.take_series(key))?;
        let mut all: BTreeSet<_> = head.into_iter().collect();
        let mut key = Vec::new();
        for source in self.sources(start, end)? {
            let index = &source.index;
            for series in index.find(&request.matchers) {
                let inside = |chunk| {
                    let column = index.column(chunk);
                    let (first, last) = (column.first_ms.max(start), column.last_ms.min(end));
                    !source.mask.hides(series, first, last)
                };
                if index.chunks_in(series, start, end).any(|chunk| inside(chunk.column)) {
                    index.key(series, &mut key);
                    if !all.contains(&key) {
                        budget.take_series(&key)?;
                        all.insert(key.clone());
                    }
                }
                if all.len() > request.max_samples {
                    return Err(Error::TooManySamples { limit: request.max_samples });
                }
            }
        }
        if all.len() > request.max_samples {
            return Err(Error::TooManySamples { limit: request.max_samples });
        }
        Ok(all)
    }

    pub(super) fn label_names(&self, request: &Select, asked: &Asked) -> Result<Vec<String>> {
        let keys = self.keys(request, asked)?;
        let names: BTreeSet<&str> =
            keys.iter().flat_map(|key| key::texts(key).map(|(name, _)| name)).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    pub(super) fn label_values(
        &self,
        name: &str,
        request: &Select,
        asked: &Asked,
    ) -> Result<Vec<String>> {
        let keys = self.keys(request, asked)?;
        let values: BTreeSet<&str> =
            keys.iter().map(|key| key::get(key, name)).filter(|value| !value.is_empty()).collect();
        Ok(values.into_iter().map(str::to_owned).collect())
    }
}

/// Adds what blocks have of the series to what the head has, by key.
fn plan_blocks(
    plans: &mut Plans,
    request: &Select,
    sources: &[Source],
    budget: &Budget<'_>,
    samples_about: &mut usize,
) -> Result<()> {
    let mut key = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        for series in source.index.find(&request.matchers) {
            let (mut samples, mut last_ms) = (0, i64::MIN);
            for chunk in source.index.chunks_in(series, request.start_ms, request.end_ms) {
                let column = source.index.column(chunk.column);
                samples += column.samples as usize;
                last_ms = last_ms.max(column.last_ms);
            }
            if samples == 0 {
                continue;
            }
            source.index.key(series, &mut key);
            let part = (number as u32, series);
            match plans.get_mut(key.as_slice()) {
                // The head's is the one that counts.
                Some(plan) if request.newest_only && plan.newest_ms() > last_ms => continue,
                Some(plan) => plan.parts.push(part),
                None => {
                    budget.check_series(plans.len(), &key)?;
                    let plan = Plan { parts: vec![part], ..Plan::default() };
                    plans.insert(key.as_slice().into(), plan);
                }
            }
            *samples_about += samples;
        }
    }
    Ok(())
}

/// Whether somebody waits for an answer still.
#[derive(Debug, Default)]
pub struct Asked {
    given_up: Arc<AtomicBool>,
}

/// Gives up when it goes.
pub struct Asking(Arc<AtomicBool>);

pub fn asked() -> (Asked, Asking) {
    let asked = Asked::default();
    let asking = Asking(asked.given_up.clone());
    (asked, asking)
}

impl Asked {
    fn check(&self) -> Result<()> {
        if self.given_up.load(Relaxed) { Err(Error::Canceled) } else { Ok(()) }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Shared by the threads of one selection.
struct Budget<'a> {
    asked: &'a Asked,
    samples_left: AtomicUsize,
    bytes_left: AtomicUsize,
    max_samples: usize,
    max_bytes: usize,
}

impl<'a> Budget<'a> {
    fn new(request: &Select, asked: &'a Asked) -> Self {
        let (max_samples, max_bytes) = (request.max_samples, request.max_bytes);
        let (samples_left, bytes_left) =
            (AtomicUsize::new(max_samples), AtomicUsize::new(max_bytes));
        Self { asked, samples_left, bytes_left, max_samples, max_bytes }
    }
    fn take(&self, samples: usize) -> Result<()> {
        if !subtract(&self.samples_left, samples) {
            return Err(Error::TooManySamples { limit: self.max_samples });
        }
        self.take_bytes(memory::of_samples(samples))
    }
    /// A series, without its samples.
    fn take_series(&self, key: &[u8]) -> Result<()> {
        self.take_bytes(memory::of_series(key::count(key), key.len()))
    }
    /// Whether so many series, of about the size of this one, fit: the exact count comes later.
    fn check_series(&self, count: usize, key: &[u8]) -> Result<()> {
        self.asked.check()?;
        let bytes = count.saturating_mul(memory::of_series(key::count(key), 0));
        if bytes <= self.bytes_left.load(Relaxed) {
            return Ok(());
        }
        Err(Error::TooMuchMemory { limit_bytes: self.max_bytes })
    }
    fn take_bytes(&self, bytes: usize) -> Result<()> {
        self.asked.check()?;
        if subtract(&self.bytes_left, bytes) {
            return Ok(());
        }
        Err(Error::TooMuchMemory { limit_bytes: self.max_bytes })
    }
}

/// False where it would go below zero.
fn subtract(left: &AtomicUsize, count: usize) -> bool {
    left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(count)).is_ok()
}
