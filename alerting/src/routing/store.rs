//! What receivers were told, in SQL; and the alerts that are theirs.

use std::collections::{BTreeMap, BTreeSet};

use base::{Error, Result, db::Conn, time::Timestamp};
use sqlx::{Row, any::AnyRow};

use super::{Receiver, Told};
use crate::{
    evaluation::{Known, store::known},
    state::Episode,
};

/// Of one receiver, by its labels.
#[derive(Debug, Clone)]
pub struct GroupRow {
    pub receiver: Receiver,
    pub key: String,
    pub labels: BTreeMap<String, String>,
    pub told: Told,
}

fn json<T: serde::de::DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text)
        .map_err(|e| Error::internal(format!("an alert group's {column} is damaged")).source(e))
}

fn from_row(row: &AnyRow) -> Result<GroupRow> {
    let tenant: Option<String> = row.try_get("tenant_id")?;
    let tenant = tenant
        .map(|id| id.parse().map_err(|_| Error::internal("an alert group's tenant is damaged")))
        .transpose()?;
    let instant = |column: &str| -> Result<Option<Timestamp>> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_ms))
    };
    Ok(GroupRow {
        receiver: Receiver::of(tenant),
        key: row.try_get("group_key")?,
        labels: json(row, "labels")?,
        told: Told {
            created_at: Timestamp::from_ms(row.try_get("created_ms")?),
            next_flush_at: Timestamp::from_ms(row.try_get("next_flush_ms")?),
            flushed_at: instant("flushed_ms")?,
            notified_at: instant("notified_ms")?,
            firing: json(row, "firing")?,
            resolved: json(row, "resolved")?,
        },
    })
}

pub async fn list(conn: &mut Conn) -> Result<Vec<GroupRow>> {
    let rows = sqlx::query("SELECT * FROM alert_groups ORDER BY receiver, group_key")
        .fetch_all(conn)
        .await?;
    rows.iter().map(from_row).collect()
}

pub async fn put(conn: &mut Conn, row: &GroupRow) -> Result<()> {
    let text = |set: &BTreeSet<String>| serde_json::json!(set).to_string();
    sqlx::query(
        "INSERT INTO alert_groups (receiver, group_key, tenant_id, labels, created_ms, \
         next_flush_ms, flushed_ms, notified_ms, firing, resolved) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (receiver, group_key) DO UPDATE SET \
         next_flush_ms = excluded.next_flush_ms, flushed_ms = excluded.flushed_ms, \
         notified_ms = excluded.notified_ms, firing = excluded.firing, \
         resolved = excluded.resolved",
    )
    .bind(row.receiver.name())
    .bind(&row.key)
    .bind(row.receiver.tenant().map(|id| id.to_string()))
    .bind(serde_json::json!(row.labels).to_string())
    .bind(row.told.created_at.ms())
    .bind(row.told.next_flush_at.ms())
    .bind(row.told.flushed_at.map(Timestamp::ms))
    .bind(row.told.notified_at.map(Timestamp::ms))
    .bind(text(&row.told.firing))
    .bind(text(&row.told.resolved))
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn remove(conn: &mut Conn, row: &GroupRow) -> Result<()> {
    sqlx::query("DELETE FROM alert_groups WHERE receiver = $1 AND group_key = $2")
        .bind(row.receiver.name())
        .bind(&row.key)
        .execute(conn)
        .await?;
    Ok(())
}

/// By fingerprint.
pub type Episodes = BTreeMap<String, Episode>;

/// All that fire; of two rules that make the same alert, the one that fires longer.
pub async fn firing(conn: &mut Conn) -> Result<Episodes> {
    let rows =
        sqlx::query("SELECT * FROM alerts WHERE state = 'firing' ORDER BY fired_ms DESC, id DESC")
            .fetch_all(conn)
            .await?;
    by_fingerprint(&rows)
}

/// What fired and was over since `since`; of an alert with several episodes, the last.
pub async fn resolved_since(conn: &mut Conn, since: Timestamp) -> Result<Episodes> {
    let rows = sqlx::query(
        "SELECT * FROM alerts WHERE state = 'resolved' AND fired_ms IS NOT NULL \
         AND resolved_ms >= $1 ORDER BY id",
    )
    .bind(since.ms())
    .fetch_all(conn)
    .await?;
    by_fingerprint(&rows)
}

/// The last episode of an alert that is over.
pub async fn last_resolved(conn: &mut Conn, fingerprint: &str) -> Result<Option<Episode>> {
    let row = sqlx::query(
        "SELECT * FROM alerts WHERE state = 'resolved' AND fingerprint = $1 \
         ORDER BY id DESC LIMIT 1",
    )
    .bind(fingerprint)
    .fetch_optional(conn)
    .await?;
    Ok(row.as_ref().map(known).transpose()?.map(|k| k.episode))
}

/// Later rows win.
fn by_fingerprint(rows: &[AnyRow]) -> Result<Episodes> {
    rows.iter()
        .map(|row| {
            let Known { episode, .. } = known(row)?;
            Ok((row.try_get("fingerprint")?, episode))
        })
        .collect()
}
