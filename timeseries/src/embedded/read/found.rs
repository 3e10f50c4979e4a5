//! A selection: which series, which of their chunks; decoded when somebody asks.

use std::{fmt, sync::Arc};

use base::sample::{Labels, Sample};

use super::Inner;
use crate::{
    embedded::{
        block::{Block, ChunkReader, Index},
        delete::Mask,
        head::merge,
    },
    error::Result,
    selection::{Reader, Selection},
    store::Select,
};

/// A block of a selection.
pub struct Source {
    pub block: Arc<Block>,
    pub index: Arc<Index>,
    pub mask: Mask,
}

/// One series of a selection.
#[derive(Default)]
pub struct Plan {
    /// Which source, and which series there; older samples first.
    pub parts: Vec<(u32, u32)>,
    pub head: Vec<Sample>,
}

impl Plan {
    /// Of the head's samples.
    pub fn newest_ms(&self) -> i64 {
        self.head.last().map_or(i64::MIN, |sample| sample.at_ms)
    }
}

pub struct Found {
    store: Arc<Inner>,
    start_ms: i64,
    end_ms: i64,
    sources: Vec<Source>,
    labels: Vec<Arc<Labels>>,
    plans: Vec<Plan>,
    samples_about: usize,
}

impl Found {
    pub fn new(
        store: Arc<Inner>,
        request: &Select,
        sources: Vec<Source>,
        labels: Vec<Arc<Labels>>,
        plans: Vec<Plan>,
        samples_about: usize,
    ) -> Self {
        let (start_ms, end_ms) = (request.start_ms, request.end_ms);
        Self { store, start_ms, end_ms, sources, labels, plans, samples_about }
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("series", &self.labels.len()).finish_non_exhaustive()
    }
}

impl Selection for Found {
    fn labels(&self) -> &[Arc<Labels>] {
        &self.labels
    }
    fn samples_about(&self) -> usize {
        self.samples_about
    }
    fn is_in_memory(&self) -> bool {
        self.plans.iter().all(|plan| plan.parts.is_empty())
    }
    fn reader(&self) -> Box<dyn Reader + '_> {
        let chunks = self.sources.iter().map(|_| None).collect();
        Box::new(FoundReader { found: self, chunks })
    }
}

struct FoundReader<'a> {
    found: &'a Found,
    /// By source; made when the first chunk is read there, for each holds kilobytes of buffers, and
    /// what is asked most, the newest samples, reads no block.
    chunks: Vec<Option<Box<ChunkReader<'a>>>>,
}

impl Reader for FoundReader<'_> {
    fn read(&mut self, series: usize, out: &mut Vec<Sample>) -> Result<()> {
        let Found { store, start_ms, end_ms, sources, plans, .. } = self.found;
        let plan = &plans[series];
        out.clear();
        for (number, series) in &plan.parts {
            let source = &sources[*number as usize];
            let begin = out.len();
            let chunks = self.chunks[*number as usize]
                .get_or_insert_with(|| Box::new(ChunkReader::new(&source.block, &source.index)));
            for chunk in source.index.chunks_in(*series, *start_ms, *end_ms) {
                let read = chunks.read(chunk, *start_ms, *end_ms, out);
                // What was read of a block before its damage was found is sound.
                if store.sound(&source.block, read)?.is_none() {
                    break;
                }
            }
            let behind = begin > 0 && out.len() > begin && out[begin].at_ms <= out[begin - 1].at_ms;
            if source.mask.touches(*series) || behind {
                let mut its = out.split_off(begin);
                source.mask.apply(*series, &mut its);
                *out = merge(std::mem::take(out), &its);
            }
        }
        *out = merge(std::mem::take(out), &plan.head);
        Ok(())
    }
}
