//! Series as lines of OpenMetrics.

use std::{borrow::Cow, fmt::Write as _};

use base::sample::{Labels, NAME, Sample, is_stale};

use super::{STALE_TEXT, is_label_name, is_metric_name};

/// A series' samples as lines, each with its timestamp; a stale marker as [`STALE_TEXT`]. Every
/// other value reads back bit for bit, but for what a NaN carries. The caller ends the text with
/// `# EOF`.
pub fn write_open_metrics(out: &mut String, labels: &Labels, samples: &[Sample]) {
    let series = series_text(labels);
    for sample in samples {
        let (sign, ms) = (if sample.at_ms < 0 { "-" } else { "" }, sample.at_ms.unsigned_abs());
        let value = value_text(sample.value);
        let _ = writeln!(out, "{series} {value} {sign}{}.{:03}", ms / 1000, ms % 1000);
    }
}

/// Name and labels, as they stand before the value.
pub fn series_text(labels: &Labels) -> String {
    let metric = labels.name();
    let plain = is_metric_name(metric);
    let mut parts = Vec::new();
    if !plain {
        parts.push(format!("\"{}\"", escaped(metric)));
    }
    for (name, value) in labels.iter().filter(|(name, _)| *name != NAME) {
        let value = escaped(value);
        parts.push(match is_label_name(name) {
            true => format!("{name}=\"{value}\""),
            false => format!("\"{}\"=\"{value}\"", escaped(name)),
        });
    }
    let metric = if plain { metric } else { "" };
    match parts.is_empty() {
        true => metric.to_owned(),
        false => format!("{metric}{{{}}}", parts.join(",")),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The shortest text that reads back as the same number.
fn value_text(value: f64) -> Cow<'static, str> {
    /// Beyond these, plain digits would be mostly zeros.
    const PLAIN: std::ops::Range<f64> = 1e-7..1e17;
    if value == f64::INFINITY {
        "+Inf".into()
    } else if value == f64::NEG_INFINITY {
        "-Inf".into()
    } else if is_stale(value) {
        STALE_TEXT.into()
    } else if value == 0.0 || value.is_nan() || PLAIN.contains(&value.abs()) {
        format!("{value}").into()
    } else {
        format!("{value:e}").into()
    }
}
