//! Ordering packages, cancelling them, and what a tenant has.

use base::{
    Error, ErrorKind, Result,
    db::{Conn, found},
    id::{PackageOrderId, TenantId},
    money::Micros,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{COMPONENT, NEVER_MS, months, renew};
use crate::{
    accounts, balance,
    prices::{load, timeline::Timeline},
    rating::compiled::Compiled,
    sql::parse,
};

pub const NAME_MAX_CHARS: usize = 100;
/// Orders of one tenant, with those that ended.
pub const ORDERS_MAX: i64 = 10_000;
/// In a refusal's text.
const SHOWN_MAX: usize = 10;

/// What is to be ordered, from now on.
#[derive(Debug, Clone, Copy)]
pub struct NewOrder<'a> {
    pub tenant: TenantId,
    /// As the tenant calls it; the rate's id where it is empty.
    pub name: &'a str,
    /// The rate's id in the tenant's prices.
    pub rate: &'a str,
    pub actor: &'a str,
}

/// An order as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Package {
    pub id: PackageOrderId,
    pub tenant_id: TenantId,
    pub name: String,
    /// What was ordered: the rate's id in the tenant's prices.
    pub rate: String,
    pub ordered_at: Timestamp,
    /// When its next month begins, which is charged then; none: it is not renewed.
    pub renews_at: Option<Timestamp>,
    /// When it ends, or ended; none: it goes on.
    pub ends_at: Option<Timestamp>,
    /// Why it ends; empty where it goes on.
    pub reason: String,
    /// What its next month costs with tax, as prices are published; none where it has none.
    pub price: Option<Micros>,
}

/// Orders a package, and charges its first month. Refused (`PaymentRequired`) where the money does
/// not suffice. After the commit the caller publishes `Topic::Money` for the tenant.
pub async fn order(conn: &mut Conn, now: Timestamp, new: &NewOrder<'_>) -> Result<Package> {
    let name = new.name.trim();
    let name = if name.is_empty() { new.rate } else { name };
    if name.chars().count() > NAME_MAX_CHARS || name.chars().any(char::is_control) {
        let message =
            format!("a package's name is one line of at most {NAME_MAX_CHARS} characters");
        return Err(Error::invalid("name", message));
    }
    let account = accounts::lock(conn, new.tenant).await?;
    let prices = load::timeline(conn, new.tenant).await?;
    let cost = cost(&prices, new.rate, now)?.ok_or_else(|| unknown(&prices, new.rate, now))?;
    let balance = balance::balance(conn, now, new.tenant).await?;
    let after = balance.balance.checked_add(account.credit_limit)?.checked_sub(cost)?;
    if after < Micros::ZERO {
        let (has, currency) = (balance.balance, &account.currency);
        let message = format!("the balance of {has} {currency} does not cover {cost} of a month");
        let missing = Micros(after.0.saturating_neg());
        return Err(Error::new(ErrorKind::PaymentRequired, message)
            .remedy(format!("top up at least {missing} {currency}")));
    }
    let all: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM package_orders WHERE tenant_id = $1")
        .bind(new.tenant.to_string())
        .fetch_one(&mut *conn)
        .await?;
    if all >= ORDERS_MAX {
        return Err(Error::conflict(format!("a tenant has at most {ORDERS_MAX} orders")));
    }
    let id = PackageOrderId::new();
    insert(conn, now, id, name, new).await?;
    renew(conn, now, new.tenant).await?;
    get(conn, now, new.tenant, id).await
}

async fn insert(
    conn: &mut Conn,
    now: Timestamp,
    id: PackageOrderId,
    name: &str,
    new: &NewOrder<'_>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO package_orders (id, tenant_id, name, rate, starts_ms, actor, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $5)",
    )
    .bind(id.to_string())
    .bind(new.tenant.to_string())
    .bind(name)
    .bind(new.rate)
    .bind(now.ms())
    .bind(new.actor)
    .execute(&mut *conn)
    .await?;
    sqlx::query("INSERT INTO package_renewals (order_id, tenant_id, due_ms) VALUES ($1, $2, $3)")
        .bind(id.to_string())
        .bind(new.tenant.to_string())
        .bind(now.ms())
        .execute(conn)
        .await?;
    Ok(())
}

