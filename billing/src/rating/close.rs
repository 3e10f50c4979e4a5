//! What a month's end makes due: volume prices, whose tier is known then, and minimum charges.
//!
//! ```text
//! walk of a rate in a month:   version 1    version 2          measures m1, m2
//!     volume    m1 at version 1's price, m2 at version 2's, each of the tier that m1 + m2 ends in
//!     minimum   what the last version's minimum is above all that, added to the last version
//! ```
//!
//! Both are amounts of the group that they belong to, so that what is told after the close moves
//! them as it moves any other amount: the difference is an adjustment.

use std::borrow::Borrow;

use base::{Result, db::Conn, id::TenantId, money::Micros, time::Timestamp};

use super::{
    Posted,
    book::Book,
    compiled::Compiled,
    engine::{LineKind, Parked, Quality, Slice, Stage, WHOLE_PPM, rate},
    load, park,
    plan::Plan,
    write,
};
use crate::{
    accounts,
    agenda::{self, Due},
    calendar::Month,
    prices::model::Overflow,
};

/// A group of a walk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub rank: i64,
    pub number: u32,
    pub rate: u32,
    pub measure: i64,
}

/// The exact cost of one group of a walk whose month is at this stage, over 1,000 × its rate's
/// scale. The members stand in the order of their ranks.
pub(crate) fn cost<R: Borrow<Compiled>>(
    walk: &[Member],
    rates: &[R],
    group: u32,
    stage: Stage,
) -> Result<i128, Overflow> {
    let walked = sum(walk.iter())?;
    let cost = |member: &Member| -> Result<i128, Overflow> {
        let before = sum(walk.iter().filter(|other| other.rank < member.rank))?;
        rates[member.rate as usize].borrow().cost_at_close(before, member.measure, walked)
    };
    let Some(own) = walk.iter().find(|member| member.number == group) else { return Ok(0) };
    let exact = cost(own)?;
    let last = walk.iter().rfind(|member| member.measure != 0);
    let is_last = last.is_some_and(|last| last.number == group);
    let rate: &Compiled = rates[own.rate as usize].borrow();
    let minimum = rate.rate.minimum.as_ref().filter(|_| stage == Stage::Closed && is_last);
    let Some(minimum) = minimum else { return Ok(exact) };
    let mut missing = i128::from(minimum.amount.0);
    for member in walk {
        missing -= rates[member.rate as usize].borrow().whole(cost(member)?);
    }
    let missing = missing.max(0).checked_mul(rate.denominator()).ok_or(Overflow)?;
    exact.checked_add(missing).ok_or(Overflow)
}

fn sum<'a>(mut members: impl Iterator<Item = &'a Member>) -> Result<i64, Overflow> {
    members.try_fold(0i64, |sum, member| sum.checked_add(member.measure)).ok_or(Overflow)
}

/// Brings the groups of `month` to their end; the lines that it takes. Pure.
fn end(book: &mut Book, month: Month, from: Timestamp, to: Timestamp) -> Plan {
    let mut plan = Plan::default();
    for (stage, kind) in [(Stage::Volume, LineKind::Volume), (Stage::Closed, LineKind::Minimum)] {
        let groups: Vec<u32> = closing(book, |of| of == month).collect();
        let mut slices: Vec<Slice> = Vec::new();
        for group in groups {
            book.groups.set_stage(group, stage);
            match book.groups.residue(&book.rates, group) {
                Ok(due) if due.net == Micros::ZERO && due.tax == Micros::ZERO => {}
                Ok(_) => slices.push(Slice {
                    key: book.key_of(group),
                    group,
                    from: from.ms(),
                    to: to.ms(),
                    quantity: 0,
                    opened: 0,
                    quality: Quality::Observed,
                    coverage_ppm: WHOLE_PPM,
                    kind,
                }),
                Err(why) => plan.parked.push(Parked { group, why }),
            }
        }
        plan.parked.extend(rate(&slices, &book.rates, &mut book.groups, &mut plan.lines));
        book.parked.extend(plan.parked.iter().map(|parked| parked.group));
    }
    plan
}

/// The groups of these months whose amount a month's end changes.
fn closing(book: &Book, of: impl Fn(Month) -> bool) -> impl Iterator<Item = u32> {
    book.groups.numbers().filter(move |group| {
        let rate = &book.rates[book.groups.get(*group).rate as usize];
        let month = book.keys[book.key_of(*group) as usize].id.month;
        rate.closes() && of(month) && !book.parked.contains(group)
    })
}

/// What closing all months would make due, with tax: volume prices at the tier that the month's use
/// has come to, and minimum charges of months that have ended. What does not fit is left out, as it
/// will be when it is posted. Moves no group.
pub(crate) fn accrued(book: &mut Book, ended: impl Fn(Month) -> bool) -> i128 {
    let groups: Vec<u32> = closing(book, |_| true).collect();
    let told: Vec<Stage> = groups.iter().map(|group| book.groups.get(*group).stage).collect();
    for (group, told) in groups.iter().zip(&told) {
        let month = book.keys[book.key_of(*group) as usize].id.month;
        let stage = if ended(month) { Stage::Closed } else { Stage::Volume };
        book.groups.set_stage(*group, stage.max(*told));
    }
    let due = groups.iter().filter_map(|group| book.groups.residue(&book.rates, *group).ok());
    let sum = due.map(|due| i128::from(due.net.0) + i128::from(due.tax.0)).sum();
    for (group, stage) in groups.iter().zip(told) {
        book.groups.set_stage(*group, stage);
    }
    sum
}

/// Posts what the end of `month`, which is rated up to its end and not closed yet, makes due.
pub(crate) async fn post_end(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    month: Month,
) -> Result<Posted> {
    let mut account = accounts::lock(conn, tenant).await?;
    let mut usage = load::load(conn, &account).await?;
    let (from, to) = (month.start(usage.zone), month.end(usage.zone));
    let mut plan = end(&mut usage.book, month, from, to);
    super::park_what_the_account_cannot_hold(&account, &mut usage, &mut plan);
    for parked in &plan.parked {
        park(conn, now, tenant, &usage, parked).await?;
    }
    let mut posted = Posted { parked: plan.parked.len(), ..Posted::default() };
    if !plan.lines.is_empty() {
        // A minimum is accrued from the month's end on only.
        agenda::touch(conn, tenant, Due::Stand).await?;
        posted.lines = plan.lines.len();
        let (id, amount) = write(conn, now, &mut account, &usage, &plan.lines).await?;
        (posted.transaction_id, posted.amount) = (Some(id), amount);
    }
    Ok(posted)
}

#[cfg(test)]
mod tests;
