//! What was used and what it cost, by resource, component, day, tenant or label.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use base::{id::TenantId, time::Timestamp};
use billing::reports::{self, CostReport, Group, Period};
use http::header;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    auth::Caller,
    extract::{Json, Query},
    problem::Result,
    state::App,
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CostQuery {
    /// For operators: one tenant's only. A member's own where not given.
    #[param(value_type = Option<TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// From this instant on; the beginning of the month where not given.
    #[param(value_type = Option<Timestamp>)]
    pub from: Option<Timestamp>,
    /// Before this instant; now where not given.
    #[param(value_type = Option<Timestamp>)]
    pub to: Option<Timestamp>,
    /// `resource` where not given.
    #[param(value_type = Option<Group>)]
    #[serde(default)]
    pub group: Group,
    /// Whose values make the rows, with `group=label`: `team` is told as `label.team`.
    pub label: Option<String>,
}

/// What was used between two instants and is charged, in groups. It can be read again at any time,
/// and adds up to the lines that were rated.
#[utoipa::path(get, path = "/v1/costs", tag = "money", params(CostQuery),
    responses((status = 200, body = CostReport)))]
pub async fn get_costs(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CostQuery>,
) -> Result<Json<CostReport>> {
    Ok(Json(report(&app, &caller, &query).await?))
}

/// The same as CSV.
#[utoipa::path(get, path = "/v1/costs.csv", tag = "money", params(CostQuery),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub async fn get_costs_csv(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CostQuery>,
) -> Result<Response> {
    let report = report(&app, &caller, &query).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"costs.csv\""),
    ];
    Ok((headers, reports::csv(&report)?).into_response())
}

async fn report(app: &App, caller: &Caller, query: &CostQuery) -> Result<CostReport> {
    let tenant = super::tenant_filter(caller, query.tenant_id)?;
    let period = Period { from: query.from, to: query.to };
    let mut conn = app.read().await?;
    Ok(reports::cost(
        &mut conn,
        app.clock.now(),
        tenant,
        period,
        query.group,
        query.label.as_deref(),
    )
    .await?)
}
