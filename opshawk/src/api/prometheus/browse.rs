//! What there is to query: families, exemplars, how many series of what; and how to write a query.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use base::{sample::Labels, time::Timestamp};
use serde_json::{Value, json};
use timeseries::{
    Metadata,
    value::{Response as Answer, format_value},
};

use super::{PrometheusAnswer, Result, params::Params, scope, span, success, success_between};
use crate::api::{
    auth::Caller,
    prometheus::params::{ExemplarParams, FormatParams, LimitParams, MetadataParams},
    state::App,
};

/// Series without a sample for so long are not counted as there.
const ACTIVE_MS: i64 = 60 * 60 * 1000;
/// As Prometheus, of each kind.
const CARDINALITY_LIMIT: usize = 10;
const CARDINALITY_LIMIT_MAX: usize = 10_000;
/// Families in one answer.
const FAMILIES_MAX: usize = 10_000;

/// What senders said about metric families. A member is told of those that it has series of.
#[utoipa::path(get, path = "/prometheus/api/v1/metadata", tag = "prometheus",
    params(MetadataParams), responses((status = 200, body = PrometheusAnswer)))]
pub async fn metadata(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Value>>> {
    let limit = params.count("limit")?.unwrap_or(FAMILIES_MAX).min(FAMILIES_MAX);
    let end = app.clock.now();
    let start = end.saturating_add_ms(-ACTIVE_MS);
    let mut all = app.engine.metadata(&scope(&caller), start.ms(), end.ms()).await?;
    if let Some(metric) = params.get("metric") {
        all.retain(|family| family.metric == metric);
    }
    let entry = |family: Metadata| {
        let told = json!([{ "type": family.kind, "help": family.help, "unit": family.unit }]);
        (family.metric, told)
    };
    Ok(success(all.into_iter().take(limit).map(entry).collect()))
}

async fn exemplars(app: &App, caller: &Caller, params: &Params) -> Result<Json<Answer<Value>>> {
    let (start_ms, end_ms) = span(app, params)?;
    let expr = params.required("query")?;
    let found = app.engine.exemplars(&scope(caller), expr, start_ms, end_ms).await?;
    let object = |labels: &Labels| -> BTreeMap<String, String> {
        labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let one = |series: timeseries::Exemplars| {
        let exemplars = series.exemplars.iter().map(|one| {
            json!({
                "labels": object(&one.labels),
                "value": format_value(one.sample.value),
                "timestamp": one.sample.at_ms as f64 / 1000.0,
            })
        });
        json!({
            "seriesLabels": object(&series.labels),
            "exemplars": exemplars.collect::<Vec<_>>(),
        })
    };
    Ok(success(found.into_iter().map(one).collect()))
}

/// Exemplars of the series that an expression reads.
#[utoipa::path(get, path = "/prometheus/api/v1/query_exemplars", tag = "prometheus",
    params(ExemplarParams), responses((status = 200, body = PrometheusAnswer)))]
pub async fn query_exemplars(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Value>>> {
    exemplars(&app, &caller, &params).await
}

#[utoipa::path(post, path = "/prometheus/api/v1/query_exemplars", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn query_exemplars_form(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<Value>>> {
    exemplars(&app, &caller, &params).await
}

/// An expression in the layout that Prometheus gives it.
#[utoipa::path(get, path = "/prometheus/api/v1/format_query", tag = "prometheus",
    params(FormatParams), responses((status = 200, body = PrometheusAnswer)))]
pub async fn format_query(params: Params) -> Result<Json<Answer<String>>> {
    Ok(success(timeseries::format(params.required("query")?)?))
}

#[utoipa::path(post, path = "/prometheus/api/v1/format_query", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = PrometheusAnswer)))]
pub async fn format_query_form(params: Params) -> Result<Json<Answer<String>>> {
    Ok(success(timeseries::format(params.required("query")?)?))
}

/// How many series there are of what, the largest first: of those with a sample in the last hour,
/// and of a member's own alone.
#[utoipa::path(get, path = "/prometheus/api/v1/status/tsdb", tag = "prometheus",
    params(LimitParams), responses((status = 200, body = PrometheusAnswer)))]
pub async fn tsdb(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Answer<timeseries::Cardinality>>> {
    let limit = params.count("limit")?.unwrap_or(CARDINALITY_LIMIT).min(CARDINALITY_LIMIT_MAX);
    let end: Timestamp = app.clock.now();
    let start = end.saturating_add_ms(-ACTIVE_MS);
    let found = app.engine.cardinality(&scope(&caller), start.ms(), end.ms(), limit).await?;
    Ok(success_between(&app, found, start.ms(), end.ms()))
}
