//! Taking readings, and what was counted between them, as rows.

use std::collections::{BTreeMap, BTreeSet};

use base::{
    Error, Result,
    db::{
        Conn,
        rows::{Cell, insert_rows},
    },
    id::{CounterSeriesId, TenantId},
    time::Timestamp,
};

use super::delta::{self, Before, Delta, Reading, WHOLE_PPM};
use crate::{
    accounts,
    calendar::Month,
    findings::{self, Seen, Severity},
    kinds::{self, Quantity},
    sql::parse,
    usage::{self, FUTURE_MAX_MS, Quality, Resource, spans},
};

/// Taken at once.
pub const READINGS_MAX: usize = 1_000;
/// Of an epoch's or a port's name.
pub const NAME_MAX_BYTES: usize = 100;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    pub resource: Resource,
    /// One of its kind's that is a counter: `net_tx`.
    pub component: String,
    /// Empty where there is but one.
    pub port: String,
    /// Whether readings name the counter's life. If not, a drop begins a new one.
    pub has_epochs: bool,
}

/// `instance/0193…/net_tx/p0`, as findings name it.
impl std::fmt::Display for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.resource, self.component, self.port)
    }
}

/// What became of readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    pub new: usize,
    /// Known with another value; the first stands, and a finding says so.
    pub conflicts: usize,
}

/// Takes readings, at most [`READINGS_MAX`], in any order and however often, in the caller's
/// transaction. The resource must be known by a fact: it says whose the counted is.
pub async fn read(
    conn: &mut Conn,
    now: Timestamp,
    series: &Series,
    readings: &[Reading],
) -> Result<Taken> {
    check(now, series, readings)?;
    usage::lost::lock(&mut *conn, &series.resource).await?;
    let id = series_id(&mut *conn, series).await?;
    let known = known(&mut *conn, &id, readings).await?;
    let mut taken = Taken::default();
    let mut new: BTreeMap<(i64, &str), i64> = BTreeMap::new();
    for reading in readings {
        let key = (reading.at_ms, reading.epoch.as_str());
        let before = known.get(&(reading.at_ms, reading.epoch.clone())).or_else(|| new.get(&key));
        match before.copied() {
            None => {
                new.insert(key, reading.value);
            }
            Some(value) if value == reading.value => {}
            Some(_) => taken.conflicts += 1,
        }
    }
    taken.new = new.len();
    insert(&mut *conn, now, &id, &new).await?;
    if taken.conflicts > 0 {
        let detail = format!("{} readings came again with other values", taken.conflicts);
        see(&mut *conn, now, "counter_conflict", series, &detail).await?;
    }
    if let Some((from, _)) = new.keys().next() {
        project(conn, now, &id, series, *from).await?;
    }
    Ok(taken)
}

fn check(now: Timestamp, series: &Series, readings: &[Reading]) -> Result<()> {
    let component = kinds::find(&series.resource.kind)
        .and_then(|kind| kind.component(&series.component))
        .filter(|component| component.quantity == Quantity::Counter);
    if component.is_none() {
        let (kind, name) = (&series.resource.kind, &series.component);
        let message = format!("'{kind}.{name}' is not counted by readings");
        return Err(Error::invalid("component", message));
    }
    if readings.len() > READINGS_MAX {
        let message = format!("at most {READINGS_MAX} readings are taken at once");
        return Err(Error::invalid("readings", message));
    }
    let long = |name: &str| name.len() > NAME_MAX_BYTES || name.contains('\0');
    if long(&series.port) || readings.iter().any(|reading| long(&reading.epoch)) {
        let message = format!("a port or epoch has more than {NAME_MAX_BYTES} bytes, or a zero");
        return Err(Error::invalid("epoch", message));
    }
    for reading in readings {
        if reading.value < 0 {
            return Err(Error::invalid("value", "a counter is not negative"));
        }
        if Timestamp::from_ms(reading.at_ms).since_ms(now) > FUTURE_MAX_MS {
            return Err(Error::invalid("at", "a reading lies in the future"));
        }
        if reading.epoch.is_empty() == series.has_epochs {
            let message = "either all readings of a series name an epoch, or none does";
            return Err(Error::invalid("epoch", message));
        }
    }
    Ok(())
}

