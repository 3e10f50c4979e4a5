//! A tenant's money: top-ups, the balance, the bill.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use base::{
    bus::Topic,
    id::{LedgerTransactionId, TenantId},
    money::Micros,
    time::Timestamp,
};
use billing::{
    accounts::{self, Balance},
    bill::{self, Bill},
    ledger::{self, Recharge, Repeated, recharge::BY_HAND},
};
use http::{StatusCode, header};
use identity::tenants;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    extract::{Json, Key, Keyed, Path, Query},
    ledger::{name_of, telling},
    problem::Result,
    state::App,
    unit,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTopup {
    /// In the account's currency; above zero.
    pub amount: Micros,
    #[serde(default)]
    pub memo: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Topup {
    pub ledger_transaction_id: LedgerTransactionId,
    pub balance: Balance,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BillQuery {
    /// After this instant; the beginning of this month where not given.
    #[param(value_type = Option<Timestamp>)]
    pub from: Option<Timestamp>,
    /// Up to this instant; now where not given.
    #[param(value_type = Option<Timestamp>)]
    pub to: Option<Timestamp>,
}

/// Puts money on the tenant's account.
#[utoipa::path(post, path = "/v1/tenants/{id}/topups", tag = "money",
    params(("id" = TenantId, Path)), request_body = CreateTopup,
    responses((status = 201, body = Topup)))]
pub async fn create_topup(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Keyed { body, key }: Keyed<CreateTopup>,
) -> unit::Result<Response> {
    let payment = name_of(&caller, key.as_ref());
    let name = key.as_ref().map_or_else(|| payment.clone(), |key| key.key.clone());
    let asked = body.amount.to_string();
    let repeated = Repeated { tenant: id, what: "top-up", key: &name, asked: &asked };
    // As the payments of before the journal are named.
    let payment = format!("topup:{id}:{payment}");
    let done = top_up(&app, &caller, id, (body, key), &payment).await;
    telling(&app, &repeated, done).await
}

async fn top_up(
    app: &App,
    caller: &Caller,
    id: TenantId,
    (body, key): (CreateTopup, Option<Key>),
    payment: &str,
) -> unit::Result<Response> {
    let mut unit = app.begin(caller, key).await?;
    let now = unit.now;
    tenants::get(&mut unit.tx, id).await?;
    let actor = unit.actor();
    let new = Recharge {
        tenant: id,
        amount: body.amount,
        provider: BY_HAND,
        provider_id: payment,
        bonus: None,
        memo: &body.memo,
        actor: &actor,
    };
    let written = ledger::recharge(&mut unit.tx, now, &new).await?;
    let detail = json!({ "amount": body.amount, "memo": body.memo });
    unit.audit("tenant.topup", ("tenant", id), Some(id), detail).await?;
    unit.changes.add(Topic::Money, id, Some(id));
    let balance = accounts::balance(&mut unit.tx, now, id).await?;
    let topup = Topup { ledger_transaction_id: written.id(), balance };
    unit.finish(StatusCode::CREATED, &topup).await
}

/// The balance now, to the millisecond: posted minus accrued.
#[utoipa::path(get, path = "/v1/tenants/{id}/balance", tag = "money",
    params(("id" = TenantId, Path)), responses((status = 200, body = Balance)))]
pub async fn get_balance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> Result<Json<Balance>> {
    let mut conn = super::reading(&app, &caller, id).await?;
    Ok(Json(accounts::balance(&mut conn, app.clock.now(), id).await?))
}

/// What is paid for in a period, line by line.
#[utoipa::path(get, path = "/v1/tenants/{id}/bill", tag = "money",
    params(("id" = TenantId, Path), BillQuery), responses((status = 200, body = Bill)))]
pub async fn get_bill(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Query(query): Query<BillQuery>,
) -> Result<Json<Bill>> {
    Ok(Json(read_bill(&app, &caller, id, &query).await?))
}

/// The same bill as CSV.
#[utoipa::path(get, path = "/v1/tenants/{id}/bill.csv", tag = "money",
    params(("id" = TenantId, Path), BillQuery),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub async fn get_bill_csv(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Query(query): Query<BillQuery>,
) -> Result<Response> {
    let bill = read_bill(&app, &caller, id, &query).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"bill-{id}.csv\"")),
    ];
    Ok((headers, bill::csv(&bill)?).into_response())
}

async fn read_bill(app: &App, caller: &Caller, id: TenantId, query: &BillQuery) -> Result<Bill> {
    caller.require_sees(id, format_args!("tenant {id}"))?;
    let mut tx = app.db.begin_write().await?;
    tenants::get(&mut tx, id).await?;
    let now = app.clock.now();
    let (month, _) = bill::current_month(&mut tx, id, now).await?;
    let (from, to) = (query.from.unwrap_or(month), query.to.unwrap_or(now));
    let bill = bill::post_and_bill(&mut tx, id, from, to, now).await?;
    tx.commit().await.map_err(base::Error::from)?;
    Ok(bill)
}
