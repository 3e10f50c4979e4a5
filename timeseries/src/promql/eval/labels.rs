//! Functions of labels.

use std::{collections::HashMap, sync::Arc};

use base::sample::Labels;

use super::{Points, call::is_name};
use crate::promql::{
    functions::{Join, Replace},
    plan::Node,
};

pub fn replace(series: Vec<Points>, replace: &Replace) -> Vec<Points> {
    relabel(series, |labels| {
        let from = labels.get(&replace.from).unwrap_or_default();
        let captures = replace.regex.captures(from)?;
        let mut value = String::new();
        captures.expand(&replace.replacement, &mut value);
        Some(labels.clone().with(&replace.to, &value))
    })
}

pub fn join(series: Vec<Points>, join: &Join) -> Vec<Points> {
    relabel(series, |labels| {
        let values: Vec<&str> =
            join.from.iter().map(|from| labels.get(from).unwrap_or_default()).collect();
        Some(labels.clone().with(&join.to, &values.join(&join.separator)))
    })
}

/// None leaves the labels as they are.
fn relabel(series: Vec<Points>, change: impl Fn(&Labels) -> Option<Labels>) -> Vec<Points> {
    let changed = series.into_iter().map(|points| match change(&points.labels) {
        Some(labels) => Points { labels: Arc::new(labels), ..points },
        None => points,
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
    let mut labels: HashMap<&str, Option<&str>> = HashMap::new();
    for matcher in shown.iter().filter(|matcher| !is_name(matcher.name())) {
        let value = matcher.is_equal().then(|| matcher.value());
        labels.entry(matcher.name()).and_modify(|value| *value = None).or_insert(value);
    }
    let named = labels.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned())));
    Labels::new(named)
}
