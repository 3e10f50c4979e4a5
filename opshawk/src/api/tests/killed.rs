//! An import that `kill -9` ends, while its text is read and while it is written; and that is sent
//! again.
//!
//! The server is this test run once more as a child, which prints where it listens.

use std::{
    collections::HashSet,
    fmt::Write as _,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use base::{
    sample::{Labels, Sample},
    time::{Clock, SystemClock},
};
use bytes::Bytes;
use collector::exposition::{write_family, write_open_metrics};
use http::Method;
use identity::{Access, tokens};
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::world::{Caller, config, eventually};
use crate::server::Server;

const DIR_VARIABLE: &str = "OPSHAWK_TEST_SERVE_FROM";
const READY: &str = "ready ";
const DAY_MS: i64 = 24 * 3_600_000;
/// Each is written on its own, so that a kill comes between two.
const DAYS: i64 = 300;
const SAMPLES_A_DAY: i64 = 50;
const SERIES: [&str; 2] = ["a", "b"];
/// Blocks that are there when the kill comes.
const BLOCKS: usize = 5;

/// The child; without its variable it is an empty test.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_serves() {
    let Ok(dir) = std::env::var(DIR_VARIABLE) else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Server::start(config(Path::new(&dir)), SystemClock::shared()).await.unwrap();
    let mut tx = server.app.db.begin_write().await.unwrap();
    let name = format!("test {}", server.address.port());
    let now = SystemClock.now();
    let (_, token) = tokens::create(&mut tx, now, &name, Access::Operator).await.unwrap();
    tx.commit().await.unwrap();
    println!("{READY}http://{} {token}", server.address);
    // Until it is killed, or nobody is there any more who could.
    let _ = tokio::io::stdin().read(&mut [0]).await;
}

struct Served {
    child: Child,
    operator: Caller,
}

impl Served {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "api::tests::killed::child_that_serves", "--nocapture"])
            .env(DIR_VARIABLE, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The harness may print on the same line before it.
        let mut ready = lines.map_while(Result::ok).filter_map(|line| {
            let (base, token) = line.split_once(READY)?.1.split_once(' ')?;
            Some((base.to_owned(), token.to_owned()))
        });
        let (base, token) = ready.next().expect("a server");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let operator = Caller { http, base, token: Some(token), cookie: None };
        Self { child, operator }
    }

    fn import(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.operator.request(Method::POST, "/v1/metrics/import").body(body)
    }

    async fn export(&self) -> String {
        self.operator.get("/v1/metrics/export?match[]=m").await.text
    }
}

impl Drop for Served {
    /// SIGKILL.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn history(now_ms: i64) -> String {
    let mut text = String::new();
    write_family(&mut text, "m", "gauge", "moved", "");
    let begin_ms = (now_ms / DAY_MS - DAYS - 1) * DAY_MS;
    for (number, of) in SERIES.iter().enumerate() {
        let sample = |i: i64| Sample {
            at_ms: begin_ms + i * (DAY_MS / SAMPLES_A_DAY),
            value: (i * (number as i64 + 3) % 1009) as f64 / 8.0,
        };
        let samples: Vec<_> = (0..DAYS * SAMPLES_A_DAY).map(sample).collect();
        write_open_metrics(&mut text, &Labels::metric("m", &[("of", of)]), &samples);
    }
    let _ = writeln!(text, "# EOF");
    text
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_is_simply_sent_again() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let text = history(SystemClock.now().ms());
    let samples = DAYS * SAMPLES_A_DAY * SERIES.len() as i64;
    let is_kept_aside = || names(&data).iter().any(|name| name.contains(".import-"));

    // While it is read: a sender that has more to say.
    let served = Served::start(dir.path());
    let (sender, receiver) = tokio::sync::mpsc::channel::<std::io::Result<Bytes>>(1);
    let half = text[..text.len() / 2].to_owned();
    sender.send(Ok(half.into())).await.unwrap();
    let body = reqwest::Body::wrap_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let importing = tokio::spawn(served.import(body).send());
    eventually("the text is on its way", async || is_kept_aside().then_some(())).await;
    drop(served);
    assert!(importing.await.unwrap().is_err(), "nobody answered");
    assert!(is_kept_aside(), "killed in the middle");
    let served = Served::start(dir.path());
    assert!(!is_kept_aside(), "what was kept aside goes at the start");
    assert_eq!(served.export().await, "# EOF\n");

    // While it is written.
    let importing = tokio::spawn(served.import(text.clone()).send());
    let blocks = || names(&data.join("samples/blocks")).len();
    eventually("days are written", async || (blocks() >= BLOCKS).then_some(())).await;
    drop(served);
    assert!(importing.await.unwrap().is_err(), "nobody answered");
    let served = Served::start(dir.path());
    assert!(!is_kept_aside());
    let part = served.export().await;
    let there = part.lines().filter(|line| !line.starts_with('#')).count() as i64;
    println!("{there} of {samples} samples were written");
    assert!(there > 0 && there < samples, "killed in the middle: {there}");
    assert_eq!(there % (SAMPLES_A_DAY * SERIES.len() as i64), 0, "a day is there or not");
    let sent: HashSet<&str> = text.lines().collect();
    assert!(part.lines().all(|line| sent.contains(line)));

    // Again, and once more for nothing.
    for (written, families) in [(samples - there, 1), (0, 0)] {
        let answer = served.operator.send(served.import(text.clone())).await.expect(200);
        let counts = ["samples", "written", "duplicates", "rejected", "families"];
        let wanted = [samples, written, samples - written, 0, families];
        assert_eq!(counts.map(|count| answer[count].clone()), wanted.map(|n| json!(n)));
        assert_eq!(served.export().await, text);
    }
}
