//! Which span of time each selector needs.

use std::collections::BTreeMap;

use super::{Node, Param, Plan, Range, RangeSource};

/// Both ends belong to it; milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub start_ms: i64,
    pub end_ms: i64,
}

/// One selection, for all the selectors that ask for the same series at about the same time.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    pub span: Span,
    /// Indices of selectors; the first one's matchers are all of theirs.
    pub selectors: Vec<usize>,
}

impl Plan {
    /// What to read for these spans: equal selectors whose spans overlap share one.
    pub fn reads(&self, spans: &[Span]) -> Vec<Read> {
        let mut equal: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
        for (index, matchers) in self.selectors.iter().enumerate() {
            let key = matchers.iter().map(ToString::to_string).collect();
            equal.entry(key).or_default().push(index);
        }
        let mut reads = Vec::with_capacity(equal.len());
        for mut selectors in equal.into_values() {
            selectors.sort_by_key(|index| spans[*index].start_ms);
            let mut last: Option<Read> = None;
            for index in selectors {
                let span = spans[index];
                match &mut last {
                    Some(read) if span.start_ms <= read.span.end_ms => {
                        read.span.end_ms = read.span.end_ms.max(span.end_ms);
                        read.selectors.push(index);
                    }
                    _ => reads.extend(last.replace(Read { span, selectors: vec![index] })),
                }
            }
            reads.extend(last);
        }
        reads
    }

    /// Whether the newest sample in its span is all that one instant's evaluation looks at.
    pub fn reads_newest_only(&self, read: &Read) -> bool {
        matches!(read.selectors[..], [index] if is_looked_up(&self.root, index))
    }

    /// By selector, for evaluation at instants from `start_ms` to `end_ms`.
    pub fn spans(&self, start_ms: i64, end_ms: i64, lookback_ms: i64) -> Vec<Span> {
        let mut spans = vec![Span { start_ms: 0, end_ms: -1 }; self.selectors.len()];
        let span = Span { start_ms, end_ms };
        collect(&self.root, span, lookback_ms, &mut spans);
        spans
    }
}

/// Whether it stands for an instant vector, evaluated once.
fn is_looked_up(node: &Node, index: usize) -> bool {
    match node {
        Node::Number(_) | Node::Text(_) | Node::Range(_) => false,
        Node::Selector(selector) => selector.data == index,
        Node::Negate(inner) | Node::Plus(inner) => is_looked_up(inner, index),
        Node::Binary(binary) => {
            is_looked_up(&binary.lhs, index) || is_looked_up(&binary.rhs, index)
        }
        Node::Aggregate(aggregate) => {
            let of_param = match &aggregate.param {
                Param::Scalar(param) => is_looked_up(param, index),
                _ => false,
            };
            of_param || is_looked_up(&aggregate.expr, index)
        }
        Node::Call(call) => call.args.iter().any(|arg| is_looked_up(arg, index)),
    }
}

fn collect(node: &Node, span: Span, lookback_ms: i64, spans: &mut [Span]) {
    match node {
        Node::Number(_) | Node::Text(_) => {}
        Node::Selector(selector) => {
            spans[selector.data] = shift(span, selector.at_ms, selector.offset_ms, lookback_ms);
        }
        Node::Range(range) => collect_range(range, span, lookback_ms, spans),
        Node::Negate(inner) | Node::Plus(inner) => collect(inner, span, lookback_ms, spans),
        Node::Binary(binary) => {
            collect(&binary.lhs, span, lookback_ms, spans);
            collect(&binary.rhs, span, lookback_ms, spans);
        }
        Node::Aggregate(aggregate) => {
            collect(&aggregate.expr, span, lookback_ms, spans);
            if let Param::Scalar(param) = &aggregate.param {
                collect(param, span, lookback_ms, spans);
            }
        }
        Node::Call(call) => {
            call.args.iter().for_each(|arg| collect(arg, span, lookback_ms, spans));
        }
    }
}

fn collect_range(range: &Range, span: Span, lookback_ms: i64, spans: &mut [Span]) {
    let inner_span = shift(span, range.at_ms, range.offset_ms, range.range_ms);
    match &range.source {
        RangeSource::Selector(selector) => spans[selector.data] = inner_span,
        RangeSource::Subquery { inner, .. } => collect(inner, inner_span, lookback_ms, spans),
    }
}

fn shift(span: Span, at_ms: Option<i64>, offset_ms: i64, back_ms: i64) -> Span {
    let start_ms = at_ms.unwrap_or(span.start_ms) - offset_ms - back_ms;
    Span { start_ms, end_ms: at_ms.unwrap_or(span.end_ms) - offset_ms }
}
