//! Whether a tenant may start something: there must be money for all that burns plus the new, for
//! `min_runway`.

use std::collections::BTreeMap;

use base::{
    Error, ErrorKind, Result,
    db::Conn,
    id::TenantId,
    money::{MS_PER_HOUR, Micros, div_half_even},
    time::Timestamp,
};

pub use crate::meter::Component;
use crate::{
    Settings, accounts,
    balance::{Snapshot, snapshot},
    forecast::{exact, hourly},
    meter, prices,
    standing::{Standing, notices::duration},
    usage::project::FOREVER_MS,
};

/// Admits `new`, or says why not (`PaymentRequired`). Takes the account's lock until the end of the
/// caller's transaction, so that two starts can't be admitted on the same money.
///
/// What was admitted before and does not run yet counts as burning; the instance that is to start
/// is not to be written as wanted running before this call.
pub async fn admit(
    conn: &mut Conn,
    now: Timestamp,
    settings: &Settings,
    tenant: TenantId,
    new: &[Component],
) -> Result<()> {
    admit_resize(conn, now, settings, tenant, &[], new).await
}

/// Admits `new` in place of `old`, which is in use: like [`admit`].
pub async fn admit_resize(
    conn: &mut Conn,
    now: Timestamp,
    settings: &Settings,
    tenant: TenantId,
    old: &[Component],
    new: &[Component],
) -> Result<()> {
    let account = accounts::lock(conn, tenant).await?;
    if account.standing >= Standing::Suspended {
        return Err(Error::new(
            ErrorKind::PaymentRequired,
            format!("the tenant is {}: its balance ran out", account.standing),
        )
        .remedy("top the balance up"));
    }
    let snapshot = snapshot(conn, now, tenant).await?;
    let pending = pending(conn, tenant).await?;
    let price = |c: &Component| {
        let (component, flavor) = prices::meters::parts(&c.meter);
        let shape = flavor.map(|flavor| ("flavor".to_owned(), flavor.to_owned()));
        let shape: BTreeMap<_, _> = shape.into_iter().collect();
        hourly(&snapshot.usage.prices, component, &shape, c.quantity, None, now).0
    };
    let burn = new
        .iter()
        .chain(&pending)
        .fold(snapshot.position.burn(), |sum, c| sum.saturating_add(price(c)));
    let burn = old.iter().fold(burn, |sum, c| sum.saturating_sub(price(c))).max(0);
    let needed = burn.saturating_mul(i128::from(settings.min_runway_ms));
    if snapshot.position.available() >= needed.max(0) {
        return Ok(());
    }
    Err(refusal(&snapshot, settings, burn, needed))
}

fn refusal(snapshot: &Snapshot, settings: &Settings, burn: i128, needed: i128) -> Error {
    const NANOS_PER_MICRO: i128 = 1_000;
    let micros = |exact: i128, unit: i128| {
        Micros(i64::try_from(div_half_even(exact, unit)).unwrap_or(i64::MAX))
    };
    let per_micro = NANOS_PER_MICRO * i128::from(MS_PER_HOUR);
    let available = snapshot.position.available();
    let balance = micros(available - exact(snapshot.account.credit_limit), per_micro);
    let currency = &snapshot.account.currency;
    // Up, so that it suffices.
    let missing = (needed - available).div_euclid(per_micro)
        + i128::from((needed - available).rem_euclid(per_micro) > 0);
    let missing = micros(missing, 1);
    Error::new(
        ErrorKind::PaymentRequired,
        format!(
            "the balance of {balance} {currency} does not cover {} of all that would run, \
             at {} {currency} an hour",
            duration(settings.min_runway_ms),
            micros(burn, NANOS_PER_MICRO),
        ),
    )
    .remedy(format!("top up at least {missing} {currency}"))
}

/// What instances will use that are wanted running and have not been seen so.
async fn pending(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Component>> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT i.flavor_id, i.disk_gib, \
           (SELECT COUNT(*) FROM usage_spans u WHERE u.kind = 'instance' \
            AND u.resource_id = i.id AND u.to_ms = $2) \
         FROM instances i \
         WHERE i.tenant_id = $1 AND i.wanted = 'running' AND i.locked = 0 \
           AND i.observed <> 'failed' AND i.deleted_ms IS NULL \
           AND NOT EXISTS (SELECT 1 FROM usage_spans u WHERE u.kind = 'instance' \
             AND u.resource_id = i.id AND u.to_ms = $2 AND u.state IN ('running', 'paused'))",
    )
    .bind(tenant.to_string())
    .bind(FOREVER_MS)
    .fetch_all(conn)
    .await?;
    let mut all = Vec::new();
    for (flavor, disk_gib, has_disk) in rows {
        let meter = meter::instance(crate::sql::parse(&flavor)?);
        all.push(Component { meter, quantity: 1 });
        if has_disk == 0 {
            all.push(Component { meter: meter::DISK_GIB.to_owned(), quantity: disk_gib });
        }
    }
    Ok(all)
}
