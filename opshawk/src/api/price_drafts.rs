//! Drafts of price versions: edited, checked, published.

use axum::{extract::State, response::Response};
use base::{
    bus::Topic,
    id::{PriceBookId, PriceDraftId, TenantId},
    time::Timestamp,
};
use billing::{
    prices::{
        PriceVersion,
        document::Document,
        drafts::{self, PriceDraft},
        publish::Terms,
    },
    simulate::{self, Ask, Simulation},
};
use http::StatusCode;
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
pub struct CreatePriceDraft {
    /// A copy of what is in force, where not given.
    pub document: Option<Document>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplacePriceDraft {
    pub document: Document,
    /// The one that the change was made on.
    pub revision: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishPriceDraft {
    /// Now where not given; in the past only with a `correction`.
    pub effective_at: Option<Timestamp>,
    /// Why the past changes. What was posted since is rated again, and adjusted.
    pub correction: Option<String>,
}

/// A book's drafts, the oldest first.
#[utoipa::path(get, path = "/v1/price-books/{id}/drafts", tag = "money",
    params(("id" = PriceBookId, Path)), responses((status = 200, body = Page<PriceDraft>)))]
pub async fn list_price_drafts(
    State(app): State<App>,
    Path(id): Path<PriceBookId>,
) -> Result<Json<Page<PriceDraft>>> {
    Ok(Json(Page::whole(drafts::list(&mut *app.read().await?, id).await?)))
}

#[utoipa::path(post, path = "/v1/price-books/{id}/drafts", tag = "money",
    params(("id" = PriceBookId, Path)), request_body = CreatePriceDraft,
    responses((status = 201, body = PriceDraft)))]
pub async fn create_price_draft(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PriceBookId>,
    Keyed { body, key }: Keyed<CreatePriceDraft>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, key).await?;
    let now = unit.now;
    let draft = drafts::create(&mut unit.tx, now, &caller.0.name, id, body.document).await?;
    let detail = json!({ "price_book_id": id, "document": draft.document });
    unit.audit("price_draft.create", ("price_draft", draft.id), None, detail).await?;
    unit.finish(StatusCode::CREATED, &draft).await
}

#[utoipa::path(get, path = "/v1/price-drafts/{id}", tag = "money",
    params(("id" = PriceDraftId, Path)), responses((status = 200, body = PriceDraft)))]
pub async fn get_price_draft(
    State(app): State<App>,
    Path(id): Path<PriceDraftId>,
) -> Result<Json<PriceDraft>> {
    Ok(Json(drafts::get(&mut *app.read().await?, id).await?))
}

/// Takes the place of what the draft says; what was found in it is forgotten.
#[utoipa::path(put, path = "/v1/price-drafts/{id}", tag = "money",
    params(("id" = PriceDraftId, Path)), request_body = ReplacePriceDraft,
    responses((status = 200, body = PriceDraft)))]
pub async fn replace_price_draft(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PriceDraftId>,
    Json(body): Json<ReplacePriceDraft>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let (now, actor) = (unit.now, &caller.0.name);
    let edited = drafts::edit(&mut unit.tx, now, actor, id, body.revision, &body.document).await?;
    let detail = json!({ "document": edited.document });
    unit.audit("price_draft.edit", ("price_draft", id), None, detail).await?;
    unit.finish(StatusCode::OK, &edited).await
}

#[utoipa::path(delete, path = "/v1/price-drafts/{id}", tag = "money",
    params(("id" = PriceDraftId, Path)), responses((status = 204)))]
pub async fn discard_price_draft(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PriceDraftId>,
) -> unit::Result<StatusCode> {
    let mut unit = app.begin(&caller, None).await?;
    drafts::discard(&mut unit.tx, id).await?;
    unit.audit("price_draft.discard", ("price_draft", id), None, json!({})).await?;
    unit.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Looks for errors, which keep it from being published, and for warnings.
#[utoipa::path(post, path = "/v1/price-drafts/{id}/check", tag = "money",
    params(("id" = PriceDraftId, Path)), responses((status = 200, body = PriceDraft)))]
pub async fn check_price_draft(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PriceDraftId>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    let checked = drafts::check(&mut unit.tx, now, id).await?;
    unit.finish(StatusCode::OK, &checked).await
}

/// Publishes a checked draft, and ends it. The version can't be changed afterwards.
#[utoipa::path(post, path = "/v1/price-drafts/{id}/publish", tag = "money",
    params(("id" = PriceDraftId, Path)), request_body = PublishPriceDraft,
    responses((status = 201, body = PriceVersion)))]
pub async fn publish_price_draft(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PriceDraftId>,
    Keyed { body, key }: Keyed<PublishPriceDraft>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, key).await?;
    let now = unit.now;
    let book = drafts::get(&mut unit.tx, id).await?.price_book_id;
    let terms = Terms { effective_at: body.effective_at, correction: body.correction.as_deref() };
    let version = drafts::publish(&mut unit.tx, now, id, terms).await?;
    let detail = json!({
        "price_version_id": version.id, "number": version.number,
        "effective_at": version.effective_at, "reason": version.reason, "draft_id": id,
    });
    unit.audit("price_book.publish", ("price_book", book), None, detail).await?;
    // Whoever pays by it may run out at another time now.
    unit.changes.add(Topic::Money, book, None);
    unit.finish(StatusCode::CREATED, &version).await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatePrices {
    pub draft_id: PriceDraftId,
    pub from: Timestamp,
    /// At most 366 days after `from`, and not in the future.
    pub until: Timestamp,
    /// From when on the draft would count; from `from` where not given.
    pub effective_at: Option<Timestamp>,
    /// These, as if they paid by the draft's book; all that do where not given.
    #[schema(max_items = 10_000)]
    pub tenant_ids: Option<Vec<TenantId>>,
}

/// What a past period costs each tenant as prices are, and under a draft. Nothing is posted.
#[utoipa::path(post, path = "/v1/prices/simulate", tag = "money",
    request_body = SimulatePrices, responses((status = 200, body = Simulation)))]
pub async fn simulate_prices(
    State(app): State<App>,
    Json(body): Json<SimulatePrices>,
) -> Result<Json<Simulation>> {
    let ask = Ask {
        draft: body.draft_id,
        from: body.from,
        until: body.until,
        effective_at: body.effective_at,
        tenants: body.tenant_ids,
    };
    let mut conn = app.read().await?;
    Ok(Json(simulate::simulate(&mut conn, app.clock.now(), &ask).await?))
}
