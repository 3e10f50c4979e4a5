//! A real Prometheus, private to the test, that got its samples by remote write (promtool's blocks
//! can't carry stale markers).

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base::sample::Series;
use timeseries::{Value, value::Response};

const READY_WITHIN: Duration = Duration::from_secs(60);
const POLL_EVERY: Duration = Duration::from_millis(50);
const MISSING: &str = "prometheus is needed as the reference; `make test` installs it (Debian's \
                       package prometheus)";

pub struct Prometheus {
    child: Child,
    port: u16,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    pub fn start(dir: &Path, series: &[Series]) -> Self {
        let data = dir.join("prometheus");
        let config = dir.join("prometheus.yml");
        std::fs::write(&config, "global: {}\n").expect("a configuration file");
        // Freed at once; Prometheus takes it a moment later.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--storage.tsdb.retention.time=100y")
            .arg("--web.enable-remote-write-receiver")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect(MISSING);
        let prometheus = Self { child, port };
        let deadline = Instant::now() + READY_WITHIN;
        while prometheus.get("/-/ready").is_none_or(|(status, _)| status != 200) {
            assert!(Instant::now() < deadline, "Prometheus is not ready in time");
            std::thread::park_timeout(POLL_EVERY);
        }
        prometheus.load(series);
        prometheus
    }

    /// In spans of time, because Prometheus takes nothing that is an hour behind its newest sample.
    fn load(&self, series: &[Series]) {
        const SPAN_MS: i64 = 30 * 60 * 1000;
        let instants = series.iter().flat_map(|one| one.samples.iter().map(|s| s.at_ms));
        let spans: BTreeSet<i64> = instants.map(|at_ms| at_ms / SPAN_MS).collect();
        for span in spans {
            let mut part = series.to_vec();
            for one in &mut part {
                one.samples.retain(|sample| sample.at_ms / SPAN_MS == span);
            }
            let body = remote_write_body(&part);
            let head = format!(
                "POST /api/v1/write HTTP/1.0\r\nHost: localhost\r\nContent-Encoding: snappy\r\n\
                 Content-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let answer = self.exchange(&[head.as_bytes(), &body].concat());
            assert_eq!(answer.as_ref().map(|answer| answer.0), Some(204), "{answer:?}");
        }
    }

    pub fn query(&self, expr: &str, at_ms: i64) -> Response<Value> {
        self.ask(&format!("/api/v1/query?time={}&query={}", seconds(at_ms), escape(expr)))
    }

    pub fn query_range(&self, expr: &str, start: i64, end: i64, step: i64) -> Response<Value> {
        let (start, end, step) = (seconds(start), seconds(end), seconds(step));
        let expr = escape(expr);
        self.ask(&format!("/api/v1/query_range?start={start}&end={end}&step={step}&query={expr}"))
    }

    pub fn format(&self, expr: &str) -> Response<String> {
        self.ask(&format!("/api/v1/format_query?query={}", escape(expr)))
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, path: &str) -> Response<T> {
        let (_, body) = self.get(path).expect("Prometheus answers");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error} in {body}"))
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        self.exchange(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes())
    }

    /// HTTP/1.0: the connection's end is the body's end.
    fn exchange(&self, request: &[u8]) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(request).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A body of remote write: protobuf by hand, as a snappy block.
fn remote_write_body(series: &[Series]) -> Vec<u8> {
    let mut request = Vec::new();
    for one in series.iter().filter(|one| !one.samples.is_empty()) {
        let mut message = Vec::new();
        for (name, value) in one.labels.iter() {
            let mut label = Vec::new();
            put_bytes(&mut label, 1, name.as_bytes());
            put_bytes(&mut label, 2, value.as_bytes());
            put_bytes(&mut message, 1, &label);
        }
        for sample in &one.samples {
            let mut bytes = vec![1 << 3 | 1];
            bytes.extend_from_slice(&sample.value.to_bits().to_le_bytes());
            bytes.push(2 << 3);
            put_varint(&mut bytes, sample.at_ms as u64);
            put_bytes(&mut message, 2, &bytes);
        }
        put_bytes(&mut request, 1, &message);
    }
    snap::raw::Encoder::new().compress_vec(&request).expect("a body of moderate size")
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_bytes(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
