//! Charging the months that have begun. Which were charged is told by their lines, so that a second
//! look finds nothing to do, whoever takes it.

use std::collections::BTreeMap;

use base::{
    Result,
    db::Conn,
    id::{PackageOrderId, TenantId},
    money::Micros,
    outbox::{self, Notice},
    time::Timestamp,
};
use chrono_tz::Tz;

use super::{
    COMPONENT, KIND, NEVER_MS,
    months::{self, MONTHS_MAX},
};
use crate::{
    accounts::{self, Account, Locked},
    agenda::{self, Due},
    forecast::Renewal,
    ledger::over,
    prices::{self, timeline::Timeline},
    rating::{
        Posted,
        book::ResourceId,
        plan::Usage,
        purchases::{self, Purchase},
    },
    sql::parse,
};

/// Renewals that a forecast looks ahead, of one package.
const AHEAD_MAX: u32 = 24;

/// An order of which months are left to be looked at.
#[derive(Debug, Clone)]
struct Open {
    id: PackageOrderId,
    name: String,
    rate: String,
    starts: Timestamp,
    /// From when on.
    due: Timestamp,
    /// No month begins then or later.
    ends: Timestamp,
}

async fn open(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Open>> {
    let rows: Vec<(String, String, String, i64, i64, i64)> = sqlx::query_as(
        "SELECT o.id, o.name, o.rate, o.starts_ms, r.due_ms, COALESCE(e.ends_ms, $2) \
         FROM package_renewals r JOIN package_orders o ON o.id = r.order_id \
         LEFT JOIN package_ends e ON e.order_id = o.id \
         WHERE r.tenant_id = $1 AND r.due_ms < $2 ORDER BY r.due_ms, o.id",
    )
    .bind(tenant.to_string())
    .bind(NEVER_MS)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, name, rate, starts, due, ends)| {
            let ms = Timestamp::from_ms;
            let (starts, due, ends) = (ms(starts), ms(due), ms(ends));
            Ok(Open { id: parse(&id)?, name, rate, starts, due, ends })
        })
        .collect()
}

impl Open {
    /// What the months from its due instant on that have begun at `now` are to cost, and from when on the
    /// package has no price any more: the order ends there, and what was charged for later months goes
    /// back.
    fn begun(
        &self,
        now: Timestamp,
        zone: Tz,
        prices: &Timeline,
    ) -> (Vec<Purchase>, Option<Timestamp>) {
        let first = months::next(self.starts, self.due, zone).number;
        let all = (first..MONTHS_MAX).map(|number| months::month(self.starts, number, zone));
        let mut lapsed = None;
        let purchases = all
            .take_while(|month| month.from <= now && month.from < self.ends)
            .map(|month| {
                if prices.named(COMPONENT, &self.rate, month.from).is_none() {
                    lapsed = lapsed.or(Some(month.from));
                }
                self.purchase(month, lapsed.is_none())
            })
            .collect();
        (purchases, lapsed)
    }

    fn resource(&self) -> ResourceId {
        ResourceId { kind: KIND.to_owned(), id: self.id.to_string() }
    }

    fn purchase(&self, month: months::PaidMonth, is_sold: bool) -> Purchase {
        Purchase {
            resource: self.resource(),
            name: self.name.clone(),
            component: COMPONENT,
            rate: is_sold.then(|| self.rate.clone()),
            from: month.from,
            to: month.to,
        }
    }
}

