//! When the money runs out: exact, and pure.
//!
//! A [`Position`] is an account at an instant: what it has, unrounded, and what burns it. Money that
//! is still being used up counts exactly, so that the instant at which it reaches zero does not
//! depend on when somebody posted; a rounding key that is closed counts as it was rounded.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use base::{
    id::PriceVersionId,
    money::{Exact, MS_PER_HOUR, Micros, Nanos, div_half_even},
    time::Timestamp,
};
use chrono_tz::Tz;

use crate::{
    calendar::Month,
    prices::{
        select::Shape,
        tax::{Tax, TaxMode},
        timeline::Timeline,
    },
};

/// Changes of price, ends of months and of intervals that are looked at; later ones are taken to
/// change nothing. About fifty years of months.
pub const SPANS_MAX: usize = 600;
/// No instant after the year 9999 is forecast.
const END_OF_TIME: Timestamp = Timestamp::from_ms(253_402_300_799_999);

/// Something that is in use, or will be.
#[derive(Debug, Clone)]
pub struct Running {
    /// `instance.compute`.
    pub component: &'static str,
    /// How prices see it.
    pub shape: Arc<BTreeMap<String, String>>,
    pub quantity: i64,
    pub from: Timestamp,
    /// None: it goes on.
    pub to: Option<Timestamp>,
    /// What goes through the tiers of one month together has one number.
    pub walk: usize,
    /// How far that walk is, in unit-milliseconds.
    pub walked: i64,
    /// The exact total so far of its present rounding key with tax, in units of [`Exact`].
    pub used: i128,
}

/// An account at an instant.
#[derive(Debug, Clone)]
pub struct Position {
    pub at: Timestamp,
    /// In units of [`Exact`]: what is there (with credit) apart from what `running` used of its
    /// present keys.
    pub settled: i128,
    pub running: Vec<Running>,
    /// What is charged whole at an instant to come, with tax, in units of [`Exact`].
    pub charges: BTreeMap<Timestamp, i128>,
    pub prices: Timeline,
    pub zone: Tz,
}

impl Position {
    /// What is left at its instant; at or below zero nothing is.
    pub fn available(&self) -> i128 {
        self.running.iter().fold(self.settled, |left, r| left.saturating_sub(r.used))
    }

    /// Nano-units an hour, at its instant.
    pub fn burn(&self) -> i128 {
        self.running.iter().fold(0, |sum: i128, r| sum.saturating_add(self.rate(r, self.at)))
    }

    /// As people read it; at most what fits.
    pub fn burn_per_hour(&self) -> Nanos {
        Nanos(i64::try_from(self.burn()).unwrap_or(i64::MAX))
    }

    /// Zero outside of its interval, and where it is free.
    fn rate(&self, running: &Running, at: Timestamp) -> i128 {
        self.slope(running, at).0
    }

