//! What is to be posted for one resource: pure, so that it can be proved without a database.
//!
//! Amounts telescope: the posted amount of a [`Key`] is always the half-even rounding of its exact
//! total so far, and a line is the difference to the one before. However time is cut into postings,
//! the sum is the same.

use std::collections::{BTreeMap, BTreeSet};

use base::{
    Result,
    id::PriceVersionId,
    money::{Exact, Micros, Nanos},
    time::Timestamp,
};
use chrono_tz::Tz;

use crate::{calendar::Month, prices::timeline::Timeline};

/// What rounds together, of one tenant's resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub meter: String,
    pub version: PriceVersionId,
    /// `YYYY-MM`.
    pub month: String,
}

/// A stretch of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    pub meter: String,
    pub name: String,
    pub quantity: i64,
    pub from: Timestamp,
    /// None: it goes on.
    pub to: Option<Timestamp>,
}

/// A part of an interval at one price, in one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub key: Key,
    pub name: String,
    pub unit_price: Nanos,
    pub quantity: i64,
    pub from: Timestamp,
    pub to: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    Usage,
    /// Corrects what was posted for a time that had passed already.
    Adjustment,
}

impl LineKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Adjustment => "adjustment",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub piece: Piece,
    pub amount: Micros,
    pub kind: LineKind,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In order of time.
    pub lines: Vec<Line>,
    /// Keys whose amount does not fit, and why.
    pub parked: Vec<(Key, String)>,
}

/// Cuts the intervals at `from` and `until`, at changes of price and at the ends of months. What
/// has no price is free and left out.
pub fn pieces(
    intervals: &[Interval],
    prices: &Timeline,
    zone: Tz,
    from: Timestamp,
    until: Timestamp,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for interval in intervals {
        let end = interval.to.map_or(until, |to| to.min(until));
        let mut start = interval.from.max(from);
        while start < end {
            let month = Month::of(start, zone);
            let change = prices.next_change(start).unwrap_or(end);
            let stop = end.min(month.end(zone)).min(change);
            if let Some((version, unit_price)) = prices.price(&interval.meter, start) {
                let key = Key { meter: interval.meter.clone(), version, month: month.to_string() };
                pieces.push(Piece {
                    key,
                    name: interval.name.clone(),
                    unit_price,
                    quantity: interval.quantity,
                    from: start,
                    to: stop,
                });
            }
            start = stop;
        }
    }
    pieces.sort_by(|a, b| (a.from, &a.key).cmp(&(b.from, &b.key)));
    pieces
}

/// The lines that bring what is posted to what `pieces` say.
///
/// `pieces` begin with the first month that is to be looked at and end where is rated to; `rated`
/// is where the last rating ended; `totals` is what is posted of these months. `posted` holds the
/// lines of these months where something before `rated` may have changed, and is None otherwise.
pub fn plan(
    pieces: &[Piece],
    rated: Timestamp,
    totals: &BTreeMap<Key, Micros>,
    posted: Option<&[Piece]>,
) -> Plan {
    let mut by_key: BTreeMap<&Key, (Vec<&Piece>, Vec<&Piece>)> = BTreeMap::new();
    for piece in pieces {
        by_key.entry(&piece.key).or_default().0.push(piece);
    }
    for line in posted.into_iter().flatten() {
        by_key.entry(&line.key).or_default().1.push(line);
    }
    let mut plan = Plan::default();
    for (key, (pieces, lines)) in by_key {
        let total = totals.get(key).copied().unwrap_or_default();
        let lines = posted.is_some().then_some(lines.as_slice());
        match plan_key(&pieces, rated, total, lines) {
            Ok(lines) => plan.lines.extend(lines),
            Err(error) => plan.parked.push((key.clone(), error.message)),
        }
    }
    plan.lines.sort_by(|a, b| (a.piece.from, &a.piece.key).cmp(&(b.piece.from, &b.piece.key)));
    plan
}

fn plan_key(
    pieces: &[&Piece],
    rated: Timestamp,
    mut total: Micros,
    posted: Option<&[&Piece]>,
) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let before: Vec<Piece> =
        pieces.iter().filter_map(|p| clipped(p, Timestamp::from_ms(i64::MIN), rated)).collect();
    if let Some(posted) = posted {
        lines = adjustments(&before, posted, &mut total)?;
    }
    let mut exact = before.iter().try_fold(Exact::default(), |sum, p| sum.checked_add(cost(p)?))?;
    for piece in pieces.iter().filter_map(|p| clipped(p, rated, Timestamp::from_ms(i64::MAX))) {
        exact = exact.checked_add(cost(&piece)?)?;
        lines.push(line(piece, exact, &mut total, LineKind::Usage)?);
    }
    Ok(lines)
}

/// A line that brings the posted total to the rounding of `exact`.
fn line(piece: Piece, exact: Exact, total: &mut Micros, kind: LineKind) -> Result<Line> {
    let next = exact.to_micros()?;
    let amount = next.checked_sub(*total)?;
    *total = next;
    Ok(Line { piece, amount, kind })
}

pub fn cost(piece: &Piece) -> Result<Exact> {
    piece.unit_price.over(piece.quantity, piece.to.since_ms(piece.from))
}

fn clipped(piece: &Piece, from: Timestamp, to: Timestamp) -> Option<Piece> {
    let (from, to) = (piece.from.max(from), piece.to.min(to));
    (from < to).then(|| Piece { from, to, ..piece.clone() })
}

/// One line for each stretch whose quantity differs from what was posted, with the difference.
fn adjustments(now: &[Piece], posted: &[&Piece], total: &mut Micros) -> Result<Vec<Line>> {
    let mut exact = posted.iter().try_fold(Exact::default(), |sum, p| sum.checked_add(cost(p)?))?;
    let mut lines = Vec::new();
    for piece in differences(now, posted)? {
        exact = exact.checked_add(cost(&piece)?)?;
        lines.push(line(piece, exact, total, LineKind::Adjustment)?);
    }
    Ok(lines)
}

fn differences(now: &[Piece], posted: &[&Piece]) -> Result<Vec<Piece>> {
    let all = || now.iter().chain(posted.iter().copied());
    let cuts: BTreeSet<Timestamp> = all().flat_map(|p| [p.from, p.to]).collect();
    let cuts: Vec<Timestamp> = cuts.into_iter().collect();
    let mut pieces: Vec<Piece> = Vec::new();
    for span in cuts.windows(2) {
        let (from, to) = (span[0], span[1]);
        let covers = |p: &&Piece| p.from <= from && to <= p.to;
        let wanted: i128 = now.iter().filter(covers).map(|p| i128::from(p.quantity)).sum();
        let is: i128 = posted.iter().copied().filter(covers).map(|p| i128::from(p.quantity)).sum();
        let Some(like) = all().find(covers).filter(|_| wanted != is) else { continue };
        let quantity = i64::try_from(wanted - is).map_err(|e| {
            base::Error::new(base::ErrorKind::Invalid, "the quantity is beyond what a line holds")
                .source(e)
        })?;
        match pieces.last_mut().filter(|last| last.to == from && last.quantity == quantity) {
            Some(last) => last.to = to,
            None => pieces.push(Piece { from, to, quantity, ..like.clone() }),
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests;
