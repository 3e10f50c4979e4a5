//! The console's files, and the answers for what has no route.

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode, header};

use super::problem::Problem;

/// Below these there are no pages.
const API: &[&str] = &["/v1", "/prometheus", "/alertmanager", "/metrics", "/healthz", "/readyz"];

/// A page or file of the console; below the API's paths, a problem.
pub async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    let is_api = API.iter().any(|api| {
        path.strip_prefix(api).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if is_api || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return no_such_path(path).into_response();
    }
    let Some(asset) = dashboards::asset(path) else { return no_such_path(path).into_response() };
    let known = request.headers().get(header::IF_NONE_MATCH);
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, asset.cache_control.to_owned()),
        (header::ETAG, asset.etag.clone()),
    ];
    if known.is_some_and(|v| v.as_bytes() == asset.etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, Body::from(asset.bytes)).into_response()
}

fn no_such_path(path: &str) -> Problem {
    base::Error::not_found(format_args!("the path {path}"))
        .remedy("see /v1/openapi.json for what there is")
        .into()
}

pub async fn wrong_method(request: Request) -> Problem {
    Problem::http(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "This method is not for this path",
        format!("{} is not for {}", request.method(), request.uri().path()),
    )
}
