//! Rule groups in SQL: put by name through the API, or brought by configuration files.

use std::{collections::BTreeSet, path::Path};

use base::{Error, Result, db::Conn, time::Timestamp};
use identity::{Actor, audit};
use serde::Serialize;
use sqlx::{Row, any::AnyRow};

use super::parse::{self, Parsed};

pub const MAX_GROUPS: i64 = 1_000;
const FROM_API: &str = "api";

/// A group's row.
#[derive(Debug, Clone)]
pub struct Stored {
    pub name: String,
    /// `api`, or `file:PATH`.
    pub source: String,
    /// A rules file with this one group.
    pub yaml: String,
    pub version: i64,
    pub updated_at: Timestamp,
    pub evaluated_at: Option<Timestamp>,
    pub evaluation_us: Option<i64>,
}

/// Whether a put made a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Put {
    Created,
    Changed,
    Unchanged,
}

fn from_row(row: &AnyRow) -> Result<Stored> {
    Ok(Stored {
        name: row.try_get("name")?,
        source: row.try_get("source")?,
        yaml: row.try_get("yaml")?,
        version: row.try_get("version")?,
        updated_at: Timestamp::from_ms(row.try_get("updated_ms")?),
        evaluated_at: row.try_get::<Option<i64>, _>("evaluated_ms")?.map(Timestamp::from_ms),
        evaluation_us: row.try_get("evaluation_us")?,
    })
}

/// By name, after `cursor` (empty: from the first).
pub async fn list(conn: &mut Conn, cursor: &str, limit: i64) -> Result<Vec<Stored>> {
    let rows = sqlx::query("SELECT * FROM rule_groups WHERE name > $1 ORDER BY name LIMIT $2")
        .bind(cursor)
        .bind(limit)
        .fetch_all(conn)
        .await?;
    rows.iter().map(from_row).collect()
}

pub async fn get(conn: &mut Conn, name: &str) -> Result<Stored> {
    find(conn, name).await?.ok_or_else(|| Error::not_found(format_args!("rule group '{name}'")))
}

async fn find(conn: &mut Conn, name: &str) -> Result<Option<Stored>> {
    let row = sqlx::query("SELECT * FROM rule_groups WHERE name = $1")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Makes or replaces the group `name` from a rules file that holds it alone. What its rules have in
/// common with the old ones keeps its alerts.
pub async fn put(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    name: &str,
    yaml: &str,
) -> Result<Put> {
    let parsed = parse::one(name, yaml)?;
    if let Some(stored) = find(&mut *conn, name).await? {
        must_be_ours(&stored)?;
    }
    write(conn, now, actor, FROM_API, &parsed).await
}

pub async fn delete(conn: &mut Conn, now: Timestamp, actor: &Actor, name: &str) -> Result<()> {
    must_be_ours(&get(&mut *conn, name).await?)?;
    remove(conn, now, actor, name).await
}

fn must_be_ours(stored: &Stored) -> Result<()> {
    match stored.source.strip_prefix("file:") {
        None => Ok(()),
        Some(path) => {
            Err(Error::conflict(format!("rule group '{}' comes from the file {path}", stored.name))
                .remedy("change the file and restart the server"))
        }
    }
}

/// Makes the groups from files what the files say now: those of files that are not named any more
/// go, those of the API stay.
pub async fn load_files(conn: &mut Conn, now: Timestamp, files: &[impl AsRef<Path>]) -> Result<()> {
    let actor = Actor::system("configuration");
    let mut brought = BTreeSet::new();
    for path in files {
        let path = path.as_ref().display().to_string();
        let in_file = |mut e: Error| {
            e.message = format!("{path}: {}", e.message);
            e
        };
        let text = std::fs::read_to_string(&path).map_err(|e| {
            let message = format!("alerting.rule_files: {path} can't be read: {e}");
            Error::invalid("alerting.rule_files", message)
        })?;
        for parsed in parse::file(&text).map_err(in_file)? {
            let name = parsed.group.name.clone();
            if !brought.insert(name.clone()) {
                let message = format!("{path}: group '{name}' is in another file already");
                return Err(Error::invalid("alerting.rule_files", message));
            }
            if find(&mut *conn, &name).await?.is_some_and(|s| s.source == FROM_API) {
                let message = format!("{path}: group '{name}' was put through the API already");
                return Err(Error::conflict(message).remedy("rename one of the two"));
            }
            write(&mut *conn, now, &actor, &format!("file:{path}"), &parsed).await?;
        }
    }
    for stored in list(&mut *conn, "", MAX_GROUPS).await? {
        if stored.source != FROM_API && !brought.contains(&stored.name) {
            remove(&mut *conn, now, &actor, &stored.name).await?;
        }
    }
    Ok(())
}

async fn write(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    source: &str,
    parsed: &Parsed,
) -> Result<Put> {
    let name = &parsed.group.name;
    let before = find(&mut *conn, name).await?;
    if before.as_ref().is_some_and(|s| s.yaml == parsed.yaml && s.source == source) {
        return Ok(Put::Unchanged);
    }
    if before.is_none() {
        let row = sqlx::query("SELECT COUNT(*) FROM rule_groups").fetch_one(&mut *conn).await?;
        if row.try_get::<i64, _>(0)? >= MAX_GROUPS {
            return Err(Error::conflict(format!("there are {MAX_GROUPS} rule groups already")));
        }
    }
    sqlx::query(
        "INSERT INTO rule_groups (name, source, yaml, version, updated_ms) \
         VALUES ($1, $2, $3, $4, $4) ON CONFLICT (name) DO UPDATE SET source = excluded.source, \
         yaml = excluded.yaml, version = rule_groups.version + 1, \
         updated_ms = excluded.updated_ms",
    )
    .bind(name)
    .bind(source)
    .bind(&parsed.yaml)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    let rules = parsed.group.rules.len();
    note(conn, now, actor, "rule_group.put", name, serde_json::json!({ "rules": rules })).await?;
    Ok(if before.is_some() { Put::Changed } else { Put::Created })
}

async fn remove(conn: &mut Conn, now: Timestamp, actor: &Actor, name: &str) -> Result<()> {
    sqlx::query("DELETE FROM rule_groups WHERE name = $1").bind(name).execute(&mut *conn).await?;
    note(conn, now, actor, "rule_group.delete", name, serde_json::json!({})).await
}

async fn note(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    action: &str,
    name: &str,
    detail: serde_json::Value,
) -> Result<()> {
    let act = audit::Act {
        action,
        target_kind: "rule_group",
        target_id: name.to_owned(),
        tenant_id: None,
        detail,
    };
    audit::record(conn, now, actor, act).await
}
