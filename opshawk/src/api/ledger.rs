//! The ledger: what was posted, and what operators post beside the charges.

use axum::{extract::State, response::Response};
use base::{
    bus::Topic,
    db::Conn,
    id::{LedgerTransactionId, OperationId, TenantId},
    money::Micros,
    secret,
    time::Timestamp,
};
use billing::{
    accounts::{self, Balance},
    ledger::{
        self, Bonus, Correction, Entry, Recharge, Refund, Repeated, Written,
        list::{self, Transaction},
        recharge::WithBonus,
        refunds::{self, Paid},
        verify::{self, Verified},
    },
};
use http::StatusCode;
use identity::tenants;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Key, Keyed, Path, Query},
    internal,
    page::{Page, PageQuery},
    problem::Result,
    state::App,
    unit::{self, Instead, Unit},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRecharge {
    /// In the account's currency; above zero.
    pub amount: Micros,
    /// Who took the money: `bank`, `alipay`.
    pub provider: String,
    /// The payment, as the provider calls it; the same one again changes nothing.
    pub provider_id: String,
    /// Given with it, and taken back with it.
    pub bonus: Option<Micros>,
    /// When the bonus ends; never where not given.
    pub bonus_expires_at: Option<Timestamp>,
    #[serde(default)]
    pub memo: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBonus {
    /// In the account's currency; above zero.
    pub amount: Micros,
    /// When what is left of it ends; never where not given.
    pub expires_at: Option<Timestamp>,
    #[serde(default)]
    pub memo: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRefund {
    /// The recharge's transaction.
    pub recharge_id: LedgerTransactionId,
    /// Not above what is left of it.
    pub amount: Micros,
    pub reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCorrection {
    /// Debits and credits of the same sum.
    pub entries: Vec<Entry>,
    pub reason: String,
    #[serde(default)]
    pub memo: String,
    /// The transaction that it puts right.
    pub corrects_id: Option<LedgerTransactionId>,
}

/// What was posted, and where it leaves the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerPosting {
    pub ledger_transaction_id: LedgerTransactionId,
    pub balance: Balance,
}

/// How the ledger names a request: by the caller's key, whatever happens to our memory of it.
pub(super) fn name_of(caller: &Caller, key: Option<&Key>) -> String {
    match key {
        Some(key) => secret::sha256_hex(format!("{}:{}", caller.id, key.key)),
        None => OperationId::new().to_string(),
    }
}

/// A conflict about a request that came again is told to the operators, whatever found it: the memory
/// of keys or the ledger. What it had begun is rolled back by then. That there is less than was asked
/// for, or that a hold stands in its way, is between the ledger and its caller.
pub(super) async fn telling(
    app: &App,
    repeated: &Repeated<'_>,
    done: unit::Result<Response>,
) -> unit::Result<Response> {
    if let Err(Instead::Problem(problem)) = &done
        && problem.status() == StatusCode::CONFLICT
        && ledger::is_about_a_repetition(problem.field.as_deref())
    {
        let mut tx = app.db.begin_write().await?;
        ledger::report_conflict(&mut tx, app.clock.now(), repeated).await?;
        tx.commit().await.map_err(base::Error::from)?;
        app.bus.publish(Topic::Notice, repeated.tenant, None);
    }
    done
}

/// Audits, announces and answers what was posted.
pub(super) async fn posted(
    mut unit: Unit,
    (action, tenant): (&str, TenantId),
    written: Written,
    detail: Value,
) -> unit::Result<Response> {
    unit.audit(action, ("tenant", tenant), Some(tenant), detail).await?;
    unit.changes.add(Topic::Money, tenant, Some(tenant));
    let balance = accounts::balance(&mut unit.tx, unit.now, tenant).await?;
    let answer = LedgerPosting { ledger_transaction_id: written.id(), balance };
    unit.finish(StatusCode::CREATED, &answer).await
}

/// What is used and not posted yet must not be given away.
pub(super) async fn post_accrued(
    conn: &mut Conn,
    now: Timestamp,
    id: TenantId,
) -> base::Result<()> {
    accounts::post_accrued(conn, now, id).await
}

/// Puts money on the account that a provider took, once for each of its ids.
#[utoipa::path(post, path = "/v1/tenants/{id}/recharges", tag = "money",
    params(("id" = TenantId, Path)), request_body = CreateRecharge,
    responses((status = 201, body = LedgerPosting)))]
pub async fn create_recharge(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Keyed { body, key }: Keyed<CreateRecharge>,
) -> unit::Result<Response> {
    let (asked, name) = (body.amount.to_string(), body.provider_id.clone());
    let repeated = Repeated { tenant: id, what: "top-up", key: &name, asked: &asked };
    let done = async {
        let mut unit = app.begin(&caller, key).await?;
        tenants::get(&mut unit.tx, id).await?;
        let actor = unit.actor();
        let expires = body.bonus_expires_at;
        let new = Recharge {
            tenant: id,
            amount: body.amount,
            provider: &body.provider,
            provider_id: &body.provider_id,
            bonus: body.bonus.map(|amount| WithBonus { amount, expires }),
            memo: &body.memo,
            actor: &actor,
        };
        let now = unit.now;
        let written = ledger::recharge(&mut unit.tx, now, &new).await?;
        let detail = json!({
            "amount": body.amount, "provider": body.provider, "provider_id": body.provider_id,
            "bonus": body.bonus, "memo": body.memo,
        });
        posted(unit, ("tenant.recharge", id), written, detail).await
    };
    let done = done.await;
    telling(&app, &repeated, done).await
}

