//! Messages of remote write 1.0 and remote read 1.0 (prometheus/prompb: `remote.proto`,
//! `types.proto`), as much of them as is used.

use base::sample::{Labels, Sample, Series};
use prost::Message;

use crate::{
    error::{Error, Result},
    remote_write::wire::{Field, Fields},
};

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<WireSample>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Label {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct WireSample {
    /// Written even where it is zero: left out, a negative one would lose its sign.
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct ReadRequest {
    #[prost(message, repeated, tag = "1")]
    pub queries: Vec<Query>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Query {
    #[prost(int64, tag = "1")]
    pub start_timestamp_ms: i64,
    #[prost(int64, tag = "2")]
    pub end_timestamp_ms: i64,
    #[prost(message, repeated, tag = "3")]
    pub matchers: Vec<LabelMatcher>,
}

#[derive(Clone, PartialEq, Message)]
pub struct LabelMatcher {
    /// `=` 0, `!=` 1, `=~` 2, `!~` 3.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(string, tag = "3")]
    pub value: String,
}

/// The series of a `ReadResponse` (1 repeated `QueryResult`, whose 1 is repeated `TimeSeries`), of
/// which one at a time is decoded.
pub struct SeriesIn<'a> {
    results: Fields<'a>,
    series: Fields<'a>,
}

impl<'a> SeriesIn<'a> {
    pub fn of(answer: &'a [u8]) -> Self {
        Self { results: Fields(answer), series: Fields(&[]) }
    }

    /// None at the end; an error says what is wrong with the bytes.
    pub fn next(&mut self) -> Result<Option<TimeSeries>, &'static str> {
        const WRONG: &str = "it is cut short or no protobuf";
        loop {
            match self.series.next().map_err(|_| WRONG)? {
                Some((1, Field::Bytes(series))) => {
                    return TimeSeries::decode(series).map(Some).map_err(|_| WRONG);
                }
                Some(_) => {}
                None => match self.results.next().map_err(|_| WRONG)? {
                    Some((1, Field::Bytes(result))) => self.series = Fields(result),
                    Some(_) => {}
                    None => return Ok(None),
                },
            }
        }
    }
}

impl TimeSeries {
    pub fn labels(&self) -> Labels {
        Labels::new(self.labels.iter().map(|label| (label.name.clone(), label.value.clone())))
    }
    pub fn samples(&self) -> impl Iterator<Item = Sample> + '_ {
        self.samples.iter().map(|one| Sample { at_ms: one.timestamp, value: one.value() })
    }
}

/// A snappy block, as both protocols carry it.
pub fn packed(message: &impl Message) -> Result<Vec<u8>> {
    snap::raw::Encoder::new()
        .compress_vec(&message.encode_to_vec())
        .map_err(|_| Error::TooLarge { what: "a batch", limit: u32::MAX as usize })
}

pub fn write_request(batch: &[Series]) -> Result<Vec<u8>> {
    let timeseries = batch
        .iter()
        .map(|series| TimeSeries {
            labels: series
                .labels
                .iter()
                .map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() })
                .collect(),
            samples: series
                .samples
                .iter()
                .map(|sample| WireSample { value: Some(sample.value), timestamp: sample.at_ms })
                .collect(),
        })
        .collect();
    packed(&WriteRequest { timeseries })
}
