//! The Prometheus HTTP API, so that Grafana, promtool and remote writers work unchanged.
//!
//! A member's queries see the series of its tenant only: the scope is enforced in the plan.

use alerting::prometheus as rules_api;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use base::time::Timestamp;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use timeseries::{
    Error, ErrorType, Scope,
    value::{Metric, Response as Answer, Value as Data},
};
use utoipa::ToSchema;

use super::{auth::Caller, extract::Path, state::App};

pub mod admin;
pub mod browse;
mod params;
pub mod write;

pub use params::{InstantParams, MatchParams, Params, RangeParams};

/// Every answer of the Prometheus HTTP API.
#[derive(Debug, Serialize, ToSchema)]
pub struct PrometheusAnswer {
    /// `success` or `error`.
    pub status: String,
    #[schema(value_type = Object)]
    pub data: Option<Value>,
    #[serde(rename = "errorType")]
    pub error_type: Option<String>,
    pub error: Option<String>,
    /// What the answer lacks: parts of the store that are damaged.
    pub warnings: Option<Vec<String>>,
}

/// An error in the form that Prometheus's clients read.
#[derive(Debug)]
pub struct Failed(Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<base::Error> for Failed {
    fn from(error: base::Error) -> Self {
        let chain = base::reconcile::error_chain(&error);
        tracing::error!(error = chain, "a Prometheus API request failed");
        Self(Error::Busy("the database does not answer"))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let status = match self.0.error_type() {
            ErrorType::BadData => StatusCode::BAD_REQUEST,
            // Prometheus answers 503 to a query that takes too long. Here that is the query's
            // fault, as too many samples are, and asking again does not help.
            ErrorType::Execution | ErrorType::Timeout => StatusCode::UNPROCESSABLE_ENTITY,
            // No place among the queries under way.
            ErrorType::Canceled => StatusCode::TOO_MANY_REQUESTS,
            ErrorType::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorType::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            let chain = base::reconcile::error_chain(&self.0);
            tracing::error!(error = chain, "a Prometheus API request failed");
        }
        let mut answer = (status, Json(Answer::<Value>::failure(&self.0))).into_response();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let later = HeaderValue::from_static(RETRY_AFTER_S);
            answer.headers_mut().insert(header::RETRY_AFTER, later);
        }
        answer
    }
}

/// A client that is told to come again waits so long.
const RETRY_AFTER_S: &str = "5";

type Result<T, E = Failed> = std::result::Result<T, E>;

fn success<T: Serialize>(data: T) -> Json<Answer<T>> {
    Json(Answer::success(data))
}

/// With what it may lack; ranges in milliseconds, both ends included.
fn success_between<T: Serialize>(
    app: &App,
    data: T,
    start_ms: i64,
    end_ms: i64,
) -> Json<Answer<T>> {
    let warnings = app.engine.warnings([(start_ms, end_ms)]);
    Json(Answer { warnings, ..Answer::success(data) })
}

fn scope(caller: &Caller) -> Scope {
    Scope { tenant: caller.tenant() }
}

/// Larger results are written off the runtime's threads; this many take about a millisecond.
const INLINE_POINTS_MAX: usize = 20_000;

/// What a query found, as one text.
async fn answered(data: Data, warnings: Vec<String>) -> Result<Response> {
    let text = if data.points() <= INLINE_POINTS_MAX {
        data.to_answer(&warnings)
    } else {
        let written = tokio::task::spawn_blocking(move || data.to_answer(&warnings)).await;
        written.map_err(|e| base::Error::internal("the answer can't be written").source(e))?
    };
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json)], text).into_response())
}

async fn instant(app: &App, caller: &Caller, params: &Params) -> Result<Response> {
    let at = params.instant("time")?.unwrap_or_else(|| app.clock.now());
    let (scope, expr) = (scope(caller), params.required("query")?);
    let query = app.engine.query(&scope, expr, at.ms());
    let data = params.within_timeout(query).await?;
    answered(data, app.engine.query_warnings(expr, at.ms(), at.ms())).await
}

async fn range(app: &App, caller: &Caller, params: &Params) -> Result<Response> {
    let (start, end) = (params.required_instant("start")?, params.required_instant("end")?);
    let step_ms = params.required_duration_ms("step")?;
    let (scope, expr) = (scope(caller), params.required("query")?);
    let query = app.engine.query_range(&scope, expr, start.ms(), end.ms(), step_ms);
    let data = params.within_timeout(query).await?;
    answered(data, app.engine.query_warnings(expr, start.ms(), end.ms())).await
}

/// Where no range is given, everything.
fn span(app: &App, params: &Params) -> Result<(i64, i64)> {
    let start = params.instant("start")?.unwrap_or(Timestamp::from_ms(0));
    let end = params.instant("end")?.unwrap_or_else(|| app.clock.now());
    Ok((start.ms(), end.ms()))
}

#[utoipa::path(get, path = "/prometheus/api/v1/query", tag = "prometheus", params(InstantParams),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn query(State(app): State<App>, caller: Caller, params: Params) -> Result<Response> {
    instant(&app, &caller, &params).await
}