    /// What it costs an hour, and how far its walk is where that changes.
    fn slope(&self, running: &Running, at: Timestamp) -> (i128, Option<i64>) {
        let on = running.from <= at && running.to.is_none_or(|to| at < to);
        let Running { component, shape, quantity, walked, .. } = running;
        match on {
            true => hourly(&self.prices, component, shape.as_ref(), *quantity, Some(*walked), at),
            false => (0, None),
        }
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
            let (available, burn) = (now.available(), now.burn());
            if available < 0 || (available == 0 && burn > 0) {
                return Some(now.at);
            }
            let next = now.next_change().filter(|_| span + 1 < SPANS_MAX);
            if burn > 0 {
                let left_ms = available.div_euclid(burn) + i128::from(available % burn != 0);
                let at = i64::try_from(left_ms)
                    .ok()
                    .map(|ms| now.at.saturating_add_ms(ms))
                    .filter(|at| *at <= END_OF_TIME);
                if let Some(at) = at.filter(|at| next.is_none_or(|next| *at < next)) {
                    return Some(at);
                }
            }
            now.advance(next?);
        }
        None
    }

    /// The next instant at which what it burns may change by itself: a price comes into force, a
    /// tier ends, or something begins or ends.
    pub fn burn_changes_at(&self) -> Option<Timestamp> {
        let edges = self.running.iter().flat_map(|r| [Some(r.from), r.to]).flatten();
        edges
            .chain(self.running.iter().filter_map(|r| self.tier_ends(r)))
            .filter(|edge| *edge > self.at)
            .chain(self.prices.next_change(self.at))
            .min()
            .filter(|next| *next <= END_OF_TIME)
    }

    /// The next instant at which a rate or a rounding key changes. Months matter only while
    /// something burns, or would after its allowance.
    fn next_change(&self) -> Option<Timestamp> {
        let tiers = || self.running.iter().any(|r| self.tier_ends(r).is_some());
        let matters = self.burn() > 0 || tiers();
        let month = matters.then(|| Month::of(self.at, self.zone).end(self.zone));
        let month = month.filter(|end| *end <= END_OF_TIME);
        self.burn_changes_at().into_iter().chain(month).chain(self.next_charge()).min()
    }

    fn next_charge(&self) -> Option<Timestamp> {
        let after = (Bound::Excluded(self.at), Bound::Included(END_OF_TIME));
        self.charges.range(after).next().map(|(at, _)| *at)
    }

    /// When the walk leaves its present tier, if all goes on as it is.
    fn tier_ends(&self, running: &Running) -> Option<Timestamp> {
        let (_, end) = self.slope(running, self.at);
        let left = i128::from(end?) - i128::from(running.walked);
        let pace = self.pace(running.walk);
        let ms = (pace > 0).then(|| left.div_euclid(pace) + i128::from(left % pace != 0))?;
        Some(self.at.saturating_add_ms(i64::try_from(ms.max(1)).ok()?))
    }

    /// Unit-milliseconds that the walk gains in a millisecond.
    fn pace(&self, walk: usize) -> i128 {
        let on = |r: &&Running| {
            r.walk == walk && r.from <= self.at && r.to.is_none_or(|to| self.at < to)
        };
        self.running.iter().filter(on).map(|r| i128::from(r.quantity)).sum()
    }

    /// Goes to `next`, which is no further than the next change.
    fn advance(&mut self, next: Timestamp) {
        let ms = i128::from(next.since_ms(self.at));
        let gained: Vec<i128> = self.running.iter().map(|r| self.pace(r.walk) * ms).collect();
        let month_ends = Month::of(self.at, self.zone) != Month::of(next, self.zone);
        for (index, gained) in gained.into_iter().enumerate() {
            let rate = self.rate(&self.running[index], self.at);
            let before = self.key(&self.running[index], self.at);
            let after = self.key(&self.running[index], next);
            let running = &mut self.running[index];
            running.used = running.used.saturating_add(rate.saturating_mul(ms));
            let walked = i128::from(running.walked) + gained;
            running.walked = match month_ends {
                true => 0,
                false => i64::try_from(walked).unwrap_or(i64::MAX),
            };
            if before != after {
                // The key is closed: from here on it counts as rounded.
                self.settled = self.settled.saturating_sub(rounded(running.used));
                running.used = 0;
            }
        }
        if let Some(charge) = self.charges.get(&next) {
            self.settled = self.settled.saturating_sub(*charge);
        }
        self.at = next;
    }

    fn key(&self, running: &Running, at: Timestamp) -> Option<(PriceVersionId, String, Month)> {
        let on = running.from <= at && running.to.is_none_or(|to| at < to);
        let found = self.prices.find(running.component, running.shape.as_ref(), at);
        let found = found.filter(|_| on)?;
        Some((found.version, found.rate.id.clone(), Month::of(at, self.zone)))
    }
}

/// What so much of a component costs in an hour at `at`, with tax, in nano-units; and how far its
/// walk is where that changes. Without a walk: what it costs evenly.
pub(crate) fn hourly(
    prices: &Timeline,
    component: &str,
    shape: &(impl Shape + ?Sized),
    quantity: i64,
    walked: Option<i64>,
    at: Timestamp,
) -> (i128, Option<i64>) {
    let found = prices.find(component, shape, at);
    let slope = found.and_then(|found| {
        let scale = found.rate.scale()?;
        let (price, end) = match walked {
            Some(walked) => found.rate.slope(walked, scale)?,
            None => (found.rate.evenly(scale)?, None),
        };
        let nanos = i128::from(price.0).saturating_mul(i128::from(quantity));
        let hour = nanos.saturating_mul(i128::from(MS_PER_HOUR)) / i128::from(scale);
        Some((with_tax(hour, found.tax), end))
    });
    slope.unwrap_or((0, None))
}

/// What the tenant pays of an exact cost.
pub(crate) fn with_tax(cost: i128, tax: Tax) -> i128 {
    const MILLION: i128 = 1_000_000;
    match tax.mode {
        TaxMode::OnTop => cost.saturating_mul(MILLION + i128::from(tax.ppm())) / MILLION,
        TaxMode::Included => cost,
    }
}

/// What an exact amount counts once its key is closed.
pub fn rounded(used: i128) -> i128 {
    div_half_even(used, Exact::PER_MICRO).saturating_mul(Exact::PER_MICRO)
}

pub fn exact(amount: Micros) -> i128 {
    i128::from(amount.0) * Exact::PER_MICRO
}

#[cfg(test)]
mod tests;
