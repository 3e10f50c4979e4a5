//! Samples as text: the Prometheus text format 0.0.4 and OpenMetrics 1.0, read line by line, and
//! written as OpenMetrics.
//!
//! They differ in the timestamp (milliseconds; seconds with a fraction), and OpenMetrics ends with
//! `# EOF`. Exemplars are read where history is, and left out elsewhere. A name that is not of letters, digits and underscores
//! stands in quotes, a metric's inside the braces: `{"a.b","c d"="e"} 1`.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`history`] | many lines of the same series, as an export writes them |
//! | `write` | series and families as lines of OpenMetrics |

use std::borrow::Cow;

use base::sample::{Labels, NAME, STALE_NAN_BITS, Sample, Series};

pub use write::{
    HELP_MAX_BYTES, series_text, write_family, write_open_metrics, write_with_exemplars,
};

pub mod history;
mod write;

/// Of one line.
pub const LINE_MAX_BYTES: usize = 64 << 10;
/// Of one line of history: more than the longest that a store's bounds of labels let an export
/// write.
pub const HISTORY_LINE_MAX_BYTES: usize = 1 << 20;
pub const LABELS_MAX: usize = 128;
/// How history writes a stale marker. In OpenMetrics that is a NaN like any other, and nobody else
/// spells one like this.
pub const STALE_TEXT: &str = "nAn";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Prometheus,
    /// `application/openmetrics-text`
    OpenMetrics,
    /// The same, where [`STALE_TEXT`] is a stale marker.
    History,
}

impl Format {
    const fn line_max_bytes(self) -> usize {
        match self {
            Self::Prometheus | Self::OpenMetrics => LINE_MAX_BYTES,
            Self::History => HISTORY_LINE_MAX_BYTES,
        }
    }
}

/// What a line says; an empty line or a comment says nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Line<'a> {
    Nothing,
    Help {
        metric: Cow<'a, str>,
        text: Cow<'a, str>,
    },
    Type {
        metric: Cow<'a, str>,
        kind: &'a str,
    },
    Unit {
        metric: Cow<'a, str>,
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

/// A pointer to an example of what a sample counts, such as a trace's id.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// Its own, beside its series'.
    pub labels: Labels,
    /// Of the instant of the sample that it stands behind, where it names none.
    pub sample: Sample,
}

/// Why a line can't be read, by a few words that fit after "line 7: ".
pub type Result<T, E = &'static str> = std::result::Result<T, E>;

/// One line, without its end.
pub fn parse_line(line: &str, format: Format) -> Result<Line<'_>> {
    if line.len() > format.line_max_bytes() {
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
    if word == "EOF" && format != Format::Prometheus && rest.is_empty() {
        return Ok(Line::End);
    }
    let (metric, rest) = match word {
        "HELP" | "TYPE" | "UNIT" => parse_family(rest)?,
        _ => return Ok(Line::Nothing),
    };
    Ok(match word {
        "HELP" => Line::Help { metric, text: unescape(rest)? },
        "TYPE" => Line::Type { metric, kind: rest },
        _ => Line::Unit { metric, unit: rest },
    })
}

/// A family's name; returns what follows.
fn parse_family(text: &str) -> Result<(Cow<'_, str>, &str)> {
    const WRONG: &str = "it describes what is no metric name";
    let Some(quoted) = text.strip_prefix('"') else {
        let (metric, rest) = split_word(text);
        return if is_metric_name(metric) { Ok((metric.into(), rest)) } else { Err(WRONG) };
    };
    let end = closing_quote(quoted).filter(|end| *end > 0).ok_or(WRONG)?;
    Ok((unescape(&quoted[..end])?, quoted[end + 1..].trim_start_matches([' ', '\t'])))
}

fn parse_sample(line: &str, format: Format) -> Result<Line<'_>> {
    let (pairs, rest) = parse_series(line)?;
    let (value, at_ms, exemplar) = parse_point(rest, format)?;
    if let Some(text) = exemplar.filter(|_| format == Format::History) {
        parse_exemplar(text, at_ms.unwrap_or_default())?;
    }
    Ok(Line::Sample { labels: Labels::new(pairs), value, at_ms })
}

