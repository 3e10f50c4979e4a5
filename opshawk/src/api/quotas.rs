//! Quotas: who may have how much.

use axum::{extract::State, response::Response};
use base::{bus::Topic, db::Conn, id::TenantId};
use http::StatusCode;
use identity::tenants;
use inventory::quotas::{self, Limit, Resource, drift};
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
    /// A limit may be below what is used: then nothing new is granted.
    pub items: Vec<QuotaLimit>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaLimit {
    pub resource: Resource,
    #[schema(minimum = 0)]
    pub limit: i64,
}

impl From<Limit> for QuotaLimit {
    fn from(Limit { resource, limit }: Limit) -> Self {
        Self { resource, limit }
    }
}

impl From<QuotaLimit> for Limit {
    fn from(QuotaLimit { resource, limit }: QuotaLimit) -> Self {
        Self { resource, limit }
    }
}

/// What was mended.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaRecount {
    /// Empty where the quota was right.
    pub mended: Vec<QuotaDrift>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaDrift {
    pub resource: Resource,
    /// What the quota said.
    pub used: i64,
    /// What there is.
    pub counted: i64,
}

impl From<drift::Drift> for QuotaDrift {
    fn from(drift: drift::Drift) -> Self {
        let drift::Drift { resource, used, counted, .. } = drift;
        Self { resource, used, counted }
    }
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

/// Sets what is used to what there is. The daily check (`quota-drift`) tells where they differ.
#[utoipa::path(post, path = "/v1/tenants/{id}/quota/recount", tag = "tenants",
    params(("id" = TenantId, Path)), responses((status = 200, body = QuotaRecount)))]
pub async fn recount_quota(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    tenants::get(&mut unit.tx, id).await?;
    let found = drift::mend(&mut unit.tx, id).await?;
    let mended = found.into_iter().map(QuotaDrift::from).collect();
    let recount = QuotaRecount { mended };
    unit.audit("quota.recount", ("tenant", id), Some(id), json!(recount)).await?;
    unit.changes.add(Topic::Quota, id, Some(id));
    unit.finish(StatusCode::OK, &recount).await
}
