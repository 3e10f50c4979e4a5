//! Vouchers: made by operators, redeemed by tenants, once.

use axum::{extract::State, response::Response};
use base::{
    id::{TenantId, VoucherId},
    money::Micros,
    time::Timestamp,
};
use billing::ledger::vouchers::{self, NewVoucher, Voucher};
use http::StatusCode;
use identity::tenants;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path},
    ledger::{LedgerPosting, posted},
    page::Page,
    problem::Result,
    state::App,
    unit,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVoucher {
    pub amount: Micros,
    /// ISO 4217; of the accounts that may redeem it.
    pub currency: String,
    /// Who may redeem it; anybody where not given.
    pub tenant_id: Option<TenantId>,
    /// Now where not given.
    pub valid_from: Option<Timestamp>,
    /// For ever where not given.
    pub valid_to: Option<Timestamp>,
    /// When the bonus that it becomes ends; never where not given.
    pub bonus_expires_at: Option<Timestamp>,
    #[serde(default)]
    pub memo: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedVoucher {
    pub id: VoucherId,
    /// Shown once: what is kept is its hash.
    pub code: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemVoucher {
    pub code: String,
}

/// Makes a voucher, and shows its code.
#[utoipa::path(post, path = "/v1/vouchers", tag = "money", request_body = CreateVoucher,
    responses((status = 201, body = CreatedVoucher)))]
pub async fn create_voucher(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreateVoucher>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, key).await?;
    let (now, actor) = (unit.now, unit.actor());
    if let Some(tenant) = body.tenant_id {
        tenants::get(&mut unit.tx, tenant).await.map_err(|e| e.in_field("tenant_id"))?;
    }
    let new = NewVoucher {
        currency: &body.currency,
        amount: body.amount,
        tenant: body.tenant_id,
        valid_from: body.valid_from.unwrap_or(now),
        valid_to: body.valid_to,
        bonus_expires: body.bonus_expires_at,
        memo: &body.memo,
        actor: &actor,
    };
    let (id, code) = vouchers::create(&mut unit.tx, now, &new).await?;
    let detail = json!({ "amount": body.amount, "currency": body.currency, "memo": body.memo });
    unit.audit("voucher.create", ("voucher", id), body.tenant_id, detail).await?;
    let made = CreatedVoucher { id, code: Some(code) };
    let again = CreatedVoucher { id, code: None };
    unit.finish_once(StatusCode::CREATED, &made, &again).await
}

/// The newest first, with who redeemed them.
#[utoipa::path(get, path = "/v1/vouchers", tag = "money",
    responses((status = 200, body = Page<Voucher>)))]
pub async fn list_vouchers(State(app): State<App>, _: Caller) -> Result<Json<Page<Voucher>>> {
    let mut conn = app.read().await?;
    Ok(Json(Page::whole(vouchers::list(&mut conn).await?)))
}

/// Turns a voucher into a bonus of the tenant; a second time is a conflict.
#[utoipa::path(post, path = "/v1/tenants/{id}/vouchers/redeem", tag = "money",
    params(("id" = TenantId, Path)), request_body = RedeemVoucher,
    responses((status = 201, body = LedgerPosting)))]
pub async fn redeem_voucher(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Keyed { body, key }: Keyed<RedeemVoucher>,
) -> unit::Result<Response> {
    caller.require_sees(id, format_args!("tenant {id}"))?;
    let mut unit = app.begin(&caller, key).await?;
    let (now, actor) = (unit.now, unit.actor());
    tenants::get(&mut unit.tx, id).await?;
    let written = vouchers::redeem(&mut unit.tx, now, id, &body.code, &actor).await?;
    // Not the code: whoever reads the audit trail needs none.
    let detail = json!({ "ledger_transaction_id": written.id() });
    posted(unit, ("voucher.redeem", id), written, detail).await
}
