//! Operations: who asked for what, the steps seen, how it ended.

use std::collections::HashSet;

use axum::extract::State;
use base::{
    db::Conn,
    id::{OperationId, TenantId},
    time::Timestamp,
};
use identity::tenants;
use inventory::operations::{self, OperationState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    extract::{Json, Path, Query},
    page::{self, Page},
    problem::Result,
    state::App,
};

#[derive(Debug, Serialize, ToSchema)]
pub struct Operation {
    pub id: OperationId,
    /// `instance.create`, `instance.start`, …
    pub kind: String,
    pub target_kind: String,
    pub target_id: String,
    pub target_name: String,
    pub tenant_id: Option<TenantId>,
    pub actor: ActorRef,
    pub state: OperationState,
    pub progress_pct: i64,
    pub steps: Vec<OperationStep>,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// Null while it runs.
    pub duration_ms: Option<i64>,
    pub error_code: Option<String>,
    pub error: Option<String>,
}

/// Who did it. Members are told the name and the id of their own tenant's users and tokens, and of parts of
/// OpsHawk; of operators and hosts both are empty.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActorRef {
    /// `user`, `token`, `agent` or `system`.
    pub kind: String,
    pub id: String,
    pub name: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OperationStep {
    pub name: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

impl From<operations::Operation> for Operation {
    fn from(operation: operations::Operation) -> Self {
        let duration_ms = operation.duration_ms();
        let step = |step: operations::Step| {
            let operations::Step { name, started_at, finished_at } = step;
            OperationStep { name, started_at, finished_at }
        };
        Self {
            id: operation.id,
            kind: operation.kind,
            target_kind: operation.target_kind,
            target_id: operation.target_id,
            target_name: operation.target_name,
            tenant_id: operation.tenant_id,
            actor: ActorRef {
                kind: operation.actor_kind,
                id: operation.actor_id,
                name: operation.actor_name,
            },
            state: operation.state,
            progress_pct: operation.progress_pct,
            steps: operation.steps.into_iter().map(step).collect(),
            started_at: operation.started_at,
            finished_at: operation.finished_at,
            duration_ms,
            error_code: operation.error_code,
            error: operation.error,
        }
    }
}

/// Whom the caller is told of; none: of everybody.
async fn known(conn: &mut Conn, caller: &Caller) -> base::Result<Option<HashSet<String>>> {
    match caller.tenant() {
        Some(tenant) => tenants::actors(conn, tenant).await.map(Some),
        None => Ok(None),
    }
}

fn shown(operation: operations::Operation, known: Option<&HashSet<String>>) -> Operation {
    let mut operation = Operation::from(operation);
    let ActorRef { kind, id, name } = &mut operation.actor;
    if known.is_some_and(|known| kind != "system" && !known.contains(id)) {
        id.clear();
        name.clear();
    }
    operation
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OperationQuery {
    /// For operators: one tenant's only.
    #[param(value_type = Option<TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// Of one instance or server.
    pub target_id: Option<String>,
    /// At most so many items (1 to 1000, 100 where not given).
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Newest first.
#[utoipa::path(get, path = "/v1/operations", tag = "operations", params(OperationQuery),
    responses((status = 200, body = Page<Operation>)))]
pub async fn list_operations(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OperationQuery>,
) -> Result<Json<Page<Operation>>> {
    let span = page::span::<OperationId>(query.limit, query.cursor.as_deref())?;
    let filter = operations::Filter {
        tenant_id: super::tenant_filter(&caller, query.tenant_id)?,
        target_id: query.target_id,
        cursor: span.cursor,
        limit: span.fetch(),
    };
    let mut conn = app.read().await?;
    let rows = operations::list(&mut conn, &filter).await?;
    let known = known(&mut conn, &caller).await?;
    Ok(Json(span.page(rows, |o| o.id.to_string(), |o| shown(o, known.as_ref()))))
}

#[utoipa::path(get, path = "/v1/operations/{id}", tag = "operations",
    params(("id" = OperationId, Path)), responses((status = 200, body = Operation)))]
pub async fn get_operation(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<OperationId>,
) -> Result<Json<Operation>> {
    let mut conn = app.read().await?;
    let operation = operations::get(&mut conn, id).await?;
    super::require_own(&caller, operation.tenant_id, format_args!("operation {id}"))?;
    let known = known(&mut conn, &caller).await?;
    Ok(Json(shown(operation, known.as_ref())))
}
