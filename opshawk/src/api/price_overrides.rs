//! A tenant's own prices, before those of its book.

use axum::{extract::State, response::Response};
use base::{id::TenantId, time::Timestamp};
use billing::prices::{
    document::Rate,
    overrides::{self, NewOverride, PriceOverride},
    tax::Tax,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path},
    internal,
    page::Page,
    problem::Result,
    state::App,
    unit,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePriceOverride {
    /// What its book prices otherwise; the book prices the rest.
    pub rates: Vec<Rate>,
    /// That of its book where not given.
    pub tax: Option<Tax>,
    /// Now where not given.
    pub from: Option<Timestamp>,
    /// For good where not given.
    pub to: Option<Timestamp>,
    pub reason: String,
    /// It may begin in the past; what was posted since is rated again, and adjusted.
    #[serde(default)]
    pub correction: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndPriceOverride {
    /// Now where not given; never in the past.
    pub at: Option<Timestamp>,
    pub reason: String,
}

/// In the order they were made, with those that ended; of two that are valid the later made goes
/// first. Who gave it, and why, is for operators.
#[utoipa::path(get, path = "/v1/tenants/{id}/price-overrides", tag = "money",
    params(("id" = TenantId, Path)), responses((status = 200, body = Page<PriceOverride>)))]
pub async fn list_price_overrides(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> Result<Json<Page<PriceOverride>>> {
    let all = overrides::list(&mut *super::reading(&app, &caller, id).await?, id).await?;
    Ok(Json(Page::whole(internal::shown(&caller, all))))
}

#[utoipa::path(post, path = "/v1/tenants/{id}/price-overrides", tag = "money",
    params(("id" = TenantId, Path)), request_body = CreatePriceOverride,
    responses((status = 201, body = PriceOverride)))]
pub async fn create_price_override(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Keyed { body, key }: Keyed<CreatePriceOverride>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, key).await?;
    let now = unit.now;
    let new = NewOverride {
        from: body.from,
        to: body.to,
        tax: body.tax,
        rates: body.rates,
        reason: &body.reason,
        is_correction: body.correction,
        actor: &caller.0.name,
    };
    let made = overrides::create(&mut unit.tx, now, id, new).await?;
    let detail = json!({
        "number": made.number, "from": made.from, "to": made.to, "rates": made.rates,
        "reason": made.reason,
    });
    unit.finish_money(("price_override.create", id), detail, StatusCode::CREATED, &made).await
}

/// Ends it early.
#[utoipa::path(post, path = "/v1/tenants/{id}/price-overrides/{number}/end", tag = "money",
    params(("id" = TenantId, Path), ("number" = i64, Path)), request_body = EndPriceOverride,
    responses((status = 200, body = PriceOverride)))]
pub async fn end_price_override(
    State(app): State<App>,
    caller: Caller,
    Path((id, number)): Path<(TenantId, i64)>,
    Json(body): Json<EndPriceOverride>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    let actor = &caller.0.name;
    let ended =
        overrides::end(&mut unit.tx, now, (id, number), body.at, &body.reason, actor).await?;
    let detail = json!({ "number": number, "to": ended.to, "reason": body.reason });
    unit.finish_money(("price_override.end", id), detail, StatusCode::OK, &ended).await
}
