//! A rotten file of the store: what it held is gone, and reported; everything else is answered.

use base::sample::Labels;
use serde_json::{Value, json};

use super::{
    owned::Body,
    world::{TestServer, each},
};

/// Writes a series whose samples are in blocks when this returns.
async fn write_block(test: &TestServer, name: &str) {
    let at_ms = test.server.app.clock.now().ms();
    let body = Body::default().series(&Labels::metric(name, &[]), &[(at_ms, 2.5)], &[]);
    assert_eq!(body.send(&test.operator).await.status, 204);
    // Which a snapshot sees to.
    test.server.app.store.snapshot(&test.dir.path().join(name)).await.unwrap();
}

/// And the warnings.
async fn values(test: &TestServer, name: &str) -> (Vec<Value>, Value) {
    let path = format!("/prometheus/api/v1/query?query={name}");
    let answer = test.operator.get(&path).await.expect(200);
    assert_eq!(answer["status"], "success");
    let result = answer["data"]["result"].as_array().unwrap().iter();
    (result.map(|one| one["value"][1].clone()).collect(), answer["warnings"].clone())
}

#[tokio::test]
async fn a_damaged_block_is_reported_and_the_rest_is_answered() {
    for test in each().await {
        for name in ["rotten", "sound"] {
            write_block(&test, name).await;
        }
        let damaged = async || {
            let metrics = test.operator.get("/metrics").await.text;
            let figure = metrics.lines().find_map(|line| {
                line.strip_prefix("opshawk_store_damaged_blocks_total ").map(str::to_owned)
            });
            figure.expect("a figure of its own")
        };
        assert_eq!(damaged().await, "0");
        assert_eq!(values(&test, "sound").await, (vec![json!("2.5")], Value::Null));
        rot(&test, "00000001.blk");
        let (found, warnings) = values(&test, "rotten").await;
        assert_eq!((found, warnings.as_array().map(Vec::len)), (vec![], Some(1)));
        let warning = warnings[0].as_str().unwrap();
        let begins = "the block 00000001.blk is damaged and set aside: samples from 20";
        assert!(warning.starts_with(begins) && warning.ends_with(" may be missing"), "{warning}");
        assert!(!warning.contains("rotten") && !warning.contains('/'), "{warning}");
        // Later answers lack it as well.
        assert_eq!(values(&test, "sound").await, (vec![json!("2.5")], warnings.clone()));
        assert_eq!(damaged().await, "1");
        every_reading_endpoint_warns(&test, &warnings).await;
        test.server.stop().await;
    }
}

/// Where the time that was asked for has the damage in it, and nowhere else.
async fn every_reading_endpoint_warns(test: &TestServer, warnings: &Value) {
    // Behind all samples.
    let now_s = test.server.app.clock.now().ms() / 1000 + 1;
    let (_, member) = test.tenant("acme").await;
    let range = |end_s: i64| format!("start={}&end={end_s}", end_s - 3600);
    let (now, then) = (range(now_s), range(now_s - 86_400));
    for (path, is_warned) in [
        (format!("query_range?query=sound&step=60&{now}"), true),
        (format!("query_range?query=sound&step=60&{then}"), false),
        (format!("query_range?query=sound%20offset%20-1d&step=60&{then}"), true),
        (format!("query?query=sound&time={}", now_s - 86_400), false),
        ("query?query=1%2B1".to_owned(), false),
        (format!("series?match[]=sound&{now}"), true),
        (format!("series?match[]=sound&{then}"), false),
        (format!("labels?{now}"), true),
        (format!("label/__name__/values?{now}"), true),
        (format!("label/__name__/values?{then}"), false),
        ("status/tsdb".to_owned(), true),
    ] {
        let expected = if is_warned { warnings } else { &Value::Null };
        for caller in [&test.operator, &member] {
            let answer = caller.get(&format!("/prometheus/api/v1/{path}")).await.expect(200);
            assert_eq!(&answer["warnings"], expected, "{path}");
        }
    }
}

#[tokio::test]
async fn an_export_says_what_it_lacks_or_is_cut_short() {
    let test = each().await.remove(0);
    for name in ["early", "rotten"] {
        write_block(&test, name).await;
    }
    let export = async || {
        let request = test.operator.request(http::Method::GET, "/v1/metrics/export");
        let answer = request.send().await.unwrap();
        let warnings = answer.headers().get_all("opshawk-warning").iter();
        let warnings: Vec<_> = warnings.map(|text| text.to_str().unwrap().to_owned()).collect();
        (warnings, answer.text().await)
    };
    let (warnings, text) = export().await;
    assert_eq!((warnings, text.unwrap().ends_with("# EOF\n")), (vec![], true));
    rot(&test, "00000002.blk");
    // Read behind the first page, when the headers are gone.
    let (warnings, text) = export().await;
    assert!(warnings.is_empty() && text.is_err(), "{text:?}");
    let (warnings, text) = export().await;
    let text = text.unwrap();
    assert!(warnings.len() == 1 && warnings[0].starts_with("the block 00000002.blk is damaged"));
    assert!(text.contains("early") && !text.contains("rotten"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    test.server.stop().await;
}

/// In place: a snapshot has a link to it.
fn rot(test: &TestServer, name: &str) {
    let block = find(&test.dir.path().join("data"), name).expect("a block");
    let mut bytes = std::fs::read(&block).unwrap();
    // Behind the magic and a checksum, in what its first series says.
    bytes[12] ^= 1;
    std::fs::write(&block, bytes).unwrap();
}

fn find(dir: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found = entries.filter_map(|path| match path.is_dir() {
        true => find(&path, name),
        false => path.ends_with(name).then_some(path),
    });
    found.next()
}
