//! What is to be posted: pure, so that it can be proved without a database.
//!
//! A resource is rated from where the last rating ended to where this one ends. Where something
//! before that may have changed, all of its months since are rated anew, and what differs from the
//! posted lines becomes adjustments.

use std::collections::BTreeMap;

use base::time::Timestamp;
use chrono_tz::Tz;

use super::{
    book::{Book, ResourceId},
    counted::{self, Counted},
    cut::{Days, Span, Step, slices},
    engine::{LineKind, Parked, Priced, Quality, Slice, rate},
    line::differences,
};
use crate::{calendar::Month, prices::timeline::Timeline};

/// One resource that is in use, or was changed since it was rated.
#[derive(Debug)]
pub struct Resource {
    /// Into the book.
    pub number: u32,
    /// Where the last rating ended.
    pub rated: Timestamp,
    /// The first instant at which something may be otherwise than when it was rated.
    pub dirty: Option<Timestamp>,
    /// When the last fact counted.
    pub changed: Timestamp,
    /// Those that reach into the months that are looked at.
    pub spans: Vec<Span>,
    /// The posted lines of these months, where something before `rated` may have changed.
    pub posted: Vec<Slice>,
    pub counted: Counted,
}

impl Resource {
    /// The first instant that has to be looked at: where something may have changed before it was
    /// rated, the beginning of that month, since lines are compared by months.
    pub fn first(&self, zone: Tz) -> Timestamp {
        match self.corrected_from() {
            Some(dirty) => Month::of(dirty, zone).start(zone),
            None => self.rated,
        }
    }

    /// From where on what is posted may be wrong; none: it is right.
    pub fn corrected_from(&self) -> Option<Timestamp> {
        self.dirty.filter(|dirty| *dirty < self.rated)
    }
}

/// A tenant's use with all that it takes to rate it.
#[derive(Debug)]
pub struct Usage {
    pub resources: Vec<Resource>,
    pub prices: Timeline,
    pub book: Book,
    pub zone: Tz,
}

impl Usage {
    pub fn id(&self, resource: &Resource) -> &ResourceId {
        &self.book.resources[resource.number as usize]
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In order of time.
    pub lines: Vec<Priced>,
    /// Groups whose amount does not fit.
    pub parked: Vec<Parked>,
}

/// The lines that bring what is posted to what was used, each resource up to `until` of it, and to
/// what was counted between readings up to `read`. The groups of the book move with them.
pub fn plan(usage: &mut Usage, until: impl Fn(&Resource) -> Timestamp, read: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let mut all: Vec<Slice> = Vec::new();
    let window = usage.resources.iter().map(|r| (r.first(usage.zone), until(r).max(r.rated)));
    let window = window.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let Some((first, last)) = window else { return plan };
    let days = Days::new(usage.zone, first, last);
    let mut wanted: Vec<Slice> = Vec::new();
    for resource in &usage.resources {
        let new = days.within(resource.rated, until(resource).max(resource.rated));
        let old = resource
            .corrected_from()
            .map(|_| days.within(resource.first(usage.zone), resource.rated));
        wanted.clear();
        let start = all.len();
        for span in &resource.spans {
            slices(span, &usage.prices, &new, Step::Days, &mut usage.book, &mut all);
            if let Some(old) = &old {
                slices(span, &usage.prices, old, Step::Days, &mut usage.book, &mut wanted);
            }
        }
        join(&mut all, start, &days);
        if old.is_some() {
            adjust(&usage.book, &wanted, resource, &days, &mut all, &mut plan.parked);
        }
        counted::slices(
            (resource.number, &resource.counted, &resource.spans),
            read.ms(),
            (&usage.prices, usage.zone),
            &mut usage.book,
            &mut all,
            &mut plan.parked,
        );
    }
    all.retain(|slice| !plan.parked.iter().any(|p| p.group == slice.group));
    // A correction comes before what follows it.
    all.sort_by_key(|s| (s.from, s.kind != LineKind::Adjustment, s.key, s.to));
    let book = &mut usage.book;
    let parked = rate(&all, &book.rates, &mut book.groups, &mut plan.lines);
    plan.parked.extend(parked);
    settle(book, &mut plan);
    plan
}

/// A component goes on through changes of its resource that don't concern it: from `start` on, what
/// adjoins and is alike becomes one.
fn join(all: &mut Vec<Slice>, start: usize, days: &Days) {
    all[start..].sort_by_key(|slice| (slice.key, slice.from));
    let mut last = start;
    for at in start + 1..all.len() {
        let (before, slice) = (all[last], all[at]);
        let alike = (before.key, before.quantity, before.quality, before.to)
            == (slice.key, slice.quantity, slice.quality, slice.from);
        if alike && days.ends.binary_search(&slice.from).is_err() {
            all[last].to = slice.to;
        } else {
            last += 1;
            all[last] = slice;
        }
    }
    all.truncate(all.len().min(last + 1));
}

/// Appends the adjustments of one resource, key by key, of what is priced by the hour.
fn adjust(
    book: &Book,
    wanted: &[Slice],
    resource: &Resource,
    days: &Days,
    all: &mut Vec<Slice>,
    parked: &mut Vec<Parked>,
) {
    let lost = resource.spans.iter().filter(|span| span.quality == Quality::Estimated);
    let gaps: Vec<(i64, i64)> = lost.map(|span| (span.from, span.to)).collect();
    let mut by_key: BTreeMap<u32, (Vec<Slice>, Vec<Slice>)> = BTreeMap::new();
    for slice in wanted {
        by_key.entry(slice.key).or_default().0.push(*slice);
    }
    for slice in resource.posted.iter().filter(|slice| !book.parked.contains(&slice.group)) {
        by_key.entry(slice.key).or_default().1.push(*slice);
    }
    for (key, (wanted, posted)) in by_key {
        let group = book.keys[key as usize].group;
        if !book.is_hourly(group) {
            continue;
        }
        match differences(&wanted, &posted, &gaps, &days.ends) {
            Ok(slices) => all.extend(slices),
            Err(why) => parked.push(Parked { group, why }),
        }
    }
}

/// Corrections of earlier use move the later groups of a walk without a line of their own: these
/// get one of no quantity.
fn settle(book: &mut Book, plan: &mut Plan) {
    let bounds = plan.lines.iter().map(|l| (l.slice.from, l.slice.to));
    let Some((from, to)) = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else { return };
    let mut slices = Vec::new();
    for group in book.groups.numbers() {
        let rate = &book.rates[book.groups.get(group).rate as usize];
        if !(rate.walks() || rate.closes()) || book.parked.contains(&group) {
            continue;
        }
        match book.groups.residue(&book.rates, group) {
            Ok(split) if split.net.0 == 0 && split.tax.0 == 0 => {}
            Ok(_) => slices.push(Slice {
                key: book.key_of(group),
                group,
                from,
                to,
                quantity: 0,
                opened: 0,
                quality: Quality::Corrected,
                coverage_ppm: Quality::Corrected.coverage_ppm(),
                kind: LineKind::Adjustment,
            }),
            Err(why) => plan.parked.push(Parked { group, why }),
        }
    }
    plan.parked.extend(rate(&slices, &book.rates, &mut book.groups, &mut plan.lines));
}

#[cfg(test)]
mod tests;
