//! Facts become spans. Pure: the same facts, in whatever order they came, make the same spans.
//!
//! [`project`] makes all of a resource's. [`append`] is the short way for a fact behind all others of
//! a resource without rulings, gaps or an end, and comes to the same.

use std::collections::{BTreeMap, HashMap};

use super::{
    Quality, Span,
    gaps::{self, Gap},
};
use crate::kinds::{self, ABSENT, Attributes, DELETED};

/// The end of what goes on; and of never, where something may be parked.
pub const FOREVER_MS: i64 = i64::MAX;

/// A fact as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub id: String,
    pub sequence: i64,
    pub ordinal: i64,
    pub tenant: String,
    pub name: String,
    pub state: String,
    /// As written.
    pub attributes: String,
    pub at_ms: i64,
    pub quarantined: bool,
}

/// What somebody decided about a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    Take { as_ms: i64 },
    Drop,
}

/// What a contradiction stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The fact that contradicts.
    pub fact: String,
    pub sequence: i64,
    pub from_ms: i64,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projected {
    pub spans: Vec<Span>,
    /// From when each counts, by sequence.
    pub counted: BTreeMap<i64, i64>,
    pub last_ordinal: i64,
    pub effective_ms: i64,
    pub tenant: Option<String>,
    pub parked: Option<Parked>,
    /// Whether the next fact may be put behind these by [`append`].
    pub plain: bool,
}

/// All spans of a resource of that kind.
pub fn project(
    kind: &str,
    facts: &[Kept],
    rulings: &HashMap<String, Ruling>,
    gaps: &[Gap],
) -> Projected {
    let mut fold = Fold::default();
    let ordered = order(facts, rulings);
    let mut last: Option<&Kept> = None;
    for fact in &ordered {
        let ruling = rulings.get(&fact.id);
        let taken = matches!(ruling, Some(Ruling::Take { .. }));
        let before = last.filter(|before| fact.ordinal > 0 && before.ordinal == fact.ordinal);
        if let Some(before) = before {
            if says_the_same(before, fact) {
                continue;
            }
            if !taken {
                fold.park(fact, "its place among the source's facts is another one's".to_owned());
                break;
            }
        }
        let fault = fault(kind, &fact.state, &fact.attributes).or_else(|| {
            (fold.ended && !taken).then(|| format!("the resource was {DELETED} before"))
        });
        if let Some(reason) = fault {
            fold.park(fact, reason);
            break;
        }
        let at = match ruling {
            Some(Ruling::Take { as_ms }) => *as_ms,
            _ => fact.at_ms,
        };
        fold.take(fact, at, if taken { Quality::Corrected } else { Quality::Observed });
        last = Some(fact);
    }
    let projected = fold.done(rulings.is_empty() && gaps.is_empty());
    Projected { spans: gaps::overlay(projected.spans, gaps), ..projected }
}

/// Those that may count, in the order in which they do: by the source's ordinal, and one without
/// behind all that came before it.
fn order<'a>(facts: &'a [Kept], rulings: &HashMap<String, Ruling>) -> Vec<&'a Kept> {
    let counts = |fact: &&Kept| match rulings.get(&fact.id) {
        Some(Ruling::Drop) => false,
        Some(Ruling::Take { .. }) => true,
        None => !fact.quarantined,
    };
    let mut counted: Vec<&Kept> = facts.iter().filter(counts).collect();
    counted.sort_by_key(|fact| fact.sequence);
    let mut highest = 0;
    let mut placed: Vec<(i64, &Kept)> = counted
        .into_iter()
        .map(|fact| {
            highest = highest.max(fact.ordinal);
            (if fact.ordinal > 0 { fact.ordinal } else { highest }, fact)
        })
        .collect();
    placed.sort_by_key(|(place, fact)| (*place, fact.sequence));
    placed.into_iter().map(|(_, fact)| fact).collect()
}

