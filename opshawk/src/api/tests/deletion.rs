//! Samples leave: by an operator's deletion, and by a tenant's own retention.

use base::sample::Labels;
use http::Method;
use serde_json::{Value, json};

use super::{
    owned::{Body, owners},
    world::{Answer, Caller, TestServer, each},
};
use crate::config::TenantSamples;

const DELETE: &str = "/prometheus/api/v1/admin/tsdb/delete_series";
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Name and value of each series that a selector finds at an instant.
async fn seen(caller: &Caller, selector: &str, at_ms: i64) -> Vec<(String, String)> {
    let request = caller.request(Method::GET, "/prometheus/api/v1/query");
    let time = (at_ms as f64 / 1000.0).to_string();
    let answer = caller.send(request.query(&[("query", selector), ("time", &time)])).await;
    let data = answer.expect(200);
    let all = data["data"]["result"].as_array().unwrap().iter().map(|one| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&one["metric"]["__name__"]), text(&one["value"][1]))
    });
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}

async fn delete(caller: &Caller, form: &[(&str, &str)]) -> Answer {
    caller.send(caller.request(Method::POST, DELETE).form(form)).await
}

async fn deletions(test: &TestServer) -> Vec<Value> {
    let all = test.operator.get("/v1/audit?limit=100").await.expect(200);
    let all = all["items"].as_array().unwrap().iter();
    all.filter(|entry| entry["action"] == "samples.delete").cloned().collect()
}

#[tokio::test]
async fn an_operator_deletes_by_selector_and_the_trail_knows() {
    for test in each().await {
        let op = &test.operator;
        let now_ms = test.server.app.clock.now().ms() / 1000 * 1000;
        let samples = [(now_ms - 60_000, 1.0), (now_ms - 30_000, 2.0), (now_ms, 3.0)];
        let body = ["a", "b", "c"].iter().fold(Body::default(), |body, name| {
            body.series(&Labels::metric(name, &[("job", name)]), &samples, &[])
        });
        assert_eq!(body.send(op).await.status, 204);
        let all = "{__name__=~\"a|b|c\"}";
        let one = |name: &str, value: &str| (name.to_owned(), value.to_owned());

        // By two selectors, one of them in the URL; only of a span of time.
        let start = ((now_ms - 30_000) / 1000).to_string();
        let request = op.request(Method::POST, &format!("{DELETE}?match[]=b"));
        let form = [("match[]", "{job=\"a\"}"), ("start", &start)];
        let answer = op.send(request.form(&form)).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
        assert_eq!(seen(op, all, now_ms).await, [one("a", "1"), one("b", "1"), one("c", "3")]);

        // What is written later stays, whatever its instant.
        let again = Body::default().series(
            &Labels::metric("a", &[("job", "a")]),
            &[(now_ms - 30_000, 7.0)],
            &[],
        );
        assert_eq!(again.send(op).await.status, 204);
        assert_eq!(seen(op, "a", now_ms).await, [one("a", "7")]);
        assert_eq!(delete(op, &[("match[]", all)]).await.status, 204);
        assert_eq!(seen(op, all, now_ms).await, []);

        let trail = deletions(&test).await;
        assert_eq!(trail.len(), 2);
        assert_eq!(trail[0]["detail"], json!({ "match": [all], "start": null, "end": null }));
        assert_eq!(trail[1]["detail"]["match"], json!(["{job=\"a\"}", "b"]));
        assert!(trail[1]["detail"]["start"].is_string(), "{trail:?}");

        // It survives a restart.
        let test = test.again(|_| {}).await;
        assert_eq!(seen(&test.operator, all, now_ms).await, []);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_deletion_that_is_wrong_or_not_allowed_does_nothing() {
    for test in each().await {
        let op = &test.operator;
        let (_, member) = test.tenant("acme").await;
        let (_, agent) = test.host("alpha").await;
        let now_ms = test.server.app.clock.now().ms();
        let body = Body::default().series(&Labels::metric("a", &[]), &[(now_ms, 1.0)], &[]);
        assert_eq!(body.send(op).await.status, 204);
        for (form, why) in [
            (&[][..], "no match[]"),
            (&[("match[]", "a"), ("match[]", "{")], "parsed"),
            (&[("match[]", "a"), ("match[]", "{job=\"\"}")], "at least one matcher"),
            (&[("match[]", "rate(a[5m])")], "no series selector"),
            (&[("match[]", "a"), ("start", "soon")], "start"),
            (&[("match[]", "a"), ("start", "2"), ("end", "1")], "before start"),
        ] {
            let error = delete(op, form).await.expect(400);
            assert_eq!(
                (&error["status"], &error["errorType"]),
                (&json!("error"), &json!("bad_data"))
            );
            assert!(error["error"].as_str().unwrap().contains(why), "{form:?}: {error}");
        }
        for caller in [&member, &agent] {
            delete(caller, &[("match[]", "a")]).await.problem(403, "forbidden", None);
        }
        delete(&test.nobody(), &[("match[]", "a")]).await.problem(401, "unauthenticated", None);
        assert_eq!(seen(op, "a", now_ms).await.len(), 1);
        assert_eq!(deletions(&test).await, [] as [Value; 0]);

        // An engine elsewhere deletes with its own tools.
        let engine = "prometheus+http://127.0.0.1:1".to_owned();
        let test = test.again(|config| config.metrics = Some(engine)).await;
        let error = delete(&test.operator, &[("match[]", "a")]).await.expect(400);
        assert_eq!(error["error"], "deleting samples from this engine is not supported");
        assert_eq!(deletions(&test).await, [] as [Value; 0]);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_tenants_retention_is_its_own() {
    for test in each().await {
        let mut owners = owners(&test, &["short", "long"]).await;
        let (long, short) = (owners.remove(1), owners.remove(0));
        let now_ms = test.server.app.clock.now().ms();
        let old_ms = now_ms - 2 * DAY_MS;
        let body = [&short, &long].iter().fold(Body::default(), |body, owned| {
            let samples = [(old_ms, 1.0), (now_ms, 2.0)];
            body.series(&owned.labels("m", &[]), &samples, &[])
        });
        assert_eq!(body.send(&test.operator).await.status, 204);
        let one = |value: &str| vec![("m".to_owned(), value.to_owned())];
        for owned in [&short, &long] {
            assert_eq!(seen(&owned.member, "m", old_ms).await, one("1"));
        }

        let one_day = TenantSamples { retention_days: Some(1), ..TenantSamples::default() };
        let id = short.tenant.parse().unwrap();
        let test = test
            .again(|config| {
                config.samples.tenants.insert(id, one_day);
            })
            .await;
        let (short, long) = (short.at(&test), long.at(&test));
        assert_eq!(seen(&short.member, "m", old_ms).await, []);
        assert_eq!(seen(&long.member, "m", old_ms).await, one("1"));
        for owned in [&short, &long] {
            assert_eq!(seen(&owned.member, "m", now_ms).await, one("2"));
        }
        test.server.stop().await;
    }
}