async fn series_id(conn: &mut Conn, series: &Series) -> Result<String> {
    sqlx::query(
        "INSERT INTO counter_series (id, kind, resource_id, component, port, has_epochs) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (kind, resource_id, component, port) DO NOTHING",
    )
    .bind(CounterSeriesId::new().to_string())
    .bind(&series.resource.kind)
    .bind(&series.resource.id)
    .bind(&series.component)
    .bind(&series.port)
    .bind(i64::from(series.has_epochs))
    .execute(&mut *conn)
    .await?;
    let (id, has_epochs): (String, i64) = sqlx::query_as(
        "SELECT id, has_epochs FROM counter_series \
         WHERE kind = $1 AND resource_id = $2 AND component = $3 AND port = $4",
    )
    .bind(&series.resource.kind)
    .bind(&series.resource.id)
    .bind(&series.component)
    .bind(&series.port)
    .fetch_one(conn)
    .await?;
    if (has_epochs == 1) != series.has_epochs {
        let message = format!("the readings of {series} had epochs and now have none, or turned");
        return Err(Error::conflict(message));
    }
    Ok(id)
}

/// What is there at these instants, by instant and epoch.
async fn known(
    conn: &mut Conn,
    id: &str,
    readings: &[Reading],
) -> Result<BTreeMap<(i64, String), i64>> {
    let instants = || readings.iter().map(|reading| reading.at_ms);
    let (Some(first), Some(last)) = (instants().min(), instants().max()) else {
        return Ok(BTreeMap::new());
    };
    let rows = between(conn, id, first, last).await?;
    Ok(rows.into_iter().map(|r| ((r.at_ms, r.epoch), r.value)).collect())
}

async fn between(conn: &mut Conn, id: &str, from: i64, to: i64) -> Result<Vec<Reading>> {
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

async fn insert(
    conn: &mut Conn,
    now: Timestamp,
    id: &str,
    new: &BTreeMap<(i64, &str), i64>,
) -> Result<()> {
    const INTO: &str = "counter_readings (series_id, at_ms, epoch, value, recorded_ms)";
    let cells: Vec<Cell<'_>> = new
        .iter()
        .flat_map(|((at, epoch), value)| -> [Cell<'_>; 5] {
            [id.into(), (*at).into(), (*epoch).into(), (*value).into(), now.ms().into()]
        })
        .collect();
    insert_rows(conn, INTO, "", 5, &cells).await?;
    Ok(())
}

async fn see(
    conn: &mut Conn,
    now: Timestamp,
    kind: &'static str,
    series: &Series,
    detail: &str,
) -> Result<()> {
    let subject = series.to_string();
    let detail = format!("{subject}: {detail}");
    let severity = Severity::Warning;
    let seen = Seen { kind, subject: &subject, tenant: None, severity, detail: &detail };
    findings::see(conn, now, seen).await.map(|_| ())
}

/// A delta that is one owner's, and in one of the owner's billing months.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owned {
    tenant: String,
    delta: Delta,
}

/// Makes the deltas anew from the first reading that changed on.
async fn project(
    conn: &mut Conn,
    now: Timestamp,
    id: &str,
    series: &Series,
    from: i64,
) -> Result<()> {
    let before = before(&mut *conn, id, series.has_epochs, from).await?;
    let since = before.at_ms.unwrap_or(i64::MIN);
    let readings = between(&mut *conn, id, from, i64::MAX).await?;
    let deltas = delta::deltas(before, &readings, series.has_epochs)?;
    let owned = owned(&mut *conn, &series.resource, &deltas).await?;
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
    write(&mut *conn, id, &owned).await?;
    if deltas.iter().any(|delta| delta.dropped) {
        let detail = "it read less than before without a new epoch: nothing is counted until it is \
                      past its highest";
        see(&mut *conn, now, "counter_drop", series, detail).await?;
    }
    let tenants: BTreeSet<&String> = owned.iter().map(|owned| &owned.tenant).chain(&had).collect();
    for tenant in tenants {
        let tenant: TenantId = parse(tenant)?;
        accounts::lock(&mut *conn, tenant).await?;
        let dirty = if since == i64::MIN { from } else { since };
        usage::counted(&mut *conn, tenant, &series.resource, dirty, now.ms()).await?;
    }
    Ok(())
}

