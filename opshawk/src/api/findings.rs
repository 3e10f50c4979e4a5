//! What somebody should look at in metering and billing, and what they decide: findings, gaps, and
//! rulings on facts.

use axum::{extract::State, response::Response};
use base::{
    bus::Topic,
    id::{FindingId, UsageEventId, UsageGapId},
    time::Timestamp,
};
use billing::{
    findings::{self, Finding},
    kinds::Attributes,
    usage::{
        lost::{self, Answer, Listed},
        rulings::{self, Ruled, Verdict},
    },
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    extract::{Json, Path, Query},
    problem::{Problem, Result},
    state::App,
    unit,
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AllQuery {
    /// Those that are resolved or answered, too.
    #[serde(default)]
    pub all: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BillingFindings {
    /// Oldest first; at most 1000.
    pub items: Vec<Finding>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct UsageGaps {
    /// Oldest first; at most 1000.
    pub items: Vec<Listed>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct UsageRulings {
    /// Newest first; at most 1000.
    pub items: Vec<Ruled>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseFinding {
    /// Why; the audit trail keeps it.
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageVerdict {
    /// It counts.
    Take,
    /// It never counts.
    Drop,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleOnFact {
    pub ruling: UsageVerdict,
    /// Of what is taken: as of when it counts; the instant that it tells where not given.
    pub at: Option<Timestamp>,
    /// Why, for those who ask later.
    pub reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerGap {
    /// The instant of the gap at which it changed; until then it was as before.
    pub changed_at: Timestamp,
    /// What it was from there on, such as `running`.
    pub state: String,
    /// Its attributes then; as it was seen at the gap's end where not given.
    #[schema(value_type = Option<Object>)]
    pub attributes: Option<Attributes>,
    /// Why, for those who ask later.
    pub reason: String,
}

/// What somebody should look at: facts put aside, parked resources, gaps, drops, leaks.
#[utoipa::path(get, path = "/v1/findings", tag = "money", params(AllQuery),
    responses((status = 200, body = BillingFindings)))]
pub async fn list_findings(
    State(app): State<App>,
    Query(query): Query<AllQuery>,
) -> Result<Json<BillingFindings>> {
    let items = findings::list(&mut *app.read().await?, query.all).await?;
    Ok(Json(BillingFindings { items }))
}

/// Resolves a finding by hand. Where its cause is still there, it is found again.
#[utoipa::path(post, path = "/v1/findings/{id}/resolve", tag = "money",
    params(("id" = FindingId, Path)), request_body = CloseFinding,
    responses((status = 200, body = Finding)))]
pub async fn resolve_finding(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<FindingId>,
    Json(body): Json<CloseFinding>,
) -> unit::Result<Response> {
    if body.reason.trim().is_empty() {
        return Err(Problem::invalid("reason", "say why it is resolved").into());
    }
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    let finding = findings::close(&mut unit.tx, now, id).await?;
    let detail = json!({
        "kind": finding.kind, "subject": finding.subject, "reason": body.reason,
    });
    unit.audit("finding.resolve", ("finding", id), finding.tenant_id, detail).await?;
    unit.finish(StatusCode::OK, &finding).await
}

/// Times of which facts were lost.
#[utoipa::path(get, path = "/v1/usage-gaps", tag = "money", params(AllQuery),
    responses((status = 200, body = UsageGaps)))]
pub async fn list_usage_gaps(
    State(app): State<App>,
    Query(query): Query<AllQuery>,
) -> Result<Json<UsageGaps>> {
    Ok(Json(UsageGaps { items: lost::list(&mut *app.read().await?, query.all).await? }))
}

/// Says what was in a gap, for good: its time is rated as was said.
#[utoipa::path(post, path = "/v1/usage-gaps/{id}/answer", tag = "money",
    params(("id" = UsageGapId, Path)), request_body = AnswerGap,
    responses((status = 200, body = Listed)))]
pub async fn answer_usage_gap(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<UsageGapId>,
    Json(body): Json<AnswerGap>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let (now, actor) = (unit.now, unit.actor());
    let attributes = match body.attributes {
        Some(attributes) => attributes,
        None => lost::get(&mut unit.tx, id).await?.attributes,
    };
    let answer = Answer { state: body.state, attributes, changed_at: body.changed_at };
    lost::answer(&mut unit.tx, now, id, &answer, &actor, &body.reason).await?;
    let detail = json!({
        "state": answer.state, "attributes": answer.attributes, "changed": answer.changed_at,
        "reason": body.reason,
    });
    unit.audit("usage.answer", ("usage_gap", id), None, detail).await?;
    unit.changes.add(Topic::Money, id, None);
    let gap = lost::get(&mut unit.tx, id).await?;
    unit.finish(StatusCode::OK, &gap).await
}

/// What was decided about facts.
#[utoipa::path(get, path = "/v1/usage-rulings", tag = "money",
    responses((status = 200, body = UsageRulings)))]
pub async fn list_usage_rulings(State(app): State<App>) -> Result<Json<UsageRulings>> {
    Ok(Json(UsageRulings { items: rulings::list(&mut *app.read().await?).await? }))
}

/// Decides about a fact that was put aside or contradicts, for good: the resource is rated by it.
#[utoipa::path(post, path = "/v1/usage-facts/{id}/rule", tag = "money",
    params(("id" = UsageEventId, Path)), request_body = RuleOnFact,
    responses((status = 200, body = Ruled)))]
pub async fn rule_on_fact(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<UsageEventId>,
    Json(body): Json<RuleOnFact>,
) -> unit::Result<Response> {
    let verdict = match (body.ruling, body.at) {
        (UsageVerdict::Take, at) => Verdict::Take { at },
        (UsageVerdict::Drop, None) => Verdict::Drop,
        (UsageVerdict::Drop, Some(_)) => {
            return Err(Problem::invalid("at", "what is dropped counts at no instant").into());
        }
    };
    let mut unit = app.begin(&caller, None).await?;
    let (now, actor) = (unit.now, unit.actor());
    rulings::rule(&mut unit.tx, now, id, verdict, &actor, &body.reason).await?;
    let detail = json!({ "ruling": body.ruling, "at": body.at, "reason": body.reason });
    unit.audit("usage.rule", ("usage_fact", id), None, detail).await?;
    unit.changes.add(Topic::Money, id, None);
    let ruled = rulings::get(&mut unit.tx, id).await?;
    unit.finish(StatusCode::OK, &ruled).await
}
