//! A tenant's account: its row is the lock of all that admits, posts or changes standing. What it
//! has is its newest journal entries; what is set for it is the newest row of its settings.

use base::{
    Error, Result,
    db::{Conn, found, is_unique_violation},
    id::{PriceBookId, TenantId},
    money::Micros,
    time::Timestamp,
};
use chrono_tz::Tz;

pub use crate::balance::{Balance, balance, post_accrued};
use crate::{
    agenda,
    ledger::Wallet,
    prices,
    settings::zone,
    sql::parse,
    standing::{OwnRules, Standing},
};

mod lock;
mod settings;

pub use lock::lock_all;
pub(crate) use lock::{Locked, lock, lock_every, lock_known};
pub use settings::{AccountSettings, SettingsChange, change, history, set_credit_limit};

/// Accounts in one page.
const A_PAGE: i64 = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub tenant_id: TenantId,
    pub currency: String,
    pub timezone: Tz,
    /// Raised by whoever takes the lock.
    pub version: i64,
    pub wallet: Wallet,
    /// The wallet's balance.
    pub posted: Micros,
    /// The balance of the tenant's revenue account.
    pub(crate) earned: Micros,
    pub settings: AccountSettings,
    pub credit_limit: Micros,
    pub(crate) last_charge: i64,
    pub(crate) ticked: Timestamp,
    pub standing: Standing,
    pub standing_since: Timestamp,
    /// From leaving active to returning to it, counted from 1; 0 before the first.
    pub episode: i64,
}

impl Account {
    /// What is set for its standing alone.
    pub(crate) fn own_rules(&self) -> &OwnRules {
        &self.settings.standing
    }
}

/// Tenants that have accounts, by their ids, after `cursor`; none: there are no more.
pub(crate) async fn page(conn: &mut Conn, cursor: Option<TenantId>) -> Result<Vec<TenantId>> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT tenant_id FROM accounts WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2",
    )
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(A_PAGE)
    .fetch_all(conn)
    .await?;
    ids.iter().map(|id| parse(id)).collect()
}

/// An account's row, with what rules it now.
#[derive(sqlx::FromRow)]
struct Row {
    tenant_id: String,
    currency: String,
    timezone: String,
    version: i64,
    last_charge: i64,
    ticked_ms: i64,
    standing: String,
    standing_since_ms: i64,
    episode: i64,
    cash: i64,
    bonus: i64,
    holds: i64,
    receivable: i64,
    revenue: i64,
    document: Option<String>,
}

/// The newest balance of one of the account's ledger accounts: one probe of an index.
macro_rules! newest {
    ($account:literal) => {
        concat!(
            "COALESCE((SELECT e.balance_micros FROM journal_entries e \
             WHERE e.tenant_id = accounts.tenant_id AND e.account = '",
            $account,
            "' ORDER BY e.account_sequence DESC LIMIT 1), 0) AS ",
            $account
        )
    };
}

/// The columns of a [`Row`].
macro_rules! columns {
    () => {
        concat!(
            "tenant_id, currency, timezone, version, last_charge, ticked_ms, standing, \
             standing_since_ms, episode, ",
            newest!("cash"),
            ", ",
            newest!("bonus"),
            ", ",
            newest!("holds"),
            ", ",
            newest!("receivable"),
            ", ",
            newest!("revenue"),
            ", (SELECT s.document FROM account_settings s WHERE s.tenant_id = accounts.tenant_id \
             ORDER BY s.number DESC LIMIT 1) AS document"
        )
    };
}

const SELECT: &str = concat!("SELECT ", columns!(), " FROM accounts WHERE tenant_id = $1");
const LOCK_AND_SELECT: &str = concat!(
    "UPDATE accounts SET version = version + 1 WHERE tenant_id = $1 RETURNING ",
    columns!()
);

fn from_row(row: Row) -> Result<Account> {
    let settings = settings::read(row.document.as_deref())?;
    let wallet = Wallet {
        cash: Micros(row.cash),
        bonus: Micros(row.bonus),
        holds: Micros(row.holds),
        receivable: Micros(row.receivable),
    };
    Ok(Account {
        tenant_id: parse(&row.tenant_id)?,
        currency: row.currency,
        timezone: zone(&row.timezone)?,
        version: row.version,
        posted: wallet.balance(),
        wallet,
        earned: Micros(row.revenue),
        credit_limit: settings.credit_limit.unwrap_or_default(),
        settings,
        last_charge: row.last_charge,
        ticked: Timestamp::from_ms(row.ticked_ms),
        standing: row.standing.parse()?,
        standing_since: Timestamp::from_ms(row.standing_since_ms),
        episode: row.episode,
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
    zone(&settings.timezone)?;
    sqlx::query(
        "INSERT INTO accounts (tenant_id, currency, timezone, version, last_charge, ticked_ms, \
         standing, standing_since_ms, episode, created_ms) \
         VALUES ($1, $2, $3, 0, 0, $4, 'active', $4, 0, $4)",
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

/// As one statement sees it: its balances are of one moment.
pub async fn get(conn: &mut Conn, tenant: TenantId) -> Result<Account> {
    one(conn, SELECT, tenant).await
}

async fn one(conn: &mut Conn, sql: &'static str, tenant: TenantId) -> Result<Account> {
    let row: Option<Row> =
        sqlx::query_as(sql).bind(tenant.to_string()).fetch_optional(conn).await?;
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
