//! What stands beside samples in a text of history: what families are, and exemplars.
//!
//! | Way | How |
//! | --- | --- |
//! | out | families at the beginning; each exemplar behind a sample of its series, with its own instant |
//! | in | kept in memory while the text is read, within the bounds below; the rest is left out |

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    sync::Arc,
};

use base::sample::{Labels, Sample};
use collector::exposition::{Exemplar, HELP_MAX_BYTES, Line};
use timeseries::{
    Exemplars, Metadata,
    embedded::options::{EXEMPLARS_MAX, METADATA_MAX},
};

/// Names and help texts of all families of a text.
const FAMILIES_MAX_BYTES: usize = 64 << 20;
/// Names and values of an exemplar's own labels, as OpenMetrics has it.
const EXEMPLAR_LABELS_MAX_CHARS: usize = 128;

/// Of a text that is read.
#[derive(Debug, Default)]
pub struct Notes {
    families: BTreeMap<String, Metadata>,
    family_bytes: usize,
    /// The newest, the oldest of them on top; counted, so that they have an order.
    exemplars: BinaryHeap<Reverse<(i64, usize)>>,
    /// By their count.
    bodies: HashMap<usize, (Arc<Labels>, Exemplar)>,
    count: usize,
}

impl Notes {
    /// A line about a family.
    pub fn family(&mut self, line: Line<'_>) {
        let (metric, text) = match &line {
            Line::Help { metric, text } => (metric, text.as_ref()),
            Line::Type { metric, kind: text } | Line::Unit { metric, unit: text } => {
                (metric, *text)
            }
            _ => return,
        };
        let bytes = metric.len() + text.len();
        let is_new = !self.families.contains_key(metric.as_ref());
        if (is_new && self.families.len() >= METADATA_MAX)
            || text.len() > HELP_MAX_BYTES
            || self.family_bytes + bytes > FAMILIES_MAX_BYTES
        {
            return;
        }
        self.family_bytes += bytes;
        let family = self.families.entry(metric.to_string()).or_insert_with(|| Metadata {
            metric: metric.to_string(),
            kind: "unknown".to_owned(),
            ..Metadata::default()
        });
        match line {
            Line::Help { text, .. } => family.help = text.into_owned(),
            Line::Type { kind, .. } => family.kind = kind.to_owned(),
            Line::Unit { unit, .. } => family.unit = unit.to_owned(),
            _ => {}
        }
    }

    pub fn exemplar(&mut self, labels: &Labels, exemplar: Exemplar) {
        let chars = |(name, value): (&str, &str)| name.chars().count() + value.chars().count();
        if exemplar.labels.iter().map(chars).sum::<usize>() > EXEMPLAR_LABELS_MAX_CHARS {
            return;
        }
        self.count += 1;
        self.exemplars.push(Reverse((exemplar.sample.at_ms, self.count)));
        self.bodies.insert(self.count, (Arc::new(labels.clone()), exemplar));
        if self.exemplars.len() > EXEMPLARS_MAX
            && let Some(Reverse((_, oldest))) = self.exemplars.pop()
        {
            self.bodies.remove(&oldest);
        }
    }

    pub fn into_parts(self) -> (Vec<Metadata>, Vec<Exemplars>) {
        let mut all: BTreeMap<Arc<Labels>, Vec<timeseries::Exemplar>> = BTreeMap::new();
        for (labels, Exemplar { labels: own, sample }) in self.bodies.into_values() {
            all.entry(labels).or_default().push(timeseries::Exemplar { labels: own, sample });
        }
        let by_time = |(labels, mut exemplars): (_, Vec<timeseries::Exemplar>)| {
            exemplars.sort_by_key(|one| one.sample.at_ms);
            Exemplars { labels, exemplars }
        };
        (self.families.into_values().collect(), all.into_iter().map(by_time).collect())
    }
}

/// Exemplars on their way out, each of which goes once.
#[derive(Debug, Default)]
pub struct Beside(HashMap<Arc<Labels>, Vec<Exemplar>>);

impl From<Vec<Exemplars>> for Beside {
    fn from(all: Vec<Exemplars>) -> Self {
        let own = |one: timeseries::Exemplar| Exemplar { labels: one.labels, sample: one.sample };
        let all = all.into_iter();
        Self(all.map(|one| (one.labels, one.exemplars.into_iter().map(own).collect())).collect())
    }
}

impl Beside {
    /// Which exemplar stands behind which of the samples: the first that is not older than it, so
    /// that it reads as what was scraped; any other where that one has one. What finds no place
    /// waits for more samples of the series.
    pub fn place(&mut self, labels: &Labels, samples: &[Sample]) -> BTreeMap<usize, Exemplar> {
        let mut placed = BTreeMap::new();
        let Some(waiting) = self.0.remove(labels) else { return placed };
        let mut rest = Vec::new();
        let mut free = 0;
        for exemplar in waiting {
            free += samples[free..].partition_point(|one| one.at_ms < exemplar.sample.at_ms);
            if free < samples.len() {
                placed.insert(free, exemplar);
                free += 1;
            } else {
                rest.push(exemplar);
            }
        }
        for place in (0..samples.len()).rev() {
            if !placed.contains_key(&place)
                && let Some(exemplar) = rest.pop()
            {
                placed.insert(place, exemplar);
            }
        }
        if !rest.is_empty() {
            self.0.insert(Arc::new(labels.clone()), rest);
        }
        placed
    }
}

#[cfg(test)]
mod tests;
