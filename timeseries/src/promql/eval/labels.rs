//! Functions of labels.

use std::{cmp::Ordering, collections::HashMap};

use base::sample::Labels;
use regex::Captures;

use super::{Error, Evaluator, Metric, Points, Result, VALUE_BYTES, call::is_name};
use crate::promql::{
    functions::{Join, Replace},
    plan::Node,
};

pub fn replace(
    series: Vec<Points>,
    replace: &Replace,
    evaluator: &Evaluator<'_>,
) -> Result<Vec<Points>> {
    relabel(series, evaluator, |labels| {
        let from = labels.get(&replace.from).unwrap_or_default();
        let Some(captures) = replace.regex.captures(from) else { return Ok(None) };
        let value = expand(&replace.replacement, &captures)?;
        Ok(Some(labels.to_labels().with(&replace.to, &value)))
    })
}

pub fn join(series: Vec<Points>, join: &Join, evaluator: &Evaluator<'_>) -> Result<Vec<Points>> {
    relabel(series, evaluator, |labels| {
        let values: Vec<&str> =
            join.from.iter().map(|from| labels.get(from).unwrap_or_default()).collect();
        let texts: usize = values.iter().map(|value| value.len()).sum();
        short_enough(texts + values.len() * join.separator.len())?;
        Ok(Some(labels.to_labels().with(&join.to, &values.join(&join.separator))))
    })
}

/// None leaves the labels as they are. New texts count as values: a long one for each of many series
/// takes memory as well.
fn relabel(
    series: Vec<Points>,
    evaluator: &Evaluator<'_>,
    change: impl Fn(&Metric) -> Result<Option<Labels>>,
) -> Result<Vec<Points>> {
    let mut bytes = 0;
    let changed = series.into_iter().map(|points| {
        evaluator.guard.check()?;
        let Some(labels) = change(&points.labels)? else { return Ok(points) };
        bytes += labels.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        evaluator.held.check(bytes / VALUE_BYTES)?;
        Ok(Points { labels: labels.into(), ..points })
    });
    changed.collect()
}

/// What an absent series would have been called: the labels that exactly one `=` names.
pub fn of_absent(arg: &Node) -> Labels {
    let shown = match arg {
        Node::Selector(selector) => selector.shown.as_slice(),
        Node::Range(range) => range.source.shown(),
        _ => &[],
    };
    // The first of `=` counts; whatever comes after it for the same label takes it away again.
    let mut labels: HashMap<&str, Option<&str>> = HashMap::new();
    for matcher in shown.iter().filter(|matcher| !is_name(matcher.name())) {
        match labels.get_mut(matcher.name()) {
            Some(value) => *value = None,
            None if matcher.is_equal() => {
                labels.insert(matcher.name(), Some(matcher.value()));
            }
            None => {}
        }
    }
    let named = labels.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned())));
    Labels::new(named)
}

/// By the values of labels, numbers in them by their size; then by all labels.
pub fn sort(series: &mut [Points], by: &[String], descending: bool) {
    fn value<'p>(points: &'p Points, label: &str) -> &'p str {
        points.labels.get(label).unwrap_or_default()
    }
    series.sort_by(|a, b| {
        let differ = by.iter().map(|label| natural(value(a, label), value(b, label)));
        let order = differ.fold(Ordering::Equal, Ordering::then);
        let order = order.then_with(|| a.labels.cmp(&b.labels));
        if descending { order.reverse() } else { order }
    });
}

/// Runs of digits compare as numbers, everything between them as text.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !a.is_empty() && !b.is_empty() {
        let (chunk_a, rest_a) = chunk(a);
        let (chunk_b, rest_b) = chunk(b);
        let order = match (chunk_a.parse::<u64>(), chunk_b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => chunk_a.cmp(chunk_b),
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.len().cmp(&b.len())
}

fn chunk(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

/// `$name`, `${name}` and `$$` in a replacement, as Go's `regexp` expands them: a name is letters,
/// digits and underscores, as many as there are; what names no group is empty, and a dollar with
/// no name behind it stays.
fn expand(replacement: &str, captures: &Captures<'_>) -> Result<String> {
    let mut out = String::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(behind) = after.strip_prefix('$') {
            out.push('$');
            rest = behind;
            continue;
        }
        let braced = after.strip_prefix('{');
        let from = braced.unwrap_or(after);
        let len = from.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(from.len());
        let (name, behind) = from.split_at(len);
        let behind = if braced.is_some() { behind.strip_prefix('}') } else { Some(behind) };
        match behind {
            Some(behind) if !name.is_empty() => {
                out.push_str(group(name, captures));
                short_enough(out.len())?;
                rest = behind;
            }
            _ => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Of one label that a query makes: nested calls can double it each time.
const LABEL_MAX_BYTES: usize = 1 << 20;

fn short_enough(bytes: usize) -> Result<()> {
    if bytes > LABEL_MAX_BYTES {
        let why = format!("a label would be longer than {LABEL_MAX_BYTES} bytes");
        return Err(Error::Execution(why));
    }
    Ok(())
}

fn group<'h>(name: &str, captures: &Captures<'h>) -> &'h str {
    let is_number = name.bytes().all(|b| b.is_ascii_digit());
    let found = match name.parse::<usize>() {
        Ok(number) if is_number => captures.get(number),
        _ => captures.name(name),
    };
    found.map_or("", |found| found.as_str())
}
