//! What was used and what it cost, by resource, component, day, tenant or label.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use base::{Error, id::TenantId, time::Timestamp};
use billing::reports::{self, CostReport, Group, Period};
use http::header;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

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

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CostLabelQuery {
    /// Whose; a member's own where not given.
    #[param(value_type = Option<TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// From this instant on; the beginning of the month where not given.
    #[param(value_type = Option<Timestamp>)]
    pub from: Option<Timestamp>,
    /// Before this instant; now where not given.
    #[param(value_type = Option<Timestamp>)]
    pub to: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CostLabels {
    /// By name; at most 1000.
    pub items: Vec<String>,
}

/// The labels that a tenant's resources had between two instants: what `group=label` can group by.
#[utoipa::path(get, path = "/v1/costs/labels", tag = "money", params(CostLabelQuery),
    responses((status = 200, body = CostLabels)))]
pub async fn list_cost_labels(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CostLabelQuery>,
) -> Result<Json<CostLabels>> {
    let tenant = super::tenant_filter(&caller, query.tenant_id)?;
    let tenant = tenant.ok_or_else(|| {
        Error::invalid("tenant_id", "whose labels? name a tenant").remedy("give tenant_id")
    })?;
    let period = Period { from: query.from, to: query.to };
    let (mut conn, now) = (app.read().await?, app.clock.now());
    let items = reports::label_names(&mut conn, now, tenant, period).await?;
    Ok(Json(CostLabels { items }))
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