/// Charges the months of the tenant's packages that have begun and were not charged, and what
/// corrected prices changed of those that were. Takes the account's lock. After the commit the caller
/// publishes `Topic::Money` where lines were posted.
pub async fn renew(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Posted> {
    let account = accounts::lock(conn, tenant).await?;
    if due(conn, now, tenant).await?.is_empty() {
        return Ok(Posted::default());
    }
    let (_, ended) = over::end_before(conn, account, now).await?;
    let posted = renew_up_to(conn, now, tenant).await?;
    Ok(Posted { ended, ..posted })
}

async fn due(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Vec<Open>> {
    Ok(open(conn, tenant).await?.into_iter().filter(|order| order.due <= now).collect())
}

/// As [`renew`], where nothing is over by then.
pub(crate) async fn renew_up_to(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
) -> Result<Posted> {
    let mut account = accounts::lock(conn, tenant).await?;
    let due = due(conn, now, tenant).await?;
    if due.is_empty() {
        return Ok(Posted::default());
    }
    let zone = account.timezone;
    let prices = prices::load::timeline(conn, tenant).await?;
    let mut all: Vec<Purchase> = Vec::new();
    for order in due {
        let (begun, lapsed) = order.begun(now, zone, &prices);
        all.extend(begun);
        if let Some(at) = lapsed {
            lapse(conn, now, &account, &order, at).await?;
        }
        let ends = lapsed.unwrap_or(order.ends);
        let next = months::next(order.starts, now.saturating_add_ms(1), zone);
        let left = next.from < ends && next.number < MONTHS_MAX;
        set_due(conn, order.id, if left { next.from.ms() } else { NEVER_MS }).await?;
    }
    let posted = purchases::post(conn, now, &mut account, prices, &all).await?;
    // What is paid now was forecast; what comes next was perhaps not.
    agenda::touch(conn, tenant, Due::Stand).await?;
    Ok(posted)
}

pub(super) async fn set_due(conn: &mut Conn, order: PackageOrderId, due_ms: i64) -> Result<()> {
    sqlx::query("UPDATE package_renewals SET due_ms = $2 WHERE order_id = $1")
        .bind(order.to_string())
        .bind(due_ms)
        .execute(conn)
        .await?;
    Ok(())
}

/// Months that begin at `from` or later may cost something else. The account's lock is held.
pub(crate) async fn look_again(conn: &mut Conn, tenant: TenantId, from: Timestamp) -> Result<()> {
    sqlx::query("UPDATE package_renewals SET due_ms = $2 WHERE tenant_id = $1 AND due_ms > $2")
        .bind(tenant.to_string())
        .bind(from.ms())
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends an order whose package has no price any more, and tells its tenant.
async fn lapse(
    conn: &mut Conn,
    now: Timestamp,
    account: &Locked,
    order: &Open,
    at: Timestamp,
) -> Result<()> {
    let reason = format!("the prices have no package {}", order.rate);
    super::orders::end(conn, now, order.id, at, &reason, "system:packages").await?;
    let (name, tenant) = (&order.name, account.tenant_id);
    let notice = Notice {
        key: format!("package:lapsed:{}", order.id),
        topic: "balance".to_owned(),
        tenant_id: Some(tenant),
        subject: format!("package {name} was not renewed"),
        body: format!("Package {name} ended at {at} and was not renewed: {reason}."),
        data: serde_json::json!({ "tenant_id": tenant, "package": order.id, "rate": order.rate }),
    };
    outbox::enqueue(conn, now, &notice).await.map(|_| ())
}

/// What an account's packages mean to its balance.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Begun and not posted, with tax.
    pub accrued: Micros,
    /// What will be charged, and when: at most [`AHEAD_MAX`] months of each package.
    pub renewals: BTreeMap<Timestamp, Vec<Renewal>>,
}

/// As of `at`. Reading changes nothing.
pub(crate) async fn ahead(
    conn: &mut Conn,
    account: &Account,
    usage: &mut Usage,
    at: Timestamp,
) -> Result<Ahead> {
    let prices = &usage.prices;
    let mut ahead = Ahead::default();
    let zone = account.timezone;
    let mut begun: Vec<Purchase> = Vec::new();
    for order in open(conn, account.tenant_id).await? {
        let (due, lapsed) = order.begun(at, zone, prices);
        begun.extend(due);
        if lapsed.is_some() {
            continue;
        }
        let first = months::next(order.starts, at.saturating_add_ms(1), zone).number;
        for number in (first..MONTHS_MAX).take(AHEAD_MAX as usize) {
            let month = months::month(order.starts, number, zone);
            if month.from >= order.ends {
                break;
            }
            if prices.named(COMPONENT, &order.rate, month.from).is_none() {
                break;
            }
            let resource = usage.book.resource(&order.resource());
            let renewal = Renewal { resource, rate: order.rate.clone() };
            ahead.renewals.entry(month.from).or_default().push(renewal);
        }
    }
    if !begun.is_empty() {
        let (_, plan) = purchases::plan(conn, account, prices.clone(), &begun).await?;
        ahead.accrued = purchases::amount(&plan);
    }
    Ok(ahead)
}
