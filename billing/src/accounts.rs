//! A tenant's account: its row is the lock of all that admits, posts or changes standing, and it
//! carries the sum of the tenant's ledger entries.

use base::{
    Error, Result,
    db::{Conn, found, is_unique_violation},
    id::{LedgerTransactionId, PriceBookId, TenantId},
    money::Micros,
    outbox::{self, Notice},
    time::Timestamp,
};
use chrono_tz::Tz;

pub use crate::balance::{Balance, balance};
use crate::{
    agenda::{self, Due},
    ledger::{self, Kind},
    prices, settings,
    sql::parse,
    standing::Standing,
};

pub const MEMO_MAX_CHARS: usize = 200;
pub const KEY_MAX_CHARS: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub tenant_id: TenantId,
    pub currency: String,
    pub timezone: Tz,
    /// Raised by whoever takes the lock.
    pub version: i64,
    pub posted: Micros,
    pub credit_limit: Micros,
    pub(crate) last_charge: i64,
    pub(crate) ticked: Timestamp,
    pub standing: Standing,
    pub standing_since: Timestamp,
    /// From leaving active to returning to it, counted from 1; 0 before the first.
    pub episode: i64,
}

type Row = (String, String, String, i64, i64, i64, i64, i64, String, i64, i64);
macro_rules! columns {
    () => {
        "tenant_id, currency, timezone, version, posted_micros, credit_limit_micros, last_charge, \
         ticked_ms, standing, standing_since_ms, episode"
    };
}

fn from_row(row: Row) -> Result<Account> {
    Ok(Account {
        tenant_id: parse(&row.0)?,
        currency: row.1,
        timezone: settings::zone(&row.2)?,
        version: row.3,
        posted: Micros(row.4),
        credit_limit: Micros(row.5),
        last_charge: row.6,
        ticked: Timestamp::from_ms(row.7),
        standing: row.8.parse()?,
        standing_since: Timestamp::from_ms(row.9),
        episode: row.10,
    })
}

/// Opens the tenant's account, empty and active. Its billing months follow the settings' zone for
/// good. Without a price book everything is free until one is assigned.
pub async fn open_account(
    conn: &mut Conn,
    now: Timestamp,
    settings: &crate::Settings,
    tenant: TenantId,
    currency: &str,
    book: Option<PriceBookId>,
) -> Result<()> {
    prices::check_currency(currency)?;
    settings::zone(&settings.timezone)?;
    sqlx::query(
        "INSERT INTO accounts (tenant_id, currency, timezone, version, posted_micros, \
         credit_limit_micros, last_charge, ticked_ms, standing, standing_since_ms, episode, \
         created_ms) VALUES ($1, $2, $3, 0, 0, 0, 0, $4, 'active', $4, 0, $4)",
    )
    .bind(tenant.to_string())
    .bind(currency)
    .bind(&settings.timezone)
    .bind(now.ms())
    .execute(&mut *conn)
    .await
    .map_err(|e| match is_unique_violation(&e) {
        true => Error::conflict(format!("tenant {tenant} has an account already")),
        false => e.into(),
    })?;
    agenda::open(&mut *conn, tenant).await?;
    match book {
        Some(book) => assign_book(conn, now, tenant, book).await,
        None => Ok(()),
    }
}

pub async fn get(conn: &mut Conn, tenant: TenantId) -> Result<Account> {
    let row: Option<Row> =
        sqlx::query_as(concat!("SELECT ", columns!(), " FROM accounts WHERE tenant_id = $1"))
            .bind(tenant.to_string())
            .fetch_optional(conn)
            .await?;
    from_row(found(row, format_args!("the account of tenant {tenant}"))?)
}

/// Takes the locks of several accounts, in one order for all, before a transaction that will post
/// for them touches anything else: locks are always taken account, host, instance, quota.
pub async fn lock_all(
    conn: &mut Conn,
    tenants: &std::collections::BTreeSet<TenantId>,
) -> Result<()> {
    for tenant in tenants {
        lock(&mut *conn, *tenant).await?;
    }
    Ok(())
}

/// Takes the account's lock until the end of the transaction.
pub(crate) async fn lock(conn: &mut Conn, tenant: TenantId) -> Result<Account> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "UPDATE accounts SET version = version + 1 WHERE tenant_id = $1 RETURNING ",
        columns!()
    ))
    .bind(tenant.to_string())
    .fetch_optional(conn)
    .await?;
    from_row(found(row, format_args!("the account of tenant {tenant}"))?)
}

/// The book that prices what the tenant uses from now on.
pub async fn assign_book(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    book: PriceBookId,
) -> Result<()> {
    prices::assign::assign(conn, now, tenant, book, None).await
}

