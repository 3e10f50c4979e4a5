//! Months of a replay: closing them, credit notes, names that change; and the invoices that come out.

use std::collections::HashMap;

use base::{
    Result,
    db::Conn,
    id::{InvoiceId, TenantId},
    reconcile::Reconciler,
    time::Timestamp,
};
use serde_json::{Value, json};

use super::world::World;
use crate::{
    calendar::Month,
    close::{self, MonthReconciler},
    invoice::{
        self,
        notes::{self, Amount},
    },
};

/// Invoices of one report.
const INVOICES_MAX: i64 = 100_000;

/// Closes what is due; when the next month is.
pub async fn run(world: &World<'_>) -> Result<Option<Timestamp>> {
    let (db, clock, bus) = (world.db.clone(), world.clock(), world.bus.clone());
    let months = MonthReconciler::new(db, clock, bus, world.settings.clone());
    Ok(super::play::sound_outcome(months.run().await?)?.wake_at)
}

pub async fn close(world: &World<'_>, tenant: &str, month: Month) -> Result<()> {
    let mut tx = world.db.begin_write().await?;
    let (now, tenant) = (world.server_now(), world.tenants[tenant]);
    close::close(&mut tx, now, &world.settings, tenant, month).await?;
    Ok(tx.commit().await?)
}

pub async fn credit(
    world: &World<'_>,
    tenant: &str,
    month: Month,
    amount: Amount,
    reason: &str,
) -> Result<()> {
    let mut tx = world.db.begin_write().await?;
    let now = world.server_now();
    let invoice = of_month(&mut tx, world.tenants[tenant], month).await?;
    let settings = &world.settings.invoice;
    notes::credit(&mut tx, now, settings, invoice, amount, reason, "user:replay").await?;
    Ok(tx.commit().await?)
}

async fn of_month(conn: &mut Conn, tenant: TenantId, month: Month) -> Result<InvoiceId> {
    let all = close::closings(conn, tenant).await?;
    let found = all.into_iter().find(|closing| closing.month == month);
    found
        .and_then(|closing| closing.invoice_id)
        .ok_or_else(|| base::Error::not_found(format_args!("an invoice of {month}")))
}

pub async fn rename(world: &World<'_>, tenant: &str, to: &str) -> Result<()> {
    let mut tx = world.db.begin_write().await?;
    identity::tenants::rename(&mut tx, world.tenants[tenant], to).await?;
    Ok(tx.commit().await?)
}

/// In the order of their numbers.
pub async fn report(conn: &mut Conn, world: &World<'_>) -> Result<Vec<Value>> {
    let names: HashMap<TenantId, &str> =
        world.tenants.iter().map(|(name, id)| (*id, name.as_str())).collect();
    let mut all = invoice::list(conn, None, None, INVOICES_MAX).await?;
    all.sort_by(|a, b| a.number.cmp(&b.number));
    let entry = |invoice: &invoice::Invoice| {
        json!({
            "tenant": names.get(&invoice.tenant_id), "month": invoice.month,
            "number": invoice.number, "currency": invoice.currency,
            "net": invoice.net, "tax": invoice.tax, "total": invoice.total,
            "rounding": invoice.rounding, "credited": invoice.credited,
        })
    };
    Ok(all.iter().map(entry).collect())
}
