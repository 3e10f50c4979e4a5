use base::{
    db::testing,
    sample::{Labels, Sample, Series},
    time::{Clock, SystemClock},
};
use serde_json::json;

use super::*;
use crate::{
    api::tests::world::{Caller, TestServer, config, each},
    server::Server,
};

/// What a test left, and what must be there again.
struct Left {
    acme: String,
    sealed: String,
}

async fn fill(test: &TestServer) -> Left {
    let (acme, _) = test.tenant("acme").await;
    let path = format!("/v1/tenants/{acme}/topups");
    test.operator.post(&path, &json!({ "amount": "12.345678" })).await.expect(201);
    let image = json!({ "name": "mini", "disk_format": "raw" });
    let image = test.operator.post("/v1/images", &image).await.expect(201);
    let path = format!("/v1/images/{}/files/disk", image["id"].as_str().unwrap());
    let upload = test.operator.request(http::Method::PUT, &path).body("disk bytes");
    test.operator.send(upload).await.expect(200);
    let sample = Sample { at_ms: SystemClock.now().ms(), value: 7.0 };
    let series = Series { labels: Labels::metric("kept", &[]), samples: vec![sample] };
    test.server.app.store.append(vec![series]).await.unwrap();
    Left { acme, sealed: test.server.app.sealer.seal("here", "secret") }
}

/// The backup of a running server, as the command line fetches it.
async fn fetch(test: &TestServer, file: &Path) {
    let answer = test.operator.request(http::Method::POST, "/v1/system/backup").send().await;
    let bytes = answer.unwrap().bytes().await.unwrap();
    let target = Target::create(file).unwrap();
    target.file().unwrap().write_all(&bytes).unwrap();
    target.finish().unwrap();
}

async fn has_everything(server: &Server, operator: &Caller, left: &Left) {
    let operator = Caller { base: format!("http://{}", server.address), ..operator.clone() };
    let tenant = operator.get(&format!("/v1/tenants/{}", left.acme)).await.expect(200);
    assert_eq!(tenant["balance"], "12.345678");
    let found = operator.get("/prometheus/api/v1/query?query=kept").await.expect(200);
    assert_eq!(found["data"]["result"][0]["value"][1], "7");
    let image = base::secret::sha256_hex("disk bytes");
    assert!(server.app.files.open(&image).await.is_ok());
    // The key came along.
    assert_eq!(server.app.sealer.open_sealed("here", &left.sealed).unwrap(), "secret");
}

#[tokio::test]
async fn everything_comes_back_from_either_database_into_either() {
    for test in each().await {
        let left = fill(&test).await;
        let file = test.dir.path().join("backup.tar");
        fetch(&test, &file).await;
        let TestServer { server, operator, dir, _database } = test;
        server.stop().await;
        for (n, database) in testing::each_empty().await.into_iter().enumerate() {
            let mut config = config(&dir.path().join(format!("restored-{n}")));
            std::fs::create_dir_all(config.data_dir.parent().unwrap()).unwrap();
            config.database = database.url.starts_with("postgres").then(|| database.url.clone());
            let rows = restore(&file, &config.data_dir, config.database.as_deref()).await.unwrap();
            assert!(rows > 5);
            let again = restore(&file, &config.data_dir, config.database.as_deref()).await;
            assert_eq!(again.unwrap_err().kind, base::ErrorKind::Conflict);
            let server = Server::start(config, SystemClock::shared()).await.unwrap();
            has_everything(&server, &operator, &left).await;
            server.stop().await;
        }
    }
}

#[tokio::test]
async fn a_stopped_server_is_backed_up_and_a_running_one_is_not_touched() {
    let test = each().await.remove(0);
    let left = fill(&test).await;
    let data_dir = test.server.app.config.data_dir.clone();
    let database = test.server.app.config.database_url();
    let file = test.dir.path().join("backup.tar");
    let busy = offline(&data_dir, &database, &file).await.unwrap_err();
    assert_eq!(busy.kind, base::ErrorKind::Conflict);
    assert!(!file.exists());
    let TestServer { server, operator, dir, _database } = test;
    server.stop().await;
    offline(&data_dir, &database, &file).await.unwrap();
    let config = config(&dir.path().join("restored"));
    std::fs::create_dir_all(config.data_dir.parent().unwrap()).unwrap();
    restore(&file, &config.data_dir, None).await.unwrap();
    let server = Server::start(config, SystemClock::shared()).await.unwrap();
    has_everything(&server, &operator, &left).await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_damaged_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (file, data_dir) = (dir.path().join("b.tar"), dir.path().join("data"));
    let tar = |entries: &[(&str, &[u8])]| {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            // `set_path` would refuse what an attacker writes by hand.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            header.set_cksum();
            tar.append(&header, *bytes).unwrap();
        }
        tar.into_inner().unwrap()
    };
    let manifest = json!({
        "format": FORMAT, "version": VERSION, "program": "x", "created_at": "2026-01-01T00:00:00Z",
    })
    .to_string();
    let manifest = manifest.as_bytes();
    for broken in [
        b"no tar".to_vec(),
        tar(&[(MANIFEST, manifest), (KEY, b"k")]),
        tar(&[(MANIFEST, b"{}"), (END, b"")]),
        tar(&[(KEY, b"k"), (END, b"")]),
        tar(&[(MANIFEST, manifest), ("../escaped", b"x"), (END, b"")]),
        tar(&[(MANIFEST, manifest), ("samples/../../escaped", b"x"), (END, b"")]),
        tar(&[(MANIFEST, manifest), (ROWS, b"{}\n"), (END, b"")]),
    ] {
        std::fs::write(&file, broken).unwrap();
        assert!(restore(&file, &data_dir, None).await.is_err());
        assert!(!data_dir.exists());
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
