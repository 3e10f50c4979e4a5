//! Holds: money that is put aside, until it is posted, given back, or its time is over.

use axum::{extract::State, response::Response};
use base::{
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    time::Timestamp,
};
use billing::ledger::{
    Repeated,
    holds::{self, End, Hold, NewHold},
};
use identity::tenants;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path},
    ledger::{LedgerPosting, name_of, post_accrued, posted, telling},
    page::Page,
    problem::Result,
    state::App,
    unit,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateHold {
    /// Above zero, and not more than there is.
    pub amount: Micros,
    pub purpose: String,
    /// When it is given back by itself.
    pub expires_at: Timestamp,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostHold {
    pub net: Micros,
    #[serde(default)]
    pub tax: Micros,
}

/// Puts money aside. What is accrued is posted before.
#[utoipa::path(post, path = "/v1/tenants/{id}/holds", tag = "money",
    params(("id" = TenantId, Path)), request_body = CreateHold,
    responses((status = 201, body = LedgerPosting)))]
pub async fn create_hold(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Keyed { body, key }: Keyed<CreateHold>,
) -> unit::Result<Response> {
    let (asked, name) = (body.amount.to_string(), name_of(&caller, key.as_ref()));
    let repeated = Repeated { tenant: id, what: "hold", key: &name, asked: &asked };
    let done = async {
        let mut unit = app.begin(&caller, key).await?;
        tenants::get(&mut unit.tx, id).await?;
        let (now, actor) = (unit.now, unit.actor());
        post_accrued(&mut unit.tx, now, id).await?;
        let new = NewHold {
            tenant: id,
            amount: body.amount,
            purpose: &body.purpose,
            expires: body.expires_at,
            key: &name,
            actor: &actor,
        };
        let written = holds::hold(&mut unit.tx, now, &new).await?;
        let detail = json!({
            "amount": body.amount, "purpose": body.purpose, "expires_at": body.expires_at,
        });
        posted(unit, ("tenant.hold", id), written, detail).await
    };
    let done = done.await;
    telling(&app, &repeated, done).await
}

/// The tenant's holds, the newest first.
#[utoipa::path(get, path = "/v1/tenants/{id}/holds", tag = "money",
    params(("id" = TenantId, Path)), responses((status = 200, body = Page<Hold>)))]
pub async fn list_holds(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> Result<Json<Page<Hold>>> {
    let mut conn = super::reading(&app, &caller, id).await?;
    Ok(Json(Page::whole(holds::list(&mut conn, id).await?)))
}

/// Earns so much of the hold, and gives the rest back. The same again changes nothing.
#[utoipa::path(post, path = "/v1/holds/{id}/post", tag = "money",
    params(("id" = LedgerTransactionId, Path)), request_body = PostHold,
    responses((status = 201, body = LedgerPosting)))]
pub async fn post_hold(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LedgerTransactionId>,
    Json(body): Json<PostHold>,
) -> unit::Result<Response> {
    end(&app, &caller, id, End::Post { net: body.net, tax: body.tax }).await
}

/// Gives the hold back. The same again changes nothing.
#[utoipa::path(post, path = "/v1/holds/{id}/void", tag = "money",
    params(("id" = LedgerTransactionId, Path)),
    responses((status = 201, body = LedgerPosting)))]
pub async fn void_hold(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LedgerTransactionId>,
) -> unit::Result<Response> {
    end(&app, &caller, id, End::Void).await
}

async fn end(
    app: &App,
    caller: &Caller,
    id: LedgerTransactionId,
    how: End,
) -> unit::Result<Response> {
    let mut unit = app.begin(caller, None).await?;
    let (now, actor) = (unit.now, unit.actor());
    let tenant = holds::get(&mut unit.tx, id).await?.tenant_id;
    let written = holds::end(&mut unit.tx, now, id, how, &actor).await?;
    let (action, detail) = match how {
        End::Post { net, tax } => ("hold.post", json!({ "hold": id, "net": net, "tax": tax })),
        End::Void | End::Expire => ("hold.void", json!({ "hold": id })),
    };
    posted(unit, (action, tenant), written, detail).await
}
