//! The audit trail: who did what to what.

use axum::extract::State;
use base::{
    id::{AuditId, TenantId},
    time::Timestamp,
};
use identity::audit;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    extract::{Json, Query},
    operations::ActorRef,
    page::{Page, PageQuery},
    problem::Result,
    state::App,
};

#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    pub id: AuditId,
    pub at: Timestamp,
    pub actor: ActorRef,
    pub tenant_id: Option<TenantId>,
    /// `instance.create`, `tenant.topup`, …
    pub action: String,
    pub target_kind: String,
    pub target_id: String,
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

impl From<audit::Entry> for AuditEntry {
    fn from(entry: audit::Entry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            actor: ActorRef { kind: entry.actor_kind, id: entry.actor_id, name: entry.actor_name },
            tenant_id: entry.tenant_id,
            action: entry.action,
            target_kind: entry.target_kind,
            target_id: entry.target_id,
            detail: entry.detail,
        }
    }
}

/// Newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "system", params(PageQuery),
    responses((status = 200, body = Page<AuditEntry>)))]
pub async fn list_audit(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<AuditEntry>>> {
    let span = query.span::<AuditId>()?;
    let rows = audit::list(&mut *app.read().await?, span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |e| e.id.to_string(), AuditEntry::from)))
}
