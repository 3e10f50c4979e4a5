//! What is set for one tenant's account, with its history.

use axum::{extract::State, response::Response};
use base::id::TenantId;
use billing::accounts::{self, AccountSettings, SettingsChange};
use http::StatusCode;
use identity::tenants;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Path},
    internal,
    problem::Result,
    state::App,
    unit,
};

#[derive(Debug, Serialize, ToSchema)]
pub struct BillingSettings {
    pub settings: AccountSettings,
    /// Each change, the newest first.
    pub history: Vec<SettingsChange>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetBillingSettings {
    /// All of them: what is not given is as the product has it.
    pub settings: AccountSettings,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// The account's own settings, and how they came to be. Who changed them, and why, is for operators.
#[utoipa::path(get, path = "/v1/tenants/{id}/billing-settings", tag = "money",
    params(("id" = TenantId, Path)), responses((status = 200, body = BillingSettings)))]
pub async fn get_billing_settings(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> Result<Json<BillingSettings>> {
    let mut conn = super::reading(&app, &caller, id).await?;
    let settings = accounts::get(&mut conn, id).await?.settings;
    let history = internal::shown(&caller, accounts::history(&mut conn, id).await?);
    Ok(Json(BillingSettings { settings, history }))
}

/// Sets them, from now on.
#[utoipa::path(put, path = "/v1/tenants/{id}/billing-settings", tag = "money",
    params(("id" = TenantId, Path)), request_body = SetBillingSettings,
    responses((status = 200, body = BillingSettings)))]
pub async fn set_billing_settings(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Json(body): Json<SetBillingSettings>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let (now, actor) = (unit.now, unit.actor());
    tenants::get(&mut unit.tx, id).await?;
    let detail = json!({ "settings": body.settings, "reason": body.reason });
    let wanted = body.settings;
    let settings =
        accounts::change(&mut unit.tx, now, id, &actor, &body.reason, |own| *own = wanted).await?;
    let history = accounts::history(&mut unit.tx, id).await?;
    unit.finish_money(
        ("tenant.billing_settings", id),
        detail,
        StatusCode::OK,
        &BillingSettings { settings, history },
    )
    .await
}
