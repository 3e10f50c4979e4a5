//! What counters say becomes slices: each delta at the prices of its time, and what differs from
//! what is posted of it. Pure.
//!
//! A delta is rated whole, when it is known; it is no use of the hours in between. It is cut where
//! another rate prices it: each part has the share of its time, rounded down from the delta's
//! beginning on, so that the parts sum to the whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use base::time::Timestamp;
use chrono_tz::Tz;

use super::{
    book::{Book, KeyId},
    cut::Span,
    engine::{LineKind, Parked, Quality, Slice},
};
use crate::{
    calendar::Month,
    counters::delta,
    prices::{
        model::Overflow,
        select::Shape,
        timeline::{Found, Timeline},
    },
};

/// Counted between two readings, of one owner and in one of the owner's months.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// `instance.net_tx`.
    pub component: &'static str,
    pub from: i64,
    /// What it is known by where it was posted.
    pub to: i64,
    pub quantity: i64,
    pub quality: Quality,
    pub coverage_ppm: i64,
}

/// How a resource looked to prices from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub from: i64,
    pub name: Arc<str>,
    pub shape: Arc<BTreeMap<String, String>>,
}

/// What counters say of a resource.
#[derive(Debug, Default)]
pub struct Counted {
    /// What was counted up to a later instant may be otherwise than posted; none: all is posted.
    pub dirty: Option<i64>,
    /// Those that end after it.
    pub deltas: Vec<Delta>,
    /// What is posted of deltas that end, or ended, after it.
    pub posted: Vec<Slice>,
    /// How it looked before its spans.
    pub earlier: Option<Look>,
}

/// How a resource of these spans looked, in order of time. What lies before the first, or between
/// two, looks as the first, or the one before.
pub fn looks(earlier: Option<&Look>, spans: &[Span]) -> Vec<Look> {
    let of = |span: &Span| Look {
        from: span.from,
        name: span.name.clone(),
        shape: span.used.shape.clone(),
    };
    earlier.cloned().into_iter().chain(spans.iter().map(of)).collect()
}

/// A part of a delta, and what prices it; none: it is free.
pub struct Part<'a> {
    pub from: i64,
    pub to: i64,
    pub quantity: i64,
    pub look: &'a Look,
    pub found: Option<Found<'a>>,
}

