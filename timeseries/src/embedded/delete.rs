//! Deletion: by selector, and by a tenant's own retention. Both hide samples from every answer at
//! once, and leave the disk when a merge rewrites their block.

use std::sync::Arc;

use base::{sample::Sample, time::Timestamp};
use hashbrown::HashMap;

use super::{
    Inner,
    block::{Block, Index},
    head::Found,
    key,
    manifest::Tombstone,
    options::{TOMBSTONES_MAX, millis},
};
use crate::{
    error::{Error, Result},
    matcher::Matcher,
    scope::TENANT,
};

/// What is hidden of one block: spans of time, by series.
#[derive(Debug, Default)]
pub struct Mask {
    spans: HashMap<u32, Vec<(i64, i64)>, foldhash::fast::FixedState>,
}

impl Mask {
    fn add(&mut self, index: &Index, matchers: &[Matcher], start_ms: i64, end_ms: i64) {
        for series in index.find(matchers) {
            self.spans.entry(series).or_default().push((start_ms, end_ms));
        }
    }
    pub fn touches(&self, series: u32) -> bool {
        !self.spans.is_empty() && self.spans.contains_key(&series)
    }
    pub fn apply(&self, series: u32, samples: &mut Vec<Sample>) {
        if let Some(spans) = self.spans.get(&series) {
            let hidden = |at: i64| spans.iter().any(|(start, end)| (*start..=*end).contains(&at));
            samples.retain(|sample| !hidden(sample.at_ms));
        }
    }
    /// Nothing of the span is left of this series.
    pub fn hides(&self, series: u32, start_ms: i64, end_ms: i64) -> bool {
        let spans = self.spans.get(&series);
        spans.is_some_and(|spans| {
            spans.iter().any(|(start, end)| *start <= start_ms && end_ms <= *end)
        })
    }
}

impl Tombstone {
    fn matchers(&self) -> Result<Vec<Matcher>> {
        let each = self.matchers.iter();
        each.map(|(name, operator, value)| Matcher::of_operator(name, operator, value)).collect()
    }
    fn speaks_of(&self, block: &Block) -> bool {
        block.number < self.below_block && block.overlaps(self.start_ms, self.end_ms)
    }
}

impl Inner {
    /// Flushes first: a tombstone speaks of blocks, and what is written after it stays.
    pub(super) fn delete(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<()> {
        self.check_open()?;
        if matchers.iter().all(|matcher| matcher.matches("")) {
            return Err(Error::BadData(
                "a deletion needs a matcher that doesn't match the empty value".to_owned(),
            ));
        }
        let mut manifest = self.manifest.lock().expect("no panic while held");
        self.flush_held(&mut manifest)?;
        if manifest.tombstones.len() >= TOMBSTONES_MAX {
            return Err(Error::Busy("merges do not keep up with deletions"));
        }
        let raw =
            |m: &Matcher| (m.name().to_owned(), m.operator().to_owned(), m.value().to_owned());
        let mut next = manifest.clone();
        next.tombstones.push(Tombstone {
            matchers: matchers.iter().map(raw).collect(),
            start_ms,
            end_ms,
            below_block: next.next_block,
        });
        next.store(&self.dir)?;
        self.show_tombstones(&next.tombstones);
        *manifest = next;
        self.head.forget_newest(matchers);
        self.grown.notify_one();
        Ok(())
    }

    fn show_tombstones(&self, tombstones: &[Tombstone]) {
        let mut shown = self.tombstones.write().expect("no panic while held");
        *shown = Arc::new(tombstones.to_vec());
    }

    /// Something could be hidden of some block.
    pub(super) fn may_hide(&self) -> bool {
        let tombstones = self.tombstones.read().expect("no panic while held");
        !tombstones.is_empty() || !self.options.tenant_retention.is_empty()
    }

    /// What is hidden of a block.
    pub(super) fn mask(&self, block: &Block, index: &Index, now: Timestamp) -> Result<Mask> {
        let mut mask = Mask::default();
        let tombstones = self.tombstones.read().expect("no panic while held").clone();
        for tombstone in tombstones.iter().filter(|tombstone| tombstone.speaks_of(block)) {
            mask.add(index, &tombstone.matchers()?, tombstone.start_ms, tombstone.end_ms);
        }
        for (tenant, retention) in &self.options.tenant_retention {
            let horizon = now.ms().saturating_sub(millis(*retention));
            if block.first_ms < horizon {
                let matcher = Matcher::equal(TENANT, tenant);
                mask.add(index, &[matcher], i64::MIN, horizon.saturating_sub(1));
            }
        }
        Ok(mask)
    }

    /// Hides what only the head holds of tenants whose retention is past.
    pub(super) fn hide_expired(&self, found: &mut Found) {
        if self.options.tenant_retention.is_empty() {
            return;
        }
        let now = self.clock.now();
        for (key, samples) in found.iter_mut() {
            let tenant = key::get(key, TENANT);
            let of = self.options.tenant_retention.iter().find(|(its, _)| its == tenant);
            if let Some((_, retention)) = of {
                let horizon = now.ms().saturating_sub(millis(*retention));
                samples.retain(|sample| sample.at_ms >= horizon);
            }
        }
        found.retain(|(_, samples)| !samples.is_empty());
    }

    /// Whether rewriting a block would free what a deletion or a tenant's retention took.
    pub(super) fn holds_deleted(&self, block: &Arc<Block>, now: Timestamp) -> Result<bool> {
        let tombstones = self.tombstones.read().expect("no panic while held").clone();
        if tombstones.iter().any(|tombstone| tombstone.speaks_of(block)) {
            return Ok(true);
        }
        for (tenant, retention) in &self.options.tenant_retention {
            // Whole blocks only, so that each is rewritten once.
            if block.last_ms < now.ms().saturating_sub(millis(*retention)) {
                let Some(index) = self.sound(block, self.indexes.get(block))? else {
                    return Ok(false);
                };
                if !index.find(&[Matcher::equal(TENANT, tenant)]).is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Lets go of deletions that no block holds anything of any more.
    pub(super) fn forget_tombstones(&self) -> Result<()> {
        let mut manifest = self.manifest.lock().expect("no panic while held");
        let blocks = self.blocks();
        let mut next = manifest.clone();
        next.tombstones.retain(|t| blocks.iter().any(|block| t.speaks_of(block)));
        if next.tombstones.len() < manifest.tombstones.len() {
            next.store(&self.dir)?;
            self.show_tombstones(&next.tombstones);
            *manifest = next;
        }
        Ok(())
    }
}
