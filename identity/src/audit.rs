//! The audit trail: who did what to what, written in the transaction that did it.

use base::{
    Result,
    db::{self, Conn},
    id::{AuditId, TenantId},
    time::Timestamp,
};
use serde_json::Value;
use sqlx::{Row, any::AnyRow};

use crate::Actor;

/// What was done, and to what.
#[derive(Debug, Clone)]
pub struct Act<'a> {
    /// `instance.create`, `tenant.topup`.
    pub action: &'a str,
    pub target_kind: &'a str,
    pub target_id: String,
    /// Whose the target is.
    pub tenant_id: Option<TenantId>,
    /// What a reader needs; never a secret.
    pub detail: Value,
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub id: AuditId,
    pub at: Timestamp,
    pub actor_kind: String,
    pub actor_id: String,
    pub actor_name: String,
    pub tenant_id: Option<TenantId>,
    pub action: String,
    pub target_kind: String,
    pub target_id: String,
    pub detail: Value,
}

pub async fn record(conn: &mut Conn, now: Timestamp, actor: &Actor, act: Act<'_>) -> Result<()> {
    sqlx::query(
        "INSERT INTO audit (id, at_ms, actor_kind, actor_id, actor_name, tenant_id, action, \
         target_kind, target_id, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(AuditId::new().to_string())
    .bind(now.ms())
    .bind(actor.kind.as_str())
    .bind(&actor.id)
    .bind(&actor.name)
    .bind(act.tenant_id.map(|id| id.to_string()))
    .bind(act.action)
    .bind(act.target_kind)
    .bind(act.target_id)
    .bind(act.detail.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// Newest first, before `cursor`.
pub async fn list(conn: &mut Conn, cursor: Option<AuditId>, limit: i64) -> Result<Vec<Entry>> {
    let rows =
        sqlx::query("SELECT * FROM audit WHERE $1 = '' OR id < $1 ORDER BY id DESC LIMIT $2")
            .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
            .bind(limit)
            .fetch_all(conn)
            .await?;
    rows.iter().map(from_row).collect()
}

fn from_row(row: &AnyRow) -> Result<Entry> {
    let detail: String = row.try_get("detail")?;
    Ok(Entry {
        id: db::parsed(row, "id")?,
        at: Timestamp::from_ms(row.try_get("at_ms")?),
        actor_kind: row.try_get("actor_kind")?,
        actor_id: row.try_get("actor_id")?,
        actor_name: row.try_get("actor_name")?,
        tenant_id: db::parsed_opt(row, "tenant_id")?,
        action: row.try_get("action")?,
        target_kind: row.try_get("target_kind")?,
        target_id: row.try_get("target_id")?,
        detail: serde_json::from_str(&detail).unwrap_or(Value::String(detail)),
    })
}
