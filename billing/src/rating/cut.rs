//! Spans of use become slices: cut at changes of price, ends of local months and days, and, where
//! it is asked for, hours. What has no price is free and left out. Pure.

use std::{collections::BTreeMap, sync::Arc};

use base::{money::MS_PER_HOUR, time::Timestamp};
use chrono_tz::Tz;

use super::{
    book::{Book, KeyId},
    engine::{LineKind, Quality, Slice},
};
use crate::{
    calendar::{Month, day_end},
    forecast::evenly,
    prices::{components, select::Shape, timeline::Timeline},
};

/// What a resource is for a while: how prices see it, and so much of which components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    pub shape: Arc<BTreeMap<String, String>>,
    /// `instance.compute`, and how much of it.
    pub components: Vec<(&'static str, i64)>,
}

/// A stretch of a resource's use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Into the book's resources.
    pub resource: u32,
    pub name: Arc<str>,
    pub used: Used,
    /// In a gap: what it was after it, where that is something else. The cheaper is taken.
    pub alternative: Option<Used>,
    pub from: i64,
    /// `i64::MAX`: it goes on.
    pub to: i64,
    pub opened: i64,
    pub quality: Quality,
}

impl Span {
    /// Whether an instance runs or is paused in it, and goes on.
    pub fn computes(&self) -> bool {
        let computes = |component: &str| {
            component == components::COMPUTE || component == components::COMPUTE_SUSPENDED
        };
        self.to == i64::MAX && self.used.components.iter().any(|(name, _)| computes(name))
    }

    /// What is charged for it at `at`: of a gap's two shapes the one that costs less an hour, the
    /// first where they cost the same.
    pub fn at(&self, prices: &Timeline, at: Timestamp) -> &Used {
        let Some(other) = &self.alternative else { return &self.used };
        let costs = |used: &Used| -> i128 {
            let an_hour = |(component, quantity): &(&'static str, i64)| {
                evenly(prices, component, used.shape.as_ref(), *quantity, at)
            };
            used.components.iter().map(an_hour).sum()
        };
        if costs(other) < costs(&self.used) { other } else { &self.used }
    }
}

/// The local days and months that a window of time touches.
#[derive(Debug, Clone)]
pub struct Days {
    /// Ends of days, in order.
    pub ends: Vec<i64>,
    months: Vec<(i64, Month)>,
    from: i64,
    until: i64,
}

impl Days {
    pub fn new(zone: Tz, from: Timestamp, until: Timestamp) -> Self {
        let (mut ends, mut months) = (Vec::new(), Vec::new());
        let mut at = from;
        while at < until {
            at = day_end(at, zone);
            ends.push(at.ms());
        }
        let mut at = from;
        while at < until || months.is_empty() {
            let month = Month::of(at, zone);
            at = month.end(zone);
            months.push((at.ms(), month));
        }
        Self { ends, months, from: from.ms(), until: until.ms() }
    }

    /// The same days, of a part of the window.
    pub fn within(&self, from: Timestamp, until: Timestamp) -> Self {
        Self { from: from.ms(), until: until.ms(), ..self.clone() }
    }

    /// The month that `at` is in, and its end.
    fn month(&self, at: i64) -> (i64, Month) {
        let index = self.months.partition_point(|(end, _)| *end <= at);
        self.months[index.min(self.months.len() - 1)]
    }
}

/// How fine slices are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Days,
    /// Of UTC, as ticks are.
    Hours,
}

/// Appends the slices of the span within the window.
pub fn slices(
    span: &Span,
    prices: &Timeline,
    days: &Days,
    step: Step,
    book: &mut Book,
    out: &mut Vec<Slice>,
) {
    let end = span.to.min(days.until);
    let mut start = span.from.max(days.from);
    while start < end {
        let at = Timestamp::from_ms(start);
        let (month_end, month) = days.month(start);
        let change = prices.next_change(at).map_or(end, Timestamp::ms);
        let stop = end.min(month_end).min(change);
        let used = span.at(prices, at);
        let flavor = used.shape.text("flavor").unwrap_or_default();
        for (component, quantity) in &used.components {
            let Some(found) = prices.find(component, used.shape.as_ref(), at) else { continue };
            let Some(rate) = book.rate(&found) else { continue };
            let id = KeyId { resource: span.resource, component, rate, month };
            let key = book.key(id, &span.name, flavor, prices);
            let group = book.keys[key as usize].group;
            if book.parked.contains(&group) {
                continue;
            }
            let whole = Slice {
                key,
                group,
                from: start,
                to: stop,
                quantity: *quantity,
                opened: span.opened,
                quality: span.quality,
                coverage_ppm: span.quality.coverage_ppm(),
                kind: LineKind::Usage,
            };
            cut(whole, days, step, out);
        }
        start = stop;
    }
}

fn cut(whole: Slice, days: &Days, step: Step, out: &mut Vec<Slice>) {
    let mut day = days.ends.partition_point(|end| *end <= whole.from);
    let mut from = whole.from;
    while from < whole.to {
        let mut to = days.ends.get(day).map_or(whole.to, |end| whole.to.min(*end));
        if step == Step::Hours {
            to = to.min((from.div_euclid(MS_PER_HOUR) + 1) * MS_PER_HOUR);
        }
        out.push(Slice { from, to, ..whole });
        day += usize::from(days.ends.get(day) == Some(&to));
        from = to;
    }
}

#[cfg(test)]
mod tests;
