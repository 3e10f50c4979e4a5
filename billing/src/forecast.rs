//! When the money runs out: exact, and pure.
//!
//! A [`Position`] is an account at an instant: what it has, and what goes on. It is carried ahead by
//! the rater's own keys, groups and costs, so that what it foresees is what will be charged:
//!
//! ```text
//! at            tier         price changes     month ends              renewal
//! |--------------|----------------|----------------|----------------------|------> time
//!   use moves the groups   other groups move   all are rounded,       a package's month
//!   of the running spans                       minimums fall due,     is charged whole
//!                                              tiers begin anew
//! ```
//!
//! Money that is still being used up counts exactly, so that the instant at which it reaches zero does
//! not depend on when somebody posted; a group that nothing moves counts as it was rounded. Between
//! two changes what is left only falls, so that the instant is found by halving.

use std::collections::BTreeMap;

use base::{
    money::{Exact, MS_PER_HOUR, Micros, Nanos},
    time::Timestamp,
};
use chrono_tz::Tz;

use crate::{
    calendar::Month,
    prices::{
        select::Shape,
        tax::{Tax, TaxMode},
        timeline::{Found, Timeline},
    },
    rating::{book::Book, cut::Span},
};

mod ahead;

/// Changes of price, ends of months and of spans, and renewals that are looked at; later ones are
/// taken to change nothing. About fifty years of months.
pub const SPANS_MAX: usize = 600;
/// No instant after the year 9999 is forecast.
const END_OF_TIME: Timestamp = Timestamp::from_ms(253_402_300_799_999);
/// What does not fit an account, in units of [`Exact`]; sums of it fit.
const BEYOND: i128 = i128::MAX >> 32;

/// A month of a package that will be charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Into the book's resources.
    pub resource: u32,
    pub rate: String,
}

/// Something that is on at the position's instant, and costs.
#[derive(Debug, Clone, Copy)]
struct Lane {
    group: u32,
    quantity: i64,
}

/// A group of a walk that something moves.
#[derive(Debug, Clone, Copy)]
struct Moving {
    group: u32,
    /// Its measure at the position's instant.
    base: i64,
    /// Of its measure in a millisecond; zero where only those before it move.
    pace: i128,
}

/// An account at an instant.
#[derive(Debug, Clone)]
pub struct Position {
    pub at: Timestamp,
    pub prices: Timeline,
    zone: Tz,
    /// In units of [`Exact`]: what is there (with credit) apart from what the book's groups come to.
    settled: i128,
    /// What is in use, or will be.
    spans: Vec<Span>,
    /// Of the instant's month. Its groups begin anew with each month under the same keys, which are
    /// called by the first one, `named`.
    book: Book,
    named: Month,
    renewals: BTreeMap<Timestamp, Vec<Renewal>>,
    lanes: Vec<Lane>,
    /// By group: whether something of it is on, and what its measure gains in a millisecond.
    on: Vec<bool>,
    paces: Vec<i128>,
    moving: Vec<Moving>,
    /// What is left apart from what moves.
    still: i128,
}

impl Position {
    /// `left` is what is there at `at` (with credit), all of `book` being rounded. The book is of the
    /// instant's month, and `spans` are in use then, or later.
    pub fn new(
        at: Timestamp,
        left: i128,
        spans: Vec<Span>,
        book: Book,
        prices: Timeline,
        zone: Tz,
    ) -> Self {
        let mut new = Self {
            at,
            prices,
            zone,
            settled: left,
            spans,
            book,
            named: Month::of(at, zone),
            renewals: BTreeMap::new(),
            lanes: Vec::new(),
            on: Vec::new(),
            paces: Vec::new(),
            moving: Vec::new(),
            still: left,
        };
        new.count_volumes();
        let counted = new.counted().map(|group| new.rounded(group));
        new.settled = counted.fold(left, i128::saturating_add);
        new.resolve();
        new
    }

    /// What is charged whole at instants to come.
    pub fn renew(&mut self, renewals: BTreeMap<Timestamp, Vec<Renewal>>) {
        self.renewals = renewals;
    }

    /// So much less is there.
    pub fn charge(&mut self, amount: Micros) {
        self.settled = self.settled.saturating_sub(exact(amount));
        self.still = self.still.saturating_sub(exact(amount));
    }

    /// As if these components of the resource were not used from now on.
    pub fn stop(&mut self, resource: u32, components: &[&str]) {
        for span in self.spans.iter_mut().filter(|span| span.resource == resource) {
            for used in [Some(&mut span.used), span.alternative.as_mut()].into_iter().flatten() {
                used.components.retain(|(component, _)| !components.contains(component));
            }
        }
        self.resolve();
    }

    /// As if these were used, too.
    pub fn start(&mut self, spans: impl IntoIterator<Item = Span>) {
        self.spans.extend(spans);
        self.resolve();
    }

