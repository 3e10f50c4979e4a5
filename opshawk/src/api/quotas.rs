//! Quotas: who may have how much.

use axum::{extract::State, response::Response};
use base::{bus::Topic, db::Conn, id::TenantId};
use http::StatusCode;
use identity::tenants;
use inventory::quotas::{self, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Path},
    problem::{Problem, Result},
    state::App,
    unit,
};

#[derive(Debug, Serialize, ToSchema)]
pub struct Quota {
    pub items: Vec<QuotaItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaItem {
    pub resource: Resource,
    pub limit: i64,
    pub used: i64,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetQuota {
    /// What is not named stays as it is.
    pub items: Vec<SetQuotaItem>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetQuotaItem {
    pub resource: Resource,
    /// May be below what is used: then nothing new is granted.
    #[schema(minimum = 0)]
    pub limit: i64,
}

async fn read(conn: &mut Conn, tenant: TenantId) -> base::Result<Quota> {
    let items = quotas::list(conn, tenant).await?.into_iter().map(|quota| {
        let quotas::Quota { resource, limit, used } = quota;
        QuotaItem { resource, limit, used }
    });
    Ok(Quota { items: items.collect() })
}

#[utoipa::path(get, path = "/v1/tenants/{id}/quota", tag = "tenants",
    params(("id" = TenantId, Path)), responses((status = 200, body = Quota)))]
pub async fn get_quota(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> Result<Json<Quota>> {
    caller.require_sees(id, format_args!("tenant {id}"))?;
    let mut conn = app.read().await?;
    tenants::get(&mut conn, id).await?;
    Ok(Json(read(&mut conn, id).await?))
}

/// Sets the limits named.
#[utoipa::path(put, path = "/v1/tenants/{id}/quota", tag = "tenants",
    params(("id" = TenantId, Path)), request_body = SetQuota,
    responses((status = 200, body = Quota)))]
pub async fn set_quota(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Json(body): Json<SetQuota>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    tenants::get(&mut unit.tx, id).await?;
    for (n, item) in body.items.iter().enumerate() {
        let set = quotas::set_limit(&mut unit.tx, id, item.resource, item.limit).await;
        set.map_err(|mut error| {
            error.field = error.field.map(|field| format!("items[{n}].{field}"));
            Problem::from(error)
        })?;
    }
    unit.audit("quota.set", ("tenant", id), Some(id), json!(body.items)).await?;
    let quota = read(&mut unit.tx, id).await?;
    unit.changes.add(Topic::Quota, id, Some(id));
    unit.finish(StatusCode::OK, &quota).await
}
