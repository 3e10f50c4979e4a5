//! What a shortage of money stops: the preview, the guard, exemptions, steps that wait.

use axum::{extract::State, response::Response};
use base::{
    bus::Topic,
    id::{ExemptionId, InstanceId, TenantId},
    time::Timestamp,
};
use billing::{
    accounts,
    standing::{
        OwnRules,
        exemptions::{self, Exemption, NewExemption},
        guard,
        preview::{self, Cut},
        steps::{self, Step},
    },
};
use http::StatusCode;
use identity::tenants;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path, Query},
    problem::Result,
    state::App,
    unit,
};

const PREVIEW_HOURS: i64 = 24;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PreviewQuery {
    /// How far to look ahead (1 to 744, 24 where not given).
    pub hours: Option<i64>,
    /// For operators: one tenant's only.
    #[param(value_type = Option<TenantId>)]
    pub tenant_id: Option<TenantId>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TenantQuery {
    /// For operators: one tenant's only.
    #[param(value_type = Option<TenantId>)]
    pub tenant_id: Option<TenantId>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct StandingPreview {
    /// The soonest first; at most 1000 tenants.
    pub items: Vec<Cut>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Exemptions {
    pub items: Vec<Exemption>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct StandingSteps {
    pub items: Vec<Step>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StandingReason {
    /// Why; it is kept.
    pub reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateExemption {
    pub tenant_id: TenantId,
    /// All of the tenant's, where not given.
    pub instance_id: Option<InstanceId>,
    /// Now, where not given.
    pub from: Option<Timestamp>,
    /// Without an end, where not given.
    pub to: Option<Timestamp>,
    pub reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutStandingSettings {
    /// All of them: what is not named is as the product has it.
    pub settings: OwnRules,
    /// Why; it is kept.
    #[serde(default)]
    pub reason: String,
}

/// What is paused, stopped or deleted for want of money in the next hours, if nobody pays.
#[utoipa::path(get, path = "/v1/standing/preview", tag = "money", params(PreviewQuery),
    responses((status = 200, body = StandingPreview)))]
pub async fn preview_cuts(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PreviewQuery>,
) -> Result<Json<StandingPreview>> {
    let tenant = super::tenant_filter(&caller, query.tenant_id)?;
    let hours = query.hours.unwrap_or(PREVIEW_HOURS);
    let (mut conn, now) = (app.read().await?, app.clock.now());
    let items = preview::preview(&mut conn, now, &app.billing, hours, tenant).await?;
    Ok(Json(StandingPreview { items }))
}

/// Whether automatic stops are paused.
#[utoipa::path(get, path = "/v1/standing/guard", tag = "money",
    responses((status = 200, body = guard::State)))]
pub async fn get_guard(State(app): State<App>) -> Result<Json<guard::State>> {
    Ok(Json(guard::state(&mut *app.read().await?).await?))
}

/// Lets automatic stops go on: those that wait are done, and the guard looks again after an hour.
#[utoipa::path(post, path = "/v1/standing/guard/resume", tag = "money", request_body = StandingReason,
    responses((status = 200, body = guard::State)))]
pub async fn resume_guard(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<StandingReason>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let (now, actor) = (unit.now, unit.actor());
    let state = guard::resume(&mut unit.tx, now, &actor, &body.reason).await?;
    let detail = json!({ "reason": state.reason, "tenants": state.tenants });
    unit.audit("standing.resume", ("guard", "standing"), None, detail).await?;
    unit.changes.add(Topic::Money, "guard", None);
    unit.finish(StatusCode::OK, &state).await
}

/// Exemptions that have not ended.
#[utoipa::path(get, path = "/v1/standing/exemptions", tag = "money", params(TenantQuery),
    responses((status = 200, body = Exemptions)))]
pub async fn list_exemptions(
    State(app): State<App>,
    Query(query): Query<TenantQuery>,
) -> Result<Json<Exemptions>> {
    let (mut conn, now) = (app.read().await?, app.clock.now());
    Ok(Json(Exemptions { items: exemptions::open(&mut conn, now, query.tenant_id).await? }))
}

