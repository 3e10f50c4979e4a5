//! Requests for more: a tenant asks, an operator decides.
//!
//! ```text
//!   pending --(an operator)--> approved    the limits change in the same transaction
//!      |------(an operator)--> refused     with an answer
//!      +------(the tenant)---> withdrawn
//! ```
//!
//! Operators are told of each request, the tenant of each decision.

use base::{
    Error, Result,
    db::{self, Conn},
    id::{QuotaRequestId, TenantId},
    time::Timestamp,
};
use identity::{Actor, tenants};
use sqlx::{Row, any::AnyRow};

use super::{Limit, Quota, Resource};

mod notices;

pub use notices::TOPIC;

/// That wait for an answer, of one tenant.
pub const PENDING_MAX: i64 = 5;
/// That one tenant makes in a day: each is a mail to the operators.
pub const PER_DAY_MAX: i64 = 20;
pub const TEXT_MAX_CHARS: usize = 1000;

const DAY_MS: i64 = 24 * 3600 * 1000;

crate::text_enum! {
    QuotaRequestState {
        Pending = "pending",
        Approved = "approved",
        Refused = "refused",
        Withdrawn = "withdrawn",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub id: QuotaRequestId,
    pub tenant_id: TenantId,
    pub items: Vec<Limit>,
    /// The limits that were set, where it is approved.
    pub granted: Option<Vec<Limit>>,
    pub reason: String,
    pub state: QuotaRequestState,
    pub asked_by: String,
    pub created_at: Timestamp,
    pub decided_by: Option<String>,
    pub decided_at: Option<Timestamp>,
    pub answer: Option<String>,
}

fn from_row(row: &AnyRow) -> Result<Request> {
    let items: String = row.try_get("items")?;
    let granted: Option<String> = row.try_get("granted")?;
    Ok(Request {
        id: db::parsed(row, "id")?,
        tenant_id: db::parsed(row, "tenant_id")?,
        items: limits(&items)?,
        granted: granted.as_deref().map(limits).transpose()?,
        reason: row.try_get("reason")?,
        state: db::parsed(row, "state")?,
        asked_by: row.try_get("asked_name")?,
        created_at: Timestamp::from_ms(row.try_get("created_ms")?),
        decided_by: row.try_get("decided_name")?,
        decided_at: db::instant_opt(row, "decided_ms")?,
        answer: row.try_get("answer")?,
    })
}

fn limits(text: &str) -> Result<Vec<Limit>> {
    serde_json::from_str(text).map_err(|e| Error::internal("broken limits").source(e))
}

fn to_text(limits: &[Limit]) -> String {
    serde_json::json!(limits).to_string()
}

/// Asks for higher limits.
pub async fn ask(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    tenant: TenantId,
    items: &[Limit],
    reason: &str,
) -> Result<Request> {
    let tenant = tenants::get(&mut *conn, tenant).await?;
    let reason = text("reason", reason)?;
    super::lock(&mut *conn, tenant.id).await?;
    refuse_too_many(&mut *conn, now, tenant.id).await?;
    let quotas = super::list(&mut *conn, tenant.id).await?;
    check(items, &quotas)?;
    let id = QuotaRequestId::new();
    sqlx::query(
        "INSERT INTO quota_requests (id, tenant_id, items, reason, state, asked_kind, asked_id, \
         asked_name, created_ms) VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8)",
    )
    .bind(id.to_string())
    .bind(tenant.id.to_string())
    .bind(to_text(items))
    .bind(reason)
    .bind(actor.kind.as_str())
    .bind(&actor.id)
    .bind(&actor.name)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    let request = get(&mut *conn, id).await?;
    notices::asked(conn, now, &tenant.name, &request, &quotas).await?;
    Ok(request)
}

async fn refuse_too_many(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<()> {
    let row = sqlx::query(
        "SELECT CAST(COALESCE(SUM(CASE WHEN state = 'pending' THEN 1 ELSE 0 END), 0) AS BIGINT) \
           AS pending, \
         CAST(COALESCE(SUM(CASE WHEN created_ms > $2 THEN 1 ELSE 0 END), 0) AS BIGINT) AS today \
         FROM quota_requests WHERE tenant_id = $1",
    )
    .bind(tenant.to_string())
    .bind(now.ms() - DAY_MS)
    .fetch_one(conn)
    .await?;
    if row.try_get::<i64, _>("pending")? >= PENDING_MAX {
        let message = format!("{PENDING_MAX} requests of this tenant wait for an answer already");
        return Err(Error::conflict(message).remedy("wait for the answers, or withdraw one"));
    }
    if row.try_get::<i64, _>("today")? >= PER_DAY_MAX {
        let message = format!("this tenant has made {PER_DAY_MAX} requests within a day");
        return Err(Error::conflict(message).remedy("ask again tomorrow, or talk to an operator"));
    }
    Ok(())
}

fn check(items: &[Limit], quotas: &[Quota]) -> Result<()> {
    if items.is_empty() {
        return Err(Error::invalid("items", "a request must name at least one resource"));
    }
    for (n, Limit { resource, limit }) in items.iter().enumerate() {
        let name = resource.as_str();
        refuse_twice(items, n)?;
        super::check_limit(*limit).map_err(|e| e.field(format!("items[{n}].limit")))?;
        let now = limit_of(quotas, *resource);
        if *limit <= now {
            let message = format!("the limit for {name} is {now} already, and {limit} is no more");
            return Err(Error::invalid(format!("items[{n}].limit"), message)
                .remedy("ask for more than it is"));
        }
    }
    Ok(())
}

fn refuse_twice(items: &[Limit], n: usize) -> Result<()> {
    let Limit { resource, .. } = items[n];
    if items[..n].iter().any(|before| before.resource == resource) {
        let message = format!("{} is named twice", resource.as_str());
        return Err(Error::invalid(format!("items[{n}].resource"), message));
    }
    Ok(())
}

fn limit_of(quotas: &[Quota], resource: Resource) -> i64 {
    quotas.iter().find(|q| q.resource == resource).map_or(0, |q| q.limit)
}

/// What people write: trimmed, not empty, of lines.
fn text(field: &str, text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid(field, format!("the {field} must not be empty")));
    }
    if text.chars().count() > TEXT_MAX_CHARS {
        let message = format!("the {field} must have at most {TEXT_MAX_CHARS} characters");
        return Err(Error::invalid(field, message));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        let message = format!("the {field} must not contain control characters");
        return Err(Error::invalid(field, message));
    }
    Ok(text.to_owned())
}

