//! A tenant's bill for a period: what was charged, line by line.
//!
//! The period is that of the charges: a charge belongs to it if the instant up to which it rates
//! lies after `from` and not after `to`, so that bills of adjoining periods take each charge once.
//! Ends of months are instants at which charges end. The subtotal is the sum of the ledger's
//! entries of these charges, and the lines add up to it, or there is no bill.

use base::{
    Error, Result,
    db::Conn,
    id::TenantId,
    money::{Micros, Nanos},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    accounts,
    balance::snapshot,
    close::{
        charges::KnownTerms,
        joined::{Joined, Stretch},
    },
    explain::LineId,
    prices::components::{self, Per},
    rating::lines::{self, Which, goes_on},
};

mod export;

pub use export::{csv, text};

/// Rated lines that one bill may be made of (before they are joined).
pub const LINES_MAX: usize = 1_000_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BillLine {
    /// "instance web-1, flavor small", "disk of web-1, 1 GiB".
    pub what: String,
    pub resource_kind: String,
    pub resource_id: String,
    pub resource_name: String,
    pub meter: String,
    /// `instance.compute`.
    pub component: String,
    /// The first of the rated lines that it joins; the others stand behind it in `/v1/lines`, with
    /// adjustments of their time between them.
    #[schema(value_type = String, example = "0193c5f0-…-8a51.42.0")]
    pub first_line: LineId,
    pub from: Timestamp,
    pub to: Timestamp,
    /// `standard`, `graduated`, `volume`, `package`.
    pub model: String,
    /// How much the price is for: 1073741824, where bytes have a price by the GiB.
    pub unit: i64,
    /// Whether that is for an hour of it, for itself, or for a month.
    pub per: Per,
    /// Of a standard price; zero of the others.
    pub unit_price: Nanos,
    /// Units at once, or, of what is counted, all of them; below zero in an adjustment that takes
    /// back.
    pub quantity: i64,
    pub amount: Micros,
    /// It corrects what was charged for a time that had passed already.
    pub adjustment: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Bill {
    pub tenant_id: TenantId,
    pub tenant_name: String,
    pub currency: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub lines: Vec<BillLine>,
    /// The sum of the lines, and of the ledger's charges of the period.
    pub subtotal: Micros,
    /// Used at `accrued_at`, but not posted yet, and in no line.
    pub accrued: Micros,
    pub accrued_at: Timestamp,
}

/// The bill as posted; see [`post_and_bill`].
///
/// A read of its own takes a moment per statement; to see one moment, read under a transaction that
/// holds the account's lock, as [`post_and_bill`] does.
pub async fn bill(
    conn: &mut Conn,
    tenant: TenantId,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
) -> Result<Bill> {
    if to <= from {
        return Err(Error::invalid("to", "a bill's period must end after it begins"));
    }
    let lines = joined(lines(conn, tenant, from, to).await?);
    let snapshot = snapshot(conn, now, tenant).await?;
    let subtotal = lines.iter().try_fold(Micros::ZERO, |sum, line| sum.checked_add(line.amount))?;
    let tenant_name: String = sqlx::query_scalar("SELECT name FROM tenants WHERE id = $1")
        .bind(tenant.to_string())
        .fetch_one(&mut *conn)
        .await?;
    Ok(Bill {
        tenant_id: tenant,
        tenant_name,
        currency: snapshot.account.currency,
        from,
        to,
        lines,
        subtotal,
        accrued: snapshot.accrued,
        accrued_at: now,
    })
}

/// Posts what is accrued up to now, and bills. In a write transaction.
pub async fn post_and_bill(
    conn: &mut Conn,
    tenant: TenantId,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
) -> Result<Bill> {
    crate::balance::post_accrued(conn, now, tenant).await?;
    let bill = bill(conn, tenant, from, to, now).await?;
    let ledger = charged(conn, tenant, from, to).await?;
    if ledger != bill.subtotal {
        return Err(Error::internal(format!(
            "the lines of tenant {tenant} add up to {}, its ledger to {ledger}",
            bill.subtotal
        )));
    }
    Ok(bill)
}

/// What the ledger charged in the period.
pub async fn charged(
    conn: &mut Conn,
    tenant: TenantId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Micros> {
    let sum: Option<i64> = sqlx::query_scalar(
        "SELECT CAST(SUM(CASE e.direction WHEN 'credit' THEN e.amount_micros \
           ELSE -e.amount_micros END) AS BIGINT) \
         FROM journal t JOIN journal_entries e ON e.transaction_id = t.id \
         WHERE t.tenant_id = $1 AND t.kind = 'charge' AND t.at_ms > $2 AND t.at_ms <= $3 \
           AND e.account IN ('revenue', 'tax')",
    )
    .bind(tenant.to_string())
    .bind(from.ms())
    .bind(to.ms())
    .fetch_one(conn)
    .await?;
    Ok(Micros(sum.unwrap_or_default()))
}

async fn lines(
    conn: &mut Conn,
    tenant: TenantId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<BillLine>> {
    let rated = lines::lines(conn, tenant, Which::Charged(from, to), LINES_MAX + 1).await?;
    if rated.len() > LINES_MAX {
        return Err(Error::invalid("from", "the period has too many charges for one bill")
            .remedy("ask for a shorter period"));
    }
    let flavors = lines::flavor_names(conn, &rated).await?;
    let mut known = KnownTerms::default();
    let mut all = Vec::with_capacity(rated.len());
    for line in rated {
        let terms = known.of(conn, &line).await?;
        all.push(BillLine {
            what: line.what(&flavors),
            meter: line.meter(),
            first_line: LineId { tenant, charge: line.charge, position: line.position },
            from: line.from,
            to: line.to,
            model: terms.model.to_owned(),
            unit: terms.unit,
            per: components::component(&line.component).map_or(Per::Hour, |known| known.per),
            unit_price: line.unit_price,
            quantity: line.quantity,
            amount: line.gross(),
            adjustment: line.is_adjustment(),
            component: line.component,
            resource_kind: line.resource_kind,
            resource_id: line.resource_id,
            resource_name: line.resource_name,
        });
    }
    Ok(all)
}

/// Hourly lines of the same thing at the same price become one, then all in order of time.
fn joined(lines: Vec<BillLine>) -> Vec<BillLine> {
    let mut all = Joined::new();
    let mut series: Option<[String; 4]> = None;
    for line in lines {
        let of = [&line.resource_kind, &line.resource_id, &line.component, &line.meter];
        if series.as_ref().is_none_or(|series| series.each_ref() != of) {
            all.end_series();
            series = Some(of.map(String::clone));
        }
        if let Some(first) = all.join(line) {
            all.begin(first);
        }
    }
    let mut all = all.done();
    all.sort_by(|a, b| {
        let (of_a, of_b) = ((&a.resource_id, &a.meter), (&b.resource_id, &b.meter));
        (a.from, of_a, a.rank()).cmp(&(b.from, of_b, b.rank()))
    });
    all
}

impl Stretch for BillLine {
    fn from(&self) -> Timestamp {
        self.from
    }

    fn to(&self) -> Timestamp {
        self.to
    }

    fn rank(&self) -> u8 {
        u8::from(self.adjustment)
    }

    fn join(&mut self, next: &Self) -> bool {
        let like = self.to == next.from
            && self.what == next.what
            && self.resource_id == next.resource_id
            && self.meter == next.meter
            && self.unit_price == next.unit_price
            && (&self.model, self.unit) == (&next.model, next.unit)
            && self.adjustment == next.adjustment;
        let quantity = goes_on(&self.component, self.quantity, next.quantity);
        let (true, Some(quantity), Ok(amount)) =
            (like, quantity, self.amount.checked_add(next.amount))
        else {
            return false;
        };
        (self.to, self.quantity, self.amount) = (next.to, quantity, amount);
        true
    }
}

/// The instants of the tenant's current billing month, up to now.
pub async fn current_month(
    conn: &mut Conn,
    tenant: TenantId,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp)> {
    let zone = accounts::get(conn, tenant).await?.timezone;
    Ok((crate::calendar::Month::of(now, zone).start(zone), now))
}
