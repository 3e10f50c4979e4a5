//! Results in the shapes of Prometheus' HTTP API: values are texts, so that NaN and the infinities
//! survive JSON; instants are seconds.

use std::fmt;

use base::sample::Labels;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use crate::error::{Error, ErrorType};

/// `data` of an answer to query or query_range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub enum Value {
    Vector(Vec<InstantSeries>),
    Matrix(Vec<RangeSeries>),
    Scalar(Point),
    String(Text),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstantSeries {
    #[serde(with = "metric")]
    pub metric: Labels,
    pub value: Point,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeSeries {
    #[serde(with = "metric")]
    pub metric: Labels,
    pub values: Vec<Point>,
}

/// `[seconds, "value"]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub at_ms: i64,
    pub value: f64,
}

/// `[seconds, "text"]`
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    pub at_ms: i64,
    pub text: String,
}

/// An answer of the API: `status` is `success` with `data`, or `error` with a type and a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Response<T> {
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    pub data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_type: Option<ErrorType>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Success,
    Error,
}

impl<T> Response<T> {
    pub fn success(data: T) -> Self {
        Self {
            status: Status::Success,
            data: Some(data),
            error_type: None,
            error: None,
            warnings: Vec::new(),
        }
    }
    /// Says only what the caller may read.
    pub fn failure(error: &Error) -> Self {
        Self {
            status: Status::Error,
            data: None,
            error_type: Some(error.error_type()),
            error: Some(error.public_message()),
            warnings: Vec::new(),
        }
    }
}

/// As Prometheus prints it: the shortest text that reads back, with an exponent only below 1e-6
/// and from 1e21 on.
pub fn format_value(value: f64) -> String {
    let magnitude = value.abs();
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ if value.is_nan() => "NaN".to_owned(),
        _ if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) => {
            let text = format!("{value:e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        _ => shortest(value),
    }
}

/// The shortest text that reads back, without an exponent. Of two that are equally near Go takes
/// the one with the even last digit, and Rust the upper one.
pub(crate) fn shortest(value: f64) -> String {
    const DIGITS_OF_TIES: usize = 16;
    let text = value.to_string();
    let odd = text.ends_with(['1', '3', '5', '7', '9']);
    if !odd || text.len() < DIGITS_OF_TIES || !text.contains('.') {
        return text;
    }
    let mut lower = text.clone().into_bytes();
    lower.last_mut().into_iter().for_each(|last| *last -= 1);
    let lower = String::from_utf8(lower).unwrap_or_default();
    let exact = format!("{value:.60}");
    let tie = exact.strip_prefix(lower.as_str()).and_then(|rest| rest.strip_prefix('5'));
    if tie.is_some_and(|rest| rest.bytes().all(|b| b == b'0')) { lower } else { text }
}

pub fn parse_value(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Whole seconds as an integer, as Prometheus writes them.
struct Seconds(i64);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1000 == 0 {
            serializer.serialize_i64(self.0 / 1000)
        } else {
            serializer.serialize_f64(self.0 as f64 / 1000.0)
        }
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Seconds(self.at_ms), format_value(self.value)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text { at_ms, text } = Text::deserialize(deserializer)?;
        let value = parse_value(&text);
        let value = value.ok_or_else(|| de::Error::custom(format!("'{text}' is no value")))?;
        Ok(Self { at_ms, value })
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Seconds(self.at_ms), &self.text).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seconds, text) = <(f64, String)>::deserialize(deserializer)?;
        Ok(Self { at_ms: (seconds * 1000.0).round() as i64, text })
    }
}

/// A label set as a JSON object.
pub mod metric {
    use super::{Deserializer, Labels, SerializeMap, Serializer, de, fmt};

    pub fn serialize<S: Serializer>(labels: &Labels, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(labels.iter().len()))?;
        for (name, value) in labels.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Labels, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Labels;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of labels")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<String, String>()? {
                    pairs.push(pair);
                }
                Ok(Labels::new(pairs))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// A label set of the series endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metric(#[serde(with = "metric")] pub Labels);

#[cfg(test)]
mod tests;