/// The book that prices the tenant's use at `at`.
pub async fn book(conn: &mut Conn, at: Timestamp, tenant: TenantId) -> Result<Option<PriceBookId>> {
    let id: Option<String> = sqlx::query_scalar(
        "SELECT book_id FROM price_assignments WHERE tenant_id = $1 AND effective_ms <= $2 \
         ORDER BY effective_ms DESC, number DESC LIMIT 1",
    )
    .bind(tenant.to_string())
    .bind(at.ms())
    .fetch_optional(conn)
    .await?;
    id.map(|id| parse(&id)).transpose()
}

/// How far below zero the balance may go before the tenant is overdue.
pub async fn set_credit_limit(conn: &mut Conn, tenant: TenantId, limit: Micros) -> Result<()> {
    if limit < Micros::ZERO {
        return Err(Error::invalid("credit_limit", "a credit limit is not negative"));
    }
    lock(conn, tenant).await?;
    sqlx::query("UPDATE accounts SET credit_limit_micros = $2 WHERE tenant_id = $1")
        .bind(tenant.to_string())
        .bind(limit.0)
        .execute(&mut *conn)
        .await?;
    agenda::touch(conn, tenant, Due::Stand).await
}

/// What a top-up did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopUp {
    pub transaction_id: LedgerTransactionId,
    /// The key was known: nothing was posted now.
    pub repeated: bool,
}

/// Credits `amount`. `key` names the payment: the same one again changes nothing, with another
/// amount it is a conflict (see [`report_conflict`]). After the commit the caller publishes
/// `Topic::Money` for the tenant.
pub async fn topup(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    amount: Micros,
    key: &str,
    memo: &str,
) -> Result<TopUp> {
    if amount <= Micros::ZERO {
        return Err(Error::invalid("amount", "a top-up must be above zero"));
    }
    if key.is_empty() || key.chars().count() > KEY_MAX_CHARS {
        return Err(Error::invalid("key", "a top-up's key has 1 to 200 characters"));
    }
    if memo.chars().count() > MEMO_MAX_CHARS {
        return Err(Error::invalid("memo", "a memo has at most 200 characters"));
    }
    let account = lock(conn, tenant).await?;
    let dedup_key = format!("topup:{tenant}:{key}");
    if let Some(transaction_id) = known_topup(conn, &dedup_key, amount).await? {
        return Ok(TopUp { transaction_id, repeated: true });
    }
    let posted = account.posted.checked_add(amount).map_err(|_| {
        Error::invalid("amount", "the account can't hold as much").remedy("pay a smaller amount")
    })?;
    let transaction = ledger::Transaction {
        key: dedup_key,
        tenant,
        kind: Kind::TopUp,
        currency: &account.currency,
        at: now,
        memo,
        entries: ledger::transfer(
            &ledger::payments_account(&account.currency),
            &ledger::tenant_account(tenant),
            amount,
        ),
    };
    let transaction_id = ledger::append(conn, now, &transaction).await?;
    sqlx::query("UPDATE accounts SET posted_micros = $2 WHERE tenant_id = $1")
        .bind(tenant.to_string())
        .bind(posted.0)
        .execute(&mut *conn)
        .await?;
    agenda::touch(conn, tenant, Due::Stand).await?;
    Ok(TopUp { transaction_id, repeated: false })
}

async fn known_topup(
    conn: &mut Conn,
    dedup_key: &str,
    amount: Micros,
) -> Result<Option<LedgerTransactionId>> {
    let known: Option<(String, i64)> = sqlx::query_as(
        "SELECT t.id, e.amount_micros FROM ledger_transactions t \
         JOIN ledger_entries e ON e.transaction_id = t.id AND e.direction = 'credit' \
         WHERE t.dedup_key = $1",
    )
    .bind(dedup_key)
    .fetch_optional(conn)
    .await?;
    match known {
        Some((id, posted)) if posted == amount.0 => Ok(Some(parse(&id)?)),
        Some((_, posted)) => Err(Error::conflict(format!(
            "this top-up was posted already, with {} in place of {amount}",
            Micros(posted)
        ))
        .remedy("use a new key for a new payment")),
        None => Ok(None),
    }
}

/// Tells the operators that a payment came twice with different amounts. It is a transaction of its
/// own, since the refused top-up's is rolled back.
pub async fn report_conflict(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    amount: Micros,
    key: &str,
) -> Result<()> {
    let notice = Notice {
        key: format!("topup:conflict:{tenant}:{key}:{amount}"),
        topic: "balance".to_owned(),
        tenant_id: None,
        subject: "a top-up came again with another amount".to_owned(),
        body: format!(
            "Top-up {key} of tenant {tenant} was posted, then asked for again with {amount}. \
             The second was refused. Compare the payment provider's record with the ledger."
        ),
        data: serde_json::json!({"tenant_id": tenant, "key": key, "amount": amount}),
    };
    outbox::enqueue(conn, now, &notice).await.map(|_| ())
}
