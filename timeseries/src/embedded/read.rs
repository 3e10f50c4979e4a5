//! The way out: head and blocks, merged by series and instant.
//!
//! The head is read first, the set of blocks after it: what a flush moves in between is seen twice
//! and merged, never missed. A large selection is decoded by several threads, each with some of the
//! series. It ends where nobody waits for it any more: a query out of time leaves no read behind.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use base::sample::{Labels, Sample};
use hashbrown::HashMap;

use super::{
    Inner,
    block::{Block, ChunkReader, Index},
    delete::Mask,
    head::merge,
    key,
    options::{PARALLEL_MIN_SAMPLES, READ_THREADS_MAX},
};
use crate::{
    error::{Error, Result},
    memory,
    store::{Select, Selected},
};

/// A block of a selection.
struct Source {
    block: Arc<Block>,
    index: Arc<Index>,
    mask: Mask,
}

/// One series of a selection.
#[derive(Default)]
struct Plan {
    /// Which source, and which series there; older samples first.
    parts: Vec<(u32, u32)>,
    head: Vec<Sample>,
}

impl Inner {
    pub(super) fn select(&self, request: &Select, asked: &Asked) -> Result<Vec<Selected>> {
        self.check_open()?;
        let (start, end) = (request.start_ms, request.end_ms);
        let mut head = self.head.select(&request.matchers, start, end);
        self.hide_expired(&mut head);
        let sources = self.sources(start, end)?;
        let budget = Budget::new(request, asked);
        let mut plans: HashMap<Vec<u8>, Plan, foldhash::fast::FixedState> = HashMap::default();
        let mut estimate = 0;
        let mut key = Vec::new();
        for (number, source) in sources.iter().enumerate() {
            for series in source.index.find(&request.matchers) {
                let chunks = source.index.chunks_in(series, start, end);
                let samples: usize =
                    chunks.map(|c| source.index.column(c.column).samples as usize).sum();
                if samples == 0 {
                    continue;
                }
                estimate += samples;
                source.index.key(series, &mut key);
                let part = (number as u32, series);
                match plans.get_mut(&key) {
                    Some(plan) => plan.parts.push(part),
                    None => {
                        budget.take_series(&key)?;
                        plans.insert(key.clone(), Plan { parts: vec![part], ..Plan::default() });
                    }
                }
            }
        }
        for (key, samples) in head {
            budget.take(samples.len())?;
            if !plans.contains_key(&*key) {
                budget.take_series(&key)?;
            }
            plans.entry_ref(&*key).or_default().head = samples;
        }
        let mut plans: Vec<_> = plans.into_iter().collect();
        // The order of the files.
        plans.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut selected = self.read_plans(plans, &sources, request, &budget, estimate)?;
        selected.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        Ok(selected)
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

    fn read_plans(
        &self,
        mut plans: Vec<(Vec<u8>, Plan)>,
        sources: &[Source],
        request: &Select,
        budget: &Budget<'_>,
        estimate: usize,
    ) -> Result<Vec<Selected>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if estimate < PARALLEL_MIN_SAMPLES { 1 } else { cores.min(READ_THREADS_MAX) };
        if threads == 1 {
            return self.read_some(plans, sources, request, budget);
        }
        let share = plans.len().div_ceil(threads).max(1);
        let mut shares = Vec::new();
        while !plans.is_empty() {
            let rest = plans.split_off(share.min(plans.len()));
            shares.push(std::mem::replace(&mut plans, rest));
        }
        let parts: Vec<Result<Vec<Selected>>> = std::thread::scope(|scope| {
            let read = |plans| move || self.read_some(plans, sources, request, budget);
            let threads: Vec<_> =
                shares.into_iter().map(|plans| scope.spawn(read(plans))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        });
        let mut all = Vec::new();
        for part in parts {
            all.append(&mut part?);
        }
        Ok(all)
    }

    fn read_some(
        &self,
        plans: Vec<(Vec<u8>, Plan)>,
        sources: &[Source],
        request: &Select,
        budget: &Budget<'_>,
    ) -> Result<Vec<Selected>> {
        let (start, end) = (request.start_ms, request.end_ms);
        let mut readers: Vec<_> =
            sources.iter().map(|source| ChunkReader::new(&source.block, &source.index)).collect();
        let mut selected = Vec::with_capacity(plans.len());
        for (key, plan) in plans {
            let mut samples: Vec<Sample> = Vec::new();
            for (number, series) in plan.parts {
                let source = &sources[number as usize];
                let begin = samples.len();
                for chunk in source.index.chunks_in(series, start, end) {
                    let read = readers[number as usize].read(chunk, start, end, &mut samples);
                    // What was read of a block before its damage was found is sound.
                    if self.sound(&source.block, read)?.is_none() {
                        break;
                    }
                }
                budget.take(samples.len() - begin)?;
                let masked = source.mask.touches(series);
                let behind = begin > 0
                    && samples.len() > begin
                    && samples[begin].at_ms <= samples[begin - 1].at_ms;
                if masked || behind {
                    let mut its = samples.split_off(begin);
                    source.mask.apply(series, &mut its);
                    samples = merge(samples, &its);
                }
            }
            samples = if samples.is_empty() { plan.head } else { merge(samples, &plan.head) };
            if !samples.is_empty() {
                selected.push(Selected { labels: Arc::new(key::labels(&key)), samples });
            }
        }
        Ok(selected)
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
        let mut all: BTreeSet<_> = head.into_iter().map(|key| key.to_vec()).collect();
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