    /// What is left at its instant; at or below zero nothing is.
    pub fn available(&self) -> i128 {
        let moving = self.moving.iter().map(|moving| self.value(moving.group));
        moving.fold(self.still, i128::saturating_sub)
    }

    /// Nano-units an hour, at its instant.
    pub fn burn(&self) -> i128 {
        self.lanes.iter().fold(0, |sum: i128, lane| sum.saturating_add(self.slope(lane).0))
    }

    /// As people read it; at most what fits.
    pub fn burn_per_hour(&self) -> Nanos {
        Nanos(i64::try_from(self.burn()).unwrap_or(i64::MAX))
    }

    /// Whether nothing is left: below zero, or at zero with something that burns.
    pub fn is_exhausted(&self) -> bool {
        let available = self.available();
        available < 0 || (available == 0 && self.burn() > 0)
    }

    /// The first instant, in whole milliseconds and not before the position's, at which nothing is
    /// left, if all goes on as it is and prices change as published. None: never.
    pub fn runs_out_at(&self) -> Option<Timestamp> {
        let mut now = self.clone();
        for span in 0..SPANS_MAX {
            if now.is_exhausted() {
                return Some(now.at);
            }
            let next = now.next_change().filter(|_| span + 1 < SPANS_MAX);
            let until = next.unwrap_or(END_OF_TIME.saturating_add_ms(1));
            if let Some(at) = now.crossing(until) {
                return Some(at);
            }
            now.advance(next?);
        }
        None
    }

    /// The least that is left at any instant up to `until`, if all goes on as it is.
    pub fn lowest_until(&self, until: Timestamp) -> i128 {
        let mut now = self.clone();
        let mut lowest = now.available();
        for _ in 0..SPANS_MAX {
            if now.at >= until {
                break;
            }
            let next = now.next_change().map_or(until, |next| next.min(until));
            now.look(next.saturating_add_ms(-1));
            lowest = lowest.min(now.available());
            now.advance(next);
            lowest = lowest.min(now.available());
        }
        lowest
    }

    /// The next instant at which what it burns, or what was burned, may change by itself: a price
    /// comes into force, a tier or a block ends, something begins or ends, or a month's end makes
    /// something due.
    pub fn burn_changes_at(&self) -> Option<Timestamp> {
        let tiers = self.lanes.iter().filter_map(|lane| {
            let (_, end) = self.slope(lane);
            let pace = self.pace_before(lane.group) + self.pace(lane.group);
            self.reaches(end?, self.walked(lane.group), pace)
        });
        let closes = self.counted().any(|group| {
            self.rate_of(group).closes() && (self.on[group as usize] || self.measure(group) != 0)
        });
        let month = closes.then(|| Month::of(self.at, self.zone).end(self.zone));
        let edges = self.edges().into_iter().chain(self.prices.next_change(self.at));
        edges.chain(tiers).chain(month).min().filter(|next| *next <= END_OF_TIME)
    }

    /// The first edge of a span after its instant.
    fn edges(&self) -> Option<Timestamp> {
        let all = self.spans.iter().flat_map(|span| [span.from, span.to]);
        let ahead = all.filter(|edge| *edge > self.at.ms() && *edge != i64::MAX);
        ahead.min().map(Timestamp::from_ms)
    }

    /// What the lane costs an hour, and how far its walk is where that changes.
    fn slope(&self, lane: &Lane) -> (i128, Option<i64>) {
        let rate = self.rate_of(lane.group);
        let walked = self.walked(lane.group);
        let Some((price, end)) = rate.rate.slope(walked, rate.scale) else { return (0, None) };
        (hour(price, lane.quantity, rate.scale, rate.tax), end)
    }
}

/// What so much of a component costs in an hour at `at` where the month's use does not matter, with
/// tax, in nano-units.
pub(crate) fn evenly(
    prices: &Timeline,
    component: &str,
    shape: &(impl Shape + ?Sized),
    quantity: i64,
    at: Timestamp,
) -> i128 {
    let cost = |found: Found<'_>| {
        let scale = found.rate.scale()?;
        Some(hour(found.rate.evenly(scale)?, quantity, scale, found.tax))
    };
    prices.find(component, shape, at).and_then(cost).unwrap_or(0)
}

fn hour(price: Nanos, quantity: i64, scale: i64, tax: Tax) -> i128 {
    let nanos = i128::from(price.0).saturating_mul(i128::from(quantity));
    with_tax(nanos.saturating_mul(i128::from(MS_PER_HOUR)) / i128::from(scale), tax)
}

/// What the tenant pays of an exact cost.
fn with_tax(cost: i128, tax: Tax) -> i128 {
    const MILLION: i128 = 1_000_000;
    match tax.mode {
        TaxMode::OnTop => cost.saturating_mul(MILLION + i128::from(tax.ppm())) / MILLION,
        TaxMode::Included => cost,
    }
}

pub fn exact(amount: Micros) -> i128 {
    i128::from(amount.0) * Exact::PER_MICRO
}

#[cfg(test)]
mod tests;
