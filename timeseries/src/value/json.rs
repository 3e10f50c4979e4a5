//! An answer's text in one go: what a point costs is what a query with many of them costs.

use base::sample::Labels;

use super::{Point, Value, push_value};

/// What a point takes: `[1700000000,"123456789.25"],`.
const POINT_BYTES: usize = 28;
/// What a series takes beside its points.
const SERIES_BYTES: usize = 192;
/// What is around the result.
const FRAME_BYTES: usize = 80;

impl Value {
    /// How many points it has.
    pub fn points(&self) -> usize {
        match self {
            Self::Vector(series) => series.len(),
            Self::Matrix(series) => series.iter().map(|one| one.values.len()).sum(),
            Self::Scalar(_) | Self::String(_) => 1,
        }
    }

    fn series(&self) -> usize {
        match self {
            Self::Vector(series) => series.len(),
            Self::Matrix(series) => series.len(),
            Self::Scalar(_) | Self::String(_) => 0,
        }
    }

    /// The JSON of `Response::success(self)` with these warnings, byte for byte.
    pub fn to_answer(&self, warnings: &[String]) -> Vec<u8> {
        let usual = FRAME_BYTES + self.points() * POINT_BYTES + self.series() * SERIES_BYTES;
        let mut out = Vec::with_capacity(usual);
        out.extend_from_slice(b"{\"status\":\"success\",\"data\":{\"resultType\":\"");
        let kind: &[u8] = match self {
            Self::Vector(_) => b"vector",
            Self::Matrix(_) => b"matrix",
            Self::Scalar(_) => b"scalar",
            Self::String(_) => b"string",
        };
        out.extend_from_slice(kind);
        out.extend_from_slice(b"\",\"result\":");
        match self {
            Self::Vector(series) => push_list(&mut out, series, |out, one| {
                push_metric(out, &one.metric);
                out.extend_from_slice(b",\"value\":");
                push_point(out, &one.value);
                out.push(b'}');
            }),
            Self::Matrix(series) => push_list(&mut out, series, |out, one| {
                push_metric(out, &one.metric);
                out.extend_from_slice(b",\"values\":");
                push_list(out, &one.values, push_point);
                out.push(b'}');
            }),
            Self::Scalar(point) => push_point(&mut out, point),
            Self::String(text) => {
                out.push(b'[');
                push_seconds(&mut out, text.at_ms);
                out.push(b',');
                push_text(&mut out, &text.text);
                out.push(b']');
            }
        }
        out.push(b'}');
        if !warnings.is_empty() {
            out.extend_from_slice(b",\"warnings\":");
            push_list(&mut out, warnings, |out, text| push_text(out, text));
        }
        out.push(b'}');
        out
    }
}

fn push_list<T>(out: &mut Vec<u8>, all: &[T], mut push: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push(out, one);
    }
    out.push(b']');
}

/// A series' object up to its labels.
fn push_metric(out: &mut Vec<u8>, labels: &Labels) {
    out.extend_from_slice(b"{\"metric\":{");
    for (at, (name, value)) in labels.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text(out, name);
        out.push(b':');
        push_text(out, value);
    }
    out.push(b'}');
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a buffer takes everything, and text is JSON");
}

fn push_point(out: &mut Vec<u8>, point: &Point) {
    out.push(b'[');
    push_seconds(out, point.at_ms);
    out.extend_from_slice(b",\"");
    push_value(out, point.value);
    out.extend_from_slice(b"\"]");
}

fn push_seconds(out: &mut Vec<u8>, at_ms: i64) {
    if at_ms % 1000 == 0 {
        out.extend_from_slice(itoa::Buffer::new().format(at_ms / 1000).as_bytes());
    } else {
        let seconds = at_ms as f64 / 1000.0;
        out.extend_from_slice(zmij::Buffer::new().format_finite(seconds).as_bytes());
    }
}

#[cfg(test)]
mod tests;
