//! The notice outbox: what must be told to people is written in the transaction that causes it.
//!
//! A notice is a fact ("tenant acme is expected to run out of balance within a day"). Who gets it,
//! and by which channel, is `alerting`'s to decide; its rows of delivery go only when the receiver
//! took them. The key makes a notice happen once: a second one with the same key is ignored.

use serde::{Deserialize, Serialize};

use crate::{
    db::Conn,
    error::Result,
    id::{NoticeId, TenantId},
    time::Timestamp,
};

/// The topic of what calls an operator: it is delivered before all else that waits.
pub const PAGE: &str = "page";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Deterministic: names the fact, for instance `standing:<tenant>:<episode>:warned`.
    pub key: String,
    /// What it is about, for routing: `balance`, `alert`, `quota`.
    pub topic: String,
    /// Whom it concerns; none for what only operators get.
    pub tenant_id: Option<TenantId>,
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// For programs: the webhook's payload.
    pub data: serde_json::Value,
}

/// Writes the notice in the caller's transaction. Returns false where its key is known already.
pub async fn enqueue(conn: &mut Conn, now: Timestamp, notice: &Notice) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO notices (id, dedup_key, topic, tenant_id, subject, body, data, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (dedup_key) DO NOTHING",
    )
    .bind(NoticeId::new().to_string())
    .bind(&notice.key)
    .bind(&notice.topic)
    .bind(notice.tenant_id.map(|id| id.to_string()))
    .bind(&notice.subject)
    .bind(&notice.body)
    .bind(notice.data.to_string())
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
