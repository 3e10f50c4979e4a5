//! Requests for a higher quota: a tenant asks, an operator decides.

use axum::{extract::State, response::Response};
use base::{
    bus::Topic,
    id::{QuotaRequestId, TenantId},
    time::Timestamp,
};
use http::StatusCode;
use inventory::quotas::{
    Limit,
    requests::{self, QuotaRequestState, Request},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path, Query},
    internal,
    page::{self, Page},
    problem::Result,
    quotas::QuotaLimit,
    state::App,
    unit::{self, Unit},
};

#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaRequest {
    pub id: QuotaRequestId,
    pub tenant_id: TenantId,
    /// The limits asked for.
    pub items: Vec<QuotaLimit>,
    /// The limits that were set, where it is approved.
    pub granted: Option<Vec<QuotaLimit>>,
    pub reason: String,
    pub state: QuotaRequestState,
    pub asked_by: String,
    pub created_at: Timestamp,
    /// For operators.
    pub decided_by: Option<String>,
    pub decided_at: Option<Timestamp>,
    /// What the operator says to it.
    pub answer: Option<String>,
}

fn describe(request: Request, caller: &Caller) -> QuotaRequest {
    let request = internal::shown(caller, request);
    let limits = |all: Vec<Limit>| all.into_iter().map(QuotaLimit::from).collect();
    QuotaRequest {
        id: request.id,
        tenant_id: request.tenant_id,
        items: limits(request.items),
        granted: request.granted.map(limits),
        reason: request.reason,
        state: request.state,
        asked_by: request.asked_by,
        created_at: request.created_at,
        decided_by: request.decided_by,
        decided_at: request.decided_at,
        answer: request.answer,
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateQuotaRequest {
    /// Each above what the limit is now.
    pub items: Vec<QuotaLimit>,
    /// What it is needed for.
    pub reason: String,
    /// For operators, who must say for whom.
    pub tenant_id: Option<TenantId>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveQuotaRequest {
    /// Other limits than those asked for; what is not named is granted as asked.
    #[serde(default)]
    pub items: Vec<QuotaLimit>,
    pub answer: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseQuotaRequest {
    /// Why.
    pub answer: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct QuotaRequestQuery {
    /// For operators: one tenant's only.
    #[param(value_type = Option<TenantId>)]
    pub tenant_id: Option<TenantId>,
    #[param(value_type = Option<QuotaRequestState>)]
    pub state: Option<QuotaRequestState>,
    /// At most so many items (1 to 1000, 100 where not given).
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Newest first; a member sees its own tenant's.
#[utoipa::path(get, path = "/v1/quota-requests", tag = "tenants", params(QuotaRequestQuery),
    responses((status = 200, body = Page<QuotaRequest>)))]
pub async fn list_quota_requests(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<QuotaRequestQuery>,
) -> Result<Json<Page<QuotaRequest>>> {
    let span = page::span::<QuotaRequestId>(query.limit, query.cursor.as_deref())?;
    let tenant = super::tenant_filter(&caller, query.tenant_id)?;
    let mut conn = app.read().await?;
    let rows = requests::list(&mut conn, tenant, query.state, span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |r| r.id.to_string(), |r| describe(r, &caller))))
}

/// Asks for higher limits. Five requests of a tenant may wait for an answer, and it may make twenty a
/// day.
#[utoipa::path(post, path = "/v1/quota-requests", tag = "tenants",
    request_body = CreateQuotaRequest, responses((status = 201, body = QuotaRequest)))]
pub async fn create_quota_request(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreateQuotaRequest>,
) -> unit::Result<Response> {
    let tenant = super::for_whom(&caller, body.tenant_id)?;
    let mut unit = app.begin(&caller, key).await?;
    let now = unit.now;
    identity::tenants::get(&mut unit.tx, tenant).await.map_err(|e| e.in_field("tenant_id"))?;
    let items: Vec<Limit> = body.items.into_iter().map(Limit::from).collect();
    let asked = requests::ask(&mut unit.tx, now, &caller, tenant, &items, &body.reason).await?;
    let detail = json!({ "items": asked.items, "reason": asked.reason });
    // Operators alone are told.
    unit.changes.add(Topic::Notice, asked.id, None);
    finish(unit, &caller, "quota.request", StatusCode::CREATED, asked, detail).await
}

/// What all that change a request end with.
async fn finish(
    mut unit: Unit,
    caller: &Caller,
    action: &str,
    status: StatusCode,
    request: Request,
    detail: Value,
) -> unit::Result<Response> {
    let (id, tenant) = (request.id, Some(request.tenant_id));
    unit.audit(action, ("quota_request", id), tenant, detail).await?;
    unit.changes.add(Topic::Quota, id, tenant);
    unit.finish(status, &describe(request, caller)).await
}

#[utoipa::path(get, path = "/v1/quota-requests/{id}", tag = "tenants",
    params(("id" = QuotaRequestId, Path)), responses((status = 200, body = QuotaRequest)))]
pub async fn get_quota_request(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<QuotaRequestId>,
) -> Result<Json<QuotaRequest>> {
    let request = requests::get(&mut *app.read().await?, id).await?;
    caller.require_sees(request.tenant_id, format_args!("quota request {id}"))?;
    Ok(Json(describe(request, &caller)))
}

/// Sets the limits asked for, or others, at once; none is lowered by it.
#[utoipa::path(post, path = "/v1/quota-requests/{id}/approve", tag = "tenants",
    params(("id" = QuotaRequestId, Path)), request_body = ApproveQuotaRequest,
    responses((status = 200, body = QuotaRequest)))]
pub async fn approve_quota_request(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<QuotaRequestId>,
    Json(body): Json<ApproveQuotaRequest>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    let others: Vec<Limit> = body.items.into_iter().map(Limit::from).collect();
    let words = body.answer.as_deref();
    let done = requests::approve(&mut unit.tx, now, &caller, id, &others, words).await?;
    let detail = json!({ "items": done.items, "granted": done.granted, "answer": done.answer });
    unit.changes.add(Topic::Notice, id, Some(done.tenant_id));
    finish(unit, &caller, "quota.approve", StatusCode::OK, done, detail).await
}

/// Leaves the limits as they are, and says why.
#[utoipa::path(post, path = "/v1/quota-requests/{id}/refuse", tag = "tenants",
    params(("id" = QuotaRequestId, Path)), request_body = RefuseQuotaRequest,
    responses((status = 200, body = QuotaRequest)))]
pub async fn refuse_quota_request(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<QuotaRequestId>,
    Json(body): Json<RefuseQuotaRequest>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    let done = requests::refuse(&mut unit.tx, now, &caller, id, &body.answer).await?;
    let detail = json!({ "items": done.items, "answer": done.answer });
    unit.changes.add(Topic::Notice, id, Some(done.tenant_id));
    finish(unit, &caller, "quota.refuse", StatusCode::OK, done, detail).await
}

/// The tenant thinks better of it.
#[utoipa::path(post, path = "/v1/quota-requests/{id}/withdraw", tag = "tenants",
    params(("id" = QuotaRequestId, Path)), responses((status = 200, body = QuotaRequest)))]
pub async fn withdraw_quota_request(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<QuotaRequestId>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    let request = requests::get(&mut unit.tx, id).await?;
    caller.require_sees(request.tenant_id, format_args!("quota request {id}"))?;
    let done = requests::withdraw(&mut unit.tx, now, &caller, id).await?;
    let detail = json!({ "items": done.items });
    finish(unit, &caller, "quota.withdraw", StatusCode::OK, done, detail).await
}
