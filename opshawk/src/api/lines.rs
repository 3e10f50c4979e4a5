//! Rated lines, and why each is what it is.

use axum::extract::State;
use base::{Error, id::TenantId, time::Timestamp};
use billing::explain::{self, Explanation, LineId, Lines, Wanted};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    auth::Caller,
    extract::{Json, Path, Query},
    internal,
    problem::Result,
    state::App,
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LineQuery {
    /// Whose; a member's own where not given.
    #[param(value_type = Option<TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// Of one resource only.
    pub resource_id: Option<String>,
    /// Of one component only, such as `instance.compute`.
    pub component: Option<String>,
    /// Those that rate something after this instant.
    #[param(value_type = Option<Timestamp>)]
    pub from: Option<Timestamp>,
    /// Those that rate something before this instant.
    #[param(value_type = Option<Timestamp>)]
    pub to: Option<Timestamp>,
    /// Those behind this line: the last one of the answer before.
    pub after: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    /// Its facts after this sequence: `next_facts` of the answer before.
    #[serde(default)]
    pub facts_after: i64,
}

/// The lines that a tenant's charges are made of, by resource, component and time.
#[utoipa::path(get, path = "/v1/lines", tag = "money", params(LineQuery),
    responses((status = 200, body = Lines)))]
pub async fn list_lines(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<LineQuery>,
) -> Result<Json<Lines>> {
    let tenant = super::tenant_filter(&caller, query.tenant_id)?;
    let tenant = tenant.ok_or_else(|| {
        Error::invalid("tenant_id", "whose lines? name a tenant").remedy("give tenant_id")
    })?;
    let LineQuery { resource_id, component, from, to, after, .. } = query;
    let after = after.map(|id| id.parse()).transpose()?;
    let wanted = Wanted { resource_id, component, from, to, after };
    Ok(Json(explain::list(&mut *app.read().await?, tenant, &wanted).await?))
}

/// One line with its facts, readings and price, computed again from them. Which operator ruled on a
/// fact or corrected a price, and why, is for operators.
#[utoipa::path(get, path = "/v1/lines/{line}", tag = "money",
    params(("line" = String, Path, description = "TENANT.CHARGE.PLACE"), ExplainQuery),
    responses((status = 200, body = Explanation)))]
pub async fn explain_line(
    State(app): State<App>,
    caller: Caller,
    Path(line): Path<String>,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explanation>> {
    let id: LineId = line.parse()?;
    caller.require_sees(id.tenant, format_args!("line {id}"))?;
    let mut snapshot = app.db.begin_snapshot().await?;
    let explanation = explain::explain(&mut snapshot, id, query.facts_after).await?;
    snapshot.rollback().await.map_err(Error::from)?;
    Ok(Json(internal::shown(&caller, explanation)))
}