/// Of a month that begins at `at`, with tax.
fn cost(prices: &Timeline, rate: &str, at: Timestamp) -> Result<Option<Micros>> {
    let Some(found) = prices.named(COMPONENT, rate, at) else { return Ok(None) };
    let rate = Compiled::new(&found).ok_or_else(|| Error::internal("a price without a unit"))?;
    let split = rate.split(rate.cost(0, 1)?)?;
    split.net.checked_add(split.tax).map(Some)
}

fn unknown(prices: &Timeline, rate: &str, now: Timestamp) -> Error {
    let all: Vec<&str> = prices.names(COMPONENT, now).into_iter().take(SHOWN_MAX).collect();
    let all = if all.is_empty() { "none are".to_owned() } else { all.join(", ") };
    Error::invalid("rate", format!("there is no package '{}'", rate.escape_debug()))
        .remedy(format!("order one that the tenant's prices have: {all}"))
}

/// Cancels it: it ends with the month that is paid. One that ends already stays as it is. Takes the
/// account's lock.
pub async fn cancel(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    id: PackageOrderId,
    actor: &str,
) -> Result<Package> {
    let account = accounts::lock(conn, tenant).await?;
    // Of what has begun all is charged first.
    renew(conn, now, tenant).await?;
    let package = get(conn, now, tenant, id).await?;
    if package.ends_at.is_none() {
        let month = months::current(package.ordered_at, now, account.timezone);
        end(conn, now, id, month.to, "cancelled", actor).await?;
        renew::set_due(conn, id, NEVER_MS).await?;
        crate::agenda::touch(conn, tenant, crate::agenda::Due::Stand).await?;
    }
    get(conn, now, tenant, id).await
}

/// Unless it ends already.
pub(super) async fn end(
    conn: &mut Conn,
    now: Timestamp,
    id: PackageOrderId,
    at: Timestamp,
    reason: &str,
    actor: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO package_ends (order_id, ends_ms, reason, actor, created_ms) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(id.to_string())
    .bind(at.ms())
    .bind(reason)
    .bind(actor)
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(())
}

/// One of the tenant's.
pub async fn get(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    id: PackageOrderId,
) -> Result<Package> {
    let all = read(conn, now, tenant, Some(id)).await?;
    found(all.into_iter().next(), format_args!("package {id}"))
}

/// The tenant's, in the order in which they were ordered, with those that ended; at most
/// [`ORDERS_MAX`].
pub async fn list(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Vec<Package>> {
    read(conn, now, tenant, None).await
}

async fn read(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    id: Option<PackageOrderId>,
) -> Result<Vec<Package>> {
    let zone = accounts::get(conn, tenant).await?.timezone;
    let prices = load::timeline(conn, tenant).await?;
    let rows: Vec<(String, String, String, i64, i64, String)> = sqlx::query_as(
        "SELECT o.id, o.name, o.rate, o.starts_ms, COALESCE(e.ends_ms, $2), \
         COALESCE(e.reason, '') FROM package_orders o \
         LEFT JOIN package_ends e ON e.order_id = o.id \
         WHERE o.tenant_id = $1 AND ($3 = '' OR o.id = $3) ORDER BY o.starts_ms, o.id LIMIT $4",
    )
    .bind(tenant.to_string())
    .bind(NEVER_MS)
    .bind(id.map(|id| id.to_string()).unwrap_or_default())
    .bind(ORDERS_MAX)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, name, rate, starts_ms, ends_ms, reason)| {
            let ordered_at = Timestamp::from_ms(starts_ms);
            let next = months::next(ordered_at, now.saturating_add_ms(1), zone).from;
            let renews_at = (next.ms() < ends_ms).then_some(next);
            Ok(Package {
                id: parse(&id)?,
                tenant_id: tenant,
                price: renews_at.map(|at| cost(&prices, &rate, at)).transpose()?.flatten(),
                name,
                rate,
                ordered_at,
                renews_at,
                ends_at: (ends_ms != NEVER_MS).then(|| Timestamp::from_ms(ends_ms)),
                reason,
            })
        })
        .collect()
}
