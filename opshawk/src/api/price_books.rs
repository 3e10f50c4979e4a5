//! Price books: versions of prices, immutable once published.

use axum::{extract::State, response::Response};
use base::{
    bus::Topic,
    id::{PriceBookId, TenantId},
    time::Timestamp,
};
use billing::{
    accounts,
    prices::{self, Price, PriceBook, books::create_own_book},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path, Query},
    internal,
    page::{Page, PageQuery},
    problem::{Problem, Result},
    state::App,
    unit::{self, Unit},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePriceBook {
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// Whose alone it is; without one, any tenant may be assigned to it.
    pub tenant_id: Option<TenantId>,
    /// Of its first version: standard prices. Without any the book begins empty, to be filled by a
    /// draft.
    #[serde(default)]
    pub prices: Vec<Price>,
    /// Now where not given; never in the past.
    pub effective_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePriceVersion {
    /// All prices of the version: a meter that is not named is free.
    pub prices: Vec<Price>,
    /// Now where not given; never in the past.
    pub effective_at: Option<Timestamp>,
}

/// All price books; a member sees the one it pays by. Why a version was corrected is for operators.
#[utoipa::path(get, path = "/v1/price-books", tag = "money", params(PageQuery),
    responses((status = 200, body = Page<PriceBook>)))]
pub async fn list_price_books(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<PriceBook>>> {
    let span = query.span::<PriceBookId>()?;
    let mut conn = app.read().await?;
    let all = match caller.tenant() {
        None => prices::list(&mut conn).await?,
        Some(tenant) => match accounts::book(&mut conn, app.clock.now(), tenant).await? {
            Some(book) => vec![prices::get(&mut conn, book).await?],
            None => vec![],
        },
    };
    let rest = all.into_iter().filter(|book| span.cursor.is_none_or(|cursor| book.id > cursor));
    Ok(Json(span.page(rest.collect(), |b| b.id.to_string(), |b| internal::shown(&caller, b))))
}

/// Makes a book, with its first version where prices are given.
#[utoipa::path(post, path = "/v1/price-books", tag = "money", request_body = CreatePriceBook,
    responses((status = 201, body = PriceBook)))]
pub async fn create_price_book(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreatePriceBook>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, key).await?;
    let now = unit.now;
    let (name, currency) = (&body.name, &body.currency);
    let book = match body.tenant_id {
        None => prices::create_book(&mut unit.tx, now, name, currency).await?,
        Some(tenant) => create_own_book(&mut unit.tx, now, name, tenant).await?,
    };
    if book.currency != *currency {
        let message = format!("the tenant's account is in {}, not in {currency}", book.currency);
        return Err(Problem::invalid("currency", message).into());
    }
    if !body.prices.is_empty() {
        publish(&mut unit, book.id, body.effective_at, &body.prices).await?;
    }
    let book = prices::get(&mut unit.tx, book.id).await?;
    let detail = json!({ "name": book.name, "prices": body.prices });
    unit.audit("price_book.create", ("price_book", book.id), body.tenant_id, detail).await?;
    unit.finish(StatusCode::CREATED, &book).await
}

/// Publishes a version; it can't be changed afterwards.
#[utoipa::path(post, path = "/v1/price-books/{id}/versions", tag = "money",
    params(("id" = PriceBookId, Path)), request_body = CreatePriceVersion,
    responses((status = 201, body = PriceBook)))]
pub async fn create_price_version(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PriceBookId>,
    Keyed { body, key }: Keyed<CreatePriceVersion>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, key).await?;
    publish(&mut unit, id, body.effective_at, &body.prices).await?;
    let book = prices::get(&mut unit.tx, id).await?;
    let detail = json!({ "prices": body.prices, "effective_at": body.effective_at });
    unit.audit("price_book.publish", ("price_book", id), None, detail).await?;
    unit.finish(StatusCode::CREATED, &book).await
}

async fn publish(
    unit: &mut Unit,
    book: PriceBookId,
    effective_at: Option<Timestamp>,
    prices: &[Price],
) -> unit::Result<()> {
    let now = unit.now;
    prices::publish_version(&mut unit.tx, now, book, effective_at, prices).await?;
    // Whoever pays by it may run out at another time now.
    unit.changes.add(Topic::Money, book, None);
    Ok(())
}
