//! History goes out as text and comes in again, each to whom it belongs.

use base::sample::{Labels, STALE_NAN_BITS, Sample};
use bytes::Bytes;
use collector::exposition::write_open_metrics;
use http::Method;
use serde_json::{Value, json};

use super::{
    owned::{Body, owners},
    world::{Answer, Caller, TestServer, each, eventually},
};

const EXPORT: &str = "/v1/metrics/export";
const IMPORT: &str = "/v1/metrics/import";
const DAY_MS: i64 = 24 * 3_600_000;

/// Lines of one series, and no end.
fn lines(labels: &Labels, samples: &[(i64, f64)]) -> String {
    let samples: Vec<_> =
        samples.iter().map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }).collect();
    let mut text = String::new();
    write_open_metrics(&mut text, labels, &samples);
    text
}

async fn import(caller: &Caller, text: &str) -> Answer {
    caller.send(caller.request(Method::POST, IMPORT).body(format!("{text}# EOF\n"))).await
}

async fn export(caller: &Caller, query: &[(&str, &str)]) -> String {
    let answer = caller.send(caller.request(Method::GET, EXPORT).query(query)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let media = answer.headers["content-type"].to_str().unwrap();
    assert!(media.starts_with("application/openmetrics-text"), "{media}");
    answer.text.strip_suffix("# EOF\n").expect("an end").to_owned()
}

/// Nothing of an import is left beside what it wrote.
fn is_clean(test: &TestServer) -> bool {
    let names = std::fs::read_dir(&test.server.app.config.data_dir).unwrap();
    names
        .map(|entry| entry.unwrap().file_name())
        .all(|name| !name.to_string_lossy().contains("import"))
}

#[tokio::test]
async fn an_operator_moves_all_history_and_a_member_takes_its_own() {
    for test in each().await {
        let op = &test.operator;
        let old = test.server.app.clock.now().ms() - 30 * DAY_MS;
        let all = owners(&test, &["acme", "other"]).await;
        let (acme, other) = (&all[0], &all[1]);
        let own = |name: &str| acme.labels(name, &[]).with("tenant", &acme.tenant);
        let stale = f64::from_bits(STALE_NAN_BITS);
        let its = lines(&own("m"), &[(old, 1.5), (old + 15_000, 2.0), (old + 30_000, stale)]);
        let another = lines(&other.labels("m", &[]).with("tenant", &other.tenant), &[(old, 7.0)]);
        let nobodys = lines(&Labels::metric("m", &[]), &[(old, 8.0)]);
        // A tenant that is not known here, or no more.
        let gone =
            lines(&Labels::metric("n", &[("tenant", "x"), ("instance_id", "y")]), &[(old, 9.0)]);
        let report = import(op, &format!("{its}{another}{nobodys}{gone}")).await.expect(200);
        assert_eq!(report["written"], 6, "{report}");
        assert_eq!((&report["rejected"], &report["first_error"]), (&json!(0), &Value::Null));
        assert!(is_clean(&test));

        let trail = op.get("/v1/audit?limit=5").await.expect(200);
        let entry =
            &trail["items"].as_array().unwrap().iter().find(|e| e["action"] == "samples.import");
        assert_eq!(entry.unwrap()["detail"]["samples"], 6, "{trail}");

        // Labels may come in any order; the metrics' names do not.
        let mine = export(op, &[("match[]", "{__name__=~\"m|n\"}")]).await;
        let mut sorted = [&*its, &*another, &*nobodys, &*gone].map(|text| text.to_owned());
        sorted.sort_by_key(|text| mine.find(text.as_str()).unwrap_or(usize::MAX));
        assert_eq!(mine, sorted.concat());
        for query in
            [&[][..], &[("match[]", "m")], &[("match[]", "{tenant=~\".+\"}"), ("match[]", "n")]]
        {
            assert_eq!(export(&acme.member, query).await, its, "{query:?}");
        }
        let (start, end) = (old + 1, old + 29_999);
        let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
        let (start, end) = (seconds(start), seconds(end));
        let part = [("match[]", "m{tenant!=\"\"}"), ("start", &*start), ("end", &*end)];
        assert_eq!(export(op, &part).await, lines(&own("m"), &[(old + 15_000, 2.0)]));
        let without = lines(&own("m"), &[(old, 1.5), (old + 15_000, 2.0)]);
        assert_eq!(export(&acme.member, &[("stale", "omit")]).await, without);
        assert_eq!(export(op, &[("match[]", "nothing")]).await, "");

        import(&acme.member, &its).await.problem(403, "forbidden", None);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn a_series_of_an_instance_is_its_owners_whatever_the_text_says() {
    for test in each().await {
        let op = &test.operator;
        let old = test.server.app.clock.now().ms() - 30 * DAY_MS;
        let all = owners(&test, &["acme", "other"]).await;
        let (acme, other) = (&all[0], &all[1]);
        let good = lines(&acme.labels("m", &[]).with("tenant", &acme.tenant), &[(old, 1.0)]);
        let forged = lines(
            &acme.labels("m", &[]).with("tenant", &other.tenant),
            &[(old, 2.0), (old + 1, 2.0)],
        );
        let nameless = lines(&acme.labels("m", &[]), &[(old, 3.0)]);
        let report = import(op, &format!("{good}{forged}{nameless}")).await.expect(200);
        assert_eq!((&report["written"], &report["invalid"]), (&json!(1), &json!(3)), "{report}");
        assert_eq!(report["first_error_line"], 2);
        assert_eq!(export(&other.member, &[]).await, "");
        assert_eq!(export(op, &[("match[]", "m")]).await, good);
        test.server.stop().await;
    }
}

#[tokio::test]
async fn what_families_are_and_exemplars_move_with_their_samples() {
    for test in each().await {
        let op = &test.operator;
        let now = test.server.app.clock.now().ms();
        let all = owners(&test, &["acme", "other"]).await;
        let (acme, other) = (&all[0], &all[1]);
        let (own, others) = (acme.labels("m_total", &[]), other.labels("n_total", &[]));
        let body = Body::default()
            .series(&own, &[(now - 1000, 1.0), (now, 2.0)], &[("t1", 0.5)])
            .series(&others, &[(now, 3.0)], &[("t2", 0.5)])
            .metadata("m", "of acme")
            .metadata("n", "of other");
        assert_eq!(body.send(op).await.status, 204);
        let text = export(&acme.member, &[]).await;
        let seconds = format!("{}.{:03}", now / 1000, now % 1000);
        let last = format!(" 2 {seconds} # {{trace_id=\"t1\"}} 0.5 {seconds}\n");
        assert!(text.starts_with("# HELP m of acme\n# TYPE m counter\nm_total{"), "{text}");
        assert!(text.ends_with(&last), "{text}");
        assert_eq!(text.lines().count(), 4, "nothing of another's: {text}");
        assert_eq!(export(op, &[("match[]", "m_total")]).await, text);

        let to = each().await.remove(0);
        let taken = async |text: &str| {
            let report = import(&to.operator, text).await.expect(200);
            (report["families"].clone(), report["exemplars"].clone())
        };
        assert_eq!(taken(&text).await, (json!(1), json!(1)));
        assert_eq!(export(&to.operator, &[("match[]", "m_total")]).await, text);
        // Once; and history doesn't unsay what is known.
        let other_words = text.replace("of acme", "of long ago");
        assert_eq!(taken(&other_words).await, (json!(0), json!(0)));
        assert_eq!(export(&to.operator, &[("match[]", "m_total")]).await, text);
        let found = to.operator.get("/prometheus/api/v1/query_exemplars?query=m_total").await;
        let found = found.expect(200);
        assert_eq!(found["data"][0]["exemplars"][0]["labels"]["trace_id"], "t1", "{found}");
        to.server.stop().await;

        // An exemplar is its series' owner's as well.
        let forged = acme.labels("m_total", &[]).with("tenant", &other.tenant);
        let forged = lines(&forged, &[(now - 5000, 1.0)]);
        let forged = format!("{} # {{trace_id=\"forged\"}} 1\n", forged.trim_end());
        let report = import(op, &forged).await.expect(200);
        assert_eq!((&report["invalid"], &report["exemplars"]), (&json!(1), &json!(0)), "{report}");
        assert!(!export(op, &[]).await.contains("forged"));
        test.server.stop().await;
    }
}

#[tokio::test]
async fn what_is_there_stays_and_what_is_refused_is_counted_with_its_line() {
    for test in each().await {
        let op = &test.operator;
        let now = test.server.app.clock.now().ms();
        let m = Labels::metric("m", &[("a", "b")]);
        let text = lines(&m, &[(now - 40 * DAY_MS, 1.0), (now - 2 * DAY_MS, 2.0)]);
        assert_eq!(import(op, &text).await.expect(200)["written"], 2);
        let again = import(op, &text).await.expect(200);
        assert_eq!((&again["duplicates"], &again["rejected"]), (&json!(2), &json!(0)), "{again}");
        let text = lines(
            &m,
            &[
                (now - 39 * DAY_MS, 5.0),
                (now - 2 * DAY_MS, 9.0),
                (now - 40 * DAY_MS, 9.0),
                (now + DAY_MS, 1.0),
                (now - 4000 * DAY_MS, 1.0),
            ],
        );
        let report = import(op, &text).await.expect(200);
        let expected = json!({
            "samples": 5, "written": 1, "duplicates": 0, "rejected": 4, "conflicts": 2,
            "too_old": 1, "too_new": 1, "invalid": 0, "over_limit": 0, "first_error_line": 2,
            "families": 0, "exemplars": 0,
            "first_error": report["first_error"],
        });
        assert_eq!(report, expected);
        assert!(report["first_error"].as_str().unwrap().ends_with("has another value"));

        // One bad line, and nothing is written.
        let text = format!("{}m 1\n", lines(&m, &[(now - 10 * DAY_MS, 1.0)]));
        let problem = import(op, &text).await.problem(400, "invalid", Some("body"));
        assert!(problem["detail"].as_str().unwrap().starts_with("line 2: "), "{problem}");
        assert_eq!(export(op, &[("match[]", "m")]).await.lines().count(), 3);
        assert!(is_clean(&test));
        test.server.stop().await;
    }
}

#[tokio::test]
async fn bodies_are_taken_plain_or_packed_one_import_at_a_time() {
    use std::io::Write;
    let test = each().await.remove(0);
    let op = &test.operator;
    let old = test.server.app.clock.now().ms() - 30 * DAY_MS;
    let text = format!("{}# EOF\n", lines(&Labels::metric("m", &[]), &[(old, 1.0)]));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let send = async |name: &str, value: &str, body: Vec<u8>| {
        op.send(op.request(Method::POST, IMPORT).header(name, value).body(body)).await
    };
    assert_eq!(send("content-encoding", "gzip", packed.clone()).await.expect(200)["written"], 1);
    let plain = send("content-type", "text/plain; version=0.0.4", text.clone().into_bytes()).await;
    assert_eq!(plain.expect(200)["duplicates"], 1);
    for (name, value) in [("content-encoding", "br"), ("content-type", "application/json")] {
        let answer = send(name, value, packed.clone()).await;
        answer.problem(415, "unsupported-media-type", None);
    }
    // Packed, and not said so.
    send("content-encoding", "identity", packed).await.problem(400, "invalid", Some("body"));
    for (query, field) in
        [("start=soon", "start"), ("stale=x", "stale"), ("match[]=sum(m)", "match[]")]
    {
        op.get(&format!("{EXPORT}?{query}")).await.problem(400, "invalid", Some(field));
    }

    // A sender that stops in the middle keeps others out, and leaves nothing when it is gone.
    let (sender, receiver) = tokio::sync::mpsc::channel::<std::io::Result<Bytes>>(1);
    sender.send(Ok(Bytes::from_static(b"m 2 1\n"))).await.unwrap();
    let body = reqwest::Body::wrap_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let slow = tokio::spawn(op.request(Method::POST, IMPORT).body(body).send());
    eventually("the slow import has its place", async || (!is_clean(&test)).then_some(())).await;
    let refused = import(op, "").await.problem(409, "conflict", None);
    assert!(refused["remedy"].as_str().unwrap().contains("wait"), "{refused}");
    slow.abort();
    drop(sender);
    eventually("the slow import is gone", async || is_clean(&test).then_some(())).await;
    let done = eventually("its place is free", async || {
        let answer = import(op, "").await;
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(done.await.expect(200)["samples"], 0);
    assert_eq!(export(op, &[("match[]", "m")]).await.lines().count(), 1);
    test.server.stop().await;
}
