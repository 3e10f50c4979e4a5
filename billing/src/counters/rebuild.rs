//! All deltas made again from the readings, to compare them with those that are there, or to write
//! them.

use base::{
    Result,
    db::{Conn, Db},
    time::Timestamp,
};

use super::{
    delta::{self, Before, Reading},
    project::{self, Row},
    readings::Series,
};
use crate::usage::{
    self, Resource,
    rebuild::{DIFFERENCES_MAX, Mode},
};

/// Listed at once.
const SERIES_A_PAGE: i64 = 200;
/// Made into deltas at once.
const READINGS_A_PAGE: i64 = 10_000;

/// A series whose deltas are not those that follow from its readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub series: Series,
    /// The first that differs, as it is and as it should be, in words; none: there is or should be
    /// none.
    pub is: Option<String>,
    pub should: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |row: &Option<String>| row.clone().unwrap_or_else(|| "nothing".to_owned());
        let (is, should) = (shown(&self.is), shown(&self.should));
        write!(f, "{}: it is {is}, but by its readings {should}", self.series)
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from, to) = (Timestamp::from_ms(self.from_ms), Timestamp::from_ms(self.to_ms));
        let Row { tenant, quantity, quality, coverage_ppm, .. } = self;
        let quality = quality.as_str();
        write!(
            f,
            "{quantity} of tenant {tenant} from {from} to {to} ({quality}, {coverage_ppm} ppm)"
        )
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    pub series: u64,
    pub readings: u64,
    pub deltas: u64,
    /// How many series differ, and the first [`DIFFERENCES_MAX`] of them.
    pub differing: u64,
    pub differences: Vec<Difference>,
}

/// Makes the deltas of all series again, from their readings and the spans that are there. Readings
/// may come meanwhile: each series is looked at in a snapshot, and written under its lock.
pub async fn rebuild(db: &Db, now: Timestamp, mode: Mode) -> Result<Rebuilt> {
    by_pages(db, now, mode, READINGS_A_PAGE).await
}

async fn by_pages(db: &Db, now: Timestamp, mode: Mode, readings: i64) -> Result<Rebuilt> {
    let mut done = Rebuilt::default();
    let mut after = String::new();
    loop {
        let page = page(&mut *db.read().await?, &after).await?;
        let Some((last, _)) = page.last() else { return Ok(done) };
        after.clone_from(last);
        for (id, series) in &page {
            let mut snapshot = db.begin_snapshot().await?;
            let difference = check(&mut snapshot, id, series, readings, &mut done).await?;
            snapshot.rollback().await?;
            let Some(difference) = difference else { continue };
            done.differing += 1;
            if done.differences.len() < DIFFERENCES_MAX {
                done.differences.push(difference);
            }
            if mode == Mode::Write {
                let mut tx = db.begin_write().await?;
                usage::lost::lock(&mut tx, &series.resource).await?;
                project::anew(&mut tx, now, id, series).await?;
                tx.commit().await?;
            }
        }
    }
}

async fn page(conn: &mut Conn, after: &str) -> Result<Vec<(String, Series)>> {
    type Found = (String, String, String, String, String, i64);
    let rows: Vec<Found> = sqlx::query_as(
        "SELECT id, kind, resource_id, component, port, has_epochs FROM counter_series \
         WHERE id > $1 ORDER BY id LIMIT $2",
    )
    .bind(after)
    .bind(SERIES_A_PAGE)
    .fetch_all(conn)
    .await?;
    let series = |(id, kind, resource, component, port, has_epochs): Found| {
        let resource = Resource { kind, id: resource };
        (id, Series { resource, component, port, has_epochs: has_epochs == 1 })
    };
    Ok(rows.into_iter().map(series).collect())
}

/// The first row that differs.
async fn check(
    conn: &mut Conn,
    id: &str,
    series: &Series,
    a_page: i64,
    done: &mut Rebuilt,
) -> Result<Option<Difference>> {
    done.series += 1;
    let mut difference = None;
    let (mut from, mut since) = (i64::MIN, i64::MIN);
    loop {
        let (readings, is_last) = readings(&mut *conn, id, from, a_page).await?;
        let before = match from {
            i64::MIN => Before::default(),
            _ => project::before(&mut *conn, id, series.has_epochs, from).await?,
        };
        let until = match readings.last() {
            Some(last) if !is_last => last.at_ms,
            _ => i64::MAX,
        };
        let deltas = delta::deltas(before, &readings, series.has_epochs)?;
        let should = project::rows(&mut *conn, &series.resource, &deltas).await?;
        let is = kept(&mut *conn, id, since, until).await?;
        done.readings += readings.len() as u64;
        done.deltas += should.len() as u64;
        let same = is.iter().zip(&should).take_while(|(is, should)| is == should).count();
        let (is, should) = (is.get(same), should.get(same));
        if difference.is_none() && (is.is_some() || should.is_some()) {
            let (is, should) = (is.map(ToString::to_string), should.map(ToString::to_string));
            difference = Some(Difference { series: series.clone(), is, should });
        }
        if is_last {
            return Ok(difference);
        }
        (from, since) = (until.saturating_add(1), until);
    }
}

/// The next readings, all of an instant or none, and whether they are the last.
async fn readings(
    conn: &mut Conn,
    id: &str,
    from: i64,
    a_page: i64,
) -> Result<(Vec<Reading>, bool)> {
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(
        "SELECT at_ms, epoch, value FROM counter_readings WHERE series_id = $1 AND at_ms >= $2 \
         ORDER BY at_ms, epoch LIMIT $3",
    )
    .bind(id)
    .bind(from)
    .bind(a_page)
    .fetch_all(&mut *conn)
    .await?;
    let is_last = (rows.len() as i64) < a_page;
    let reading = |(at_ms, epoch, value)| Reading { at_ms, epoch, value };
    let mut readings: Vec<Reading> = rows.into_iter().map(reading).collect();
    if let (false, Some(at_ms)) = (is_last, readings.last().map(|reading| reading.at_ms)) {
        // More of its instant may follow.
        readings.retain(|reading| reading.at_ms < at_ms);
        if readings.is_empty() {
            return Ok((project::between(conn, id, at_ms, at_ms).await?, false));
        }
    }
    Ok((readings, is_last))
}

/// The rows that end in the stretch, by time.
async fn kept(conn: &mut Conn, id: &str, since: i64, until: i64) -> Result<Vec<Row>> {
    let rows: Vec<(i64, i64, String, i64, String, i64)> = sqlx::query_as(
        "SELECT from_ms, to_ms, tenant_id, quantity, quality, coverage_ppm FROM usage_deltas \
         WHERE series_id = $1 AND to_ms > $2 AND to_ms <= $3 ORDER BY to_ms",
    )
    .bind(id)
    .bind(since)
    .bind(until)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(from_ms, to_ms, tenant, quantity, quality, coverage_ppm)| {
            let quality = quality.parse()?;
            Ok(Row { from_ms, to_ms, tenant, quantity, quality, coverage_ppm })
        })
        .collect()
}

#[cfg(test)]
mod tests;
