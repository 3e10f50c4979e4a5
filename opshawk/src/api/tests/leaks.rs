//! A member learns nothing of others by any call of the Prometheus API or by an export, whatever it
//! writes: each of its requests is answered the same before anything of others is there and after.

use std::collections::BTreeSet;

use base::sample::Labels;
use http::Method;
use serde_json::Value;

use super::{
    owned::{Body, Owned, owners},
    world::{Caller, TestServer, each},
};
use crate::api::access::{self, Who};

const ROOT: &str = "/prometheus/api/v1";
const EXPORT: &str = "/v1/metrics/export";
/// What is the other tenant's, the infrastructure's, and nobody else's to know.
const SECRETS: [&str; 8] = [
    "other_family",
    "other_label",
    "other-value",
    "987654.25",
    "other-trace",
    "infra_family",
    "infra-value",
    "555444.75",
];

/// A call, with pairs for its query and for its form. A path without a slash is below the root.
#[derive(Debug, Clone)]
struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    form: Vec<(&'static str, String)>,
}

impl Call {
    fn get(path: &str, query: &[(&'static str, &str)]) -> Self {
        let query = query.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { method: Method::GET, path: path.to_owned(), query, form: vec![] }
    }
    fn post(path: &str, form: &[(&'static str, &str)]) -> Self {
        let get = Self::get(path, form);
        Self { method: Method::POST, form: get.query, query: vec![], ..get }
    }

    /// Status and body; what is of the clock alone is left out.
    async fn answer(&self, caller: &Caller) -> (u16, String) {
        let request = caller.request(self.method.clone(), &self.whole_path());
        let request = request.query(&self.query);
        let request = if self.form.is_empty() { request } else { request.form(&self.form) };
        let answer = caller.send(request).await;
        let mut text = answer.text.clone();
        if let Ok(mut json) = serde_json::from_str::<Value>(&text)
            && let Some(head) = json.pointer_mut("/data/headStats").and_then(Value::as_object_mut)
        {
            head.retain(|name, _| !name.ends_with("Time"));
            text = json.to_string();
        }
        (answer.status.as_u16(), text)
    }

    fn whole_path(&self) -> String {
        match self.path.starts_with('/') {
            true => self.path.clone(),
            false => format!("{ROOT}/{}", self.path),
        }
    }

    /// What the caller says itself is no secret.
    fn says(&self, text: &str) -> bool {
        self.path.contains(text)
            || self.query.iter().chain(&self.form).any(|(_, value)| value.contains(text))
    }
}

/// Expressions that try to reach what is the other's.
fn expressions(own: &Owned, other: &Owned) -> Vec<String> {
    let (own, other, instance) = (&own.tenant, &other.tenant, &other.instance);
    let mut all: Vec<String> = [
        "shared",
        "{__name__=~\".+\"}",
        "{tenant=~\".*\", __name__=~\".+\"}",
        "{tenant!=\"\"}",
        "shared{tenant=\"\"}",
        "shared{tenant!~\"x\"}",
        "{\"shared\", \"tenant\"=~\".+\"}",
        "{__name__=~\"other.*|infra.*\"}",
        "other_family or infra_family or shared",
        "count by (tenant, who) ({__name__!=\"\"})",
        "count_values(\"v\", {__name__=~\".+\"})",
        "sum without (who) (shared)",
        "topk(9, {__name__=~\".+\"})",
        "absent(other_family)",
        "absent_over_time({__name__=~\"infra.*\"}[5m])",
        "max_over_time({__name__=~\".+\"}[5m:10s])",
        "max_over_time((shared or infra_family)[5m:10s] offset -1m)",
        "label_replace(shared, \"tenant\", \"x\", \"tenant\", \".*\")",
        "label_replace(shared, \"leak\", \"$1\", \"tenant\", \"(.*)\")",
        "label_join(shared, \"leak\", \"-\", \"tenant\", \"who\", \"instance_id\")",
        "shared * on () group_left (who, tenant) infra_family",
        "shared == on () {__name__=~\"shared|infra_family\"}",
        "scalar(infra_family) + scalar({__name__=~\"infra.*|shared\"})",
        "vector(scalar(count({__name__=~\".+\"})))",
        "shared @ end() or infra_family @ start()",
        "quantile(0.5, {__name__=~\".+\"})",
        "{__name__=~\".+\"}[5m]",
        "shared + on (nothing) {__name__=~\"shared|infra_family\"}",
        "sort_by_label({__name__=~\".+\"}, \"tenant\")",
        "histogram_quantile(0.9, {__name__=~\".+\"})",
        "{__name__=~\"(.+\"}",
        "{tenant=~\".*\"",
    ]
    .map(str::to_owned)
    .into();
    all.extend([
        format!("{{tenant=\"{other}\"}}"),
        format!("shared{{tenant=\"{own}\"}} or shared{{tenant=\"{other}\"}}"),
        format!("{{tenant=~\"{own}|{other}\"}}"),
        format!("shared{{instance_id=\"{instance}\"}}"),
        format!("absent(shared{{tenant=\"{other}\"}})"),
        format!("count(shared{{tenant=\"{other}\"}}) or vector(0)"),
        format!("shared unless shared{{tenant=\"{other}\"}}"),
        format!("sum_over_time((shared{{tenant=\"{other}\"}} or vector(0))[5m:10s])"),
        format!("label_replace(shared, \"tenant\", \"{other}\", \"\", \"\")"),
    ]);
    all
}

/// Every call that a member may make, with every expression where one fits.
fn calls(own: &Owned, other: &Owned, at_s: i64) -> Vec<Call> {
    let (at, start, end) = (at_s.to_string(), (at_s - 600).to_string(), (at_s + 60).to_string());
    let mut all = Vec::new();
    let mut both = |path: &str, pairs: &[(&'static str, &str)]| {
        all.push(Call::get(path, pairs));
        all.push(Call::post(path, pairs));
    };
    let span = [("start", start.as_str()), ("end", end.as_str())];
    let expressions = expressions(own, other);
    for expr in &expressions {
        both("query", &[("query", expr), ("time", &at)]);
        both("query_range", &[("query", expr), span[0], span[1], ("step", "30")]);
        both("query_exemplars", &[("query", expr), span[0], span[1]]);
        both("format_query", &[("query", expr)]);
        for path in ["series", "labels"] {
            both(path, &[("match[]", expr), span[0], span[1]]);
            both(path, &[("match[]", "shared"), ("match[]", expr)]);
        }
    }
    both("labels", &[]);
    both("series", &[]);
    // One selector in the URL, one in the form.
    for path in ["series", "labels"] {
        let mut split = Call::post(path, &[("match[]", "shared")]);
        split.query = vec![("match[]", "{tenant=~\".*\"}".to_owned())];
        all.push(split);
    }
    for name in ["tenant", "who", "__name__", "instance_id", "other_label", "U__tenant", "a%20b"] {
        let path = format!("label/{name}/values");
        all.push(Call::get(&path, &[]));
        all.extend(expressions.iter().map(|expr| Call::get(&path, &[("match[]", expr)])));
    }
    all.push(Call::get(EXPORT, &[]));
    all.extend(expressions.iter().map(|expr| Call::get(EXPORT, &[("match[]", expr)])));
    for path in [
        "metadata",
        "metadata?metric=other_family",
        "metadata?metric=infra_family",
        "status/tsdb?limit=10000",
        "status/buildinfo",
        "rules",
        "alerts",
    ] {
        all.push(Call::get(path, &[]));
    }
    all
}

/// A tenant's series, with an exemplar and what its families are.
fn of(owned: &Owned, who: &str, value: f64, trace: &str, at_ms: i64) -> Body {
    let samples = [(at_ms - 60_000, value), (at_ms, value)];
    let shared = owned.labels("shared", &[("who", who)]);
    Body::default().series(&shared, &samples, &[(trace, value)]).metadata("shared", "All have it.")
}

/// What others have; some of it says that it is the member's.
async fn others_write(test: &TestServer, own: &Owned, other: &Owned, at_ms: i64) {
    let samples = [(at_ms - 60_000, 987654.25), (at_ms, 987654.25)];
    let its = other.labels("other_family", &[("other_label", "other-value"), ("le", "1")]);
    let body = of(other, "other-value", 987654.25, "other-trace", at_ms)
        .series(&its, &samples, &[("other-trace", 987654.25)])
        .metadata("other_family", "The other's.");
    assert_eq!(body.send(&test.operator).await.status, 204);
    let forged = [("tenant", own.tenant.as_str()), ("who", "infra-value"), ("le", "1")];
    let samples = [(at_ms - 60_000, 555444.75), (at_ms, 555444.75)];
    let body = Body::default()
        .series(&Labels::metric("infra_family", &forged), &samples, &[("other-trace", 1.0)])
        .series(&Labels::metric("shared", &forged), &samples, &[])
        .metadata("infra_family", "The operators'.");
    assert_eq!(body.send(&test.operator).await.status, 204);
    // A host where its instance is not says that it is.
    let (_, stranger) = test.host("beta").await;
    let forged = own.labels("infra_family", &forged);
    let body = Body::default().series(&forged, &samples, &[("other-trace", 1.0)]);
    assert_eq!(body.send(&stranger).await.status, 204);
    assert_eq!(body.send(&own.member).await.status, 403);
}

#[tokio::test]
async fn a_member_is_answered_as_if_there_were_nobody_else() {
    for test in each().await {
        let owners = owners(&test, &["acme", "other"]).await;
        let (own, other) = (&owners[0], &owners[1]);
        let at_ms = test.server.app.clock.now().ms() / 1000 * 1000;
        let body = of(own, "mine", 1.5, "own-trace", at_ms);
        assert_eq!(body.send(&test.operator).await.status, 204);
        let calls = calls(own, other, at_ms / 1000);
        let mut before = Vec::new();
        for call in &calls {
            before.push(call.answer(&own.member).await);
        }
        others_write(&test, own, other, at_ms).await;
        let secrets = SECRETS.iter().copied().chain([other.tenant.as_str(), &other.instance]);
        let secrets: Vec<&str> = secrets.collect();
        for (call, before) in calls.iter().zip(&before) {
            let (status, text) = call.answer(&own.member).await;
            assert_eq!(&(status, text.clone()), before, "{call:?}");
            for secret in secrets.iter().filter(|secret| !call.says(secret)) {
                assert!(!text.contains(*secret), "{secret}: {call:?}: {text}");
            }
        }
        assert_what_was_asked(&test, &calls, &secrets).await;
        test.server.stop().await;
    }
}

/// The calls are all that there are, and an operator is told the secrets by them.
async fn assert_what_was_asked(test: &TestServer, calls: &[Call], secrets: &[&str]) {
    let route = |call: &Call| {
        let path = call.whole_path();
        let path = path.split('?').next().unwrap();
        let of_label = call.path.starts_with("label/");
        let path = if of_label { format!("{ROOT}/label/{{name}}/values") } else { path.to_owned() };
        (call.method.clone(), path)
    };
    let asked: Vec<_> = calls.iter().map(route).collect();
    let of_samples = |path: &str| path.starts_with(ROOT) || path.starts_with("/v1/metrics");
    for rule in access::RULES.iter().filter(|rule| of_samples(rule.path)) {
        if matches!(rule.who, Who::Users | Who::Known) {
            let it = (rule.method.clone(), rule.path.to_owned());
            assert!(asked.contains(&it), "{it:?} is not looked at");
        }
    }
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for call in calls {
        let (_, text) = call.answer(&test.operator).await;
        let heard = secrets.iter().copied().filter(|one| text.contains(one) && !call.says(one));
        told.extend(heard);
    }
    assert_eq!(told.len(), secrets.len(), "{told:?}");
}
