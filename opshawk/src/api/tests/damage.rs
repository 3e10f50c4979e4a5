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

async fn values(test: &TestServer, name: &str) -> Vec<Value> {
    let path = format!("/prometheus/api/v1/query?query={name}");
    let answer = test.operator.get(&path).await.expect(200);
    assert_eq!(answer["status"], "success");
    let result = answer["data"]["result"].as_array().unwrap().iter();
    result.map(|one| one["value"][1].clone()).collect()
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
        let block = find(&test.dir.path().join("data"), "00000001.blk").expect("a block");
        let mut bytes = std::fs::read(&block).unwrap();
        // Behind the magic and a checksum, in what its first series says. In place: a snapshot has
        // a link to it.
        bytes[12] ^= 1;
        std::fs::write(&block, bytes).unwrap();
        assert_eq!(values(&test, "rotten").await, [] as [Value; 0]);
        assert_eq!(values(&test, "sound").await, [json!("2.5")]);
        assert_eq!(damaged().await, "1");
        test.server.stop().await;
    }
}

fn find(dir: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found = entries.filter_map(|path| match path.is_dir() {
        true => find(&path, name),
        false => path.ends_with(name).then_some(path),
    });
    found.next()
}
