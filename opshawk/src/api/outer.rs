//! What every request passes: an id, a span, a count, a limit of time, and the headers that keep
//! browsers safe.

use std::time::{Duration, Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use tracing::Instrument;

use super::{problem::Problem, state::App};

/// Above the longest that a PromQL query may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(150);
/// These wait or carry large bodies, and have their own limits.
const UNLIMITED: &[&str] = &[
    "/v1/agent/desired",
    "/v1/agent/streams",
    "/v1/images/{id}/files/{file}",
    "/v1/metrics/import",
];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The route of what matched none.
const NO_ROUTE: &str = "none";

pub async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.as_deref().unwrap_or(NO_ROUTE);
    let id = base::id::OperationId::new().to_string();
    let span = tracing::info_span!(
        "request",
        id,
        %method,
        // The query may hold what is not for logs.
        path = request.uri().path(),
        actor = tracing::field::Empty,
    );
    let api = request.uri().path().starts_with("/v1/");
    let mut response = answer(request, next, route).instrument(span.clone()).await;
    let took = started.elapsed();
    let status = response.status();
    app.metrics.count_request(&method, route, status, took);
    span.in_scope(|| {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(status = status.as_u16(), took_ms, "answered");
    });
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    if api {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    headers.reserve(SAFE.len());
    for (name, value) in &SAFE {
        // A file of ours may be held to stricter rules than the console's.
        headers.entry(name).or_insert_with(|| value.clone());
    }
    response
}

/// Made once: a name that is parsed for every answer is work that no answer needs.
static SAFE: [(HeaderName, HeaderValue); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(dashboards::CONTENT_SECURITY_POLICY),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    ),
];

async fn answer(request: Request, next: Next, route: &str) -> Response {
    // No database takes NUL in text, and no name has one.
    let uri = request.uri();
    let query = uri.query().unwrap_or_default();
    if uri.path().contains("%00") {
        return Problem::invalid("path", "the address must not contain NUL").into_response();
    }
    if let Some(parameter) = query.split('&').find(|parameter| parameter.contains("%00")) {
        let name = parameter.split('=').next().unwrap_or_default();
        return Problem::invalid(name, "a parameter must not contain NUL").into_response();
    }
    if UNLIMITED.contains(&route) {
        return next.run(request).await;
    }
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::http(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            "It took too long",
            format!("the request was not done after {} s", REQUEST_TIMEOUT.as_secs()),
        )
        .into_response(),
    }
}

/// A handler that panics is our fault, and no reason to drop the connection.
pub fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    tracing::error!(panic = text, "a handler panicked");
    Problem::quietly(base::Error::internal("the server failed")).into_response()
}
