//! Months of a replay: closing them, credit notes, names that change; and the invoices that come out.

use std::collections::HashMap;

use base::{
    Result,
    db::Conn,
    id::{InvoiceId, TenantId},
    reconcile::Reconciler,
    secret,
    time::Timestamp,
};
use serde_json::{Value, json};

use super::world::World;
use crate::{
    accounts,
    calendar::Month,
    close::{self, MonthReconciler},
    invoice::{
        self, Format, documents,
        notes::{self, Amount},
    },
    prices::publish,
};

/// Invoices of one report.
const INVOICES_MAX: i64 = 100_000;

/// Closes what is due; when the next month is.
pub async fn run(world: &mut World<'_>) -> Result<Option<Timestamp>> {
    let (db, clock, bus) = (world.db.clone(), world.clock(), world.bus.clone());
    let months = MonthReconciler::new(db, clock, bus, world.settings.clone());
    let outcome = super::play::sound_outcome(months.run().await?)?;
    if outcome.status["invoices"] != 0 {
        keep(world).await?;
    }
    Ok(outcome.wake_at)
}

pub async fn close(world: &mut World<'_>, tenant: &str, month: Month) -> Result<()> {
    let mut tx = world.db.begin_write().await?;
    let (now, tenant) = (world.server_now(), world.tenants[tenant]);
    close::close(&mut tx, now, &world.settings, tenant, month).await?;
    tx.commit().await?;
    keep(world).await
}

/// Notes what the forms of invoices are that are new.
async fn keep(world: &mut World<'_>) -> Result<()> {
    let all = invoice::list(&mut *world.db.read().await?, None, None, INVOICES_MAX).await?;
    for invoice in all {
        if !world.issued.contains_key(&invoice.id) {
            let forms = forms(world, invoice.id).await?;
            world.issued.insert(invoice.id, forms);
        }
    }
    Ok(())
}

/// The hashes of an invoice's forms: as they are kept, and as its content makes them now.
async fn forms(world: &World<'_>, id: InvoiceId) -> Result<Vec<String>> {
    let (now, settings) = (world.server_now(), &world.settings.invoice);
    let mut all = Vec::new();
    for format in [Format::Json, Format::Html, Format::Csv] {
        let kept = documents::document(&world.db, now, settings, id, format, None).await?;
        all.push(kept.sha256);
        let content = documents::content(&mut *world.db.read().await?, id).await?;
        let language = content.language;
        let made = documents::render(settings, content, format, language).await?;
        all.push(secret::sha256_hex(made));
    }
    Ok(all)
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

/// Marks what was posted since `from`, so that it is rated again.
pub async fn rerate(world: &World<'_>, tenant: Option<&String>, from: Timestamp) -> Result<()> {
    for (name, id) in &world.tenants {
        if tenant.is_none_or(|tenant| tenant == name) {
            let mut tx = world.db.begin_write().await?;
            accounts::lock(&mut tx, *id).await?;
            publish::mark_dirty(&mut tx, *id, from).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// In which month each line is invoiced: the first to close that is not before its own and comes
/// after its charge.
pub struct Invoiced(HashMap<String, Vec<(Month, i64)>>);

impl Invoiced {
    pub async fn load(conn: &mut Conn) -> Result<Self> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT tenant_id, month, settled FROM month_closings ORDER BY tenant_id, month",
        )
        .fetch_all(conn)
        .await?;
        let mut all: HashMap<String, Vec<(Month, i64)>> = HashMap::new();
        for (tenant, month, settled) in rows {
            all.entry(tenant).or_default().push((month.parse()?, settled));
        }
        Ok(Self(all))
    }

    pub fn month(&self, tenant: &str, own: &str, charge: i64) -> Result<String> {
        let own: Month = own.parse()?;
        let closed = self.0.get(tenant).map_or(&[][..], Vec::as_slice);
        let found = closed.iter().find(|(month, settled)| *month >= own && *settled >= charge);
        let open = closed.last().map_or(own, |(last, _)| last.next().max(own));
        Ok(found.map_or(open, |(month, _)| *month).to_string())
    }
}

/// In the order of their numbers.
pub async fn report(conn: &mut Conn, world: &World<'_>) -> Result<Vec<Value>> {
    let names: HashMap<TenantId, &str> =
        world.tenants.iter().map(|(name, id)| (*id, name.as_str())).collect();
    let mut all = invoice::list(conn, None, None, INVOICES_MAX).await?;
    all.sort_by(|a, b| a.number.cmp(&b.number));
    let mut unchanged: HashMap<InvoiceId, bool> = HashMap::new();
    for invoice in &all {
        let same = world.issued.get(&invoice.id) == Some(&forms(world, invoice.id).await?);
        unchanged.insert(invoice.id, same);
    }
    let entry = |invoice: &invoice::Invoice| {
        json!({
            "unchanged": unchanged.get(&invoice.id),
            "tenant": names.get(&invoice.tenant_id), "month": invoice.month,
            "number": invoice.number, "currency": invoice.currency,
            "net": invoice.net, "tax": invoice.tax, "total": invoice.total,
            "rounding": invoice.rounding, "credited": invoice.credited,
        })
    };
    Ok(all.iter().map(entry).collect())
}