fn answer(given: Option<&str>) -> Result<Option<String>> {
    given.filter(|t| !t.trim().is_empty()).map(|t| text("answer", t)).transpose()
}

pub async fn get(conn: &mut Conn, id: QuotaRequestId) -> Result<Request> {
    let row = sqlx::query("SELECT * FROM quota_requests WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    from_row(&db::found(row, format_args!("quota request {id}"))?)
}

/// Newest first, of all tenants and states or of one.
pub async fn list(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    state: Option<QuotaRequestState>,
    cursor: Option<QuotaRequestId>,
    limit: i64,
) -> Result<Vec<Request>> {
    let rows = sqlx::query(
        "SELECT * FROM quota_requests WHERE ($1 = '' OR id < $1) \
         AND ($2 = '' OR tenant_id = $2) AND ($3 = '' OR state = $3) ORDER BY id DESC LIMIT $4",
    )
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
    .bind(state.map_or("", QuotaRequestState::as_str))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

/// How many wait for an answer.
pub async fn count_pending(conn: &mut Conn) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM quota_requests WHERE state = 'pending'";
    Ok(sqlx::query(sql).fetch_one(conn).await?.try_get("n")?)
}

/// Sets the limits asked for, or `others` for the kinds that it names.
pub async fn approve(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    id: QuotaRequestId,
    others: &[Limit],
    words: Option<&str>,
) -> Result<Request> {
    let answer = answer(words)?;
    let request = get(&mut *conn, id).await?;
    if request.state != QuotaRequestState::Pending {
        return Err(ended(&request));
    }
    super::lock(&mut *conn, request.tenant_id).await?;
    let quotas = super::list(&mut *conn, request.tenant_id).await?;
    let granted = grant(&request, others, &quotas)?;
    let decision = Decision { state: QuotaRequestState::Approved, granted: Some(&granted), answer };
    let decided = decide(&mut *conn, now, actor, id, decision).await?;
    for resource in Resource::ALL {
        if let Some(item) = granted.iter().find(|item| item.resource == resource) {
            super::set_limit(&mut *conn, request.tenant_id, resource, item.limit).await?;
        }
    }
    notices::decided(conn, now, &decided).await?;
    Ok(decided)
}

/// What is asked, with what the operator says otherwise. Approving never takes away.
fn grant(request: &Request, others: &[Limit], quotas: &[Quota]) -> Result<Vec<Limit>> {
    for (n, other) in others.iter().enumerate() {
        refuse_twice(others, n)?;
        super::check_limit(other.limit).map_err(|e| e.field(format!("items[{n}].limit")))?;
        if !request.items.iter().any(|asked| asked.resource == other.resource) {
            let message = format!("the request does not ask for {}", other.resource.as_str());
            return Err(Error::invalid(format!("items[{n}].resource"), message)
                .remedy("set it by opshawk quota set"));
        }
    }
    let mut granted = vec![];
    for asked in &request.items {
        let other = others.iter().find(|other| other.resource == asked.resource);
        let item = *other.unwrap_or(asked);
        let now = limit_of(quotas, item.resource);
        if item.limit < now {
            return Err(Error::conflict(format!(
                "the limit for {} is {now} by now, and {} would lower it",
                item.resource.as_str(),
                item.limit
            ))
            .remedy("approve with a limit that is not below it, or refuse the request"));
        }
        granted.push(item);
    }
    Ok(granted)
}

/// Leaves the limits as they are, and says why.
pub async fn refuse(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    id: QuotaRequestId,
    words: &str,
) -> Result<Request> {
    let answer = Some(text("answer", words)?);
    let decision = Decision { state: QuotaRequestState::Refused, granted: None, answer };
    let decided = decide(&mut *conn, now, actor, id, decision).await?;
    notices::decided(conn, now, &decided).await?;
    Ok(decided)
}

/// The tenant thinks better of it.
pub async fn withdraw(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    id: QuotaRequestId,
) -> Result<Request> {
    let decision = Decision { state: QuotaRequestState::Withdrawn, granted: None, answer: None };
    decide(conn, now, actor, id, decision).await
}

struct Decision<'a> {
    state: QuotaRequestState,
    granted: Option<&'a [Limit]>,
    answer: Option<String>,
}

/// Ends the request, once: of two who decide, the second is told what the first did.
async fn decide(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    id: QuotaRequestId,
    decision: Decision<'_>,
) -> Result<Request> {
    let done = sqlx::query(
        "UPDATE quota_requests SET state = $1, granted = $2, answer = $3, decided_kind = $4, \
         decided_id = $5, decided_name = $6, decided_ms = $7 WHERE id = $8 AND state = 'pending'",
    )
    .bind(decision.state.as_str())
    .bind(decision.granted.map(to_text))
    .bind(decision.answer)
    .bind(actor.kind.as_str())
    .bind(&actor.id)
    .bind(&actor.name)
    .bind(now.ms())
    .bind(id.to_string())
    .execute(&mut *conn)
    .await?;
    let request = get(conn, id).await?;
    if done.rows_affected() == 0 {
        return Err(ended(&request));
    }
    Ok(request)
}

fn ended(request: &Request) -> Error {
    let state = request.state.as_str();
    Error::conflict(format!("quota request {} is {state} already", request.id))
        .remedy("ask anew, or have an operator set the limit")
}

#[cfg(test)]
mod tests;
