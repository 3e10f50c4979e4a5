//! Closing months: when a billing month is over for good, and becomes an invoice.
//!
//! ```text
//!        month                grace (72 h)
//! |---------------------|----------------------|------------------> time
//!                       ends_ms                closed: lines -> invoice, rounding -> ledger
//!     facts of the month that come until here: | what comes later is an adjustment that is
//!     lines of the month                       | invoiced with the next month, under its own label
//! ```
//!
//! Months close in order, one transaction each, under the account's lock. What a closing covers
//! follows from the account's last charge at that moment, which the closing keeps: a month's
//! invoice has the lines of the month, and those of earlier months that were charged after their
//! own closing. So every line is on exactly one invoice, whenever it comes.
//!
//! A month that can't be closed keeps all later ones open, and is a finding until it is
//! ([`unclosed`]).

use base::{
    Error, Result,
    db::Conn,
    id::{InvoiceId, TenantId},
    time::Timestamp,
};
use chrono_tz::Tz;

use crate::{
    Settings, accounts,
    calendar::Month,
    invoice::{self, issue},
    packages, rating,
    sql::parse,
};

pub mod charges;
pub(crate) mod joined;
mod reconciler;
pub mod unclosed;

pub use charges::charges;
pub use reconciler::MonthReconciler;

/// A month that was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    pub month: Month,
    pub ends: Timestamp,
    pub closed: Timestamp,
    /// The account's last charge then.
    pub settled: i64,
    /// None: there was nothing to invoice.
    pub invoice_id: Option<InvoiceId>,
}

type Row = (String, i64, i64, i64, String);
const COLUMNS: &str = "month, ends_ms, closed_ms, settled, invoice_id";

fn closing((month, ends, closed, settled, invoice): Row) -> Result<Closing> {
    Ok(Closing {
        month: month.parse()?,
        ends: Timestamp::from_ms(ends),
        closed: Timestamp::from_ms(closed),
        settled,
        invoice_id: if invoice.is_empty() { None } else { Some(parse(&invoice)?) },
    })
}

/// In one listing: a century.
pub const CLOSINGS_MAX: i64 = 1_200;

/// The tenant's closed months, newest first, at most [`CLOSINGS_MAX`].
pub async fn closings(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Closing>> {
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM month_closings WHERE tenant_id = $1 ORDER BY month DESC LIMIT $2"
    )))
    .bind(tenant.to_string())
    .bind(CLOSINGS_MAX)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(closing).collect()
}

/// Where the months stand: the newest closed one, and the one that closes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub last: Option<Closing>,
    pub next: Month,
    pub zone: Tz,
}

impl Progress {
    /// When the next month closes by itself.
    pub fn due(&self, settings: &Settings) -> Timestamp {
        self.next.end(self.zone).saturating_add_ms(settings.close_grace_ms)
    }

    /// The last charge that is settled.
    pub fn settled(&self) -> i64 {
        self.last.map_or(0, |closing| closing.settled)
    }
}

/// Months begin with the one in which the account was opened.
pub async fn progress(conn: &mut Conn, tenant: TenantId) -> Result<Progress> {
    let zone = accounts::get(conn, tenant).await?.timezone;
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM month_closings WHERE tenant_id = $1 ORDER BY month DESC LIMIT 1"
    )))
    .bind(tenant.to_string())
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(last) = row.map(closing).transpose()? {
        return Ok(Progress { last: Some(last), next: last.month.next(), zone });
    }
    let opened: i64 = sqlx::query_scalar("SELECT created_ms FROM accounts WHERE tenant_id = $1")
        .bind(tenant.to_string())
        .fetch_one(conn)
        .await?;
    Ok(Progress { last: None, next: Month::of(Timestamp::from_ms(opened), zone), zone })
}

/// Closes the month: one that is closed already is answered as it is, one that has not ended or
/// comes after an open one is refused. The grace is not waited for: that is the reconciler's to do.
/// After the commit the caller publishes `Topic::Money` for the tenant.
pub async fn close(
    conn: &mut Conn,
    now: Timestamp,
    settings: &Settings,
    tenant: TenantId,
    month: Month,
) -> Result<Closing> {
    close_by(conn, now, settings, tenant, month, charges::PAGE_LINES).await
}

async fn close_by(
    conn: &mut Conn,
    now: Timestamp,
    settings: &Settings,
    tenant: TenantId,
    month: Month,
    page_lines: usize,
) -> Result<Closing> {
    accounts::lock(conn, tenant).await?;
    let progress = progress(conn, tenant).await?;
    if month < progress.next {
        return known(conn, tenant, month).await;
    }
    if month > progress.next {
        return Err(Error::conflict(format!(
            "{month} can't be closed while {} is open",
            progress.next
        ))
        .remedy("months are closed in order"));
    }
    let ends = month.end(progress.zone);
    if now < ends {
        return Err(Error::conflict(format!("{month} ends at {ends}"))
            .remedy("a month is closed when it has ended"));
    }
    settled(conn, now, tenant, ends).await?;
    packages::renew(conn, now, tenant).await?;
    rating::close::post_end(conn, now, tenant, month).await?;
    let mut account = accounts::lock(conn, tenant).await?;
    let charges = charges(conn, tenant, month, progress.settled(), page_lines).await?;
    let invoice_id = match invoice::is_worth(&charges) {
        true => Some(InvoiceId::new()),
        false => None,
    };
    let closing = Closing { month, ends, closed: now, settled: account.last_charge, invoice_id };
    insert(conn, tenant, &closing).await?;
    unclosed::closed(conn, now, tenant, month).await?;
    if let Some(id) = invoice_id {
        issue::issue(conn, now, settings, &mut account, id, month, charges).await?;
    }
    Ok(closing)
}

async fn known(conn: &mut Conn, tenant: TenantId, month: Month) -> Result<Closing> {
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM month_closings WHERE tenant_id = $1 AND month = $2"
    )))
    .bind(tenant.to_string())
    .bind(month.to_string())
    .fetch_optional(conn)
    .await?;
    row.map(closing).transpose()?.ok_or_else(|| {
        Error::conflict(format!("tenant {tenant} had no account in {month}"))
            .remedy("name a month since its account was opened")
    })
}

/// Posts what is known of the month and not posted yet.
async fn settled(conn: &mut Conn, now: Timestamp, tenant: TenantId, ends: Timestamp) -> Result<()> {
    if accounts::get(conn, tenant).await?.ticked < ends {
        rating::catch_up(conn, now, tenant).await?;
    } else {
        rating::post_changed(conn, now, tenant).await?;
    }
    if accounts::get(conn, tenant).await?.ticked < ends {
        return Err(Error::unavailable("the month's use is not rated yet")
            .remedy("close it again when rating has caught up"));
    }
    Ok(())
}

async fn insert(conn: &mut Conn, tenant: TenantId, closing: &Closing) -> Result<()> {
    sqlx::query(
        "INSERT INTO month_closings (tenant_id, month, ends_ms, closed_ms, settled, \
         invoice_id) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tenant.to_string())
    .bind(closing.month.to_string())
    .bind(closing.ends.ms())
    .bind(closing.closed.ms())
    .bind(closing.settled)
    .bind(closing.invoice_id.map(|id| id.to_string()).unwrap_or_default())
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
