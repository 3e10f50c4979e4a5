//! Invoices: what a closed month comes to, numbered without gaps, frozen with all that they say.
//!
//! ```text
//! close::charges --content--> Content (names, prices, party, zone, digits) --issue--> number, JSON
//!                                                                                      |
//!       JSON as it was issued  <--documents--  HTML, CSV (FOCUS), PDF: made from it alone, once
//! ```
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`content`] | what an invoice says: charges, sums, rounding to the currency's digits |
//! | [`issue`] | the number, and the insert of it all |
//! | [`documents`] | formats made from the frozen content, kept as bytes |
//! | [`words`] | the words of the printed forms, in English and Chinese |
//! | [`sheet`] | the printed form as texts: what HTML and PDF draw |
//! | [`html`] | one page that needs nothing else, fit for print |
//! | [`measure`] | how much of what a line is of |
//! | [`focus`] | CSV in the columns of FOCUS 1.2 |
//! | [`notes`] | credit notes, never above the invoice |
//! | `books` | what they move in the ledger |
//! | `pdf` | PDF, with the cargo feature of that name |
//!
//! Nothing that is shown of an invoice is read from anywhere but its content: renaming a tenant or
//! changing a price leaves its bytes as they are.

use base::{
    Error, Result,
    db::{Conn, found},
    id::{InvoiceId, TenantId},
    money::Micros,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{close::charges::Charge, sql::parse};

mod books;
pub mod content;
pub mod documents;
pub mod focus;
pub mod html;
pub mod issue;
pub mod measure;
pub mod notes;
#[cfg(feature = "pdf")]
pub mod pdf;
mod settings;
pub mod sheet;
pub mod words;

pub use content::Content;
pub use documents::{Document, Format};
pub use settings::{Language, PartySettings, Settings};

/// An invoice without its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Invoice {
    pub id: InvoiceId,
    /// As printed: `INV-000042`. Numbers of a series have no gaps.
    pub number: String,
    pub tenant_id: TenantId,
    /// `YYYY-MM` in the tenant's billing zone.
    pub month: String,
    /// ISO 4217.
    pub currency: String,
    /// Digits of the currency after the point.
    pub digits: u32,
    pub net: Micros,
    pub tax: Micros,
    /// `net` plus `tax`, payable in the currency.
    pub total: Micros,
    /// What the total has more than its lines: less than half of the currency's smallest amount.
    pub rounding: Micros,
    /// Taken back by credit notes.
    pub credited: Micros,
    pub issued_at: Timestamp,
}

type Row = (String, String, i64, String, String, String, i64, i64, i64, i64, i64, i64);
macro_rules! select {
    () => {
        "SELECT i.id, i.series, i.number, i.tenant_id, i.month, i.currency, i.net_micros, \
         i.tax_micros, i.total_micros, i.rounding_micros, \
         (SELECT CAST(COALESCE(SUM(n.total_micros), 0) AS BIGINT) FROM credit_notes n \
          WHERE n.invoice_id = i.id), i.issued_ms FROM invoices i"
    };
}

fn from_row(row: Row) -> Result<Invoice> {
    let (id, series, number, tenant, month, currency, net, tax, total, rounding, credited, at) =
        row;
    let digits = currency.parse::<base::money::Currency>()?.digits();
    Ok(Invoice {
        id: parse(&id)?,
        number: printed(&series, number),
        tenant_id: parse(&tenant)?,
        month,
        currency,
        digits,
        net: Micros(net),
        tax: Micros(tax),
        total: Micros(total),
        rounding: Micros(rounding),
        credited: Micros(credited),
        issued_at: Timestamp::from_ms(at),
    })
}

/// A number as people read it.
pub fn printed(series: &str, number: i64) -> String {
    format!("{series}-{number:06}")
}

pub async fn get(conn: &mut Conn, id: InvoiceId) -> Result<Invoice> {
    let row: Option<Row> = sqlx::query_as(concat!(select!(), " WHERE i.id = $1"))
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    from_row(found(row, format_args!("invoice {id}"))?)
}

/// Newest first, after `cursor`; of one tenant, or of all.
pub async fn list(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    cursor: Option<InvoiceId>,
    limit: i64,
) -> Result<Vec<Invoice>> {
    // No id sorts after this one.
    let before = cursor.map_or_else(|| "g".to_owned(), |id| id.to_string());
    // Two statements, so that a tenant's are found by its index.
    let sql = match tenant {
        Some(_) => {
            concat!(select!(), " WHERE i.id < $1 AND i.tenant_id = $3 ORDER BY i.id DESC LIMIT $2")
        }
        None => concat!(select!(), " WHERE i.id < $1 ORDER BY i.id DESC LIMIT $2"),
    };
    let mut query = sqlx::query_as(sql).bind(before).bind(limit);
    if let Some(tenant) = tenant {
        query = query.bind(tenant.to_string());
    }
    let rows: Vec<Row> = query.fetch_all(conn).await?;
    rows.into_iter().map(from_row).collect()
}

/// Whether there is anything to invoice.
pub(crate) fn is_worth(charges: &[Charge]) -> bool {
    charges.iter().any(|c| c.net != Micros::ZERO || c.tax != Micros::ZERO)
}

fn too_large() -> Error {
    Error::internal("the invoice's sum is beyond what the ledger can hold")
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
