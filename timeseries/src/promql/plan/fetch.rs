//! Which span of time each selector needs.

use super::{Node, Param, Plan, Range, RangeSource};

/// Both ends belong to it; milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub start_ms: i64,
    pub end_ms: i64,
}

impl Plan {
    /// By selector, for evaluation at instants from `start_ms` to `end_ms`.
    pub fn spans(&self, start_ms: i64, end_ms: i64, lookback_ms: i64) -> Vec<Span> {
        let mut spans = vec![Span { start_ms: 0, end_ms: -1 }; self.selectors.len()];
        let span = Span { start_ms, end_ms };
        collect(&self.root, span, lookback_ms, &mut spans);
        spans
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
