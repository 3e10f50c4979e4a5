//! Rule and alert states in SQL. All that one evaluation of a group found is one transaction.

use std::collections::BTreeMap;

use base::{Error, Result, db::Conn, id::TenantId, sample::Labels, time::Timestamp};
use sqlx::{Row, any::AnyRow};

use super::{Change, Known, RuleResult, RuleState};
use crate::{
    fingerprint,
    state::{AlertState, Episode},
};

/// What is known of each rule of the group, by key; resolved episodes are history and stay out.
pub async fn load(conn: &mut Conn, group: &str) -> Result<BTreeMap<String, RuleState>> {
    let mut states = BTreeMap::<String, RuleState>::new();
    let rows = sqlx::query("SELECT rule_key, series FROM rule_states WHERE group_name = $1")
        .bind(group)
        .fetch_all(&mut *conn)
        .await?;
    for row in rows {
        let series: String = row.try_get("series")?;
        states.entry(row.try_get("rule_key")?).or_default().series = json(&series)?;
    }
    let rows = sqlx::query("SELECT * FROM alerts WHERE group_name = $1 AND state <> 'resolved'")
        .bind(group)
        .fetch_all(conn)
        .await?;
    for row in rows {
        let state = states.entry(row.try_get("rule_key")?).or_default();
        state.alerts.insert(row.try_get("fingerprint")?, known(&row)?);
    }
    Ok(states)
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::internal("a JSON column is damaged").source(e))
}

pub(crate) fn known(row: &AnyRow) -> Result<Known> {
    let id: String = row.try_get("id")?;
    let state: String = row.try_get("state")?;
    let value: String = row.try_get("value")?;
    let instant = |column: &str| -> Result<Option<Timestamp>> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_ms))
    };
    let damaged = |what: &str| Error::internal(format!("an alert's {what} is damaged"));
    Ok(Known {
        id: id.parse().map_err(|_| damaged("id"))?,
        episode: Episode {
            state: AlertState::parse(&state).ok_or_else(|| damaged("state"))?,
            labels: json(&row.try_get::<String, _>("labels")?)?,
            annotations: json(&row.try_get::<String, _>("annotations")?)?,
            value: value.parse().map_err(|_| damaged("value"))?,
            active_at: Timestamp::from_ms(row.try_get("active_ms")?),
            fired_at: instant("fired_ms")?,
            resolved_at: instant("resolved_ms")?,
            keep_firing_since: instant("keep_firing_since_ms")?,
        },
    })
}

/// Writes what the evaluation of `at` found, unless the group has changed since it was read.
pub async fn record(
    conn: &mut Conn,
    group: &str,
    version: i64,
    at: Timestamp,
    results: &[RuleResult],
) -> Result<bool> {
    let evaluation_us: i64 = results.iter().map(|r| r.evaluation_us).sum();
    let done = sqlx::query(
        "UPDATE rule_groups SET evaluated_ms = $1, evaluation_us = $2 \
         WHERE name = $3 AND version = $4",
    )
    .bind(at.ms())
    .bind(evaluation_us)
    .bind(group)
    .bind(version)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for result in results {
        for change in &result.alerts {
            apply(&mut *conn, group, &result.key, change).await?;
        }
        write_rule(&mut *conn, group, at, result).await?;
    }
    Ok(true)
}

