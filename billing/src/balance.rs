//! What a tenant has: posted minus accrued at the asked instant. Reading changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use base::{
    Error, Result,
    db::Conn,
    id::TenantId,
    money::{Exact, Micros, Nanos},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    accounts::{self, Account},
    calendar::Month,
    forecast::{Position, Running, exact, rounded},
    rating::{
        load::{self, Resource, Usage},
        plan::{Key, Piece, cost},
    },
    standing::Standing,
};

/// Readings that may find the account changed under them, before giving up.
const READS_MAX: usize = 8;

/// A tenant's money at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Balance {
    pub currency: String,
    /// `posted` minus `accrued`.
    pub balance: Micros,
    /// With four decimals, as people read it.
    pub balance_display: String,
    /// The ledger's sum.
    pub posted: Micros,
    /// Used, but not posted yet; below zero where a late fact makes a correction due.
    pub accrued: Micros,
    /// How far below zero the balance may go.
    pub credit_limit: Micros,
    pub burn_per_hour: Nanos,
    /// When nothing will be left, if all goes on as it is; none: never.
    pub runs_out_at: Option<Timestamp>,
    pub standing: Standing,
    pub standing_since: Timestamp,
    /// What the standing means for the tenant, where it means something.
    pub message: Option<String>,
    pub at: Timestamp,
}

/// An account, what it uses, and where that leaves it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub account: Account,
    pub usage: Usage,
    pub accrued: Micros,
    pub position: Position,
}

impl Snapshot {
    /// Posted minus accrued.
    pub fn balance(&self) -> Result<Micros> {
        self.account.posted.checked_sub(self.accrued)
    }
}

/// The balance at `at`, which is not before the last posting (an earlier instant is answered as of
/// that posting).
pub async fn balance(conn: &mut Conn, at: Timestamp, tenant: TenantId) -> Result<Balance> {
    let Snapshot { account, accrued, position, .. } = snapshot(conn, at, tenant).await?;
    let balance = account.posted.checked_sub(accrued)?;
    let runs_out_at = position.runs_out_at();
    Ok(Balance {
        balance,
        balance_display: balance.to_four_decimals(),
        posted: account.posted,
        accrued,
        credit_limit: account.credit_limit,
        burn_per_hour: position.burn_per_hour(),
        runs_out_at,
        standing: account.standing,
        standing_since: account.standing_since,
        message: account.standing.message().map(str::to_owned),
        currency: account.currency,
        at,
    })
}

/// Reads until nobody posted meanwhile: outside of the account's lock the statements see different
/// moments. Under the lock the first reading stands.
pub(crate) async fn snapshot(conn: &mut Conn, at: Timestamp, tenant: TenantId) -> Result<Snapshot> {
    let mut account = accounts::get(conn, tenant).await?;
    for _ in 0..READS_MAX {
        let usage = load::load(conn, &account).await?;
        let after = accounts::get(conn, tenant).await?;
        if after.version == account.version {
            let (accrued, position) = assess(&account, &usage, at)?;
            return Ok(Snapshot { account, usage, accrued, position });
        }
        account = after;
    }
    Err(Error::unavailable("the account is changing too fast to be read").remedy("try again"))
}

/// What is accrued, and the account's position. Pure.
pub(crate) fn assess(
    account: &Account,
    usage: &Usage,
    at: Timestamp,
) -> Result<(Micros, Position)> {
    let mut accrued: i128 = 0;
    let mut settled = exact(account.posted) + exact(account.credit_limit);
    let mut running = Vec::new();
    for resource in &usage.resources {
        let used = used(&resource.pieces(usage, account, at.max(resource.rated)));
        let current = current(account, usage, resource, at);
        // What no longer fits will be parked when it is posted, and counts no further.
        let mut parked = resource.parked.clone();
        for key in keys(account, resource, &used) {
            let used = used.get(key).copied().unwrap_or_default();
            let posted = resource.totals.get(key).copied().unwrap_or_default();
            let due = used.to_micros().map(|total| i128::from(total.0) - i128::from(posted.0));
            let Some(due) = due.ok().filter(|due| holds(account, accrued + due)) else {
                parked.insert(key.clone());
                continue;
            };
            accrued += due;
            settled += exact(posted);
            if !current.contains(key) {
                settled -= rounded(used.0);
            }
        }
        running.extend(resource.intervals.iter().filter_map(|interval| {
            let on = interval.from <= at;
            let key = current.iter().find(|key| on && key.meter == interval.meter);
            let counts = interval.to.is_none_or(|to| to > at)
                && !key.is_some_and(|key| parked.contains(key));
            counts.then(|| Running {
                meter: interval.meter.clone(),
                quantity: interval.quantity,
                from: interval.from,
                to: interval.to,
                used: key.and_then(|key| used.get(key)).map_or(0, |used| used.0),
            })
        }));
    }
    let accrued = i64::try_from(accrued)
        .map(Micros)
        .map_err(|_| Error::internal("more is accrued than the account holds"))?;
    let prices = usage.prices.clone();
    Ok((accrued, Position { at, settled, running, prices, zone: account.timezone }))
}

/// Whether the account could bear a charge of so much, as a posting asks.
fn holds(account: &Account, accrued: i128) -> bool {
    let fits = |sum: i128| i64::try_from(sum).is_ok();
    fits(accrued)
        && fits(i128::from(account.posted.0) - accrued)
        && fits(i128::from(account.earned.0) + accrued)
}

/// All that is used or posted in the months that are looked at: a late fact may have left a posted
/// key without any use.
fn keys<'a>(
    account: &Account,
    resource: &'a Resource,
    used: &'a BTreeMap<Key, Exact>,
) -> BTreeSet<&'a Key> {
    let first = Month::of(resource.first(account), account.timezone).to_string();
    let posted = resource.totals.keys();
    used.keys()
        .chain(posted.filter(|key| key.month >= first && !resource.parked.contains(*key)))
        .collect()
}

/// The rounding keys in which something runs at `at`.
fn current(account: &Account, usage: &Usage, resource: &Resource, at: Timestamp) -> BTreeSet<Key> {
    let month = Month::of(at, account.timezone).to_string();
    resource
        .intervals
        .iter()
        .filter(|i| i.from <= at && i.to.is_none_or(|to| at < to))
        .filter_map(|i| {
            let (version, _) = usage.prices.price(&i.meter, at)?;
            Some(Key { meter: i.meter.clone(), version, month: month.clone() })
        })
        .collect()
}

/// The exact total of each key. A sum that overflows is far beyond what its rounding can hold, and
/// is kept at the bound.
fn used(pieces: &[Piece]) -> BTreeMap<Key, Exact> {
    let mut all: BTreeMap<Key, Exact> = BTreeMap::new();
    for piece in pieces {
        let total = all.entry(piece.key.clone()).or_default();
        let sum = cost(piece).and_then(|cost| total.checked_add(cost));
        *total = sum.unwrap_or(Exact(i128::MAX));
    }
    all
}
