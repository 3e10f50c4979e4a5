//! Bad requests get problem details; nothing a client sends makes a 5xx.

use http::Method;
use serde_json::{Value, json};

use super::world::{Caller, each};
use crate::api::{access, extract};

#[tokio::test]
async fn what_is_wrong_is_named() {
    for test in each().await {
        let op = &test.operator;
        op.get("/v1/nothing").await.problem(404, "not-found", None);
        op.delete("/v1/tenants").await.problem(405, "method-not-allowed", None);
        op.get("/v1/tenants/not-an-id").await.problem(400, "invalid", Some("id"));
        op.get("/v1/tenants?limit=0").await.problem(400, "invalid", Some("limit"));
        op.get("/v1/tenants?sort=x").await.problem(400, "invalid", Some("sort"));
        op.get("/v1/tenants?cursor=%00").await.problem(400, "invalid", Some("cursor"));
        let post = |body: Value| async move { op.post("/v1/tenants", &body).await };
        post(json!({})).await.problem(400, "invalid", Some("name"));
        post(json!({"name": "a", "x": 1})).await.problem(400, "invalid", Some("x"));
        post(json!({"name": ["a"]})).await.problem(400, "invalid", Some("name"));
        post(json!({"name": "a\u{0}b"})).await.problem(400, "invalid", Some("name"));
        let deep = json!({"name": "b", "prices": [{"meter": "\u{0}"}]});
        let deep = op.post("/v1/price-books", &deep).await;
        deep.problem(400, "invalid", Some("prices.0.meter"));
        post(json!({"name": "", "currency": "CNY"})).await.problem(400, "invalid", Some("name"));
        post(json!({"name": "a", "currency": "yuan"})).await.problem(
            400,
            "invalid",
            Some("currency"),
        );
        let book = base::id::PriceBookId::new();
        let body = json!({"name": "a", "price_book_id": book});
        post(body).await.problem(400, "invalid", Some("price_book_id"));
        let text = op.request(Method::POST, "/v1/tenants").body("{}");
        op.send(text).await.problem(415, "unsupported-media-type", None);
        let large = op.request(Method::POST, "/v1/tenants").json(&"x".repeat(2 << 20));
        op.send(large).await.problem(413, "too-large", None);

        // Nothing of all that was made.
        let all = op.get("/v1/tenants").await.expect(200);
        assert_eq!(all["items"], json!([]));
        test.server.stop().await;
    }
}

/// Values that fit nowhere, in every place of a body.
fn odd_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(""),
        json!("\u{0}"),
        json!("'; DROP TABLE tenants; --"),
        json!("9999-12-31T23:59:59.999Z"),
        json!("-0001-01-01T00:00:00Z"),
        json!("9223372036854.775807"),
        json!("x".repeat(100_000)),
        json!(base::id::TenantId::new()),
        json!([]),
        json!([[]]),
        json!([{}]),
        json!({}),
    ]
}

/// Every body that the description knows, with each of its fields odd in turn.
fn odd_bodies(schemas: &Value, schema: &Value) -> Vec<Value> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => &schemas[reference.rsplit('/').next().unwrap()],
        None => schema,
    };
    let mut bodies = odd_values();
    let Some(fields) = schema["properties"].as_object() else { return bodies };
    let plain = |field: &str| match field {
        "currency" => json!("CNY"),
        "amount" => json!("1"),
        "role" => json!("operator"),
        "items" | "prices" => json!([]),
        "disk_format" => json!("qcow2"),
        "bmc_address" => json!("127.0.0.1:1"),
        "action" => json!("on"),
        "state" => json!("enabled"),
        "vcpus" | "memory_mib" | "disk_gib" => json!(1),
        _ => json!("plain"),
    };
    for odd in fields.keys() {
        for value in odd_values() {
            let mut body: serde_json::Map<String, Value> = fields
                .keys()
                .filter(|f| schema["required"].as_array().is_some_and(|r| r.contains(&json!(f))))
                .map(|field| (field.clone(), plain(field)))
                .collect();
            body.insert(odd.clone(), value);
            bodies.push(Value::Object(body));
        }
    }
    bodies
}

async fn throw(caller: &Caller, method: &Method, path: &str, body: Option<&Value>) {
    let request = caller.request(method.clone(), path);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    let status = answer.status();
    if status.is_server_error() {
        let text = answer.text().await.unwrap_or_default();
        let body = body.map(|b| b.to_string().chars().take(300).collect::<String>());
        panic!("{method} {path} with {body:?} made a {status}: {text}");
    }
}

#[tokio::test]
async fn nothing_a_client_sends_makes_a_5xx() {
    let description: Value =
        serde_json::from_str(&crate::api::spec::to_text(&crate::api::openapi())).unwrap();
    let schemas = &description["components"]["schemas"];
    for test in each().await {
        let (tenant, member) = test.tenant("acme").await;
        let (_, agent) = test.host("alpha").await;
        for rule in access::RULES {
            let caller = match rule.who.roles() {
                ["agent"] => &agent,
                _ => &test.operator,
            };
            for id in [tenant.as_str(), "%F0%9F%92%A9", "..", "'", "%ff"] {
                let path = rule.path.replace("{id}", id).replace("{name}", id);
                let path = path.replace("{file}", "disk");
                if !extract::is_change(rule.method) {
                    let odd = "limit=1&cursor=x&from=x&to=x&query=x&time=x&start=1&end=0&step=0";
                    throw(caller, rule.method, &format!("{path}?{odd}"), None).await;
                    throw(&member, rule.method, &format!("{path}?match[]=%7B"), None).await;
                    continue;
                }
                let operation =
                    &description["paths"][rule.path][rule.method.as_str().to_lowercase()];
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                let bodies = match (id == tenant, schema.is_null()) {
                    (true, false) => odd_bodies(schemas, schema),
                    _ => odd_values(),
                };
                // Hashing passwords and backing up take their time, and are not what is looked at.
                let few = match rule.path {
                    "/v1/setup" => 25,
                    "/v1/system/backup" => 2,
                    _ => usize::MAX,
                };
                for body in bodies.iter().take(few) {
                    throw(caller, rule.method, &path, Some(body)).await;
                }
            }
        }
        test.server.stop().await;
    }
}