/// The delta in parts of one rate each. None of a resource that never looked like anything.
pub fn parts<'a>(of: &Delta, looks: &'a [Look], prices: &'a Timeline) -> Vec<Part<'a>> {
    let mut edges: BTreeSet<i64> = looks.iter().map(|look| look.from).collect();
    let mut at = Timestamp::from_ms(of.from);
    while let Some(next) = prices.next_change(at).filter(|next| next.ms() < of.to) {
        edges.insert(next.ms());
        at = next;
    }
    let inside = edges.into_iter().filter(|edge| of.from < *edge && *edge < of.to);
    let mut priced: Vec<(i64, &Look, Option<Found<'_>>)> = Vec::new();
    for from in std::iter::once(of.from).chain(inside) {
        let after = looks.partition_point(|look| look.from <= from);
        let Some(look) = looks.get(after.max(1) - 1) else { return Vec::new() };
        let found = prices.find(of.component, look.shape.as_ref(), Timestamp::from_ms(from));
        let id = |found: &Option<Found<'_>>| found.map(|f| (f.version, f.rate.id.clone()));
        if priced.last().is_none_or(|(_, _, last)| id(last) != id(&found)) {
            priced.push((from, look, found));
        }
    }
    let cuts: Vec<i64> = priced.iter().map(|(from, ..)| *from).collect();
    let whole = delta::Delta {
        from_ms: of.from,
        to_ms: of.to,
        quantity: of.quantity,
        reset: false,
        dropped: false,
    };
    let split = delta::split(&whole, &cuts).into_iter().zip(priced);
    split
        .map(|(part, (_, look, found))| Part {
            from: part.from_ms,
            to: part.to_ms,
            quantity: part.quantity,
            look,
            found,
        })
        .collect()
}

/// Appends what brings the posted to what was counted, of deltas that end at `until` or before.
pub fn slices(
    (resource, counted, spans): (u32, &Counted, &[Span]),
    until: i64,
    (prices, zone): (&Timeline, Tz),
    book: &mut Book,
    all: &mut Vec<Slice>,
    parked: &mut Vec<Parked>,
) {
    let Some(dirty) = counted.dirty else { return };
    let is_in = |to: i64| dirty < to && to <= until;
    let looks = looks(counted.earlier.as_ref(), spans);
    let mut wanted: Vec<Slice> = Vec::new();
    for delta in counted.deltas.iter().filter(|delta| is_in(delta.to)) {
        let month = Month::of(Timestamp::from_ms(delta.from), zone);
        for part in parts(delta, &looks, prices).into_iter().filter(|part| part.quantity != 0) {
            let Some(rate) = part.found.and_then(|found| book.rate(&found)) else { continue };
            let id = KeyId { resource, component: delta.component, rate, month };
            let flavor = part.look.shape.text("flavor").unwrap_or_default();
            let key = book.key(id, &part.look.name, flavor, prices);
            wanted.push(Slice {
                key,
                group: book.keys[key as usize].group,
                from: part.from,
                to: part.to,
                quantity: part.quantity,
                opened: delta.to,
                quality: delta.quality,
                coverage_ppm: delta.coverage_ppm,
                kind: LineKind::Usage,
            });
        }
    }
    let posted = counted.posted.iter().filter(|slice| is_in(slice.opened));
    let open = |slice: &&Slice| !book.parked.contains(&slice.group);
    let found = differences(wanted.iter().filter(open), posted.filter(open));
    for (slice, fits) in found {
        match fits {
            true => all.push(slice),
            false => parked.push(Parked { group: slice.group, why: Overflow }),
        }
    }
}

/// What is wanted beyond what is posted, by reading; false where it is more than fits. It is use,
/// unless something of its time is taken back. What is, or was, an estimate is told as one.
fn differences<'a>(
    wanted: impl Iterator<Item = &'a Slice>,
    posted: impl Iterator<Item = &'a Slice>,
) -> Vec<(Slice, bool)> {
    let mut sums: BTreeMap<(u32, i64, i64, i64), (i128, Slice)> = BTreeMap::new();
    let mut add = |slice: &Slice, sign: i128| {
        let id = (slice.key, slice.opened, slice.from, slice.to);
        let (sum, like) = sums.entry(id).or_insert((0, *slice));
        *sum += sign * i128::from(slice.quantity);
        // Of several ports the one that is known worst.
        if sign > 0 && slice.coverage_ppm < like.coverage_ppm {
            (like.quality, like.coverage_ppm) = (slice.quality, slice.coverage_ppm);
        }
    };
    for slice in wanted {
        add(slice, 1);
    }
    for slice in posted {
        add(slice, -1);
    }
    let differ: Vec<(i128, Slice)> = sums.into_values().filter(|(sum, _)| *sum != 0).collect();
    let back = joined(differ.iter().filter(|d| d.0 < 0).map(|d| (d.1.from, d.1.to)).collect());
    let corrects = |slice: &Slice| {
        let next = back.partition_point(|(_, to)| *to <= slice.from);
        back.get(next).is_some_and(|(from, _)| *from < slice.to)
    };
    let one = |(sum, mut slice): (i128, Slice)| {
        if corrects(&slice) {
            slice.kind = LineKind::Adjustment;
            if slice.quality != Quality::Estimated {
                slice.quality = Quality::Corrected;
                slice.coverage_ppm = Quality::Corrected.coverage_ppm();
            }
        }
        slice.quantity = i64::try_from(sum).unwrap_or_default();
        (slice, i128::from(slice.quantity) == sum)
    };
    differ.into_iter().map(one).collect()
}

/// The stretches, those that overlap as one, in order of time.
fn joined(mut stretches: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    stretches.sort_unstable();
    let mut all: Vec<(i64, i64)> = Vec::new();
    for (from, to) in stretches {
        match all.last_mut().filter(|last| from <= last.1) {
            Some(last) => last.1 = last.1.max(to),
            None => all.push((from, to)),
        }
    }
    all
}

#[cfg(test)]
mod tests;
