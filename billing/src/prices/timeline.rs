//! Which prices are in force for a tenant, and when: the versions of the books that it is assigned
//! to, and its overrides on top, flattened into one line of spans. Pure.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use base::{
    id::{PriceBookId, PriceVersionId},
    time::Timestamp,
};

use super::{
    components,
    document::{Document, Rate},
    select::Shape,
    tax::Tax,
};

/// A published document, ready to be asked.
#[derive(Debug)]
pub struct Version {
    pub id: PriceVersionId,
    pub document: Document,
    /// By component: rates, the ones with the most conditions first.
    by_component: HashMap<String, Vec<usize>>,
    /// Whether the end of a month makes something of it due.
    closes: bool,
}

impl Version {
    pub fn new(id: PriceVersionId, document: Document) -> Self {
        let mut by_component: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, rate) in document.rates.iter().enumerate() {
            by_component.entry(rate.component.clone()).or_default().push(index);
        }
        for rates in by_component.values_mut() {
            // Stable: of equals, the first in the document.
            rates.sort_by_key(|index| {
                std::cmp::Reverse(document.rates[*index].r#where.conditions())
            });
        }
        let closes = document.rates.iter().any(Rate::closes);
        Self { id, document, by_component, closes }
    }

    /// Its rate of that name.
    pub fn found(&self, rate: &str) -> Option<Found<'_>> {
        let rate = self.document.rates.iter().find(|r| r.id == rate)?;
        Some(Found { version: self.id, rate, tax: self.document.tax })
    }

    /// The rate that prices this component of something of this shape.
    pub fn rate(&self, component: &str, shape: &(impl Shape + ?Sized)) -> Option<&Rate> {
        let rates = self.by_component.get(component)?;
        rates.iter().map(|i| &self.document.rates[*i]).find(|rate| rate.r#where.matches(shape))
    }
}

/// The book that prices from `from` on.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub from: Timestamp,
    pub book: PriceBookId,
}

/// A version of a book, from its instant on.
#[derive(Debug, Clone)]
pub struct Published {
    pub book: PriceBookId,
    pub effective_at: Timestamp,
    pub version: Arc<Version>,
}

/// Prices of one tenant that go before its book's.
#[derive(Debug, Clone)]
pub struct Override {
    pub from: Timestamp,
    /// None: for good.
    pub to: Option<Timestamp>,
    pub version: Arc<Version>,
}

/// What a timeline is made of.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// In the order they were made.
    pub assignments: Vec<Assignment>,
    /// Each book's in the order of their publication.
    pub versions: Vec<Published>,
    /// In the order they were made.
    pub overrides: Vec<Override>,
}

impl Sources {
    /// As if this book of these versions had been assigned from `from` on, whatever was since.
    pub(crate) fn assign(&mut self, from: Timestamp, book: PriceBookId, versions: &[Published]) {
        self.assignments.retain(|assigned| assigned.from < from);
        self.assignments.push(Assignment { from, book });
        self.versions.retain(|version| version.book != book);
        self.versions.extend_from_slice(versions);
    }

    /// The versions that price at `at`: of overrides the later made first, the book's last.
    pub(super) fn in_force(&self, at: Timestamp) -> Vec<Arc<Version>> {
        let valid = |o: &&Override| o.from <= at && o.to.is_none_or(|to| at < to);
        let mut layers: Vec<_> =
            self.overrides.iter().rev().filter(valid).map(|o| o.version.clone()).collect();
        // Of equal instants `max_by_key` gives the last: the later made wins.
        let assigned = self.assignments.iter().filter(|a| a.from <= at).max_by_key(|a| a.from);
        let version = assigned.and_then(|assigned| {
            self.versions
                .iter()
                .filter(|v| v.book == assigned.book && v.effective_at <= at)
                .max_by_key(|v| v.effective_at)
        });
        layers.extend(version.map(|published| published.version.clone()));
        layers
    }

