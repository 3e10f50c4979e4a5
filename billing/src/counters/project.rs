//! Readings become rows of deltas, each one owner's and of one of the owner's billing months: a
//! projection, made anew from where readings or owners changed.

use std::collections::{BTreeMap, BTreeSet};

use base::{
    Result,
    db::{
        Conn,
        rows::{Cell, insert_rows},
    },
    time::Timestamp,
};

use super::{
    delta::{self, Before, Delta, Reading, WHOLE_PPM},
    readings::{Series, see},
};
use crate::{
    accounts,
    calendar::Month,
    sql::parse,
    usage::{self, Quality, Resource, spans},
};

/// A delta that is one owner's, and in one of the owner's billing months.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owned {
    tenant: String,
    delta: Delta,
    /// Of the whole that it is a part of.
    coverage_ppm: i64,
}

/// As it is kept, and as rating reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub from_ms: i64,
    pub to_ms: i64,
    pub tenant: String,
    pub quantity: i64,
    pub quality: Quality,
    pub coverage_ppm: i64,
}

impl From<Owned> for Row {
    fn from(Owned { tenant, delta, coverage_ppm }: Owned) -> Self {
        let Delta { from_ms, to_ms, quantity, reset, .. } = delta;
        let sure = coverage_ppm == WHOLE_PPM && !reset;
        let quality = if sure { Quality::Observed } else { Quality::Estimated };
        Self { from_ms, to_ms, tenant, quantity, quality, coverage_ppm }
    }
}

/// Makes the deltas anew from the first reading that changed on.
pub(super) async fn project(
    conn: &mut Conn,
    now: Timestamp,
    id: &str,
    series: &Series,
    from: i64,
) -> Result<()> {
    let before = before(&mut *conn, id, series.has_epochs, from).await?;
    let readings = between(&mut *conn, id, from, i64::MAX).await?;
    // Behind this they are made; what was read at the first instant was counted just before it.
    let first = readings.first().map(|reading| reading.at_ms.saturating_sub(1));
    let Some(since) = before.at_ms.or(first) else { return Ok(()) };
    replace(conn, now, id, series, since, (before, &readings)).await
}

/// Makes all of a series' deltas anew, whatever is there.
pub(super) async fn anew(conn: &mut Conn, now: Timestamp, id: &str, series: &Series) -> Result<()> {
    let kept: Option<i64> =
        sqlx::query_scalar("SELECT MIN(from_ms) FROM usage_deltas WHERE series_id = $1")
            .bind(id)
            .fetch_one(&mut *conn)
            .await?;
    let readings = between(&mut *conn, id, i64::MIN, i64::MAX).await?;
    let first = readings.first().map(|reading| reading.at_ms);
    let Some(first) = kept.into_iter().chain(first).min() else { return Ok(()) };
    let since = first.saturating_sub(1);
    replace(conn, now, id, series, since, (Before::default(), &readings)).await
}

/// Puts the deltas of these readings in place of those that end after `since`, and has them rated.
async fn replace(
    conn: &mut Conn,
    now: Timestamp,
    id: &str,
    series: &Series,
    since: i64,
    (before, readings): (Before, &[Reading]),
) -> Result<()> {
    let deltas = delta::deltas(before, readings, series.has_epochs)?;
    let rows = rows(&mut *conn, &series.resource, &deltas).await?;
    let had: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT tenant_id FROM usage_deltas WHERE series_id = $1 AND to_ms > $2",
    )
    .bind(id)
    .bind(since)
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query("DELETE FROM usage_deltas WHERE series_id = $1 AND to_ms > $2")
        .bind(id)
        .bind(since)
        .execute(&mut *conn)
        .await?;
    write(&mut *conn, id, &rows).await?;
    if deltas.iter().any(|delta| delta.dropped) {
        let detail = "it read less than before without a new epoch: nothing is counted until it is \
                      past its highest";
        see(&mut *conn, now, "counter_drop", series, detail).await?;
    }
    let last = deltas.iter().map(|delta| delta.to_ms).max().unwrap_or(since);
    let tenants: BTreeSet<&String> = rows.iter().map(|row| &row.tenant).chain(&had).collect();
    let tenants = tenants.into_iter().map(|tenant| parse(tenant)).collect::<Result<_>>()?;
    accounts::lock_all(&mut *conn, &tenants).await?;
    for tenant in tenants {
        usage::counted(&mut *conn, tenant, &series.resource, since, last).await?;
    }
    Ok(())
}

/// A resource's owners may be others than they were from `from` on: so may be its deltas' tenants.
pub(crate) async fn moved(
    conn: &mut Conn,
    now: Timestamp,
    resource: &Resource,
    from: i64,
) -> Result<()> {
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT id, component, port, has_epochs FROM counter_series \
         WHERE kind = $1 AND resource_id = $2 ORDER BY component, port",
    )
    .bind(&resource.kind)
    .bind(&resource.id)
    .fetch_all(&mut *conn)
    .await?;
    if rows.is_empty() {
        return Ok(());
    }
    let spans = spans::of_resource(&mut *conn, resource).await?;
    // What was counted before the first owner's time is the first owner's.
    let is_first = spans.first().is_none_or(|span| span.from_ms >= from);
    let from = if is_first { i64::MIN } else { from };
    for (id, component, port, has_epochs) in rows {
        let (resource, has_epochs) = (resource.clone(), has_epochs == 1);
        let series = Series { resource, component, port, has_epochs };
        project(&mut *conn, now, &id, &series, from).await?;
    }
    Ok(())
}