/// Keeps a shortage from stopping a tenant's instances, or one of them.
#[utoipa::path(post, path = "/v1/standing/exemptions", tag = "money",
    request_body = CreateExemption, responses((status = 201, body = Exemption)))]
pub async fn create_exemption(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreateExemption>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, key).await?;
    let (now, actor, tenant) = (unit.now, unit.actor(), body.tenant_id);
    tenants::get(&mut unit.tx, tenant).await.map_err(|e| e.in_field("tenant_id"))?;
    let new = NewExemption {
        tenant,
        instance: body.instance_id,
        from: body.from,
        to: body.to,
        reason: &body.reason,
        actor: &actor,
    };
    let exemption = exemptions::create(&mut unit.tx, now, &new).await?;
    let detail = json!({
        "instance_id": exemption.instance_id, "from": exemption.from, "to": exemption.to,
        "reason": exemption.reason,
    });
    let target = ("exemption", exemption.id);
    unit.audit("standing.exempt", target, Some(tenant), detail).await?;
    unit.changes.add(Topic::Money, tenant, Some(tenant));
    unit.finish(StatusCode::CREATED, &exemption).await
}

/// Ends an exemption now.
#[utoipa::path(delete, path = "/v1/standing/exemptions/{id}", tag = "money",
    params(("id" = ExemptionId, Path)), responses((status = 200, body = Exemption)))]
pub async fn end_exemption(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ExemptionId>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    let exemption = exemptions::end(&mut unit.tx, now, id).await?;
    let tenant = exemption.tenant_id;
    let detail = json!({ "reason": exemption.reason });
    unit.audit("standing.end_exemption", ("exemption", id), Some(tenant), detail).await?;
    unit.changes.add(Topic::Money, tenant, Some(tenant));
    unit.finish(StatusCode::OK, &exemption).await
}

/// Steps that are due and wait for an approval, or are only written down (dry run).
#[utoipa::path(get, path = "/v1/standing/steps", tag = "money", params(TenantQuery),
    responses((status = 200, body = StandingSteps)))]
pub async fn list_steps(
    State(app): State<App>,
    Query(query): Query<TenantQuery>,
) -> Result<Json<StandingSteps>> {
    Ok(Json(StandingSteps { items: steps::open(&mut *app.read().await?, query.tenant_id).await? }))
}

/// Lets the step that is due for a tenant happen, whatever the mode and the guard say.
#[utoipa::path(post, path = "/v1/tenants/{id}/standing/approve", tag = "money",
    params(("id" = TenantId, Path)), request_body = StandingReason,
    responses((status = 200, body = Step)))]
pub async fn approve_step(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Json(body): Json<StandingReason>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let (now, actor) = (unit.now, unit.actor());
    let step = steps::approve(&mut unit.tx, now, &app.billing, id, &actor, &body.reason).await?;
    let detail = json!({ "standing": step.standing, "reason": step.reason });
    unit.finish_money(("standing.approve", id), detail, StatusCode::OK, &step).await
}

/// What is set for the tenant's standing alone.
#[utoipa::path(get, path = "/v1/tenants/{id}/standing/settings", tag = "money",
    params(("id" = TenantId, Path)), responses((status = 200, body = OwnRules)))]
pub async fn get_standing_settings(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> Result<Json<OwnRules>> {
    let mut conn = super::reading(&app, &caller, id).await?;
    Ok(Json(accounts::get(&mut conn, id).await?.settings.standing))
}

/// Sets delays, warnings and the ladder's end for one tenant.
#[utoipa::path(put, path = "/v1/tenants/{id}/standing/settings", tag = "money",
    params(("id" = TenantId, Path)), request_body = PutStandingSettings,
    responses((status = 200, body = OwnRules)))]
pub async fn put_standing_settings(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Json(body): Json<PutStandingSettings>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let (now, actor) = (unit.now, unit.actor());
    tenants::get(&mut unit.tx, id).await?;
    let wanted = body.settings;
    let detail = json!({ "settings": &wanted, "reason": body.reason });
    let set = |settings: &mut accounts::AccountSettings| settings.standing = wanted;
    let set = accounts::change(&mut unit.tx, now, id, &actor, &body.reason, set).await?;
    unit.finish_money(("standing.set", id), detail, StatusCode::OK, &set.standing).await
}
