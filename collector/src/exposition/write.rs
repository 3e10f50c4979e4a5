//! Series as lines of OpenMetrics.

use std::{borrow::Cow, fmt::Write as _};

use base::sample::{Labels, NAME, Sample, is_stale};

use super::{Exemplar, STALE_TEXT, is_label_name, is_metric_name};

/// A longer help text is left out: nobody reads it, and it has to fit into a line.
pub const HELP_MAX_BYTES: usize = 64 << 10;
const KINDS: [&str; 8] =
    ["counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown"];

/// What a family is. A unit is written where it ends the family's name, as OpenMetrics wants it.
pub fn write_family(out: &mut String, metric: &str, kind: &str, help: &str, unit: &str) {
    let name = match is_metric_name(metric) {
        true => Cow::Borrowed(metric),
        false => format!("\"{}\"", escaped(metric)).into(),
    };
    if !help.is_empty() && help.len() <= HELP_MAX_BYTES {
        let _ = writeln!(out, "# HELP {name} {}", escaped(help));
    }
    let kind = if KINDS.contains(&kind) { kind } else { "unknown" };
    let _ = writeln!(out, "# TYPE {name} {kind}");
    let is_end = |unit| metric.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'));
    if !unit.is_empty() && is_end(unit) {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
}

/// A series' samples as lines, each with its timestamp; a stale marker as [`STALE_TEXT`]. Every
/// other value reads back bit for bit, but for what a NaN carries. The caller ends the text with
/// `# EOF`.
pub fn write_open_metrics(out: &mut String, labels: &Labels, samples: &[Sample]) {
    write_with_exemplars(out, labels, samples, |_| None);
}

/// The same with exemplars, each behind the sample whose place it is asked by.
pub fn write_with_exemplars<'a>(
    out: &mut String,
    labels: &Labels,
    samples: &[Sample],
    exemplar: impl Fn(usize) -> Option<&'a Exemplar>,
) {
    let series = series_text(labels);
    for (at, sample) in samples.iter().enumerate() {
        let _ = write!(out, "{series} ");
        push_point(out, sample);
        if let Some(exemplar) = exemplar(at) {
            let labels = label_parts(&exemplar.labels).join(",");
            let _ = write!(out, " # {{{labels}}} ");
            push_point(out, &exemplar.sample);
        }
        out.push('\n');
    }
}

fn push_point(out: &mut String, sample: &Sample) {
    let (sign, ms) = (if sample.at_ms < 0 { "-" } else { "" }, sample.at_ms.unsigned_abs());
    let value = value_text(sample.value);
    let _ = write!(out, "{value} {sign}{}.{:03}", ms / 1000, ms % 1000);
}

/// Name and labels, as they stand before the value.
pub fn series_text(labels: &Labels) -> String {
    let metric = labels.name();
    let plain = is_metric_name(metric);
    let mut parts = Vec::new();
    if !plain {
        parts.push(format!("\"{}\"", escaped(metric)));
    }
    parts.extend(label_parts(labels));
    let metric = if plain { metric } else { "" };
    match parts.is_empty() {
        true => metric.to_owned(),
        false => format!("{metric}{{{}}}", parts.join(",")),
    }
}

/// All but the metric's name.
fn label_parts(labels: &Labels) -> Vec<String> {
    let parts = labels.iter().filter(|(name, _)| *name != NAME).map(|(name, value)| {
        let value = escaped(value);
        match is_label_name(name) {
            true => format!("{name}=\"{value}\""),
            false => format!("\"{}\"=\"{value}\"", escaped(name)),
        }
    });
    parts.collect()
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