/// What was paid, the oldest first, and how much of it can be refunded.
#[utoipa::path(get, path = "/v1/tenants/{id}/recharges", tag = "money",
    params(("id" = TenantId, Path)), responses((status = 200, body = Page<Paid>)))]
pub async fn list_recharges(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> Result<Json<Page<Paid>>> {
    let mut conn = super::reading(&app, &caller, id).await?;
    Ok(Json(Page::whole(refunds::recharges(&mut conn, id).await?)))
}

/// Gives a bonus.
#[utoipa::path(post, path = "/v1/tenants/{id}/bonuses", tag = "money",
    params(("id" = TenantId, Path)), request_body = CreateBonus,
    responses((status = 201, body = LedgerPosting)))]
pub async fn create_bonus(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Keyed { body, key }: Keyed<CreateBonus>,
) -> unit::Result<Response> {
    let (asked, name) = (body.amount.to_string(), name_of(&caller, key.as_ref()));
    let repeated = Repeated { tenant: id, what: "bonus", key: &name, asked: &asked };
    let done = async {
        let mut unit = app.begin(&caller, key).await?;
        tenants::get(&mut unit.tx, id).await?;
        let (now, actor) = (unit.now, unit.actor());
        let new = Bonus {
            tenant: id,
            amount: body.amount,
            expires: body.expires_at,
            key: &name,
            memo: &body.memo,
            actor: &actor,
        };
        let written = ledger::bonus(&mut unit.tx, now, &new).await?;
        let detail = json!({
            "amount": body.amount, "expires_at": body.expires_at, "memo": body.memo,
        });
        posted(unit, ("tenant.bonus", id), written, detail).await
    };
    let done = done.await;
    telling(&app, &repeated, done).await
}

/// Gives money back, at most what is left of a recharge; its bonus goes back first. What is accrued is
/// posted before. Sending the money is the caller's.
#[utoipa::path(post, path = "/v1/tenants/{id}/refunds", tag = "money",
    params(("id" = TenantId, Path)), request_body = CreateRefund,
    responses((status = 201, body = LedgerPosting)))]
pub async fn create_refund(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Keyed { body, key }: Keyed<CreateRefund>,
) -> unit::Result<Response> {
    let (asked, name) = (body.amount.to_string(), name_of(&caller, key.as_ref()));
    let repeated = Repeated { tenant: id, what: "refund", key: &name, asked: &asked };
    let done = async {
        let mut unit = app.begin(&caller, key).await?;
        tenants::get(&mut unit.tx, id).await?;
        let (now, actor) = (unit.now, unit.actor());
        post_accrued(&mut unit.tx, now, id).await?;
        let of = refunds::tenant_of(&mut unit.tx, body.recharge_id).await;
        if of.map_err(|e| e.in_field("recharge_id"))? != id {
            let what = format!("recharge {} of this tenant", body.recharge_id);
            return Err(base::Error::not_found(what).in_field("recharge_id").into());
        }
        let new = Refund {
            recharge: body.recharge_id,
            amount: body.amount,
            reason: &body.reason,
            key: &name,
            actor: &actor,
        };
        let written = ledger::refund(&mut unit.tx, now, &new).await?;
        let detail = json!({
            "recharge_id": body.recharge_id, "amount": body.amount, "reason": body.reason,
        });
        posted(unit, ("tenant.refund", id), written, detail).await
    };
    let done = done.await;
    telling(&app, &repeated, done).await
}

/// Posts entries by hand, with a reason.
#[utoipa::path(post, path = "/v1/tenants/{id}/corrections", tag = "money",
    params(("id" = TenantId, Path)), request_body = CreateCorrection,
    responses((status = 201, body = LedgerPosting)))]
pub async fn create_correction(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Keyed { body, key }: Keyed<CreateCorrection>,
) -> unit::Result<Response> {
    let name = name_of(&caller, key.as_ref());
    let asked = format!("{} entries", body.entries.len());
    let repeated = Repeated { tenant: id, what: "correction", key: &name, asked: &asked };
    let done = async {
        let mut unit = app.begin(&caller, key).await?;
        tenants::get(&mut unit.tx, id).await?;
        let (now, actor) = (unit.now, unit.actor());
        let detail = json!({ "entries": body.entries, "reason": body.reason, "memo": body.memo });
        let new = Correction {
            tenant: id,
            entries: body.entries,
            reason: &body.reason,
            memo: &body.memo,
            corrects: body.corrects_id,
            key: &name,
            actor: &actor,
        };
        let written = ledger::correct(&mut unit.tx, now, &new).await?;
        posted(unit, ("tenant.correct", id), written, detail).await
    };
    let done = done.await;
    telling(&app, &repeated, done).await
}

/// The tenant's transactions with their entries, the newest first. Who posted one is for operators.
#[utoipa::path(get, path = "/v1/tenants/{id}/ledger", tag = "money",
    params(("id" = TenantId, Path), PageQuery),
    responses((status = 200, body = Page<Transaction>)))]
pub async fn list_ledger(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TenantId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Transaction>>> {
    let span = query.span::<i64>()?;
    let mut conn = super::reading(&app, &caller, id).await?;
    let rows = list::page(&mut conn, id, span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |t| t.number.to_string(), |t| internal::shown(&caller, t))))
}

/// Checks every invariant of all tenants, each as of one moment; nothing is written.
#[utoipa::path(post, path = "/v1/ledger/verify", tag = "money",
    responses((status = 200, body = Verified)))]
pub async fn verify_ledger(State(app): State<App>, _: Caller) -> Result<Json<Verified>> {
    Ok(Json(verify::verify(&app.db).await?))
}