async fn write_rule(
    conn: &mut Conn,
    group: &str,
    at: Timestamp,
    result: &RuleResult,
) -> Result<()> {
    let series = serde_json::to_string(&result.series)
        .map_err(|e| Error::internal("labels can't be written").source(e))?;
    sqlx::query(
        "INSERT INTO rule_states \
         (group_name, rule_key, health, error, evaluated_ms, evaluation_us, series) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (group_name, rule_key) DO UPDATE SET health = excluded.health, \
         error = excluded.error, evaluated_ms = excluded.evaluated_ms, \
         evaluation_us = excluded.evaluation_us, series = excluded.series",
    )
    .bind(group)
    .bind(&result.key)
    .bind(if result.error.is_none() { "ok" } else { "err" })
    .bind(&result.error)
    .bind(at.ms())
    .bind(result.evaluation_us)
    .bind(series)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn apply(conn: &mut Conn, group: &str, key: &str, change: &Change) -> Result<()> {
    match change {
        Change::Begin(known) => begin(conn, group, key, known).await,
        Change::Update(known, _) => update(conn, known).await,
        Change::Forget(Known { id, .. }) => {
            sqlx::query("DELETE FROM alerts WHERE id = $1")
                .bind(id.to_string())
                .execute(conn)
                .await?;
            Ok(())
        }
    }
}

fn ms(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::ms)
}

fn annotations(episode: &Episode) -> Result<String> {
    serde_json::to_string(&episode.annotations)
        .map_err(|e| Error::internal("annotations can't be written").source(e))
}

/// Whose alert it is: the label is an id that the server set on the series.
pub(super) fn tenant(labels: &Labels) -> Option<TenantId> {
    labels.get("tenant").and_then(|text| text.parse().ok())
}

async fn begin(conn: &mut Conn, group: &str, key: &str, known: &Known) -> Result<()> {
    let Known { id, episode } = known;
    let labels = serde_json::to_string(&episode.labels)
        .map_err(|e| Error::internal("labels can't be written").source(e))?;
    sqlx::query(
        "INSERT INTO alerts (id, group_name, rule_key, fingerprint, name, state, labels, \
         annotations, tenant_id, value, active_ms, fired_ms, resolved_ms, keep_firing_since_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(id.to_string())
    .bind(group)
    .bind(key)
    .bind(fingerprint::of(&episode.labels))
    .bind(episode.labels.get(super::ALERT_NAME).unwrap_or_default())
    .bind(episode.state.as_str())
    .bind(labels)
    .bind(annotations(episode)?)
    .bind(tenant(&episode.labels).map(|id| id.to_string()))
    .bind(episode.value.to_string())
    .bind(episode.active_at.ms())
    .bind(ms(episode.fired_at))
    .bind(ms(episode.resolved_at))
    .bind(ms(episode.keep_firing_since))
    .execute(conn)
    .await?;
    Ok(())
}

async fn update(conn: &mut Conn, known: &Known) -> Result<()> {
    let Known { id, episode } = known;
    sqlx::query(
        "UPDATE alerts SET state = $1, annotations = $2, value = $3, active_ms = $4, \
         fired_ms = $5, resolved_ms = $6, keep_firing_since_ms = $7 WHERE id = $8",
    )
    .bind(episode.state.as_str())
    .bind(annotations(episode)?)
    .bind(episode.value.to_string())
    .bind(episode.active_at.ms())
    .bind(ms(episode.fired_at))
    .bind(ms(episode.resolved_at))
    .bind(ms(episode.keep_firing_since))
    .bind(id.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// Groups that are gone but have rules whose series are not ended yet.
pub async fn orphaned_groups(conn: &mut Conn) -> Result<Vec<String>> {
    let rows = sqlx::query(
        "SELECT DISTINCT group_name FROM rule_states \
         WHERE group_name NOT IN (SELECT name FROM rule_groups) ORDER BY group_name",
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub async fn forget_rule(conn: &mut Conn, group: &str, key: &str) -> Result<()> {
    sqlx::query("DELETE FROM rule_states WHERE group_name = $1 AND rule_key = $2")
        .bind(group)
        .bind(key)
        .execute(conn)
        .await?;
    Ok(())
}

/// Drops episodes that were over before `before`, at most `limit`.
pub async fn prune(conn: &mut Conn, before: Timestamp, limit: i64) -> Result<()> {
    sqlx::query(
        "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts \
         WHERE state = 'resolved' AND resolved_ms < $1 ORDER BY resolved_ms LIMIT $2)",
    )
    .bind(before.ms())
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(())
}
