//! Tenants: whose everything is.

use axum::{extract::State, response::Response};
use base::{
    bus::Topic,
    db::Conn,
    id::{PriceBookId, TenantId},
    money::Micros,
    time::Timestamp,
};
use billing::{accounts, prices::assign::assign, standing::Standing};
use http::StatusCode;
use identity::tenants;
use inventory::quotas;
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
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub created_at: Timestamp,
    /// ISO 4217.
    pub currency: String,
    pub price_book_id: Option<PriceBookId>,
    pub standing: Standing,
    pub balance: Micros,
}

async fn describe(
    conn: &mut Conn,
    now: Timestamp,
    tenant: tenants::Tenant,
) -> base::Result<Tenant> {
    let balance = accounts::balance(conn, now, tenant.id).await?;
    Ok(Tenant {
        id: tenant.id,
        name: tenant.name,
        created_at: tenant.created_at,
        currency: balance.currency,
        price_book_id: accounts::book(conn, now, tenant.id).await?,
        standing: balance.standing,
        balance: balance.balance,
    })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    pub name: String,
    /// ISO 4217; `CNY` where not given.
    #[serde(default = "default_currency")]
    pub currency: String,
    /// What it pays by; without one, nothing costs anything.
    pub price_book_id: Option<PriceBookId>,
    /// IANA name; its calendar makes the tenant's billing months for good. As set for new accounts
    /// where not given.
    pub timezone: Option<String>,
}

fn default_currency() -> String {
    "CNY".to_owned()
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchTenant {
    /// Another name; invoices that were issued keep the old one.
    pub name: Option<String>,
    /// What it pays by.
    pub price_book_id: Option<PriceBookId>,
    /// From when on it pays by `price_book_id`, which is given with it: now where not given; never in
    /// the past.
    pub effective_at: Option<Timestamp>,
}

/// All tenants; a member sees its own.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", params(PageQuery),
    responses((status = 200, body = Page<Tenant>)))]
pub async fn list_tenants(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Tenant>>> {
    let span = query.span::<TenantId>()?;
    let mut conn = app.read().await?;
    let rows = match caller.tenant() {
        Some(own) => vec![tenants::get(&mut conn, own).await?],
        None => tenants::list(&mut conn, span.cursor, span.fetch()).await?,
    };
    let page = span.page(rows, |t| t.id.to_string(), |t| t);
    let now = app.clock.now();
    let mut items = Vec::with_capacity(page.items.len());
    for tenant in page.items {
        items.push(describe(&mut conn, now, tenant).await?);
    }
    Ok(Json(Page { items, next_cursor: page.next_cursor }))
}

/// Makes a tenant, with an empty account and the usual quota.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants", request_body = CreateTenant,
    responses((status = 201, body = Tenant)))]
pub async fn create_tenant(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreateTenant>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, key).await?;
    let now = unit.now;
    let tenant = tenants::create(&mut unit.tx, now, &body.name).await?;
    let id = tenant.id;
    let limit_of = |resource| app.config.quotas.limit(resource);
    quotas::create(&mut unit.tx, id, limit_of).await?;
    let CreateTenant { currency, price_book_id, timezone, .. } = body;
    let mut settings = app.billing.clone();
    settings.timezone = timezone.unwrap_or(settings.timezone);
    let opened =
        accounts::open_account(&mut unit.tx, now, &settings, id, &currency, price_book_id).await;
    opened.map_err(|e| match e.field.as_deref() {
        Some("billing.timezone") => e.in_field("timezone"),
        _ => e,
    })?;
    unit.audit("tenant.create", ("tenant", id), Some(id), json!({ "name": tenant.name })).await?;
    unit.changes.add(Topic::Tenant, id, Some(id));
    let tenant = describe(&mut unit.tx, now, tenant).await?;
    unit.finish(StatusCode::CREATED, &tenant).await
}

#[utoipa::path(get, path = "/v1/tenants/{id}", tag = "tenants",
    params(("id" = TenantId, Path)), responses((status = 200, body = Tenant)))]
pub async fn get_tenant(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> Result<Json<Tenant>> {
    caller.require_sees(id, format_args!("tenant {id}"))?;
    let mut conn = app.read().await?;
    let tenant = tenants::get(&mut conn, id).await?;
    Ok(Json(describe(&mut conn, app.clock.now(), tenant).await?))
}

/// Changes its name, or the price book that it pays by.
#[utoipa::path(patch, path = "/v1/tenants/{id}", tag = "tenants",
    params(("id" = TenantId, Path)), request_body = PatchTenant,
    responses((status = 200, body = Tenant)))]
pub async fn patch_tenant(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Json(body): Json<PatchTenant>,
) -> unit::Result<Response> {
    if body.effective_at.is_some() && body.price_book_id.is_none() {
        let message = "effective_at says from when on a price book counts, and none is named";
        let refused = base::Error::invalid("effective_at", message);
        return Err(refused.remedy("give price_book_id with it").into());
    }
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    let mut tenant = tenants::get(&mut unit.tx, id).await?;
    if let Some(name) = &body.name {
        let detail = json!({ "name": name, "was": tenant.name });
        tenant = tenants::rename(&mut unit.tx, id, name).await?;
        unit.audit("tenant.rename", ("tenant", id), Some(id), detail).await?;
        unit.changes.add(Topic::Tenant, id, Some(id));
    }
    if let Some(book) = body.price_book_id {
        assign(&mut unit.tx, now, id, book, body.effective_at).await?;
        let detail = json!({ "price_book_id": book, "effective_at": body.effective_at });
        unit.audit("tenant.assign_price_book", ("tenant", id), Some(id), detail).await?;
        unit.changes.add(Topic::Money, id, Some(id));
    }
    let tenant = describe(&mut unit.tx, now, tenant).await?;
    unit.finish(StatusCode::OK, &tenant).await
}
