//! Monthly packages: what a tenant orders and cancels, and what it has.

use axum::{extract::State, response::Response};
use base::id::{PackageOrderId, TenantId};
use billing::packages::{self, NewOrder, Package};
use http::StatusCode;
use identity::tenants;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path},
    page::Page,
    problem::Result,
    state::App,
    unit,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderPackage {
    /// What is ordered: the id of a rate of `package.package` in the tenant's prices.
    pub rate: String,
    /// As the tenant calls it, on its invoices, too; the rate's id where not given.
    #[serde(default)]
    pub name: String,
}

/// In the order in which they were ordered, with those that ended.
#[utoipa::path(get, path = "/v1/tenants/{id}/packages", tag = "money",
    params(("id" = TenantId, Path)), responses((status = 200, body = Page<Package>)))]
pub async fn list_packages(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> Result<Json<Page<Package>>> {
    let mut conn = super::reading(&app, &caller, id).await?;
    Ok(Json(Page::whole(packages::list(&mut conn, app.clock.now(), id).await?)))
}

/// Orders a package: its first month begins now, and is charged now. It is renewed each month on
/// this day, until it is cancelled.
#[utoipa::path(post, path = "/v1/tenants/{id}/packages", tag = "money",
    params(("id" = TenantId, Path)), request_body = OrderPackage,
    responses((status = 201, body = Package)))]
pub async fn order_package(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Keyed { body, key }: Keyed<OrderPackage>,
) -> unit::Result<Response> {
    caller.require_sees(id, format_args!("tenant {id}"))?;
    let mut unit = app.begin(&caller, key).await?;
    let (now, actor) = (unit.now, unit.actor());
    tenants::get(&mut unit.tx, id).await?;
    let new = NewOrder { tenant: id, name: &body.name, rate: &body.rate, actor: &actor };
    let ordered = packages::order(&mut unit.tx, now, &new).await?;
    let detail = json!({ "package": ordered.id, "rate": ordered.rate, "name": ordered.name });
    unit.finish_money(("package.order", id), detail, StatusCode::CREATED, &ordered).await
}

/// Cancels it: it ends with the month that is paid, of which nothing is given back. One that ends
/// already stays as it is.
#[utoipa::path(post, path = "/v1/tenants/{id}/packages/{package}/cancel", tag = "money",
    params(("id" = TenantId, Path), ("package" = PackageOrderId, Path)),
    responses((status = 200, body = Package)))]
pub async fn cancel_package(
    State(app): State<App>,
    caller: Caller,
    Path((id, package)): Path<(TenantId, PackageOrderId)>,
) -> unit::Result<Response> {
    caller.require_sees(id, format_args!("tenant {id}"))?;
    let mut unit = app.begin(&caller, None).await?;
    let (now, actor) = (unit.now, unit.actor());
    tenants::get(&mut unit.tx, id).await?;
    let ended = packages::cancel(&mut unit.tx, now, id, package, &actor).await?;
    let detail = json!({ "package": ended.id, "ends_at": ended.ends_at });
    unit.finish_money(("package.cancel", id), detail, StatusCode::OK, &ended).await
}