/// What was known before `from`.
async fn before(conn: &mut Conn, id: &str, has_epochs: bool, from: i64) -> Result<Before> {
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

/// Cuts where the owner changes, and at the ends of the owner's months.
async fn owned(conn: &mut Conn, resource: &Resource, deltas: &[Delta]) -> Result<Vec<Owned>> {
    let owners = owners(&mut *conn, resource).await?;
    let mut zones = BTreeMap::new();
    for (_, tenant) in &owners {
        if !zones.contains_key(tenant) {
            let account = accounts::get(&mut *conn, parse(tenant)?).await?;
            zones.insert(tenant.clone(), account.timezone);
        }
    }
    let owner = |at: i64| {
        let after = owners.partition_point(|(from, _)| *from <= at);
        owners.get(after.max(1) - 1).map(|(_, tenant)| tenant)
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
                last.tenant == *tenant
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
                None => all.push(Owned { tenant: tenant.clone(), delta: part }),
            }
        }
    }
    Ok(all)
}

/// Since when it is whose; the first had it from the beginning.
async fn owners(conn: &mut Conn, resource: &Resource) -> Result<Vec<(i64, String)>> {
    let mut owners: Vec<(i64, String)> = Vec::new();
    for span in spans::of_resource(conn, resource).await? {
        if owners.last().is_none_or(|(_, tenant)| *tenant != span.tenant) {
            owners.push((span.from_ms, span.tenant));
        }
    }
    Ok(owners)
}

async fn write(conn: &mut Conn, id: &str, owned: &[Owned]) -> Result<()> {
    const INTO: &str =
        "usage_deltas (series_id, from_ms, to_ms, tenant_id, quantity, quality, coverage_ppm)";
    let cells: Vec<Cell<'_>> = owned
        .iter()
        .flat_map(|Owned { tenant, delta }| -> [Cell<'_>; 7] {
            let coverage = delta.coverage_ppm();
            let sure = coverage == WHOLE_PPM && !delta.reset;
            let quality = if sure { Quality::Observed } else { Quality::Estimated };
            [
                id.into(),
                delta.from_ms.into(),
                delta.to_ms.into(),
                tenant.into(),
                delta.quantity.into(),
                quality.as_str().into(),
                coverage.into(),
            ]
        })
        .collect();
    insert_rows(conn, INTO, "", 7, &cells).await?;
    Ok(())
}

/// What was counted of a tenant's resource in a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub resource: Resource,
    pub component: String,
    pub from_ms: i64,
    pub to_ms: i64,
    pub quantity: i64,
    pub quality: Quality,
    pub coverage_ppm: i64,
}

/// The tenant's deltas that end after `from`, by time. The one place from which rating learns what
/// was counted.
pub async fn of_tenant(conn: &mut Conn, tenant: TenantId, from: Timestamp) -> Result<Vec<Counted>> {
    type Row = (String, String, String, i64, i64, i64, String, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT s.kind, s.resource_id, s.component, d.from_ms, d.to_ms, d.quantity, d.quality, \
         d.coverage_ppm FROM usage_deltas d JOIN counter_series s ON s.id = d.series_id \
         WHERE d.tenant_id = $1 AND d.to_ms > $2 \
         ORDER BY s.kind, s.resource_id, s.component, d.from_ms, s.port",
    )
    .bind(tenant.to_string())
    .bind(from.ms())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(kind, id, component, from_ms, to_ms, quantity, quality, coverage_ppm)| {
            let (resource, quality) = (Resource { kind, id }, quality.parse()?);
            Ok(Counted { resource, component, from_ms, to_ms, quantity, quality, coverage_ppm })
        })
        .collect()
}

#[cfg(test)]
mod tests;
