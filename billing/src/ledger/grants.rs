//! What is left of each bonus. Pure.
//!
//! A tenant's bonus is one account; what of it belongs to which grant follows from its entries in
//! their order. What is spent is taken from the grant that ends soonest, and from the oldest of
//! those. A hold keeps what it took, and gives back the last it took first.

use std::collections::{HashMap, HashSet};

use base::{
    Error, Result,
    db::Conn,
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    time::Timestamp,
};

use super::chart::Kind;
use crate::sql::parse;

/// A bonus, and what is left of it in the bonus account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub id: LedgerTransactionId,
    /// None: never.
    pub expires: Option<Timestamp>,
    pub left: Micros,
    /// Put aside by holds that have not ended.
    pub held: Micros,
}

/// An entry of the bonus account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    pub transaction: LedgerTransactionId,
    pub kind: Kind,
    /// The transaction that it is about.
    pub about: Option<LedgerTransactionId>,
    /// Above zero: it came in.
    pub micros: i64,
    /// Of the grant that came in, where it is one.
    pub expires: Option<Timestamp>,
    /// Of the hold that it went to, where it is one. Its end is no entry of this account where none
    /// of it came back.
    pub has_ended: bool,
}

/// All grants in their order, used up or not. An error where more was taken than there was.
pub(crate) fn left(moves: &[Move]) -> Result<Vec<Grant>> {
    let mut grants: Vec<Grant> = Vec::new();
    let mut held: HashMap<LedgerTransactionId, Vec<(usize, i64)>> = HashMap::new();
    let mut ended: HashSet<LedgerTransactionId> = HashSet::new();
    for step in moves {
        match (step.kind, step.about) {
            (Kind::HoldEnd, Some(hold)) => give_back(&mut grants, held.remove(&hold), step)?,
            (Kind::BonusEnd, Some(about)) => {
                let found = grants.iter().position(|grant| grant.id == about);
                let index = found.ok_or_else(|| broken("a bonus ended that was not given"))?;
                take(&mut grants, index, step.micros.saturating_neg())?;
            }
            _ if step.micros > 0 => grants.push(Grant {
                id: step.transaction,
                expires: step.expires,
                left: Micros(step.micros),
                held: Micros::ZERO,
            }),
            _ => {
                let taken = spend(&mut grants, step.micros.saturating_neg())?;
                if step.kind == Kind::Hold {
                    held.insert(step.transaction, taken);
                    ended.extend(step.has_ended.then_some(step.transaction));
                }
            }
        }
    }
    held.retain(|hold, _| !ended.contains(hold));
    for (index, part) in held.into_values().flatten() {
        grants[index].held = grants[index].held.checked_add(Micros(part))?;
    }
    Ok(grants)
}

fn broken(why: &str) -> Error {
    Error::internal(format!("the bonus account does not add up: {why}"))
}

fn take(grants: &mut [Grant], index: usize, micros: i64) -> Result<()> {
    let grant = &mut grants[index];
    if !(0..=grant.left.0).contains(&micros) {
        return Err(broken("more was taken than was left"));
    }
    grant.left = Micros(grant.left.0 - micros);
    Ok(())
}

/// From the grant that ends soonest; which gave how much, in that order.
fn spend(grants: &mut [Grant], micros: i64) -> Result<Vec<(usize, i64)>> {
    let mut order: Vec<usize> = (0..grants.len()).filter(|n| grants[*n].left.0 > 0).collect();
    order.sort_by_key(|n| (grants[*n].expires.map_or(i64::MAX, Timestamp::ms), *n));
    let mut rest = micros;
    let mut taken = Vec::new();
    for index in order {
        let part = rest.min(grants[index].left.0);
        if part > 0 {
            take(grants, index, part)?;
            taken.push((index, part));
            rest -= part;
        }
    }
    if rest == 0 { Ok(taken) } else { Err(broken("more was spent than was given")) }
}

fn give_back(grants: &mut [Grant], held: Option<Vec<(usize, i64)>>, step: &Move) -> Result<()> {
    let mut rest = step.micros;
    for (index, part) in held.unwrap_or_default().into_iter().rev() {
        let back = rest.min(part);
        grants[index].left = grants[index].left.checked_add(Micros(back))?;
        rest -= back;
    }
    if rest == 0 { Ok(()) } else { Err(broken("a hold gave back more than it took")) }
}

/// The entries of the tenant's bonus account, in their order. The account's lock is held, or the
/// connection sees one moment.
pub(crate) async fn moves(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Move>> {
    type Row = (String, String, String, String, i64, Option<i64>, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT e.transaction_id, j.kind, j.corrects_id, e.direction, e.amount_micros, \
         b.expires_ms, h.outcome FROM journal_entries e \
         JOIN journal j ON j.id = e.transaction_id \
         LEFT JOIN bonuses b ON b.transaction_id = e.transaction_id \
         LEFT JOIN hold_ends h ON h.hold_id = e.transaction_id \
         WHERE e.tenant_id = $1 AND e.account = 'bonus' ORDER BY e.account_sequence",
    )
    .bind(tenant.to_string())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, kind, about, direction, amount, expires, outcome)| {
            Ok(Move {
                transaction: parse(&id)?,
                kind: kind.parse()?,
                about: if about.is_empty() { None } else { Some(parse(&about)?) },
                micros: if direction == "credit" { amount } else { -amount },
                expires: expires.filter(|ms| *ms > 0).map(Timestamp::from_ms),
                has_ended: outcome.is_some(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