/// What was known before `from`.
pub(super) async fn before(
    conn: &mut Conn,
    id: &str,
    has_epochs: bool,
    from: i64,
) -> Result<Before> {
    let at_ms: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(at_ms) FROM counter_readings WHERE series_id = $1 AND at_ms < $2",
    )
    .bind(id)
    .bind(from)
    .fetch_one(&mut *conn)
    .await?;
    let Some(last) = at_ms else { return Ok(Before::default()) };
    let first = if has_epochs { i64::MIN } else { last };
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT epoch, MAX(value) FROM counter_readings \
         WHERE series_id = $1 AND at_ms >= $2 AND at_ms <= $3 GROUP BY epoch",
    )
    .bind(id)
    .bind(first)
    .bind(last)
    .fetch_all(conn)
    .await?;
    Ok(Before { at_ms, high: rows.into_iter().collect() })
}

/// The deltas as rows, for whoever had the resource.
pub(super) async fn rows(
    conn: &mut Conn,
    resource: &Resource,
    deltas: &[Delta],
) -> Result<Vec<Row>> {
    let owned = owned(conn, resource, deltas).await?;
    Ok(owned.into_iter().map(Row::from).collect())
}

/// Cuts where the owner changes, and at the ends of the owner's months.
async fn owned(conn: &mut Conn, resource: &Resource, deltas: &[Delta]) -> Result<Vec<Owned>> {
    let spans = spans::of_resource(&mut *conn, resource).await?;
    // The first had it from the beginning.
    let owners = usage::owners(&spans);
    let mut zones = BTreeMap::new();
    for (_, tenant) in &owners {
        if !zones.contains_key(tenant) {
            let account = accounts::get(&mut *conn, parse(tenant)?).await?;
            zones.insert(*tenant, account.timezone);
        }
    }
    let owner = |at: i64| {
        let after = owners.partition_point(|(from, _)| *from <= at);
        owners.get(after.max(1) - 1).map(|(_, tenant)| *tenant)
    };
    let mut all = Vec::new();
    for delta in deltas {
        let mut cuts: Vec<i64> = owners.iter().map(|(from, _)| *from).collect();
        for zone in zones.values() {
            let mut at = Timestamp::from_ms(delta.from_ms);
            while at.ms() < delta.to_ms {
                at = Month::of(at, *zone).end(*zone);
                cuts.push(at.ms());
            }
        }
        for part in delta::split(delta, &cuts) {
            let Some(tenant) = owner(part.from_ms) else { continue };
            let joins = |last: &&mut Owned| {
                let month = |at: i64| Month::of(Timestamp::from_ms(at), zones[tenant]);
                last.tenant == tenant
                    && last.delta.to_ms == part.from_ms
                    && part.from_ms > delta.from_ms
                    && month(last.delta.from_ms) == month(part.from_ms)
            };
            match all.last_mut().filter(joins) {
                // Cut by another owner's calendar only.
                Some(last) => {
                    last.delta.to_ms = part.to_ms;
                    last.delta.quantity += part.quantity;
                }
                None => all.push(Owned {
                    tenant: tenant.to_owned(),
                    delta: part,
                    coverage_ppm: delta.coverage_ppm(),
                }),
            }
        }
    }
    Ok(all)
}

async fn write(conn: &mut Conn, id: &str, rows: &[Row]) -> Result<()> {
    const INTO: &str =
        "usage_deltas (series_id, from_ms, to_ms, tenant_id, quantity, quality, coverage_ppm)";
    let cells: Vec<Cell<'_>> = rows
        .iter()
        .flat_map(|row| -> [Cell<'_>; 7] {
            [
                id.into(),
                row.from_ms.into(),
                row.to_ms.into(),
                (&row.tenant).into(),
                row.quantity.into(),
                row.quality.as_str().into(),
                row.coverage_ppm.into(),
            ]
        })
        .collect();
    insert_rows(conn, INTO, "", 7, &cells).await?;
    Ok(())
}

/// The series' readings from the one instant to the other.
pub(super) async fn between(conn: &mut Conn, id: &str, from: i64, to: i64) -> Result<Vec<Reading>> {
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(
        "SELECT at_ms, epoch, value FROM counter_readings \
         WHERE series_id = $1 AND at_ms >= $2 AND at_ms <= $3 ORDER BY at_ms, epoch",
    )
    .bind(id)
    .bind(from)
    .bind(to)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(at_ms, epoch, value)| Reading { at_ms, epoch, value }).collect())
}
