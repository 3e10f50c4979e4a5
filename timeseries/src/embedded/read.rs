//! The way out: head and blocks, merged by labels and instant.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use base::sample::{Labels, Sample};

use super::{
    Inner,
    block::Block,
    head::{clip, merge},
};
use crate::{
    error::{Error, Result},
    store::{Select, Selected},
};

impl Inner {
    pub(super) fn select(&self, request: &Select) -> Result<Vec<Selected>> {
        let (blocks, head) = {
            // One lock for both: a flush moves samples from one to the other.
            let state = self.read()?;
            let (start, end) = (request.start_ms, request.end_ms);
            (state.blocks.clone(), state.head.select(&request.matchers, start, end))
        };
        let mut all: BTreeMap<Arc<Labels>, Vec<Sample>> = BTreeMap::new();
        let mut budget = Budget { left: request.max_samples, limit: request.max_samples };
        for block in blocks.iter().filter(|b| b.overlaps(request.start_ms, request.end_ms)) {
            self.select_block(block, request, &mut all, &mut budget)?;
        }
        for selected in head {
            budget.take(selected.samples.len())?;
            let samples = all.entry(selected.labels).or_default();
            *samples = merge(std::mem::take(samples), &selected.samples);
        }
        Ok(all.into_iter().map(|(labels, samples)| Selected { labels, samples }).collect())
    }

    fn select_block(
        &self,
        block: &Block,
        request: &Select,
        all: &mut BTreeMap<Arc<Labels>, Vec<Sample>>,
        budget: &mut Budget,
    ) -> Result<()> {
        let (start, end) = (request.start_ms, request.end_ms);
        let index = self.indexes.get(block)?;
        let mut read = Vec::new();
        for series in index.find(&request.matchers) {
            read.clear();
            for chunk in series.chunks.iter().filter(|c| c.first_ms <= end && c.last_ms >= start) {
                block.read_chunk(chunk, &mut read)?;
            }
            let inside = clip(&read, start, end);
            if inside.is_empty() {
                continue;
            }
            budget.take(inside.len())?;
            match all.get_mut(&series.labels) {
                Some(samples) => *samples = merge(std::mem::take(samples), inside),
                None => {
                    all.insert(series.labels.clone(), inside.to_vec());
                }
            }
        }
        Ok(())
    }

    pub(super) fn series(&self, request: &Select) -> Result<Vec<Arc<Labels>>> {
        Ok(self.label_sets(request)?.into_iter().collect())
    }

    fn label_sets(&self, request: &Select) -> Result<BTreeSet<Arc<Labels>>> {
        let (start, end) = (request.start_ms, request.end_ms);
        let (blocks, head) = {
            let state = self.read()?;
            (state.blocks.clone(), state.head.label_sets(&request.matchers, start, end))
        };
        let mut all: BTreeSet<_> = head.into_iter().collect();
        for block in blocks.iter().filter(|block| block.overlaps(start, end)) {
            let index = self.indexes.get(block)?;
            let inside = index.find(&request.matchers).filter(|series| series.is_in(start, end));
            all.extend(inside.map(|series| series.labels.clone()));
            if all.len() > request.max_samples {
                break;
            }
        }
        if all.len() > request.max_samples {
            return Err(Error::TooManySamples { limit: request.max_samples });
        }
        Ok(all)
    }

    pub(super) fn label_names(&self, request: &Select) -> Result<Vec<String>> {
        let sets = self.label_sets(request)?;
        let names: BTreeSet<&str> =
            sets.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    pub(super) fn label_values(&self, name: &str, request: &Select) -> Result<Vec<String>> {
        let sets = self.label_sets(request)?;
        let values: BTreeSet<&str> = sets.iter().filter_map(|labels| labels.get(name)).collect();
        Ok(values.into_iter().map(str::to_owned).collect())
    }
}

struct Budget {
    left: usize,
    limit: usize,
}

impl Budget {
    fn take(&mut self, samples: usize) -> Result<()> {
        let exhausted = Error::TooManySamples { limit: self.limit };
        self.left = self.left.checked_sub(samples).ok_or(exhausted)?;
        Ok(())
    }
}
