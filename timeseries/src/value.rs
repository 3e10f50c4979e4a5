//! Results in the shapes of Prometheus' HTTP API: values are texts, so that NaN and the infinities
//! survive JSON; instants are seconds.
//!
//! [`Value::to_answer`] writes a whole answer at once; the types' own serde form is the same text.

use std::fmt;

use base::sample::Labels;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use crate::error::{Error, ErrorType};

mod json;
mod number;

pub(crate) use number::shortest;
pub use number::{format_value, push_value};

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
