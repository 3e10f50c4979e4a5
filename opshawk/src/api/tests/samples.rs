//! Samples come in by remote write and go out by PromQL, each to whom it belongs.

use base::sample::{Labels, Sample, Series};
use http::Method;
use serde_json::{Value, json};

use super::world::{Answer, Caller, TestServer, each};

async fn write(caller: &Caller, series: &[Series]) -> Answer {
    let request = caller.request(Method::POST, "/prometheus/api/v1/write");
    let request = request.header("content-type", "application/x-protobuf");
    caller.send(request.body(collector::remote_write::encode(series))).await
}

fn series(test: &TestServer, name: &str, labels: &[(&str, &str)], value: f64) -> Series {
    let at_ms = test.server.app.clock.now().ms();
    Series { labels: Labels::metric(name, labels), samples: vec![Sample { at_ms, value }] }
}

async fn query(caller: &Caller, expr: &str) -> Value {
    let request = caller.request(Method::GET, "/prometheus/api/v1/query");
    caller.send(request.query(&[("query", expr)])).await.expect(200)["data"]["result"].take()
}

#[tokio::test]
async fn an_agent_speaks_for_itself_alone_and_a_member_sees_its_own() {
    for test in each().await {
        let (acme, member) = test.tenant("acme").await;
        let (_, agent) = test.host("alpha").await;
        let forged = [("tenant", acme.as_str()), ("host", "beta"), ("instance_id", "x")];
        let sent = [series(&test, "node_load1", &forged, 1.0)];
        assert_eq!(write(&agent, &sent).await.status, 204);
        let seen = query(&test.operator, "node_load1").await;
        let metric = json!({ "__name__": "node_load1", "host": "alpha", "instance": "alpha" });
        assert_eq!(seen[0]["metric"], metric);
        assert_eq!(query(&member, "node_load1").await, json!([]));
        assert_eq!(query(&member, "count({__name__=~\".+\"})").await, json!([]));
        let labels = member.get("/prometheus/api/v1/labels").await.expect(200);
        assert_eq!(labels["data"], json!([]));
        assert_eq!(write(&member, &sent).await.status, 403);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn prometheus_s_clients_read_what_they_know() {
    let test = each().await.remove(0);
    let op = &test.operator;
    assert_eq!(write(op, &[series(&test, "m", &[("a", "b")], 2.5)]).await.status, 204);
    let form = op.request(Method::POST, "/prometheus/api/v1/query").form(&[("query", "m * 2")]);
    let answer = op.send(form).await.expect(200);
    assert_eq!(answer["status"], "success");
    assert_eq!(answer["data"]["result"][0]["value"][1], "5");
    let values = op.get("/prometheus/api/v1/label/a/values").await.expect(200);
    assert_eq!(values["data"], json!(["b"]));
    let found = op.get("/prometheus/api/v1/series?match[]=m").await.expect(200);
    assert_eq!(found["data"], json!([{ "__name__": "m", "a": "b" }]));
    let now = test.server.app.clock.now().ms() / 1000;
    let range = format!("query=m&start={}&end={now}&step=30s", now - 60);
    let matrix = op.get(&format!("/prometheus/api/v1/query_range?{range}")).await.expect(200);
    assert_eq!(matrix["data"]["resultType"], "matrix");

    let wrong = op.get("/prometheus/api/v1/query?query=sum(").await.expect(400);
    assert_eq!((&wrong["status"], &wrong["errorType"]), (&json!("error"), &json!("bad_data")));
    op.get("/prometheus/api/v1/query").await.expect(400);
    op.get("/prometheus/api/v1/query?query=m&time=soon").await.expect(400);
    let garbage = op.request(Method::POST, "/prometheus/api/v1/write").body("no snappy");
    assert_eq!(op.send(garbage).await.expect(400)["errorType"], "bad_data");

    let build = op.get("/prometheus/api/v1/status/buildinfo").await.expect(200);
    assert!(build["data"]["version"].as_str().unwrap().starts_with("2."));
    for path in ["rules", "alerts", "targets"] {
        let answer = op.get(&format!("/prometheus/api/v1/{path}")).await.expect(200);
        assert_eq!(answer["status"], "success", "{path}");
    }
    test.server.stop().await;
}

#[tokio::test]
async fn metrics_tell_an_operator_all_and_a_member_its_own() {
    for test in each().await {
        let (acme, member) = test.tenant("acme").await;
        test.tenant("other").await;
        let all = test.operator.get("/metrics").await;
        assert_eq!(all.status, 200);
        for name in [
            "opshawk_http_requests_total",
            "opshawk_reconciler_runs_total{reconciler=\"standing\"}",
            "opshawk_tenant_balance",
            "opshawk_tenant_quota_limit",
        ] {
            assert!(all.text.contains(name), "{name} in {}", all.text);
        }
        assert!(all.text.contains("tenant_name=\"other\""));
        let own = member.get("/metrics").await.text;
        assert!(
            own.contains(&format!("opshawk_tenant_balance{{currency=\"CNY\",tenant=\"{acme}\""))
        );
        assert!(!own.contains("other") && !own.contains("opshawk_http"), "{own}");
        test.server.stop().await;
    }
}