fn says_the_same(a: &Kept, b: &Kept) -> bool {
    (&a.tenant, &a.state, &a.attributes, a.at_ms) == (&b.tenant, &b.state, &b.attributes, b.at_ms)
}

/// Why a fact that says so can't be rated, whatever came before it.
pub fn fault(kind: &str, state: &str, attributes: &str) -> Option<String> {
    let Some(known) = kinds::find(kind) else {
        return Some(format!("'{kind}' is not a kind of resource"));
    };
    match Attributes::parse(attributes) {
        Ok(attributes) => known.fault(state, &attributes),
        Err(error) => Some(error.message),
    }
}

/// Whether there is nothing in that state.
pub fn is_gone(state: &str) -> bool {
    matches!(state, ABSENT | DELETED)
}

#[derive(Default)]
struct Fold {
    spans: Vec<Span>,
    counted: BTreeMap<i64, i64>,
    last_ordinal: i64,
    effective_ms: Option<i64>,
    tenant: Option<String>,
    ended: bool,
    parked: Option<Parked>,
}

impl Fold {
    fn effective(&self, at_ms: i64) -> i64 {
        self.effective_ms.map_or(at_ms, |before| before.max(at_ms))
    }

    fn take(&mut self, fact: &Kept, at_ms: i64, quality: Quality) {
        let at = self.effective(at_ms);
        let open = self.spans.pop_if(|span| span.is_open());
        let steps = append(open, fact, at, quality);
        self.spans.extend(steps.before.into_iter().chain(steps.after));
        self.counted.insert(fact.sequence, at);
        self.last_ordinal = self.last_ordinal.max(fact.ordinal);
        self.effective_ms = Some(at);
        self.tenant = Some(fact.tenant.clone());
        self.ended = fact.state == DELETED;
    }

    /// It is rated up to the contradiction and no further.
    fn park(&mut self, fact: &Kept, reason: String) {
        let at = self.effective(fact.at_ms);
        if let Some(open) = self.spans.pop_if(|span| span.is_open()) {
            self.spans.extend(closed(open, at));
        }
        let (fact, sequence) = (fact.id.clone(), fact.sequence);
        self.parked = Some(Parked { fact, sequence, from_ms: at, reason });
    }

    fn done(self, by_facts_alone: bool) -> Projected {
        Projected {
            plain: by_facts_alone && !self.ended && self.parked.is_none(),
            spans: self.spans,
            counted: self.counted,
            last_ordinal: self.last_ordinal,
            effective_ms: self.effective_ms.unwrap_or(i64::MIN),
            tenant: self.tenant,
            parked: self.parked,
        }
    }
}

/// What a fact does to the open span: what is left of it, and what follows.
#[derive(Debug, PartialEq, Eq)]
pub struct Steps {
    pub before: Option<Span>,
    pub after: Option<Span>,
}

/// Puts a fact that counts from `at_ms` behind the open span, if there is one.
pub fn append(open: Option<Span>, fact: &Kept, at_ms: i64, quality: Quality) -> Steps {
    let goes_on = |span: &Span| {
        span.tenant == fact.tenant
            && span.state == fact.state
            && span.attributes == fact.attributes
            && span.quality == quality
    };
    let open = match open {
        Some(span) if goes_on(&span) => return Steps { before: Some(span), after: None },
        other => other,
    };
    let before = open.and_then(|span| closed(span, at_ms));
    let after = (!is_gone(&fact.state)).then(|| Span {
        opened: fact.sequence,
        from_ms: at_ms,
        to_ms: FOREVER_MS,
        tenant: fact.tenant.clone(),
        name: fact.name.clone(),
        state: fact.state.clone(),
        attributes: fact.attributes.clone(),
        alternative: String::new(),
        quality,
    });
    Steps { before, after }
}

/// One that ends where it began never was.
fn closed(span: Span, at_ms: i64) -> Option<Span> {
    (span.from_ms < at_ms).then_some(Span { to_ms: at_ms, ..span })
}
