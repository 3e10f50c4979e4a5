//! Samples as text: the Prometheus text format 0.0.4 and OpenMetrics 1.0, read line by line, and
//! written as OpenMetrics.
//!
//! They differ in the timestamp (milliseconds; seconds with a fraction), and OpenMetrics ends with
//! `# EOF`. Exemplars are read and left out; a metric's name in quotes is not known yet.

use std::{borrow::Cow, fmt::Write as _};

use base::sample::{Labels, NAME, Sample, Series};

/// Of one line.
pub const LINE_MAX_BYTES: usize = 64 << 10;
pub const LABELS_MAX: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Prometheus,
    /// `application/openmetrics-text`
    OpenMetrics,
}

/// What a line says; an empty line or a comment says nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Line<'a> {
    Nothing,
    Help {
        metric: &'a str,
        text: Cow<'a, str>,
    },
    Type {
        metric: &'a str,
        kind: &'a str,
    },
    Unit {
        metric: &'a str,
        unit: &'a str,
    },
    Sample {
        labels: Labels,
        value: f64,
        at_ms: Option<i64>,
    },
    /// OpenMetrics: nothing may follow.
    End,
}

/// Why a line can't be read, by a few words that fit after "line 7: ".
pub type Result<T, E = &'static str> = std::result::Result<T, E>;

/// One line, without its end.
pub fn parse_line(line: &str, format: Format) -> Result<Line<'_>> {
    if line.len() > LINE_MAX_BYTES {
        return Err("it is too long");
    }
    let line = line.trim_matches([' ', '\t', '\r']);
    if line.is_empty() {
        return Ok(Line::Nothing);
    }
    match line.strip_prefix('#') {
        Some(comment) => parse_comment(comment, format),
        None => parse_sample(line, format),
    }
}

fn parse_comment(text: &str, format: Format) -> Result<Line<'_>> {
    let (word, rest) = split_word(text);
    if word == "EOF" && format == Format::OpenMetrics && rest.is_empty() {
        return Ok(Line::End);
    }
    let (metric, rest) = match word {
        "HELP" | "TYPE" | "UNIT" => split_word(rest),
        _ => return Ok(Line::Nothing),
    };
    if !is_metric_name(metric) {
        return Err("it describes what is no metric name");
    }
    Ok(match word {
        "HELP" => Line::Help { metric, text: unescape(rest)? },
        "TYPE" => Line::Type { metric, kind: rest },
        _ => Line::Unit { metric, unit: rest },
    })
}

fn parse_sample(line: &str, format: Format) -> Result<Line<'_>> {
    let end = line.find(|c: char| !is_name_char(c)).unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    if !is_metric_name(name) {
        return Err("it begins with no metric name");
    }
    let mut pairs = vec![(NAME.to_owned(), name.to_owned())];
    rest = rest.trim_start_matches([' ', '\t']);
    if let Some(inner) = rest.strip_prefix('{') {
        rest = parse_labels(inner, &mut pairs)?;
    }
    let (value, rest) = split_word(rest);
    let value = parse_value(value)?;
    let (at, rest) = match rest.starts_with('#') {
        true => ("", rest),
        false => split_word(rest),
    };
    // What follows is an exemplar, which only OpenMetrics has.
    let exemplar = format == Format::OpenMetrics && rest.starts_with("# {");
    if !rest.is_empty() && !exemplar {
        return Err("something follows the timestamp");
    }
    let at_ms = (!at.is_empty()).then(|| parse_instant(at, format)).transpose()?;
    Ok(Line::Sample { labels: Labels::new(pairs), value, at_ms })
}