#[utoipa::path(post, path = "/prometheus/api/v1/query", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn query_form(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Response> {
    instant(&app, &caller, &params).await
}

#[utoipa::path(get, path = "/prometheus/api/v1/query_range", tag = "prometheus",
    params(RangeParams), responses((status = 200, body = PrometheusAnswer)))]
pub async fn query_range(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Response> {
    range(&app, &caller, &params).await
}

#[utoipa::path(post, path = "/prometheus/api/v1/query_range", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn query_range_form(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Response> {
    range(&app, &caller, &params).await
}

async fn find_series(
    app: &App,
    caller: &Caller,
    params: &Params,
) -> Result<Json<Answer<Vec<Metric>>>> {
    let (start_ms, end_ms) = span(app, params)?;
    let matches = params.all("match[]");
    let found = app.engine.series(&scope(caller), &matches, start_ms, end_ms).await?;
    let found = found.into_iter().map(Metric).collect();
    Ok(success_between(app, found, start_ms, end_ms))
}

#[utoipa::path(get, path = "/prometheus/api/v1/series", tag = "prometheus", params(MatchParams),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn series(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Vec<Metric>>>> {
    find_series(&app, &caller, &params).await
}

#[utoipa::path(post, path = "/prometheus/api/v1/series", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn series_form(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Vec<Metric>>>> {
    find_series(&app, &caller, &params).await
}

async fn names(app: &App, caller: &Caller, params: &Params) -> Result<Json<Answer<Vec<String>>>> {
    let (start_ms, end_ms) = span(app, params)?;
    let matches = params.all("match[]");
    let found = app.engine.label_names(&scope(caller), &matches, start_ms, end_ms).await?;
    Ok(success_between(app, found, start_ms, end_ms))
}

#[utoipa::path(get, path = "/prometheus/api/v1/labels", tag = "prometheus", params(MatchParams),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn labels(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Vec<String>>>> {
    names(&app, &caller, &params).await
}

#[utoipa::path(post, path = "/prometheus/api/v1/labels", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn labels_form(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Vec<String>>>> {
    names(&app, &caller, &params).await
}

#[utoipa::path(get, path = "/prometheus/api/v1/label/{name}/values", tag = "prometheus",
    params(("name" = String, Path), MatchParams),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn label_values(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<Answer<Vec<String>>>> {
    let (start_ms, end_ms) = span(&app, &params)?;
    let (scope, matches) = (scope(&caller), params.all("match[]"));
    // A name beyond the old character set may come escaped, as Prometheus 3 takes it.
    let name = timeseries::validate::unescaped(&name);
    let values = app.engine.label_values(&scope, &name, &matches, start_ms, end_ms).await?;
    Ok(success_between(&app, values, start_ms, end_ms))
}

#[utoipa::path(get, path = "/prometheus/api/v1/rules", tag = "prometheus",
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn rules(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Answer<rules_api::RuleDiscovery>>> {
    let mut conn = app.read().await?;
    Ok(success(rules_api::rules(&mut conn, &app.alerting_settings, caller.tenant()).await?))
}

#[utoipa::path(get, path = "/prometheus/api/v1/alerts", tag = "prometheus",
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn alerts(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Answer<rules_api::AlertDiscovery>>> {
    let mut conn = app.read().await?;
    Ok(success(rules_api::alerts(&mut conn, caller.tenant()).await?))
}

/// What is collected now: each `up` series, as the target that it stands for.
#[utoipa::path(get, path = "/prometheus/api/v1/targets", tag = "prometheus",
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn targets(State(app): State<App>) -> Result<Json<Answer<Value>>> {
    let found = app.engine.query(&Scope::ALL, "up", app.clock.now().ms()).await?;
    let Data::Vector(found) = found else { return Ok(success(json!({}))) };
    let active = found.into_iter().map(|series| {
        let labels: serde_json::Map<_, _> = series
            .metric
            .iter()
            .filter(|(name, _)| *name != base::sample::NAME)
            .map(|(k, v)| (k.to_owned(), Value::from(v)))
            .collect();
        let up = series.value.value == 1.0;
        json!({
            "discoveredLabels": {},
            "scrapePool": labels.get("job").cloned().unwrap_or_default(),
            "labels": labels,
            "scrapeUrl": "",
            "globalUrl": "",
            "lastError": if up { "" } else { "the last collection failed" },
            "lastScrape": Timestamp::from_ms(series.value.at_ms),
            "health": if up { "up" } else { "down" },
        })
    });
    let active: Vec<Value> = active.collect();
    Ok(success(json!({ "activeTargets": active, "droppedTargets": [] })))
}

/// Grafana reads from the version which calls it may make.
const API_LEVEL: &str = "2.42.0";

#[utoipa::path(get, path = "/prometheus/api/v1/status/buildinfo", tag = "prometheus",
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn buildinfo() -> Json<Answer<Value>> {
    success(json!({
        "version": API_LEVEL,
        "revision": format!("opshawk-{}", env!("CARGO_PKG_VERSION")),
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}
