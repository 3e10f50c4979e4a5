use std::{sync::Arc, time::Duration};

use base::{sample::STALE_NAN_BITS, time::Timestamp};
use proptest::prelude::*;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::*;
use crate::{
    runner::{Collector, Settings},
    schedule::Schedule,
    source::{Samples, Source, SourceError},
    testing::{NOW, find, one},
};

#[test]
fn what_is_encoded_decodes_to_the_same_bit_for_bit() {
    let mut samples = Samples::at(NOW);
    samples.add("up", &[("job", "node"), ("instance", "宿主机")], 1.0);
    samples.add("gone", &[], f64::from_bits(STALE_NAN_BITS));
    let series = samples.into_series();
    let back = decode(&encode(&series)).unwrap();
    assert_eq!(back[0], series[0]);
    assert_eq!(back[1].samples[0].value.to_bits(), STALE_NAN_BITS);
}

/// Against bytes made by hand from the message's definition.
#[test]
fn the_format_is_the_standards() {
    let body = encode(&one("up", 1.0, Timestamp::from_ms(1000)));
    let plain = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
    let mut want = vec![0x0a, 0x1e];
    want.extend([0x0a, 0x0e, 0x0a, 0x08]);
    want.extend(b"__name__");
    want.extend([0x12, 0x02]);
    want.extend(b"up");
    want.extend([0x12, 0x0c, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0xe8, 0x07]);
    assert_eq!(plain, want);
}

#[test]
fn looks_at_the_same_series_are_one_entry_in_order() {
    let later = one("up", 1.0, NOW.saturating_add_ms(1));
    let merged = merge([later, one("down", 3.0, NOW), one("up", 2.0, NOW)].concat());
    let seen: Vec<_> = merged
        .iter()
        .map(|s| (s.labels.name(), s.samples.iter().map(|s| s.value).collect::<Vec<_>>()))
        .collect();
    assert_eq!(seen, [("down", vec![3.0]), ("up", vec![2.0, 1.0])]);
}

#[test]
fn types_follow_the_exporters() {
    assert_eq!(metric_type("node_cpu_seconds_total"), MetricType::Counter);
    assert_eq!(metric_type("node_memory_MemTotal_bytes"), MetricType::Gauge);
    assert_eq!(metric_type("node_vmstat_pgfault"), MetricType::Unknown);
}

proptest! {
    #[test]
    fn random_bodies_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
        let _ = decode(&snap::raw::Encoder::new().compress_vec(&bytes).unwrap());
    }
}

/// One request as it came.
struct Got {
    head: String,
    body: Vec<u8>,
}

/// An HTTP listener that answers one status after the other, the last for ever.
async fn listener(statuses: Vec<u16>) -> (String, mpsc::UnboundedReceiver<Got>) {
    listener_with("", statuses).await
}

/// With one more header, which ends in a line break.
async fn listener_with(
    header: &'static str,
    statuses: Vec<u16>,
) -> (String, mpsc::UnboundedReceiver<Got>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1/write", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut answered = 0;
        while let Ok((stream, _)) = listener.accept().await {
            let status = statuses[answered.min(statuses.len() - 1)];
            answered += 1;
            if let Some(got) = answer(stream, status, header).await {
                let _ = sender.send(got);
            }
        }
    });
    (url, receiver)
}

async fn answer(stream: TcpStream, status: u16, header: &str) -> Option<Got> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    let length = head.split_once("content-length: ")?.1.split_once("\r\n")?.0.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let text =
        format!("HTTP/1.1 {status} X\r\n{header}content-length: 2\r\nconnection: close\r\n\r\nno");
    stream.get_mut().write_all(text.as_bytes()).await.ok()?;
    stream.get_mut().shutdown().await.ok()?;
    Some(Got { head, body })
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_request_has_the_standards_headers_and_the_token() {
    let (url, mut got) = listener(vec![204]).await;
    let sink = RemoteWriteSink::new(client(), url, "secret");
    sink.send(&one("node_forks_total", 7.0, NOW)).await.unwrap();
    sink.send(&one("node_forks_total", 8.0, NOW)).await.unwrap();
    let first = got.recv().await.unwrap();
    for header in [
        "post /api/v1/write http/1.1",
        "authorization: bearer secret",
        "content-type: application/x-protobuf",
        "content-encoding: snappy",
        "x-prometheus-remote-write-version: 0.1.0",
    ] {
        assert!(first.head.contains(header), "{header} in {}", first.head);
    }
    let types = |body: &[u8]| {
        let plain = snap::raw::Decoder::new().decompress_vec(body).unwrap();
        let request = WriteRequest::decode(plain.as_slice()).unwrap();
        request.metadata.iter().map(|m| (m.metric_family_name.clone(), m.r#type())).collect()
    };
    let first: Vec<_> = types(&first.body);
    assert_eq!(first, [("node_forks_total".to_owned(), MetricType::Counter)]);
    let second: Vec<_> = types(&got.recv().await.unwrap().body);
    assert_eq!(second, [], "told once");
}

#[tokio::test]
async fn answers_say_whether_to_try_again() {
    for (status, retry) in [
        (500, true),
        (503, true),
        (429, true),
        (408, true),
        (400, false),
        (401, false),
        (413, false),
    ] {
        let (url, _got) = listener(vec![status]).await;
        let sink = RemoteWriteSink::new(client(), url, "secret");
        let error = sink.send(&one("up", 1.0, NOW)).await.unwrap_err();
        assert_eq!(error.retry, retry, "{status}");
        assert!(error.message.contains(&status.to_string()), "{error}");
    }
    // What is over a tenant's limit holds up nobody else's samples.
    let took_some = "X-Prometheus-Remote-Write-Samples-Written: 3\r\n";
    for (status, retry) in [(429, false), (503, true)] {
        let (url, _got) = listener_with(took_some, vec![status]).await;
        let sink = RemoteWriteSink::new(client(), url, "secret");
        assert_eq!(sink.send(&one("up", 1.0, NOW)).await.unwrap_err().retry, retry, "{status}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let sink = RemoteWriteSink::new(client(), format!("http://{nobody}/"), "secret");
    assert!(sink.send(&one("up", 1.0, NOW)).await.unwrap_err().retry);
}

struct Once;

#[async_trait]
impl Source for Once {
    fn name(&self) -> &'static str {
        "once"
    }
    fn job(&self) -> &'static str {
        "test"
    }
    async fn collect(&self, now: Timestamp) -> Result<Vec<Series>, SourceError> {
        Ok(one("answer", 42.0, now))
    }
}

/// The whole way: source, queue, delivery, HTTP; the receiver fails three times first.
#[tokio::test]
async fn a_receiver_that_fails_first_gets_everything_later() {
    let (url, mut got) = listener(vec![503, 429, 500, 204]).await;
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path(), "host-1");
    settings.backoff = crate::delivery::Backoff { first_ms: 5, longest_ms: 20 };
    let clock = base::time::ManualClock::at(NOW).shared();
    let sink = Arc::new(RemoteWriteSink::new(client(), url, "secret"));
    let collector = Collector::start(settings, clock, sink).unwrap();
    collector.add(Arc::new(Once), Schedule::every_s(15));
    let wait = async {
        let mut requests = 0;
        loop {
            requests += 1;
            let series = decode(&got.recv().await.unwrap().body).unwrap();
            let found = find(&series, "answer", &[("job", "test"), ("instance", "host-1")]);
            if requests > 3 && found == Some(42.0) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap();
    collector.stop().await;
}