/// `a="b",c="d"}`; returns what follows.
fn parse_labels<'a>(mut rest: &'a str, pairs: &mut Vec<(String, String)>) -> Result<&'a str> {
    let blank = [' ', '\t'];
    loop {
        rest = rest.trim_start_matches(blank);
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok(rest.trim_start_matches(blank));
        }
        let end = rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() || name.contains(':') || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("a label has no name of letters, digits and underscores");
        }
        if pairs.iter().any(|(known, _)| known == name) {
            return Err("a label stands twice");
        }
        if pairs.len() >= LABELS_MAX {
            return Err("it has too many labels");
        }
        let after = after.trim_start_matches(blank).strip_prefix('=');
        let after = after.ok_or("a label has no =")?.trim_start_matches(blank);
        let after = after.strip_prefix('"').ok_or("a label's value has no quotes")?;
        let end = closing_quote(after).ok_or("a label's value does not end")?;
        pairs.push((name.to_owned(), unescape(&after[..end])?.into_owned()));
        rest = after[end + 1..].trim_start_matches(blank);
        rest = match rest.strip_prefix(',') {
            Some(rest) => rest,
            None if rest.starts_with('}') => rest,
            None => return Err("a comma or } is missing after a label"),
        };
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn unescape(text: &str) -> Result<Cow<'_, str>> {
    if !text.contains('\\') {
        return Ok(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => plain.push('\n'),
            ('\\', Some(c @ ('\\' | '"'))) => plain.push(c),
            // As Prometheus: what is no escape stands for itself.
            ('\\', Some(c)) => plain.extend(['\\', c]),
            ('\\', None) => return Err("a backslash ends a text"),
            (c, _) => plain.push(c),
        }
    }
    Ok(Cow::Owned(plain))
}

fn parse_value(text: &str) -> Result<f64> {
    text.parse().map_err(|_| "its value is no number")
}

fn parse_instant(text: &str, format: Format) -> Result<i64> {
    const WRONG: &str = "its timestamp is no number";
    match format {
        Format::Prometheus => text.parse().map_err(|_| WRONG),
        Format::OpenMetrics => {
            let ms = (text.parse::<f64>().map_err(|_| WRONG)? * 1000.0).round();
            // Beyond this a double no longer holds every millisecond.
            const LIMIT_MS: f64 = 9_007_199_254_740_992.0;
            if ms.abs() <= LIMIT_MS { Ok(ms as i64) } else { Err(WRONG) }
        }
    }
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches([' ', '\t']);
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start_matches([' ', '\t']))
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

fn is_metric_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(is_name_char)
}

/// A whole text as series, in the order of their first samples; what has no timestamp is of `now`.
/// The error names the line.
pub fn parse(text: &str, format: Format, now_ms: i64) -> Result<Vec<Series>, String> {
    let mut found: std::collections::HashMap<Labels, usize> = Default::default();
    let mut all: Vec<Series> = Vec::new();
    let mut ended = false;
    for (number, line) in text.lines().enumerate() {
        let wrong = |why: &str| format!("line {}: {why}", number + 1);
        if ended && !line.trim().is_empty() {
            return Err(wrong("something follows # EOF"));
        }
        match parse_line(line, format).map_err(wrong)? {
            Line::Sample { labels, value, at_ms } => {
                let sample = Sample { at_ms: at_ms.unwrap_or(now_ms), value };
                let index = *found.entry(labels).or_insert_with_key(|labels| {
                    all.push(Series { labels: labels.clone(), samples: vec![] });
                    all.len() - 1
                });
                all[index].samples.push(sample);
            }
            Line::End => ended = true,
            _ => {}
        }
    }
    Ok(all)
}

/// A series' samples as lines of OpenMetrics, each with its timestamp. The caller ends the text
/// with `# EOF`.
pub fn write_open_metrics(out: &mut String, labels: &Labels, samples: &[Sample]) {
    let mut series = labels.name().to_owned();
    let mut open = false;
    for (name, value) in labels.iter().filter(|(name, _)| *name != NAME) {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(series, "{}{name}=\"{value}\"", if open { ',' } else { '{' });
        open = true;
    }
    if open {
        series.push('}');
    }
    for sample in samples {
        let (sign, ms) = (if sample.at_ms < 0 { "-" } else { "" }, sample.at_ms.unsigned_abs());
        let value = match sample.value {
            value if value == f64::INFINITY => "+Inf".to_owned(),
            value if value == f64::NEG_INFINITY => "-Inf".to_owned(),
            // The shortest text that reads back as the same number.
            value => format!("{value}"),
        };
        let _ = writeln!(out, "{series} {value} {sign}{}.{:03}", ms / 1000, ms % 1000);
    }
}

#[cfg(test)]
mod tests;
