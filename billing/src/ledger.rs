//! The ledger: double entry, append-only, micro-units.
//!
//! A transaction is written whole, by its one writer [`append`], which refuses one whose debits and
//! credits differ; its key names the fact, so that a fact is posted once. What a tenant has paid
//! and not used is owed to it: its account grows by credits.

use base::{
    Error, Result,
    db::{Conn, is_unique_violation},
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    time::Timestamp,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Debit,
    Credit,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    TopUp,
    Charge,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TopUp => "topup",
            Self::Charge => "charge",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub account: String,
    pub direction: Direction,
    /// Above zero.
    pub amount: Micros,
}

#[derive(Debug, Clone)]
pub struct Transaction<'a> {
    pub key: String,
    pub tenant: TenantId,
    pub kind: Kind,
    pub currency: &'a str,
    pub at: Timestamp,
    pub memo: &'a str,
    pub entries: Vec<Entry>,
}

pub fn tenant_account(tenant: TenantId) -> String {
    format!("tenant:{tenant}")
}
pub fn revenue_account(currency: &str) -> String {
    format!("revenue:{currency}")
}
pub fn payments_account(currency: &str) -> String {
    format!("payments:{currency}")
}

/// `amount` from the debited to the credited account; nothing where it is zero.
pub fn transfer(debit: &str, credit: &str, amount: Micros) -> Vec<Entry> {
    if amount == Micros::ZERO {
        return Vec::new();
    }
    let entry = |account: &str, direction| Entry { account: account.to_owned(), direction, amount };
    vec![entry(debit, Direction::Debit), entry(credit, Direction::Credit)]
}

/// Writes the transaction; a conflict where its key is known. The account's lock is held, and the
/// caller keeps the account's sum.
pub(crate) async fn append(
    conn: &mut Conn,
    now: Timestamp,
    transaction: &Transaction<'_>,
) -> Result<LedgerTransactionId> {
    check(&transaction.entries)?;
    let id = LedgerTransactionId::new();
    sqlx::query(
        "INSERT INTO ledger_transactions (id, dedup_key, tenant_id, kind, currency, at_ms, memo, \
         created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.to_string())
    .bind(&transaction.key)
    .bind(transaction.tenant.to_string())
    .bind(transaction.kind.as_str())
    .bind(transaction.currency)
    .bind(transaction.at.ms())
    .bind(transaction.memo)
    .bind(now.ms())
    .execute(&mut *conn)
    .await
    .map_err(|e| match is_unique_violation(&e) {
        true => Error::conflict(format!("{} is posted already", transaction.key)),
        false => e.into(),
    })?;
    for (position, entry) in (0i64..).zip(&transaction.entries) {
        sqlx::query(
            "INSERT INTO ledger_entries (transaction_id, position, account, direction, \
             amount_micros) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id.to_string())
        .bind(position)
        .bind(&entry.account)
        .bind(entry.direction.as_str())
        .bind(entry.amount.0)
        .execute(&mut *conn)
        .await?;
    }
    Ok(id)
}

/// Every amount is above zero, and the sum is zero.
fn check(entries: &[Entry]) -> Result<()> {
    let sum: i128 = entries
        .iter()
        .map(|entry| match entry.direction {
            Direction::Debit => i128::from(entry.amount.0),
            Direction::Credit => -i128::from(entry.amount.0),
        })
        .sum();
    if sum == 0 && entries.iter().all(|entry| entry.amount > Micros::ZERO) {
        return Ok(());
    }
    Err(Error::internal("a ledger transaction does not balance"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_balance_is_refused() {
        let entries = transfer("a", "b", Micros(5));
        assert!(check(&entries).is_ok());
        assert!(check(&entries[..1]).is_err());
        assert!(check(&[]).is_ok());
        let negative = [
            Entry { account: "a".into(), direction: Direction::Debit, amount: Micros(-5) },
            Entry { account: "b".into(), direction: Direction::Credit, amount: Micros(-5) },
        ];
        assert!(check(&negative).is_err());
        assert!(transfer("a", "b", Micros::ZERO).is_empty());
    }
}
