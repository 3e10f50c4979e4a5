//! Reading the journal.

use base::{
    Result,
    db::{Conn, placeholders},
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::chart::{Account, Direction, Kind};
use crate::sql::parse;

/// In one page.
pub const PAGE_MAX: i64 = 1_001;

/// An entry as it was posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Posted {
    pub account: Account,
    pub direction: Direction,
    pub amount: Micros,
    /// Of the account with this entry: credits minus debits.
    pub balance: Micros,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Transaction {
    pub id: LedgerTransactionId,
    /// Of the tenant, from 1.
    pub number: i64,
    pub kind: Kind,
    pub currency: String,
    pub at: Timestamp,
    pub memo: String,
    pub reason: String,
    /// The transaction that it is about.
    pub about: Option<LedgerTransactionId>,
    pub actor: String,
    pub entries: Vec<Posted>,
}

/// The tenant's transactions before `before` (all where none), the newest first, at most
/// [`PAGE_MAX`].
pub async fn page(
    conn: &mut Conn,
    tenant: TenantId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Transaction>> {
    type Row = (String, i64, String, String, i64, String, String, String, String);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, number, kind, currency, at_ms, memo, reason, corrects_id, actor FROM journal \
         WHERE tenant_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
    )
    .bind(tenant.to_string())
    .bind(before.unwrap_or(i64::MAX))
    .bind(limit.clamp(1, PAGE_MAX))
    .fetch_all(&mut *conn)
    .await?;
    let mut all = Vec::with_capacity(rows.len());
    for (id, number, kind, currency, at, memo, reason, about, actor) in rows {
        all.push(Transaction {
            id: parse(&id)?,
            number,
            kind: kind.parse()?,
            currency,
            at: Timestamp::from_ms(at),
            memo,
            reason,
            about: if about.is_empty() { None } else { Some(parse(&about)?) },
            actor,
            entries: Vec::new(),
        });
    }
    entries(conn, &mut all).await?;
    Ok(all)
}

async fn entries(conn: &mut Conn, all: &mut [Transaction]) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT transaction_id, account, direction, amount_micros, balance_micros \
         FROM journal_entries WHERE transaction_id IN ({}) ORDER BY transaction_id, position",
        placeholders(1, all.len())
    );
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql));
    for transaction in all.iter() {
        query = query.bind(transaction.id.to_string());
    }
    let rows: Vec<(String, String, String, i64, i64)> = query.fetch_all(conn).await?;
    for (id, account, direction, amount, balance) in rows {
        let id: LedgerTransactionId = parse(&id)?;
        if let Some(transaction) = all.iter_mut().find(|t| t.id == id) {
            transaction.entries.push(Posted {
                account: account.parse()?,
                direction: direction.parse()?,
                amount: Micros(amount),
                balance: Micros(balance),
            });
        }
    }
    Ok(())
}
