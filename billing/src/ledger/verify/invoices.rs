//! What invoices and credit notes say, against what they moved in the ledger.

use std::collections::HashMap;

use base::{Result, db::Conn, id::TenantId};

use super::{Looked, tenant::Books};
use crate::ledger::chart::Kind;

pub(super) async fn check(
    conn: &mut Conn,
    tenant: TenantId,
    books: &Books,
    looked: &mut Looked,
) -> Result<()> {
    roundings(conn, tenant, books, looked).await?;
    notes(conn, tenant, books, looked).await
}

async fn roundings(
    conn: &mut Conn,
    tenant: TenantId,
    books: &Books,
    looked: &mut Looked,
) -> Result<()> {
    let mut posted: HashMap<&str, i128> = books
        .transactions
        .values()
        .filter_map(|sums| Some((sums.rounds.as_deref()?, sums.rounding)))
        .collect();
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT id, month, rounding_micros FROM invoices WHERE tenant_id = $1")
            .bind(tenant.to_string())
            .fetch_all(conn)
            .await?;
    for (id, month, rounding) in &rows {
        let of_it = posted.remove(month.as_str()).unwrap_or_default();
        if of_it != i128::from(*rounding) {
            let detail = format!("it rounds by {rounding}, the ledger by {of_it} micro-units");
            looked.find("invoices", tenant, id, detail);
        }
    }
    for (month, rounding) in posted {
        let detail = format!("{rounding} micro-units are rounded for no invoice");
        looked.find("invoices", tenant, month, detail);
    }
    Ok(())
}

async fn notes(
    conn: &mut Conn,
    tenant: TenantId,
    books: &Books,
    looked: &mut Looked,
) -> Result<()> {
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT n.id, n.transaction_id, n.net_micros, n.tax_micros FROM credit_notes n \
         JOIN invoices i ON i.id = n.invoice_id WHERE i.tenant_id = $1",
    )
    .bind(tenant.to_string())
    .fetch_all(conn)
    .await?;
    for (id, transaction, net, tax) in &rows {
        let posted = books.of_kind(transaction, Kind::CreditNote).map(|s| (-s.net, -s.tax));
        if posted != Some((i128::from(*net), i128::from(*tax))) {
            let detail = format!(
                "it is of {net} and {tax} of tax, its transaction of {posted:?} micro-units"
            );
            looked.find("invoices", tenant, id, detail);
        }
    }
    let known = |id: &String| rows.iter().any(|(_, transaction, ..)| transaction == id);
    for (id, sums) in &books.transactions {
        if sums.kind == Kind::CreditNote && !known(id) {
            looked.find("invoices", tenant, id, "no credit note says so".to_owned());
        }
    }
    Ok(())
}