    fn changes(&self) -> BTreeSet<Timestamp> {
        let overrides = self.overrides.iter().flat_map(|o| [Some(o.from), o.to]).flatten();
        self.assignments
            .iter()
            .map(|a| a.from)
            .chain(self.versions.iter().map(|v| v.effective_at))
            .chain(overrides)
            .collect()
    }
}

/// From `from` to the next span's.
#[derive(Debug, Clone)]
struct Span {
    from: Timestamp,
    layers: Vec<Arc<Version>>,
}

/// Before its first span nothing is priced.
#[derive(Debug, Clone, Default)]
pub struct Timeline(Vec<Span>);

/// What prices something at an instant.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    pub version: PriceVersionId,
    pub rate: &'a Rate,
    pub tax: Tax,
}

impl Timeline {
    pub fn new(sources: &Sources) -> Self {
        let mut spans: Vec<Span> = Vec::new();
        for from in sources.changes() {
            let layers = sources.in_force(from);
            let ids = |layers: &[Arc<Version>]| layers.iter().map(|v| v.id).collect::<Vec<_>>();
            let before = spans.last().map_or(&[][..], |span| &span.layers);
            if ids(before) != ids(&layers) {
                spans.push(Span { from, layers });
            }
        }
        Self(spans)
    }

    /// The rate for a component of something of this shape; none where it is free. A component
    /// without a price in any layer takes that of its fallback.
    pub fn find(
        &self,
        component: &str,
        shape: &(impl Shape + ?Sized),
        at: Timestamp,
    ) -> Option<Found<'_>> {
        let layers = self.layers(at);
        let in_layers = |component: &str| {
            layers.iter().find_map(|version| {
                let rate = version.rate(component, shape)?;
                Some(Found { version: version.id, rate, tax: version.document.tax })
            })
        };
        in_layers(component).or_else(|| in_layers(components::component(component)?.fallback?))
    }

    /// The rate of that name and component that is in force at `at`; none where there is none.
    pub fn named(&self, component: &str, rate: &str, at: Timestamp) -> Option<Found<'_>> {
        self.layers(at).iter().find_map(|version| {
            version.found(rate).filter(|found| found.rate.component == component)
        })
    }

    /// The names of the component's rates that are in force at `at`, each once.
    pub fn names(&self, component: &str, at: Timestamp) -> BTreeSet<&str> {
        let rates = self.layers(at).iter().flat_map(|version| &version.document.rates);
        rates.filter(|rate| rate.component == component).map(|rate| rate.id.as_str()).collect()
    }

    fn layers(&self, at: Timestamp) -> &[Arc<Version>] {
        let after = self.0.partition_point(|span| span.from <= at);
        self.0[..after].last().map_or(&[], |span| &span.layers)
    }

    /// The rate of that name in that version, where it is ever in force.
    pub fn rate(&self, version: PriceVersionId, rate: &str) -> Option<Found<'_>> {
        let version = self.0.iter().flat_map(|s| &s.layers).find(|v| v.id == version)?;
        version.found(rate)
    }

    /// Whether the end of a month ever makes something due by these prices.
    pub fn closes(&self) -> bool {
        self.0.iter().flat_map(|span| &span.layers).any(|version| version.closes)
    }

    /// When the version first comes into force.
    pub fn begins(&self, version: PriceVersionId) -> Option<Timestamp> {
        let span = self.0.iter().find(|span| span.layers.iter().any(|v| v.id == version))?;
        Some(span.from)
    }

    /// Whether there is any price at all at that instant.
    pub fn prices_anything(&self, at: Timestamp) -> bool {
        self.layers(at).iter().any(|version| !version.document.rates.is_empty())
    }

    /// The next change of prices after `at`.
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        self.0.get(self.0.partition_point(|span| span.from <= at)).map(|span| span.from)
    }
}

#[cfg(test)]
mod tests;
