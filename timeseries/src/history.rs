//! History on its way out: all samples of some series, page by page, whatever their number.
//!
//! A page is what one selection answers within its bounds. A selection that is too large is split:
//! by metric name, then by the values of the label that has most of them, and a single series by
//! time. So the samples of a series come one after another, in order of time, and the series of a
//! metric too, over every engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use base::sample::{Labels, NAME};

use crate::{
    error::{Error, Result},
    matcher::Matcher,
    promql::{has_series, match_sets},
    scope::Scope,
    store::{Exemplars, Metadata, Select, Selected, Store},
};

/// Of one page.
pub const PAGE_MAX_SAMPLES: usize = 1_000_000;
pub const PAGE_MAX_BYTES: usize = 256 << 20;
/// Series of one metric, and all of an export for their metrics' names.
pub const LISTED_MAX_SERIES: usize = 1_000_000;
pub const LISTED_MAX_BYTES: usize = 512 << 20;
/// Into so many parts a selection is split, or more where a part would name too many values.
const PARTS: usize = 16;
const PART_MAX_VALUES: usize = 64;

/// The samples that any of some selectors finds, in pages.
#[derive(Debug)]
pub struct Pages {
    store: Arc<dyn Store>,
    /// Of each selector.
    sets: Vec<Vec<Matcher>>,
    /// What is still to be read, the last part first; none before the first page.
    todo: Option<Vec<Part>>,
    start_ms: i64,
    end_ms: i64,
    page_samples: usize,
}

#[derive(Debug, Clone)]
struct Part {
    set: usize,
    metric: String,
    matchers: Vec<Matcher>,
    start_ms: i64,
    end_ms: i64,
}

impl Part {
    fn select(&self, max_samples: usize, max_bytes: usize) -> Select {
        let (matchers, start_ms, end_ms) = (self.matchers.clone(), self.start_ms, self.end_ms);
        Select { matchers, start_ms, end_ms, max_samples, max_bytes, newest_only: false }
    }
}

impl Pages {
    /// Both ends belong to the range. Without selectors, of all that the scope sees.
    pub fn new(
        store: Arc<dyn Store>,
        scope: &Scope,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Self> {
        let sets = match_sets(scope, selectors)?;
        Ok(Self { store, sets, todo: None, start_ms, end_ms, page_samples: PAGE_MAX_SAMPLES })
    }

    /// What is known of the families of all that is found.
    pub async fn families(&mut self) -> Result<Vec<Metadata>> {
        if self.todo.is_none() {
            self.todo = Some(self.by_name().await?);
        }
        let parts = self.todo.iter().flatten();
        let names: BTreeSet<&str> = parts.map(|part| part.metric.as_str()).collect();
        let mut all = self.store.metadata().await?;
        all.retain(|family| has_series(family, &names));
        Ok(all)
    }

    /// The exemplars of all that is found, sorted by labels.
    pub async fn exemplars(&self) -> Result<Vec<Exemplars>> {
        let mut all = BTreeMap::new();
        for matchers in self.sets.iter().cloned() {
            let (start_ms, end_ms) = (self.start_ms, self.end_ms);
            let (max_samples, max_bytes) = (PAGE_MAX_SAMPLES, PAGE_MAX_BYTES);
            let select =
                Select { matchers, start_ms, end_ms, max_samples, max_bytes, newest_only: false };
            let found = self.store.exemplars(select).await?;
            all.extend(found.into_iter().map(|one| (one.labels.clone(), one)));
        }
        Ok(all.into_values().collect())
    }

    /// Series with samples; none at the end. A series may go on in the next page.
    pub async fn next(&mut self) -> Result<Option<Vec<Selected>>> {
        let mut todo = match self.todo.take() {
            Some(todo) => todo,
            None => self.by_name().await?,
        };
        while let Some(part) = todo.pop() {
            match self.store.select(part.select(self.page_samples, PAGE_MAX_BYTES)).await {
                Ok(mut found) => {
                    found.retain(|one| !self.sets[..part.set].iter().any(|set| holds(set, one)));
                    if !found.is_empty() {
                        self.todo = Some(todo);
                        return Ok(Some(found));
                    }
                }
                Err(Error::TooManySamples { .. } | Error::TooMuchMemory { .. }) => {
                    todo.extend(self.split(&part).await?.into_iter().rev());
                }
                Err(error) => return Err(error),
            }
        }
        self.todo = Some(todo);
        Ok(None)
    }

    /// One part a metric and selector, the last metric first.
    async fn by_name(&self) -> Result<Vec<Part>> {
        let mut all: BTreeMap<String, Vec<Part>> = BTreeMap::new();
        for (set, matchers) in self.sets.iter().enumerate() {
            let (matchers, start_ms, end_ms) = (matchers.clone(), self.start_ms, self.end_ms);
            let part = Part { set, metric: String::new(), matchers, start_ms, end_ms };
            let select = part.select(LISTED_MAX_SERIES, LISTED_MAX_BYTES);
            for name in self.store.label_values(NAME, select).await.map_err(too_many_series)? {
                let mut its = part.clone();
                its.matchers.insert(0, Matcher::equal(NAME, &name));
                its.metric.clone_from(&name);
                all.entry(name).or_default().push(its);
            }
        }
        Ok(all.into_values().rev().flat_map(|parts| parts.into_iter().rev()).collect())
    }

    /// Smaller parts, in the order in which they are to be read.
    async fn split(&self, part: &Part) -> Result<Vec<Part>> {
        let select = part.select(LISTED_MAX_SERIES, LISTED_MAX_BYTES);
        let series = self.store.series(select).await.map_err(too_many_series)?;
        let Some((label, values)) = widest(&series) else { return halves(part) };
        let each = values.len().div_ceil(PARTS).min(PART_MAX_VALUES);
        let values: Vec<&str> = values.into_iter().collect();
        let matcher = |values: &[&str]| match values {
            [one] => Ok(Matcher::equal(label, *one)),
            _ => {
                let escaped: Vec<_> = values.iter().map(|value| regex::escape(value)).collect();
                Matcher::regex(label, escaped.join("|"))
            }
        };
        values
            .chunks(each)
            .map(|values| {
                let mut its = part.clone();
                its.matchers.push(matcher(values)?);
                Ok(its)
            })
            .collect()
    }
}

/// The label with most values, the empty one of series without it included; none where all series
/// are one.
fn widest(series: &[Arc<Labels>]) -> Option<(&str, BTreeSet<&str>)> {
    let names: BTreeSet<&str> =
        series.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
    let values = names.into_iter().map(|name| {
        let values = series.iter().map(|labels| labels.get(name).unwrap_or_default());
        (name, values.collect::<BTreeSet<&str>>())
    });
    values.filter(|(_, values)| values.len() > 1).max_by_key(|(_, values)| values.len())
}

fn halves(part: &Part) -> Result<Vec<Part>> {
    if part.start_ms >= part.end_ms {
        return Err(Error::TooMuchMemory { limit_bytes: PAGE_MAX_BYTES });
    }
    let middle_ms = part.start_ms.midpoint(part.end_ms);
    let first = Part { end_ms: middle_ms, ..part.clone() };
    let second = Part { start_ms: middle_ms + 1, ..part.clone() };
    Ok(vec![first, second])
}

fn holds(set: &[Matcher], one: &Selected) -> bool {
    set.iter().all(|matcher| matcher.matches(one.labels.get(matcher.name()).unwrap_or_default()))
}

fn too_many_series(error: Error) -> Error {
    match error {
        Error::TooManySamples { limit } => Error::TooManySeries { limit },
        other => other,
    }
}

#[cfg(test)]
mod tests;
