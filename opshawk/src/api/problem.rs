//! What a caller reads when something is wrong: RFC 9457 problem details.
//!
//! One table maps the kinds of `base::Error` to statuses. What only an operator may read stays in
//! the error's source, which is logged here, once, and never sent.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use base::{Error, ErrorKind};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// RFC 9457 problem details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:opshawk:problem:` and the kind in kebab case.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Box<str>,
    /// The kind, for people.
    #[schema(value_type = String)]
    pub title: Box<str>,
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The field of the request that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Kind, status, name for programs, title for people.
const KINDS: &[(ErrorKind, StatusCode, &str, &str)] = &[
    (ErrorKind::Invalid, StatusCode::BAD_REQUEST, "invalid", "The request is not valid"),
    (
        ErrorKind::Unauthenticated,
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "Nobody is logged in",
    ),
    (
        ErrorKind::PaymentRequired,
        StatusCode::PAYMENT_REQUIRED,
        "payment-required",
        "The balance does not suffice",
    ),
    (ErrorKind::Forbidden, StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
    (ErrorKind::NotFound, StatusCode::NOT_FOUND, "not-found", "Not found"),
    (ErrorKind::Conflict, StatusCode::CONFLICT, "conflict", "The state forbids it"),
    (ErrorKind::QuotaExceeded, StatusCode::CONFLICT, "quota-exceeded", "The quota is used up"),
    (ErrorKind::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
    (ErrorKind::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available now"),
    (ErrorKind::Internal, StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed"),
];

pub const TYPE_PREFIX: &str = "urn:opshawk:problem:";

impl Problem {
    /// For what HTTP itself refuses, before a handler is asked.
    pub fn http(status: StatusCode, name: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{name}").into(),
            title: title.into(),
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            remedy: None,
        }
    }

    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Error::invalid(field, detail).into()
    }
    /// The body as a whole.
    pub fn invalid_body(detail: impl Into<String>) -> Self {
        Error::new(ErrorKind::Invalid, detail).into()
    }
    pub fn too_large(limit_bytes: usize) -> Self {
        let message = format!("the body may have at most {limit_bytes} bytes");
        Error::new(ErrorKind::TooLarge, message).into()
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl Problem {
    /// By the table, without a word in the log.
    pub fn quietly(error: Error) -> Self {
        let (_, status, name, title) = KINDS
            .iter()
            .find(|(kind, ..)| *kind == error.kind)
            .expect("a test finds every kind in the table");
        let mut problem = Self::http(*status, name, title, error.message);
        problem.field = error.field;
        problem.remedy = error.remedy;
        problem
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let chain = base::reconcile::error_chain(&error);
        let problem = Self::quietly(error);
        if problem.status().is_server_error() {
            tracing::error!(kind = &*problem.kind, error = chain, "a request failed");
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, content_type, Json(self)).into_response();
        // `Json` set its own.
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            let scheme = http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_status_of_its_own_name() {
        let all = [
            ErrorKind::Invalid,
            ErrorKind::Unauthenticated,
            ErrorKind::PaymentRequired,
            ErrorKind::Forbidden,
            ErrorKind::NotFound,
            ErrorKind::Conflict,
            ErrorKind::QuotaExceeded,
            ErrorKind::TooLarge,
            ErrorKind::Unavailable,
            ErrorKind::Internal,
        ];
        let mut names = std::collections::BTreeSet::new();
        for kind in all {
            let problem = Problem::from(Error::new(kind, "x"));
            assert!(names.insert(problem.kind), "{kind:?} shares its name");
        }
        assert_eq!(names.len(), KINDS.len());
    }

    #[tokio::test]
    async fn what_operators_read_is_not_sent() {
        let error = Error::unavailable("the database does not answer")
            .source(std::io::Error::other("secret path"))
            .remedy("try again");
        let response = Problem::from(error).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        insta::assert_snapshot!(String::from_utf8(body.to_vec()).unwrap(), @r#"{"type":"urn:opshawk:problem:unavailable","title":"Not available now","status":503,"detail":"the database does not answer","remedy":"try again"}"#);
    }
}
