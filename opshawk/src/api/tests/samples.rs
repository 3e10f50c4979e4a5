//! Samples come in by remote write and go out by PromQL, each to whom it belongs.

use base::sample::{Labels, Sample, Series};
use http::Method;
use serde_json::{Value, json};

use super::{
    owned::{Body, owners},
    world::{Answer, Caller, TestServer, each},
};

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
    for test in each().await {
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
}

#[tokio::test]
async fn what_there_is_to_query_is_told_to_whom_it_belongs() {
    for test in each().await {
        let op = &test.operator;
        let (_, member) = test.tenant("acme").await;
        let sent = [series(&test, "jobs_total", &[("a", "b")], 2.5), series(&test, "m", &[], 1.0)];
        assert_eq!(write(op, &sent).await.status, 204);

        let ask = async |caller: &Caller, path: &str| {
            caller.get(&format!("/prometheus/api/v1/{path}")).await.expect(200)["data"].take()
        };
        let counted = ask(op, "status/tsdb?limit=10000").await;
        for (list, name) in [
            ("seriesCountByLabelValuePair", "a=b"),
            ("seriesCountByMetricName", "jobs_total"),
            ("labelValueCountByLabelName", "a"),
            ("memoryInBytesByLabelName", "a"),
        ] {
            let entry = json!({ "name": name, "value": 1 });
            assert!(counted[list].as_array().unwrap().contains(&entry), "{list}: {counted}");
        }
        assert!(counted["headStats"]["numSeries"].as_u64().unwrap() >= 2, "{counted}");
        let counted = ask(op, "status/tsdb?limit=1").await;
        assert_eq!(counted["seriesCountByLabelValuePair"].as_array().unwrap().len(), 1);
        assert_eq!(ask(&member, "status/tsdb").await["headStats"]["numSeries"], 0);

        let body = Body::default().metadata("jobs_total", "Jobs done.");
        assert_eq!(body.send(op).await.status, 204);
        let told = ask(op, "metadata?metric=jobs_total").await;
        assert_eq!(
            told,
            json!({ "jobs_total": [{ "type": "counter", "help": "Jobs done.", "unit": "" }] })
        );
        assert_eq!(ask(&member, "metadata").await, json!({}));
        assert_eq!(ask(op, "metadata?limit=0").await, json!({}));
        op.get("/prometheus/api/v1/metadata?limit=some").await.expect(400);

        assert_eq!(ask(op, "query_exemplars?query=jobs_total").await, json!([]));
        op.get("/prometheus/api/v1/query_exemplars?query=sum(").await.expect(400);
        let formatted = ask(&member, "format_query?query=sum(a)by(b)").await;
        assert_eq!(formatted, "sum by (b) (a)");
        op.get("/prometheus/api/v1/format_query?query=sum(").await.expect(400);

        // Grafana's health check.
        let sum = ask(op, "query?query=1%2B1&time=4").await;
        assert_eq!(sum, json!({ "resultType": "scalar", "result": [4, "2"] }));
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_writer_is_told_how_much_was_taken_and_whether_to_come_again() {
    for test in each().await {
        let op = &test.operator;
        let good = series(&test, "m", &[("a", "b")], 2.5);
        let mut early = series(&test, "m", &[("a", "c")], 1.0);
        early.samples[0].at_ms += 24 * 3_600_000;
        let answer = write(op, &[good, early]).await;
        assert_eq!(answer.headers["x-prometheus-remote-write-samples-written"], "1");
        let error = answer.expect(400);
        let message = error["error"].as_str().unwrap();
        assert!(message.starts_with("1 of 2 samples were written; the first"), "{message}");

        for (name, value) in [
            ("content-encoding", "gzip"),
            ("content-type", "application/json"),
            ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
        ] {
            let request = op.request(Method::POST, "/prometheus/api/v1/write").header(name, value);
            assert_eq!(op.send(request.body("x")).await.status, 415, "{name}: {value}");
        }
        test.server.stop().await;
    }
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
            "opshawk_queries_total{outcome=\"answered\"}",
            "opshawk_store_damaged_blocks_total 0",
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

#[tokio::test]
async fn exemplars_come_back_to_whom_they_belong() {
    for test in each().await {
        let owners = owners(&test, &["acme", "other"]).await;
        let at_ms = test.server.app.clock.now().ms();
        let body = owners.iter().enumerate().fold(Body::default(), |body, (n, owned)| {
            let trace = format!("trace-{n}");
            body.series(
                &owned.labels("seconds", &[("le", "1")]),
                &[(at_ms, 3.0)],
                &[(&trace, 0.25)],
            )
        });
        assert_eq!(body.send(&test.operator).await.status, 204);
        let ask = async |caller: &Caller, method: Method, query: &str| {
            let request = caller.request(method.clone(), "/prometheus/api/v1/query_exemplars");
            let (start, end) = ((at_ms - 1).to_string(), (at_ms + 1).to_string());
            let seconds = |ms: &str| format!("{}.{}", &ms[..ms.len() - 3], &ms[ms.len() - 3..]);
            let (start, end) = (seconds(&start), seconds(&end));
            let pairs = [("query", query), ("start", &start), ("end", &end)];
            let request =
                if method == Method::GET { request.query(&pairs) } else { request.form(&pairs) };
            caller.send(request).await.expect(200)["data"].take()
        };
        let of = |n: usize| {
            json!({
                "seriesLabels": {
                    "__name__": "seconds",
                    "instance_id": owners[n].instance,
                    "le": "1",
                    "tenant": owners[n].tenant,
                },
                "exemplars": [{
                    "labels": { "trace_id": format!("trace-{n}") },
                    "value": "0.25",
                    "timestamp": at_ms as f64 / 1000.0,
                }],
            })
        };
        let query = "rate(seconds{le=\"1\"}[5m]) + on () group_left () vector(1)";
        for method in [Method::GET, Method::POST] {
            for (n, owned) in owners.iter().enumerate() {
                let own = ask(&owned.member, method.clone(), query).await;
                assert_eq!(own, json!([of(n)]));
            }
            let all = ask(&test.operator, method, query).await;
            let all = all.as_array().unwrap();
            assert!(all.len() == 2 && all.contains(&of(0)) && all.contains(&of(1)), "{all:?}");
        }
        assert_eq!(ask(&test.operator, Method::GET, "seconds{le=\"2\"}").await, json!([]));
        test.server.stop().await;
    }
}

#[tokio::test]
async fn names_may_be_any_text_quoted_in_queries_and_escaped_in_paths() {
    for test in each().await {
        let op = &test.operator;
        let labels = [("k8s.pod/näme", "größe"), ("plain", "1"), ("U__x", "2")];
        let sent = [series(&test, "http.server.requests", &labels, 2.5)];
        assert_eq!(write(op, &sent).await.status, 204);
        for expr in [
            "{\"http.server.requests\"}",
            "{\"http.server.requests\", \"k8s.pod/näme\"=\"größe\", plain=\"1\"}",
            "{__name__=\"http.server.requests\"}",
            "{'http.server.requests', 'k8s.pod/näme'=~\"gr.*\"}",
        ] {
            let found = query(op, expr).await;
            assert_eq!(found[0]["value"][1], "2.5", "{expr}");
            let metric = &found[0]["metric"];
            assert_eq!(metric["__name__"], "http.server.requests");
            assert_eq!(metric["k8s.pod/näme"], "größe");
        }
        let grouped = query(op, "sum by (\"k8s.pod/näme\") ({\"http.server.requests\"})").await;
        assert_eq!(grouped[0]["metric"], json!({ "k8s.pod/näme": "größe" }));
        // Unquoted, such a name is no expression.
        op.get("/prometheus/api/v1/query?query=http.server.requests").await.expect(400);
        let formatted = "/prometheus/api/v1/format_query?query={%22a.b%22,%22c.d%22=%22e%22}";
        let formatted = op.get(formatted).await.expect(200);
        assert_eq!(formatted["data"], "{\"c.d\"=\"e\",__name__=\"a.b\"}");

        let values = async |name: &str| {
            let path = format!("/prometheus/api/v1/label/{name}/values");
            op.get(&path).await.expect(200)["data"].take()
        };
        for name in ["k8s.pod%2Fn%C3%A4me", "U__k8s_2e_pod_2f_n_E4_me"] {
            assert_eq!(values(name).await, json!(["größe"]), "{name}");
        }
        assert_eq!(values("plain").await, json!(["1"]));
        assert_eq!(values("U__plain").await, json!(["1"]));
        // What only looks escaped is a name as it is.
        assert_eq!(values("U__k8s_2e_pod_zz_").await, json!([]));
        assert_eq!(values("U__U____x").await, json!(["2"]));
        let names = values("__name__").await;
        assert!(names.as_array().unwrap().contains(&json!("http.server.requests")), "{names}");
        let known = op.get("/prometheus/api/v1/labels").await.expect(200);
        assert!(known["data"].as_array().unwrap().contains(&json!("k8s.pod/näme")), "{known}");
        for name in ["U__", &"x".repeat(300)] {
            let error = op.get(&format!("/prometheus/api/v1/label/{name}/values")).await;
            assert_eq!(error.expect(400)["errorType"], "bad_data", "{name}");
        }
        test.server.stop().await;
    }
}
