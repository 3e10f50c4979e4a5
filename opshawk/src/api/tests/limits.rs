//! Each limit of samples and queries is reached, says so with the way out, and is counted.

use base::sample::Labels;
use http::Method;

use super::{
    owned::{Body, owners},
    world::{Answer, TestServer, each_with},
};
use crate::config::{Config, TenantSamples};

const WRITTEN: &str = "x-prometheus-remote-write-samples-written";

/// A bound and what it refused, as `/metrics` has them.
async fn limit(test: &TestServer, name: &str) -> (f64, u64) {
    let text = test.operator.get("/metrics").await.text;
    let value = |family: &str| -> f64 {
        let start = format!("{family}{{limit=\"{name}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {start} in {text}")).parse().unwrap()
    };
    (value("opshawk_limit"), value("opshawk_limit_refusals_total") as u64)
}

/// The text of an error in Prometheus' shape.
fn refused(answer: Answer, status: u16) -> String {
    let error = answer.expect(status);
    assert_eq!(error["status"], "error", "{error}");
    error["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_tenant_over_its_series_is_refused_alone() {
    let at_most_two = |config: &mut Config| config.samples.max_tenant_series = 2;
    for test in each_with(at_most_two).await {
        let owners = owners(&test, &["small", "large"]).await;
        let (small, large) = (&owners[0], &owners[1]);
        let at_ms = test.server.app.clock.now().ms();
        let of = |owned: &super::owned::Owned, name: &str, body: Body| {
            body.series(&owned.labels(name, &[]), &[(at_ms, 1.0)], &[])
        };
        let op = &test.operator;
        let two = of(small, "b", of(small, "a", Body::default()));
        assert_eq!(two.send(op).await.status, 204);

        // One request of everybody's: what is not over the limit is written.
        let mixed = of(large, "a", of(small, "c", two));
        let mixed = mixed.series(&Labels::metric("infra", &[]), &[(at_ms, 1.0)], &[]);
        let answer = mixed.send(op).await;
        assert_eq!(answer.headers["retry-after"], "60");
        assert_eq!(answer.headers[WRITTEN], "4", "two of them were there");
        let why = refused(answer, 429);
        for part in ["4 of 5 samples", &small.tenant, "2 active series", "max_tenant_series"] {
            assert!(why.contains(part), "{part}: {why}");
        }
        let count = async |expr: &str| {
            let request = op.request(Method::GET, "/prometheus/api/v1/query");
            let answer = op.send(request.query(&[("query", expr)])).await.expect(200);
            answer["data"]["result"][0]["value"][1].as_str().unwrap_or("none").to_owned()
        };
        assert_eq!(count("count({__name__=~\"a|b|c|infra\"})").await, "4");
        assert_eq!(count("count(c)").await, "none");
        assert_eq!(of(large, "b", Body::default()).send(op).await.status, 204);
        assert_eq!(of(small, "b", Body::default()).send(op).await.status, 204);

        assert_eq!(limit(&test, "tenant_active_series").await, (2.0, 1));
        let own = small.member.get("/metrics").await.text;
        for name in ["opshawk_tenant_active_series", "opshawk_tenant_active_series_limit"] {
            let line = format!("{name}{{tenant=\"{}\",tenant_name=\"small\"}} 2\n", small.tenant);
            assert!(own.contains(&line), "{line} in {own}");
        }
        assert!(!own.contains(&large.tenant), "{own}");

        // A restart knows it still; an operator may allow this tenant more.
        let new = of(small, "c", Body::default());
        let test = test.again(at_most_two).await;
        assert_eq!(new.send(&test.operator).await.status, 429);
        let more = TenantSamples { max_series: Some(3), ..TenantSamples::default() };
        let id = small.tenant.parse().unwrap();
        let test = test
            .again(|config| {
                at_most_two(config);
                config.samples.tenants.insert(id, more);
            })
            .await;
        assert_eq!(new.send(&test.operator).await.status, 204);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn series_beyond_the_limit_of_all_are_refused() {
    for test in each_with(|config| config.samples.max_active_series = 100).await {
        let at_ms = test.server.app.clock.now().ms();
        let many = (0..150).fold(Body::default(), |body, i| {
            body.series(&Labels::metric(&format!("m{i}"), &[]), &[(at_ms, 1.0)], &[])
        });
        let answer = many.send(&test.operator).await;
        assert_eq!(answer.headers["retry-after"], "60");
        // The server's own rules have some, too.
        let written: u64 = answer.headers[WRITTEN].to_str().unwrap().parse().unwrap();
        assert!((1..=100).contains(&written), "{written}");
        let why = refused(answer, 429);
        assert!(why.contains("100 active series allowed (max_active_series)"), "{why}");
        let (bound, refusals) = limit(&test, "active_series").await;
        assert!(bound == 100.0 && refusals >= 150 - written, "{refusals}");
        test.server.stop().await;
    }
}

#[tokio::test]
async fn bodies_too_large_are_refused_before_and_after_decompression() {
    for test in each_with(|config| {
        config.samples.max_body_mib = 1;
        config.samples.max_decoded_body_mib = 2;
    })
    .await
    {
        let op = &test.operator;
        let write = async |body: reqwest::Body| {
            let request = op.request(Method::POST, "/prometheus/api/v1/write");
            op.send(request.body(body)).await
        };
        let large = vec![7u8; (1 << 20) + 1];
        let chunk = || Ok::<_, std::io::Error>(large.clone());
        // With its length told, and without.
        let stream = reqwest::Body::wrap_stream(futures::stream::iter([chunk()]));
        for body in [reqwest::Body::from(large.clone()), stream] {
            let why = refused(write(body).await, 413);
            assert!(why.contains("larger than 1048576 bytes (samples.max_body_mib)"), "{why}");
            assert!(why.contains("send fewer samples"), "{why}");
        }
        let bomb = snap::raw::Encoder::new().compress_vec(&vec![0; (2 << 20) + 1]).unwrap();
        let why = refused(write(bomb.into()).await, 413);
        let part = "the decompressed body is larger than 2097152 bytes (samples.max_decoded_body";
        assert!(why.contains(part), "{why}");
        assert_eq!(limit(&test, "body_bytes").await, (1048576.0, 2));
        assert_eq!(limit(&test, "decoded_body_bytes").await, (2097152.0, 1));
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_store_that_can_t_take_samples_says_when_to_come_again() {
    for test in each_with(|_| {}).await {
        let at_ms = test.server.app.clock.now().ms();
        let body = Body::default().series(&Labels::metric("m", &[]), &[(at_ms, 1.0)], &[]);
        test.server.app.store.close().await.unwrap();
        let answer = body.send(&test.operator).await;
        assert_eq!(answer.headers["retry-after"], "5");
        refused(answer, 503);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn each_limit_of_a_query_is_reached_named_and_counted() {
    for test in each_with(|config| {
        let query = &mut config.query;
        query.timeout_s = 1;
        query.max_samples = 100;
        query.max_series = 3;
        query.max_points = 100_000;
        query.max_memory_mib = 1;
    })
    .await
    {
        let op = &test.operator;
        let at_ms = test.server.app.clock.now().ms();
        let samples: Vec<_> = (0..150).map(|i| (at_ms - 1000 * (150 - i), 1.0)).collect();
        let body = (0..4).fold(Body::default(), |body, i| {
            body.series(&Labels::metric(&format!("n{i}"), &[]), &[(at_ms, 1.0)], &[])
        });
        let body = body.series(&Labels::metric("long", &[]), &samples, &[]);
        assert_eq!(body.send(op).await.status, 204);

        let (end, start) = (at_ms / 1000, at_ms / 1000 - 11_000);
        let ask = async |path: &str, expr: &str| {
            let request = op.request(Method::GET, &format!("/prometheus/api/v1/{path}"));
            let (start, end) = (start.to_string(), end.to_string());
            let range = [("start", start.as_str()), ("end", &end), ("step", "1s")];
            op.send(request.query(&[("query", expr)]).query(&range)).await
        };
        let three = ["a", "b", "c"]
            .map(|value| format!("label_replace(vector(1), \"x\", \"{value}\", \"\", \"\")"));
        let slow = "quantile_over_time(0.5, vector(1)[15000s:1s])";
        for (path, expr, setting, name, bound) in [
            ("query", "count_over_time(long[1h])", "max_samples", "query_samples", 100.0),
            ("query", "{__name__=~\"n.\"}", "max_series", "query_series", 3.0),
            ("query", "sum_over_time(vector(1)[28h:1s])", "max_points", "query_points", 100_000.0),
            ("query_range", &three.join(" or "), "max_memory", "query_memory_bytes", 1048576.0),
            ("query_range", slow, "timeout", "query_seconds", 1.0),
        ] {
            assert_eq!(limit(&test, name).await, (bound, 0), "{expr}");
            let why = refused(ask(path, expr).await, 422);
            let way_out = why.contains("narrow");
            assert!(way_out && why.contains(&format!("({setting})")), "{expr}: {why}");
            assert_eq!(limit(&test, name).await, (bound, 1), "{expr}");
        }
        // What lists series has the same limits.
        let found = op.get("/prometheus/api/v1/series?match[]={__name__=~%22n.%22}").await;
        let why = refused(found, 422);
        assert!(why.contains("more than 3 series (max_series)"), "{why}");
        ask("query", "n1").await.expect(200);
        test.server.stop().await;
    }
}
