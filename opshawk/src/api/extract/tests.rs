use axum::body::Body;
use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Thing {
    name: String,
    sizes: Vec<Size>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Size {
    vcpus: i64,
}

fn json_problem(body: &str) -> (Option<String>, String) {
    let problem = parse_json::<Thing>(body.as_bytes()).unwrap_err();
    assert_eq!(problem.status, 400);
    (problem.field, problem.detail)
}

#[test]
fn a_wrong_body_names_its_field() {
    assert_eq!(json_problem(r#"{"sizes": []}"#).0.as_deref(), Some("name"));
    assert_eq!(json_problem(r#"{"name": 1, "sizes": []}"#).0.as_deref(), Some("name"));
    assert_eq!(json_problem(r#"{"name": "", "sizes": [], "x": 1}"#).0.as_deref(), Some("x"));
    let nested = json_problem(r#"{"name": "", "sizes": [{"vcpus": "two"}]}"#);
    assert_eq!(nested.0.as_deref(), Some("sizes[0].vcpus"));
    let unknown = json_problem(r#"{"name": "", "sizes": [{"vcpus": 2, "y": 1}]}"#);
    assert_eq!(unknown.0.as_deref(), Some("sizes[0].y"));
    let missing = json_problem(r#"{"name": "", "sizes": [{}]}"#);
    assert_eq!(missing.0.as_deref(), Some("sizes[0].vcpus"));
    assert_eq!(json_problem("{").0, None);
    assert_eq!(json_problem("[]").0, None);
    assert_eq!(json_problem(r#"{"name": "", "sizes": []} x"#).0, None);
}

async fn query(uri: &str) -> Result<super::super::page::PageQuery, Problem> {
    let (mut parts, _) = Request::builder().uri(uri).body(Body::empty()).unwrap().into_parts();
    Query::from_request_parts(&mut parts, &()).await.map(|Query(q)| q)
}

#[tokio::test]
async fn a_wrong_query_names_its_parameter() {
    assert_eq!(query("/x?limit=5").await.unwrap().limit, Some(5));
    assert_eq!(query("/x?limit=five").await.unwrap_err().field.as_deref(), Some("limit"));
    assert_eq!(query("/x?limt=5").await.unwrap_err().field.as_deref(), Some("limt"));
}

#[tokio::test]
async fn a_body_has_a_limit_and_a_type() {
    let request = |content_type: &str, body: Vec<u8>| {
        Request::builder()
            .method("POST")
            .uri("/x")
            .header("content-type", content_type)
            .body(Body::from(body))
            .unwrap()
    };
    let big = vec![b' '; MAX_JSON_BYTES + 1];
    let problem = Json::<Thing>::from_request(request("application/json", big), &()).await;
    assert_eq!(problem.unwrap_err().status, 413);
    let problem = Json::<Thing>::from_request(request("text/plain", vec![]), &()).await;
    assert_eq!(problem.unwrap_err().status, 415);
    // In pieces, without a declared length.
    let pieces = futures::stream::iter(
        (0..=MAX_JSON_BYTES / 1024).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024])),
    );
    let mut streamed = request("application/json; charset=utf-8", vec![]);
    *streamed.body_mut() = Body::from_stream(pieces);
    let problem = Json::<Thing>::from_request(streamed, &()).await;
    assert_eq!(problem.unwrap_err().status, 413);
}

#[test]
fn nul_is_refused_and_its_look_alike_is_not() {
    assert!(refuse_nul(br#"{"a": "b\u0000"}"#).is_err());
    assert!(refuse_nul(br#"{"a": "\\\u0000"}"#).is_err());
    assert!(refuse_nul(br#"{"a": "\\u0000"}"#).is_ok());
    assert!(refuse_nul(br#"{"a": "\u0001"}"#).is_ok());
}
