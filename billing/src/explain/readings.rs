//! What a counted line is made of: readings, and what was counted between them.

use base::{Result, db::Conn, time::Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::line::RatedLine;

/// Of one explanation, each.
const READINGS_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CounterReading {
    /// Empty where there is but one.
    pub port: String,
    pub at: Timestamp,
    /// The counter's life; empty where its lives have no names.
    pub epoch: String,
    pub value: i64,
    pub recorded_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CountedBetween {
    pub port: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub quantity: i64,
    /// `observed`, `estimated`, `corrected`.
    pub quality: String,
    pub coverage_ppm: i64,
}

#[derive(Debug, Default)]
pub(super) struct Read {
    pub readings: Vec<CounterReading>,
    pub counted: Vec<CountedBetween>,
    /// There are more than [`READINGS_MAX`] of one of them.
    pub more: bool,
}

/// Readings from the last one before the line's time to the first one after it, and what was counted
/// for the tenant in its time.
pub(super) async fn of(conn: &mut Conn, line: &RatedLine) -> Result<Read> {
    // One more than is shown tells that there are more.
    let limit = i64::try_from(READINGS_MAX + 1).unwrap_or(i64::MAX);
    let (_, component) = line.component.split_once('.').unwrap_or(("", &line.component));
    let rows: Vec<(String, i64, String, i64, i64)> = sqlx::query_as(
        "SELECT s.port, r.at_ms, r.epoch, r.value, r.recorded_ms FROM counter_series s \
         JOIN counter_readings r ON r.series_id = s.id \
         WHERE s.kind = $1 AND s.resource_id = $2 AND s.component = $3 \
           AND r.at_ms >= COALESCE((SELECT MAX(b.at_ms) FROM counter_readings b \
             WHERE b.series_id = s.id AND b.at_ms <= $4), $4) \
           AND r.at_ms <= COALESCE((SELECT MIN(a.at_ms) FROM counter_readings a \
             WHERE a.series_id = s.id AND a.at_ms >= $5), $5) \
         ORDER BY s.port, r.at_ms, r.epoch LIMIT $6",
    )
    .bind(&line.resource_kind)
    .bind(&line.resource_id)
    .bind(component)
    .bind(line.from.ms())
    .bind(line.to.ms())
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let mut more = rows.len() > READINGS_MAX;
    let readings = rows.into_iter().take(READINGS_MAX).map(|(port, at, epoch, value, recorded)| {
        CounterReading {
            port,
            at: Timestamp::from_ms(at),
            epoch,
            value,
            recorded_at: Timestamp::from_ms(recorded),
        }
    });
    let rows: Vec<(String, i64, i64, i64, String, i64)> = sqlx::query_as(
        "SELECT s.port, d.from_ms, d.to_ms, d.quantity, d.quality, d.coverage_ppm \
         FROM counter_series s JOIN usage_deltas d ON d.series_id = s.id \
         WHERE s.kind = $1 AND s.resource_id = $2 AND s.component = $3 AND d.tenant_id = $4 \
           AND d.from_ms < $6 AND d.to_ms > $5 ORDER BY s.port, d.from_ms LIMIT $7",
    )
    .bind(&line.resource_kind)
    .bind(&line.resource_id)
    .bind(component)
    .bind(line.id.tenant.to_string())
    .bind(line.from.ms())
    .bind(line.to.ms())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    more |= rows.len() > READINGS_MAX;
    let counted = rows.into_iter().take(READINGS_MAX).map(
        |(port, from, to, quantity, quality, coverage_ppm)| {
            let (from, to) = (Timestamp::from_ms(from), Timestamp::from_ms(to));
            CountedBetween { port, from, to, quantity, quality, coverage_ppm }
        },
    );
    Ok(Read { readings: readings.collect(), counted: counted.collect(), more })
}
