//! Warnings of an answer: what is damaged in the time that it read.

use super::{Engine, plan};
use crate::scope::Scope;

/// In one answer; the rest is a number.
pub const WARNINGS_MAX: usize = 10;

impl Engine {
    /// Of the answer to a query at `start_ms`, or from there to `end_ms`. To be asked after the query,
    /// which may be the one that meets the damage.
    pub fn query_warnings(&self, expr: &str, start_ms: i64, end_ms: i64) -> Vec<String> {
        if self.store().lost(i64::MIN, i64::MAX).is_empty() {
            return Vec::new();
        }
        // Only an expression that was answered has an answer that lacks something.
        let Ok(plan) = plan::compile(expr, &Scope::ALL, start_ms, end_ms) else {
            return Vec::new();
        };
        let spans = plan.spans(start_ms, end_ms, self.lookback_ms()).into_iter();
        self.warnings(spans.map(|span| (span.start_ms, span.end_ms)))
    }

    /// Of an answer about these ranges, both ends included.
    pub fn warnings(&self, ranges_ms: impl IntoIterator<Item = (i64, i64)>) -> Vec<String> {
        let lost = ranges_ms.into_iter().flat_map(|(start, end)| self.store().lost(start, end));
        let mut all: Vec<String> = lost.map(|one| one.to_string()).collect();
        all.sort_unstable();
        all.dedup();
        let more = all.len().saturating_sub(WARNINGS_MAX);
        if more > 0 {
            all.truncate(WARNINGS_MAX);
            all.push(format!("{more} more blocks are damaged and set aside"));
        }
        all
    }
}
