//! Prometheus remote write 1.0: the format (also the queue's), and the sink that posts it.
//! <https://prometheus.io/docs/specs/prw/remote_write_spec/>

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use async_trait::async_trait;
use base::sample::{Labels, Sample, Series};
use prost::Message;

use crate::sink::{Sink, SinkError};

/// What a decompressed request may claim to be.
const DECODED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Names whose type the receiver was told.
const DESCRIBED_MAX: usize = 10_000;
/// How many samples of a request were taken (remote write 2.0).
const WRITTEN: &str = "x-prometheus-remote-write-samples-written";
/// Of an error's text, for the log. No more of the answer is read, however long it is.
const ANSWER_BYTES_MAX: usize = 512;

/// `prometheus.WriteRequest`, as much of it as 1.0 has.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<MetricMetadata>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<WireSample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct WireSample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct MetricMetadata {
    #[prost(enumeration = "MetricType", tag = "1")]
    r#type: i32,
    #[prost(string, tag = "2")]
    metric_family_name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum MetricType {
    Unknown = 0,
    Counter = 1,
    Gauge = 2,
}

/// As the exporters declare their metrics: by the ecosystem's rule, but for node_exporter's
/// untyped ones.
fn metric_type(name: &str) -> MetricType {
    if name.starts_with("node_vmstat_") {
        MetricType::Unknown
    } else if name.ends_with("_total") {
        MetricType::Counter
    } else {
        MetricType::Gauge
    }
}

fn compress(request: &WriteRequest) -> Vec<u8> {
    snap::raw::Encoder::new()
        .compress_vec(&request.encode_to_vec())
        .expect("a batch is far below snappy's 4 GiB")
}

fn wire(series: &[Series]) -> Vec<TimeSeries> {
    let label = |(name, value): (&str, &str)| Label { name: name.into(), value: value.into() };
    let sample = |s: &Sample| WireSample { value: s.value, timestamp: s.at_ms };
    series
        .iter()
        .map(|one| TimeSeries {
            labels: one.labels.iter().map(label).collect(),
            samples: one.samples.iter().map(sample).collect(),
        })
        .collect()
}

/// A snappy-compressed `WriteRequest`.
pub fn encode(series: &[Series]) -> Vec<u8> {
    compress(&WriteRequest { timeseries: wire(series), metadata: Vec::new() })
}

/// `None` where it is no such request.
pub fn decode(body: &[u8]) -> Option<Vec<Series>> {
    if snap::raw::decompress_len(body).ok()? > DECODED_BYTES_MAX {
        return None;
    }
    let plain = snap::raw::Decoder::new().decompress_vec(body).ok()?;
    let request = WriteRequest::decode(plain.as_slice()).ok()?;
    let series = request.timeseries.into_iter().map(|one| Series {
        labels: Labels::new(one.labels.into_iter().map(|l| (l.name, l.value))),
        samples: one
            .samples
            .into_iter()
            .map(|s| Sample { at_ms: s.timestamp, value: s.value })
            .collect(),
    });
    Some(series.collect())
}

/// One entry a series, its samples in order of time, whatever the number of looks in the batch.
pub fn merge(series: impl IntoIterator<Item = Series>) -> Vec<Series> {
    let mut merged: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
    for one in series {
        merged.entry(one.labels).or_default().extend(one.samples);
    }
    merged
        .into_iter()
        .map(|(labels, mut samples)| {
            samples.sort_by_key(|sample| sample.at_ms);
            Series { labels, samples }
        })
        .collect()
}

/// Posts to a remote write endpoint, with a bearer token.
pub struct RemoteWriteSink {
    client: reqwest::Client,
    url: String,
    token: String,
    /// Names whose type an accepted request has carried.
    described: Mutex<BTreeSet<String>>,
}

impl RemoteWriteSink {
    /// `client` has the timeouts; `url` is the whole address, ending in `/api/v1/write`.
    pub fn new(client: reqwest::Client, url: impl Into<String>, token: impl Into<String>) -> Self {
        Self { client, url: url.into(), token: token.into(), described: Mutex::default() }
    }

    /// Types of the batch's metrics that the receiver does not know yet.
    fn undescribed(&self, batch: &[Series]) -> BTreeSet<String> {
        let described = self.described.lock().expect("no panic while held");
        let room = DESCRIBED_MAX.saturating_sub(described.len());
        let names: BTreeSet<&str> = batch.iter().map(|one| one.labels.name()).collect();
        let new = names.into_iter().filter(|name| !described.contains(*name));
        new.take(room).map(str::to_owned).collect()
    }
}

#[async_trait]
impl Sink for RemoteWriteSink {
    async fn send(&self, batch: &[Series]) -> Result<(), SinkError> {
        let new = self.undescribed(batch);
        let metadata = new
            .iter()
            .map(|name| MetricMetadata {
                r#type: metric_type(name).into(),
                metric_family_name: name.clone(),
            })
            .collect();
        let body = compress(&WriteRequest { timeseries: wire(batch), metadata });
        let sent = self
            .client
            .post(&self.url)
            .bearer_auth(&self.token)
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .header("user-agent", "opshawk")
            .body(body)
            .send()
            .await;
        let answer = sent.map_err(|e| SinkError::later(chain(&e)))?;
        let status = answer.status();
        if status.is_success() {
            self.described.lock().expect("no panic while held").extend(new);
            return Ok(());
        }
        // It took what it could: the rest is over a limit of series, of one tenant perhaps. To wait
        // with that would hold up what is everybody else's.
        let took_the_rest = answer.headers().contains_key(WRITTEN);
        let message = format!("the receiver answered {status}: {}", beginning(answer).await);
        let later = match status.as_u16() {
            429 => !took_the_rest,
            408 => true,
            _ => status.is_server_error(),
        };
        Err(if later { SinkError::later(message) } else { SinkError::never(message) })
    }
}

async fn beginning(mut answer: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - bytes.len())]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// reqwest's own text leaves out why.
fn chain(error: &reqwest::Error) -> String {
    base::reconcile::error_chain(error)
}

#[cfg(test)]
mod tests;
