//! Credit notes: they take back a part of an invoice, and never more than there is of it.

use base::{
    Error, Result,
    db::{Conn, found},
    id::{CreditNoteId, InvoiceId, LedgerTransactionId},
    money::{Currency, Micros, div_half_even},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Invoice, Settings, books, issue, printed};
use crate::{accounts, sql::parse};

pub const REASON_MAX_CHARS: usize = 200;
/// Of one invoice.
pub const NOTES_MAX: i64 = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CreditNote {
    pub id: CreditNoteId,
    /// As printed: `CN-000007`. Numbers have no gaps.
    pub number: String,
    pub invoice_id: InvoiceId,
    pub net: Micros,
    pub tax: Micros,
    /// `net` plus `tax`.
    pub total: Micros,
    pub reason: String,
    pub ledger_transaction_id: LedgerTransactionId,
    pub issued_at: Timestamp,
}

/// How much is taken back: the total, of which tax is its share, or both parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Amount {
    Total(Micros),
    Parts { net: Micros, tax: Micros },
}

type Row = (String, String, i64, String, i64, i64, i64, String, String, i64);

fn from_row(row: Row) -> Result<CreditNote> {
    let (id, series, number, invoice, net, tax, total, reason, transaction, at) = row;
    Ok(CreditNote {
        id: parse(&id)?,
        number: printed(&series, number),
        invoice_id: parse(&invoice)?,
        net: Micros(net),
        tax: Micros(tax),
        total: Micros(total),
        reason,
        ledger_transaction_id: parse(&transaction)?,
        issued_at: Timestamp::from_ms(at),
    })
}

/// The invoice's, in the order in which they were issued.
pub async fn list(conn: &mut Conn, invoice: InvoiceId) -> Result<Vec<CreditNote>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, series, number, invoice_id, net_micros, tax_micros, total_micros, reason, \
         transaction_id, issued_ms FROM credit_notes WHERE invoice_id = $1 \
         ORDER BY issued_ms, number LIMIT $2",
    )
    .bind(invoice.to_string())
    .bind(NOTES_MAX)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(from_row).collect()
}

pub async fn get(conn: &mut Conn, id: CreditNoteId) -> Result<CreditNote> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, series, number, invoice_id, net_micros, tax_micros, total_micros, reason, \
         transaction_id, issued_ms FROM credit_notes WHERE id = $1",
    )
    .bind(id.to_string())
    .fetch_optional(conn)
    .await?;
    from_row(found(row, format_args!("credit note {id}"))?)
}

/// Issues a note and gives the money back on the tenant's account. After the commit the caller
/// publishes `Topic::Money` for the tenant.
pub async fn credit(
    conn: &mut Conn,
    now: Timestamp,
    settings: &Settings,
    invoice: InvoiceId,
    amount: Amount,
    reason: &str,
    actor: &str,
) -> Result<CreditNote> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX_CHARS {
        let message = format!("a credit note's reason has 1 to {REASON_MAX_CHARS} characters");
        return Err(Error::invalid("reason", message));
    }
    let tenant = super::get(conn, invoice).await?.tenant_id;
    let mut locked = accounts::lock(conn, tenant).await?;
    let invoice = super::get(conn, invoice).await?;
    let notes = list(conn, invoice.id).await?;
    if i64::try_from(notes.len()).unwrap_or(i64::MAX) >= NOTES_MAX {
        return Err(Error::conflict(format!("an invoice has at most {NOTES_MAX} credit notes")));
    }
    let (net, tax) = parts(&invoice, &notes, amount)?;
    let mut note = CreditNote {
        id: CreditNoteId::new(),
        number: String::new(),
        invoice_id: invoice.id,
        net,
        tax,
        total: net.checked_add(tax)?,
        reason: reason.to_owned(),
        ledger_transaction_id: LedgerTransactionId::new(),
        issued_at: now,
    };
    note.ledger_transaction_id = books::credit(conn, &mut locked, now, &note, actor).await?;
    // The row that everybody waits for comes last.
    let series = &settings.credit_note_series;
    let number = issue::next_number(conn, series).await?;
    note.number = printed(series, number);
    insert(conn, series, number, &note).await?;
    Ok(note)
}

async fn insert(conn: &mut Conn, series: &str, number: i64, note: &CreditNote) -> Result<()> {
    sqlx::query(
        "INSERT INTO credit_notes (id, series, number, invoice_id, net_micros, tax_micros, \
         total_micros, reason, transaction_id, issued_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(note.id.to_string())
    .bind(series)
    .bind(number)
    .bind(note.invoice_id.to_string())
    .bind(note.net.0)
    .bind(note.tax.0)
    .bind(note.total.0)
    .bind(&note.reason)
    .bind(note.ledger_transaction_id.to_string())
    .bind(note.issued_at.ms())
    .execute(conn)
    .await?;
    Ok(())
}

/// Net and tax of the note, payable and within what is left of the invoice.
fn parts(invoice: &Invoice, notes: &[CreditNote], amount: Amount) -> Result<(Micros, Micros)> {
    let currency: Currency = invoice.currency.parse()?;
    let credited =
        |part: fn(&CreditNote) -> Micros| -> i64 { notes.iter().map(|n| part(n).0).sum() };
    let (done_net, done_tax) = (credited(|n| n.net), credited(|n| n.tax));
    let left = (Micros(invoice.net.0 - done_net), Micros(invoice.tax.0 - done_tax));
    let (net, tax) = match amount {
        Amount::Parts { net, tax } => (net, tax),
        Amount::Total(total) => {
            let tax = share(currency, invoice, Micros(done_net + done_tax), total)?;
            let tax = Micros(tax.0.saturating_sub(done_tax).max(total.0.saturating_sub(left.0.0)));
            let tax = tax.min(left.1).clamp(Micros::ZERO, total.max(Micros::ZERO));
            (total.checked_sub(tax)?, tax)
        }
    };
    let total = net.checked_add(tax)?;
    if total <= Micros::ZERO || net < Micros::ZERO || tax < Micros::ZERO {
        return Err(Error::invalid("total", "a credit note takes back more than nothing"));
    }
    if !currency.is_payable(net) || !currency.is_payable(tax) {
        let digits = currency.digits();
        let message = format!("{currency} has {digits} digits after the point, not more");
        return Err(Error::invalid("total", message));
    }
    if net > left.0 || tax > left.1 {
        let (has_net, has_tax) = (currency.show(left.0), currency.show(left.1));
        return Err(Error::conflict(format!(
            "the note would take back {} (net {}, tax {}); of invoice {} {} is left (net {has_net}, \
             tax {has_tax})",
            currency.show(total),
            currency.show(net),
            currency.show(tax),
            invoice.number,
            currency.show(left.0.checked_add(left.1)?),
        ))
        .remedy("take back no more than what is left"));
    }
    Ok((net, tax))
}

/// The tax of all that is credited when `total` is added: it telescopes, so that crediting all of an
/// invoice in pieces credits its tax to the last digit.
fn share(currency: Currency, invoice: &Invoice, done: Micros, total: Micros) -> Result<Micros> {
    let all = i128::from(done.0) + i128::from(total.0);
    let unit = i128::from(currency.smallest().0);
    if invoice.total <= Micros::ZERO {
        return Ok(Micros::ZERO);
    }
    let units = div_half_even(all * i128::from(invoice.tax.0), i128::from(invoice.total.0) * unit);
    i64::try_from(units * unit)
        .map(Micros)
        .map_err(|_| Error::invalid("total", "the amount is beyond what the ledger can hold"))
}

#[cfg(test)]
mod tests;
