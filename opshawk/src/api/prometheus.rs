//! The Prometheus HTTP API, so that Grafana, promtool and remote writers work unchanged.
//!
//! A member's queries see the series of its tenant only: the scope is enforced in the plan.

use alerting::prometheus as rules_api;
use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use base::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use timeseries::{
    Error, ErrorType, Scope, remote_write as wire,
    value::{Response as Answer, Value as Data},
};
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{self, Path},
    problem,
    state::App,
};

pub mod browse;
mod params;

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
            let later = http::HeaderValue::from_static(RETRY_AFTER_S);
            answer.headers_mut().insert(http::header::RETRY_AFTER, later);
        }
        answer
    }
}

type Result<T, E = Failed> = std::result::Result<T, E>;

fn success<T: Serialize>(data: T) -> Json<Answer<T>> {
    Json(Answer::success(data))
}

fn scope(caller: &Caller) -> Scope {
    Scope { tenant: caller.tenant() }
}

async fn instant(app: &App, caller: &Caller, params: &Params) -> Result<Json<Answer<Data>>> {
    let at = params.instant("time")?.unwrap_or_else(|| app.clock.now());
    let scope = scope(caller);
    let query = app.engine.query(&scope, params.required("query")?, at.ms());
    Ok(success(params.within_timeout(query).await?))
}

async fn range(app: &App, caller: &Caller, params: &Params) -> Result<Json<Answer<Data>>> {
    let (start, end) = (params.required_instant("start")?, params.required_instant("end")?);
    let step_ms = params.required_duration_ms("step")?;
    let (scope, expr) = (scope(caller), params.required("query")?);
    let query = app.engine.query_range(&scope, expr, start.ms(), end.ms(), step_ms);
    Ok(success(params.within_timeout(query).await?))
}

/// Where no range is given, everything.
fn span(app: &App, params: &Params) -> Result<(i64, i64)> {
    let start = params.instant("start")?.unwrap_or(Timestamp::from_ms(0));
    let end = params.instant("end")?.unwrap_or_else(|| app.clock.now());
    Ok((start.ms(), end.ms()))
}

#[utoipa::path(get, path = "/prometheus/api/v1/query", tag = "prometheus", params(InstantParams),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn query(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Data>>> {
    instant(&app, &caller, &params).await
}

#[utoipa::path(post, path = "/prometheus/api/v1/query", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn query_form(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Data>>> {
    instant(&app, &caller, &params).await
}

#[utoipa::path(get, path = "/prometheus/api/v1/query_range", tag = "prometheus",
    params(RangeParams), responses((status = 200, body = PrometheusAnswer)))]
pub async fn query_range(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Data>>> {
    range(&app, &caller, &params).await
}

#[utoipa::path(post, path = "/prometheus/api/v1/query_range", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn query_range_form(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Data>>> {
    range(&app, &caller, &params).await
}

async fn find_series(app: &App, caller: &Caller, params: &Params) -> Result<Json<Answer<Value>>> {
    let (start_ms, end_ms) = span(app, params)?;
    let matches = params.all("match[]");
    let found = app.engine.series(&scope(caller), &matches, start_ms, end_ms).await?;
    let as_object = |labels: base::sample::Labels| {
        let pairs = labels.iter().map(|(k, v)| (k.to_owned(), Value::from(v)));
        Value::Object(pairs.collect())
    };
    Ok(success(found.into_iter().map(as_object).collect()))
}

#[utoipa::path(get, path = "/prometheus/api/v1/series", tag = "prometheus", params(MatchParams),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn series(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Value>>> {
    find_series(&app, &caller, &params).await
}

#[utoipa::path(post, path = "/prometheus/api/v1/series", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn series_form(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Value>>> {
    find_series(&app, &caller, &params).await
}

async fn names(app: &App, caller: &Caller, params: &Params) -> Result<Json<Answer<Vec<String>>>> {
    let (start_ms, end_ms) = span(app, params)?;
    let matches = params.all("match[]");
    Ok(success(app.engine.label_names(&scope(caller), &matches, start_ms, end_ms).await?))
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
    let values = app.engine.label_values(&scope, &name, &matches, start_ms, end_ms).await?;
    Ok(success(values))
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

/// A sender that is told to come again waits so long.
const RETRY_AFTER_S: &str = "5";
/// How much of a body was taken, named as in remote write 2.0.
const WRITTEN: http::HeaderName =
    http::HeaderName::from_static("x-prometheus-remote-write-samples-written");

/// Takes samples: remote write 1.0 (snappy-compressed protobuf). 204: all are durable; 400: some
/// can never be taken, the others are durable; 429 and 503: send it again.
#[utoipa::path(post, path = "/prometheus/api/v1/write", tag = "prometheus",
    request_body(content = Vec<u8>, content_type = "application/x-protobuf"),
    responses((status = 204)))]
pub async fn remote_write(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> problem::Result<Response> {
    check_media(request.headers())?;
    let sender = app.ingest.sender(caller.access).await?;
    let body = extract::read_body(request, wire::COMPRESSED_MAX_BYTES).await?;
    let body = match wire::Body::read(&body) {
        Ok(body) => body,
        Err(error) => return Ok(Failed(error).into_response()),
    };
    let histograms_dropped = body.histograms_dropped();
    let appended = match app.ingest.take_body(&sender, body).await {
        Ok(appended) => appended,
        Err(error) => return Ok(Failed(error).into_response()),
    };
    app.metrics.count_samples(&appended);
    Ok(written(&appended, histograms_dropped))
}

/// What is no snappy-compressed remote write 1.0, where its headers say so.
fn check_media(headers: &http::HeaderMap) -> problem::Result<()> {
    let says = |name, wanted: &dyn Fn(&str) -> bool| {
        headers.get(name).is_none_or(|value| value.to_str().is_ok_and(wanted))
    };
    let protobuf = |media: &str| {
        let media = media.to_ascii_lowercase();
        media.starts_with("application/x-protobuf") && !media.contains("write.v2")
    };
    let snappy = |coding: &str| coding.eq_ignore_ascii_case("snappy");
    if says(http::header::CONTENT_TYPE, &protobuf) && says(http::header::CONTENT_ENCODING, &snappy)
    {
        return Ok(());
    }
    Err(problem::Problem::http(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "Another media type is wanted",
        "only remote write 1.0 is spoken here: application/x-protobuf, compressed by snappy",
    ))
}

fn written(appended: &timeseries::Appended, histograms_dropped: usize) -> Response {
    let taken = appended.written + appended.duplicates;
    let headers = [(WRITTEN, http::HeaderValue::from(taken))];
    let rejected = appended.rejected();
    if rejected == 0 && histograms_dropped == 0 {
        return (StatusCode::NO_CONTENT, headers).into_response();
    }
    let mut message = format!("{taken} of {} samples were written", taken + rejected);
    if histograms_dropped > 0 {
        message.push_str("; native histograms are not supported");
    }
    if let Some(error) = &appended.first_error {
        message.push_str("; the first that was not: ");
        message.push_str(error);
    }
    // Nothing else is wrong: there may be room when other series have ended.
    if appended.over_limit == rejected && histograms_dropped == 0 {
        let mut answer = Failed(Error::Execution(message)).into_response();
        *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        answer
            .headers_mut()
            .insert(http::header::RETRY_AFTER, http::HeaderValue::from_static(RETRY_AFTER_S));
        return (headers, answer).into_response();
    }
    (headers, Failed(Error::BadData(message))).into_response()
}
