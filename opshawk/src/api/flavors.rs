//! Flavors: the sizes instances come in.

use axum::{extract::State, response::Response};
use base::{id::FlavorId, time::Timestamp};
use http::StatusCode;
use inventory::flavors;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path, Query},
    page::{Page, PageQuery},
    problem::Result,
    state::App,
    unit,
};

#[derive(Debug, Serialize, ToSchema)]
pub struct Flavor {
    pub id: FlavorId,
    pub name: String,
    pub vcpus: i64,
    pub memory_mib: i64,
    pub disk_gib: i64,
    pub created_at: Timestamp,
}

impl From<flavors::Flavor> for Flavor {
    fn from(flavor: flavors::Flavor) -> Self {
        let flavors::Flavor { id, name, vcpus, memory_mib, disk_gib, created_at } = flavor;
        Self { id, name, vcpus, memory_mib, disk_gib, created_at }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateFlavor {
    pub name: String,
    #[schema(minimum = 1)]
    pub vcpus: i64,
    #[schema(minimum = 1)]
    pub memory_mib: i64,
    #[schema(minimum = 1)]
    pub disk_gib: i64,
}

#[utoipa::path(get, path = "/v1/flavors", tag = "flavors", params(PageQuery),
    responses((status = 200, body = Page<Flavor>)))]
pub async fn list_flavors(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Flavor>>> {
    let span = query.span::<FlavorId>()?;
    let rows = flavors::list(&mut *app.read().await?, span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |f| f.id.to_string(), Flavor::from)))
}

#[utoipa::path(post, path = "/v1/flavors", tag = "flavors", request_body = CreateFlavor,
    responses((status = 201, body = Flavor)))]
pub async fn create_flavor(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreateFlavor>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, key).await?;
    let now = unit.now;
    let CreateFlavor { name, vcpus, memory_mib, disk_gib } = body;
    let flavor = flavors::create(&mut unit.tx, now, &name, vcpus, memory_mib, disk_gib).await?;
    let detail = json!({ "name": flavor.name });
    unit.audit("flavor.create", ("flavor", flavor.id), None, detail).await?;
    unit.finish(StatusCode::CREATED, &Flavor::from(flavor)).await
}

#[utoipa::path(get, path = "/v1/flavors/{id}", tag = "flavors",
    params(("id" = FlavorId, Path)), responses((status = 200, body = Flavor)))]
pub async fn get_flavor(State(app): State<App>, Path(id): Path<FlavorId>) -> Result<Json<Flavor>> {
    Ok(Json(flavors::get(&mut *app.read().await?, id).await?.into()))
}

/// Retires it: what was made from it stays.
#[utoipa::path(delete, path = "/v1/flavors/{id}", tag = "flavors",
    params(("id" = FlavorId, Path)), responses((status = 204)))]
pub async fn delete_flavor(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<FlavorId>,
) -> unit::Result<StatusCode> {
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    flavors::retire(&mut unit.tx, now, id).await?;
    unit.audit("flavor.delete", ("flavor", id), None, json!({})).await?;
    unit.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
