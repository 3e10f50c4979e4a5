//! Taking readings, and what was counted between them, as rows.

use std::collections::BTreeMap;

use base::{
    Error, Result,
    db::{
        Conn,
        rows::{Cell, insert_rows},
    },
    id::{CounterSeriesId, TenantId},
    time::Timestamp,
};

use super::{
    ahead,
    delta::Reading,
    project::{self, between},
};
use crate::{
    findings::{self, Seen, Severity},
    kinds::{self, Quantity},
    usage::{self, Quality, Resource},
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    pub new: usize,
    /// Known with another value; the first stands, and a finding says so.
    pub conflicts: usize,
    /// Why each that can't be right was not taken; a finding says so.
    pub refused: Vec<&'static str>,
}

/// Takes readings, at most [`READINGS_MAX`], in any order and however often, in the caller's
/// transaction. The resource must be known by a fact: it says whose the counted is. One that can't be
/// right is refused alone. Those of epochs that are dated in the future are taken as of now, in the
/// order in which they are given.
pub async fn read(
    conn: &mut Conn,
    now: Timestamp,
    series: &Series,
    readings: &[Reading],
) -> Result<Taken> {
    check(series, readings)?;
    let mut taken = Taken::default();
    let mut sound: Vec<Reading> = Vec::with_capacity(readings.len());
    for reading in readings {
        match fault(now, series, reading) {
            Some(fault) => taken.refused.push(fault),
            None => sound.push(reading.clone()),
        }
    }
    if !sound.is_empty() {
        take(&mut *conn, now, series, sound, &mut taken).await?;
    }
    if let Some(first) = taken.refused.first() {
        let detail = format!("{} readings are refused: {first}", taken.refused.len());
        see(conn, now, "counter_refused", series, &detail).await?;
    }
    Ok(taken)
}

async fn take(
    conn: &mut Conn,
    now: Timestamp,
    series: &Series,
    mut readings: Vec<Reading>,
    taken: &mut Taken,
) -> Result<()> {
    usage::lost::lock(&mut *conn, &series.resource).await?;
    let id = series_id(&mut *conn, series).await?;
    let dated = readings.iter().find(|reading| ahead::is_ahead(now, reading));
    if let Some(dated) = dated.map(|reading| Timestamp::from_ms(reading.at_ms)) {
        let detail = format!(
            "a reading is dated {dated}, but it is {now} here. It counts as of now: set the clock of \
             its host"
        );
        see(&mut *conn, now, "counter_ahead", series, &detail).await?;
        let before = project::before(&mut *conn, &id, series.has_epochs, i64::MAX).await?;
        readings = ahead::placed(now, &before, readings);
    }
    let known = known(&mut *conn, &id, &readings).await?;
    let mut new: BTreeMap<(i64, &str), i64> = BTreeMap::new();
    for reading in &readings {
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
        project::project(conn, now, &id, series, *from).await?;
    }
    Ok(())
}

/// Refuses all of them.
fn check(series: &Series, readings: &[Reading]) -> Result<()> {
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
    if is_long(&series.port) {
        let message = format!("a port has more than {NAME_MAX_BYTES} bytes, or one that is zero");
        return Err(Error::invalid("port", message));
    }
    Ok(())
}

fn is_long(name: &str) -> bool {
    name.len() > NAME_MAX_BYTES || name.contains('\0')
}

/// Why a reading can't be right.
fn fault(now: Timestamp, series: &Series, reading: &Reading) -> Option<&'static str> {
    if is_long(&reading.epoch) {
        return Some("an epoch's name is too long, or holds a zero byte");
    }
    if reading.value < 0 {
        return Some("a counter is not negative");
    }
    if reading.at_ms < 0 {
        return Some("a reading lies before 1970");
    }
    if reading.epoch.is_empty() == series.has_epochs {
        return Some("either all readings of a series name an epoch, or none does");
    }
    // Without an epoch it can't be known whether it was told before.
    (!series.has_epochs && ahead::is_ahead(now, reading)).then_some("a reading lies in the future")
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

/// Readings of a source that nobody watches could not be taken. The operators are told; what was
/// counted comes with the next that can be.
pub async fn refused(
    conn: &mut Conn,
    now: Timestamp,
    series: &Series,
    error: &Error,
) -> Result<()> {
    // A name that came from outside may hold what text in SQL can't.
    let port = series.port.replace('\0', "\u{fffd}");
    let series = Series { port, ..series.clone() };
    see(conn, now, "counter_refused", &series, &error.to_string()).await
}

pub(super) async fn see(
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