/// Name and labels; returns what follows.
fn parse_series(line: &str) -> Result<(Vec<(String, String)>, &str)> {
    let end = line.find(|c: char| !is_name_char(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let mut pairs = Vec::new();
    if is_metric_name(name) {
        pairs.push((NAME.to_owned(), name.to_owned()));
    } else if !(name.is_empty() && rest.starts_with('{')) {
        return Err("it begins with no metric name");
    }
    let mut rest = rest.trim_start_matches([' ', '\t']);
    if let Some(inner) = rest.strip_prefix('{') {
        rest = parse_labels(inner, &mut pairs)?;
    }
    if pairs.iter().all(|(name, _)| name != NAME) {
        return Err("it begins with no metric name");
    }
    Ok((pairs, rest))
}

/// Value and instant, and the text of an exemplar behind its brace.
fn parse_point(text: &str, format: Format) -> Result<(f64, Option<i64>, Option<&str>)> {
    let (value, rest) = split_word(text);
    let value = match value {
        STALE_TEXT if format == Format::History => f64::from_bits(STALE_NAN_BITS),
        number => parse_value(number)?,
    };
    let (at, rest) = match rest.starts_with('#') {
        true => ("", rest),
        false => split_word(rest),
    };
    // Only OpenMetrics has exemplars.
    let exemplar = rest.strip_prefix("# {").filter(|_| format != Format::Prometheus);
    if !rest.is_empty() && exemplar.is_none() {
        return Err("something follows the timestamp");
    }
    let at_ms = (!at.is_empty()).then(|| parse_instant(at, format)).transpose()?;
    Ok((value, at_ms, exemplar))
}

/// `a="b"} 1 1700000000.123`, the instant only where it is not the sample's.
fn parse_exemplar(text: &str, sample_ms: i64) -> Result<Exemplar> {
    let mut pairs = Vec::new();
    let rest = parse_labels(text, &mut pairs)?;
    if pairs.iter().any(|(name, _)| name == NAME) {
        return Err("an exemplar has no metric's name");
    }
    let (value, rest) = split_word(rest);
    let value = value.parse().map_err(|_| "its exemplar's value is no number")?;
    let (at, rest) = split_word(rest);
    if !rest.is_empty() {
        return Err("something follows the exemplar");
    }
    let at_ms = if at.is_empty() { sample_ms } else { parse_instant(at, Format::OpenMetrics)? };
    Ok(Exemplar { labels: Labels::new(pairs), sample: Sample { at_ms, value } })
}

/// `a="b",c="d"}`, with a metric's name in quotes at any place; returns what follows.
fn parse_labels<'a>(mut rest: &'a str, pairs: &mut Vec<(String, String)>) -> Result<&'a str> {
    let blank = [' ', '\t'];
    loop {
        rest = rest.trim_start_matches(blank);
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok(rest.trim_start_matches(blank));
        }
        let (name, after) = parse_label_name(rest)?;
        let after = after.trim_start_matches(blank);
        let quoted = rest.starts_with('"');
        let (name, value, after) = match after.strip_prefix('=') {
            Some(after) => {
                let after = after.trim_start_matches(blank);
                let after = after.strip_prefix('"').ok_or("a label's value has no quotes")?;
                let end = closing_quote(after).ok_or("a label's value does not end")?;
                (name, unescape(&after[..end])?, &after[end + 1..])
            }
            None if quoted && !name.is_empty() => (Cow::Borrowed(NAME), name, after),
            None => return Err("a label has no ="),
        };
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err("a label stands twice");
        }
        if pairs.len() >= LABELS_MAX {
            return Err("it has too many labels");
        }
        pairs.push((name.into_owned(), value.into_owned()));
        rest = after.trim_start_matches(blank);
        rest = match rest.strip_prefix(',') {
            Some(rest) => rest,
            None if rest.starts_with('}') => rest,
            None => return Err("a comma or } is missing after a label"),
        };
    }
}

/// Returns what follows.
fn parse_label_name(text: &str) -> Result<(Cow<'_, str>, &str)> {
    const WRONG: &str = "a label has no name of letters, digits and underscores, nor one in quotes";
    if let Some(after) = text.strip_prefix('"') {
        let end = closing_quote(after).ok_or("a name in quotes does not end")?;
        let name = unescape(&after[..end])?;
        return if name.is_empty() { Err(WRONG) } else { Ok((name, &after[end + 1..])) };
    }
    let end = text.find(|c: char| !is_name_char(c)).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    if is_label_name(name) { Ok((Cow::Borrowed(name), after)) } else { Err(WRONG) }
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
    if format == Format::Prometheus {
        return text.parse().map_err(|_| WRONG);
    }
    if let Some(ms) = exact_ms(text) {
        return Ok(ms);
    }
    let ms = (text.parse::<f64>().map_err(|_| WRONG)? * 1000.0).round();
    // Beyond this a double no longer holds every millisecond.
    const LIMIT_MS: f64 = 9_007_199_254_740_992.0;
    if ms.abs() <= LIMIT_MS { Ok(ms as i64) } else { Err(WRONG) }
}

/// Seconds with at most three digits behind the point, without the rounding of a double.
fn exact_ms(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 3 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let ms = whole.parse::<i128>().ok()?.checked_mul(1000)?;
    let ms = ms.checked_add(format!("{fraction:0<3}").parse().ok()?)?;
    i64::try_from(if negative { -ms } else { ms }).ok()
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

fn is_label_name(name: &str) -> bool {
    is_metric_name(name) && !name.contains(':')
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

#[cfg(test)]
mod tests;
