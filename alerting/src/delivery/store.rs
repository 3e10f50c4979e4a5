//! Deliveries in SQL.

use base::{Error, Result, db::Conn, id::DeliveryId, outbox, time::Timestamp};
use serde_json::Value;
use sqlx::{Row, any::AnyRow};

use super::{Channel, Delivery, NoticeRow, Refusal, lanes::Lane, recipients::Recipient};
use crate::routing;

const NOTICE: &str = "n.id AS notice_id, n.topic, n.tenant_id, n.subject, n.body, n.data, \
    n.created_ms AS notice_ms";

fn parse<T: std::str::FromStr>(row: &AnyRow, column: &str) -> Result<T> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| Error::internal(format!("the column {column} holds no id: {text}")))
}

fn notice(row: &AnyRow) -> Result<NoticeRow> {
    let tenant: Option<String> = row.try_get("tenant_id")?;
    Ok(NoticeRow {
        id: parse(row, "notice_id")?,
        topic: row.try_get("topic")?,
        tenant_id: if tenant.is_some() { Some(parse(row, "tenant_id")?) } else { None },
        subject: row.try_get("subject")?,
        body: row.try_get("body")?,
        data: row.try_get("data")?,
        created_at: Timestamp::from_ms(row.try_get("notice_ms")?),
    })
}

/// Notices that nobody has routed yet, oldest first.
pub async fn unrouted(conn: &mut Conn, limit: i64) -> Result<Vec<NoticeRow>> {
    let sql = format!(
        "SELECT {NOTICE} FROM notices n WHERE n.routed_ms IS NULL \
         ORDER BY n.created_ms, n.id LIMIT $1"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(limit).fetch_all(conn).await?;
    rows.iter().map(notice).collect()
}

/// What must arrive in order at an address: the notices of one group of alerts, or those of one
/// topic of one tenant.
fn stream(notice: &NoticeRow) -> String {
    if notice.topic == routing::reconciler::TOPIC
        && let Ok(data) = serde_json::from_str::<Value>(&notice.data)
        && let Some(group) = data["groupKey"].as_str()
    {
        return format!("alert:{group}");
    }
    let tenant = notice.tenant_id.map(|id| id.to_string()).unwrap_or_default();
    format!("{}:{tenant}", notice.topic)
}

/// Makes the deliveries and marks the notice as routed. False where another did it first.
pub async fn route(
    conn: &mut Conn,
    now: Timestamp,
    notice: &NoticeRow,
    recipients: &[Recipient],
) -> Result<bool> {
    let done = sqlx::query("UPDATE notices SET routed_ms = $1 WHERE id = $2 AND routed_ms IS NULL")
        .bind(now.ms())
        .bind(notice.id.to_string())
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let stream = stream(notice);
    for recipient in recipients {
        sqlx::query(
            "INSERT INTO deliveries (id, notice_id, channel, address, audience, stream, state, \
             attempts, next_ms, created_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7, $7)",
        )
        .bind(DeliveryId::new().to_string())
        .bind(notice.id.to_string())
        .bind(recipient.channel.as_str())
        .bind(&recipient.address)
        .bind(recipient.audience.as_str())
        .bind(&stream)
        .bind(now.ms())
        .execute(&mut *conn)
        .await?;
    }
    Ok(true)
}

/// The lanes that have something pending.
pub async fn lanes(conn: &mut Conn) -> Result<Vec<Lane>> {
    let rows =
        sqlx::query("SELECT DISTINCT channel, address FROM deliveries WHERE state = 'pending'")
            .fetch_all(conn)
            .await?;
    let mut lanes = Vec::new();
    for row in rows {
        lanes.push(Lane::of(channel(&row)?, row.try_get("address")?));
    }
    lanes.sort();
    lanes.dedup();
    Ok(lanes)
}

fn channel(row: &AnyRow) -> Result<Channel> {
    let text: String = row.try_get("channel")?;
    Channel::parse(&text).ok_or_else(|| Error::internal("a delivery's channel is damaged"))
}

/// The pending deliveries of a lane that nothing of their stream goes before, the earliest due
/// first, and what calls an operator before all else that is due; with when each is due.
pub async fn pending(
    conn: &mut Conn,
    now: Timestamp,
    lane: &Lane,
    limit: i64,
) -> Result<Vec<(Timestamp, Delivery)>> {
    let sql = format!(
        "SELECT d.id, d.channel, d.address, d.attempts, d.next_ms, {NOTICE} \
         FROM deliveries d JOIN notices n ON n.id = d.notice_id \
         WHERE d.state = 'pending' AND d.channel = $1 AND ($2 = '' OR d.address = $2) \
         AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.state = 'pending' \
             AND e.channel = d.channel AND e.address = d.address AND e.stream = d.stream \
             AND e.id < d.id) \
         ORDER BY CASE WHEN n.topic = $4 AND d.next_ms <= $5 THEN 0 ELSE 1 END, \
             d.next_ms, d.id LIMIT $3"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(lane.channel.as_str())
        .bind(lane.address.as_deref().unwrap_or_default())
        .bind(limit)
        .bind(outbox::PAGE)
        .bind(now.ms())
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let delivery = Delivery {
                id: parse(row, "id")?,
                channel: channel(row)?,
                address: row.try_get("address")?,
                attempts: row.try_get("attempts")?,
                notice: notice(row)?,
            };
            Ok((Timestamp::from_ms(row.try_get("next_ms")?), delivery))
        })
        .collect()
}

/// Notes how an attempt ended.
pub async fn mark(
    conn: &mut Conn,
    now: Timestamp,
    delivery: &Delivery,
    outcome: &Result<(), Refusal>,
) -> Result<()> {
    let attempts = delivery.attempts + 1;
    let (state, error, next) = match outcome {
        Ok(()) => ("delivered", None, now),
        Err(refusal) if refusal.retry && attempts < super::MAX_ATTEMPTS => {
            let next = now.saturating_add_ms(super::backoff_ms(attempts));
            ("pending", Some(&refusal.reason), next)
        }
        Err(refusal) => ("failed", Some(&refusal.reason), now),
    };
    sqlx::query(
        "UPDATE deliveries SET state = $1, attempts = $2, next_ms = $3, error = $4, \
         finished_ms = $5 WHERE id = $6 AND state = 'pending'",
    )
    .bind(state)
    .bind(attempts)
    .bind(next.ms())
    .bind(error)
    .bind((state != "pending").then(|| now.ms()))
    .bind(delivery.id.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// How many deliveries stand in each state, for the operator.
pub async fn counts(conn: &mut Conn) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query(
        "SELECT state, COUNT(*) FROM deliveries WHERE state <> 'delivered' GROUP BY state",
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
