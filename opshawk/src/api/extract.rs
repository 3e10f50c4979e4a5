//! What a request carries, with problem details where it is wrong: the field is named, and what is
//! not known is refused.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::problem::Problem;

/// The most that a JSON body may have.
pub const MAX_JSON_BYTES: usize = 1 << 20;

pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let bytes = read_body(request, MAX_JSON_BYTES).await?;
        refuse_nul(&bytes)?;
        parse_json(&bytes).map(Self)
    }
}

/// A JSON body of a request that creates or pays, with its `Idempotency-Key`.
#[derive(Debug)]
pub struct Keyed<T> {
    pub body: T,
    pub key: Option<Key>,
}

/// A caller's key, and what must be the same when the key is.
#[derive(Debug)]
pub struct Key {
    pub key: String,
    /// Method, path and body.
    pub request: Vec<u8>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Keyed<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let key = match request.headers().get(IDEMPOTENCY_KEY) {
            None => None,
            Some(value) => Some(value.to_str().map(str::to_owned).map_err(|_| {
                Problem::invalid("Idempotency-Key", "the key must be printable ASCII")
            })?),
        };
        let mut whole = format!("{} {}\n", request.method(), request.uri().path()).into_bytes();
        let bytes = read_body(request, MAX_JSON_BYTES).await?;
        refuse_nul(&bytes)?;
        let body = parse_json(&bytes)?;
        whole.extend_from_slice(&bytes);
        Ok(Self { body, key: key.map(|key| Key { key, request: whole }) })
    }
}

/// PostgreSQL takes no NUL in text, and nothing that people write has one. What is no JSON at all is
/// for the parser to refuse.
fn refuse_nul(json: &[u8]) -> Result<(), Problem> {
    // In JSON it is always written like this, so that most bodies need no second look.
    if !json.windows(6).any(|six| six == b"\\u0000") {
        return Ok(());
    }
    let value = serde_json::from_slice(json).unwrap_or_default();
    match field_with_nul(&value) {
        Some(field) => Err(Problem::invalid(&field, "text must not contain NUL characters")),
        None => Ok(()),
    }
}

/// Its path, such as `prices.0.meter`.
fn field_with_nul(value: &Value) -> Option<String> {
    let below = |key: &str, value: &Value| {
        field_with_nul(value).map(|rest| match rest.is_empty() {
            true => key.to_owned(),
            false => format!("{key}.{rest}"),
        })
    };
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(all) => all.iter().enumerate().find_map(|(n, v)| below(&n.to_string(), v)),
        Value::Object(all) => all.iter().find_map(|(key, value)| match key.contains('\0') {
            true => Some(key.replace('\0', "")),
            false => below(key, value),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The whole body, at most `limit` bytes of it.
pub async fn read_body(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > limit) {
        return Err(Problem::too_large(limit));
    }
    axum::body::to_bytes(request.into_body(), limit).await.map_err(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            // `LengthLimitError` is not named by axum.
            if error.to_string().contains("length limit") {
                return Problem::too_large(limit);
            }
            cause = error.source();
        }
        Problem::invalid_body("the body ended early")
    })
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let essence = |v: &http::HeaderValue| {
        v.to_str().ok()?.split(';').next().map(|s| s.trim().to_ascii_lowercase())
    };
    match headers.get(header::CONTENT_TYPE).and_then(essence) {
        Some(kind) if kind == "application/json" => Ok(()),
        _ => Err(Problem::http(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Another media type is wanted",
            "the body must be JSON, with the header Content-Type: application/json",
        )),
    }
}

pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_syntax() || inner.is_eof() {
            return Problem::invalid_body(format!("the body is no JSON: {inner}"));
        }
        at_field(&path, &inner.to_string())
    })?;
    reader.end().map_err(|e| Problem::invalid_body(format!("the body is no JSON: {e}")))?;
    Ok(value)
}

/// serde names a missing or unknown field in its message, the others by the path.
fn at_field(path: &str, message: &str) -> Problem {
    let named = ["missing field `", "unknown field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split('`').next());
    let field = match (path, named) {
        (".", Some(name)) => name.to_owned(),
        (".", None) => return Problem::invalid_body(message),
        (path, Some(name)) if !path.ends_with(name) => format!("{path}.{name}"),
        (path, _) => path.to_owned(),
    };
    Problem::invalid(field, message)
}

/// The parameters in the path.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        use axum::extract::path::ErrorKind;
        use axum::extract::rejection::PathRejection;

        let parsed = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        parsed.map(|axum::extract::Path(value)| Self(value)).map_err(|rejection| {
            let PathRejection::FailedToDeserializePathParams(error) = rejection else {
                return Problem::invalid("path", "the path can't be read");
            };
            let message = error.body_text();
            let field = match error.into_kind() {
                ErrorKind::ParseErrorAtKey { key, .. }
                | ErrorKind::DeserializeError { key, .. }
                | ErrorKind::InvalidUtf8InPathParam { key } => key,
                _ => "id".to_owned(),
            };
            let message = message.strip_prefix("Invalid URL: ").unwrap_or(&message).to_owned();
            Problem::invalid(field, message)
        })
    }
}

/// The parameters in the query.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let parsed = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        parsed.map(|axum::extract::Query(value)| Self(value)).map_err(|rejection| {
            let text = rejection.body_text();
            let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            match text.split_once(": ") {
                Some((path, message)) if !path.contains(' ') => at_field(path, message),
                _ => match at_field(".", text) {
                    problem if problem.field.is_some() => problem,
                    _ => Problem::invalid("query", text),
                },
            }
        })
    }
}

/// Whether a request can change something.
pub fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a request asks to go on as something else than HTTP.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
}

#[cfg(test)]
mod tests;
