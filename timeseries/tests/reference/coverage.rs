//! What was compared, by function, aggregation, operator and modifier.

use std::collections::BTreeMap;

use super::both::{Verdict, When};

const AGGREGATIONS: &[&str] = &[
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "stddev",
    "stdvar",
    "group",
    "topk",
    "bottomk",
    "quantile",
    "count_values",
];
/// As they stand between words.
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless",
];
const WORDS: &[&str] =
    &["by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"];
/// Anywhere in an expression.
const SIGNS: &[&str] = &[
    "offset -",
    "@ start()",
    "@ end()",
    "@ 1",
    ":]",
    "m:1m]",
    "=~",
    "!~",
    "=\"",
    "!=\"",
    "#",
    "0x",
];

#[derive(Debug, Default, Clone, Copy)]
pub struct Count {
    instant: usize,
    range: usize,
    /// With at least one series.
    full: usize,
    refused: usize,
}

#[derive(Debug)]
pub struct Coverage(BTreeMap<String, Count>);

impl Coverage {
    pub fn new() -> Self {
        let calls =
            timeseries::FUNCTIONS.iter().chain(AGGREGATIONS).map(|name| format!("{name}()"));
        let operators = OPERATORS.iter().chain(WORDS).map(|word| format!(" {word} "));
        let signs = SIGNS.iter().map(|sign| (*sign).to_owned());
        Self(calls.chain(operators).chain(signs).map(|key| (key, Count::default())).collect())
    }

    pub fn add(&mut self, expr: &str, when: When, verdict: &Verdict) {
        // Keys are looked for as they stand, in an expression with one space around each word.
        let called = expr.replace(" by ", "() by ").replace(" without ", "() without ");
        for (key, count) in &mut self.0 {
            let there = match key.strip_suffix("()") {
                Some(name) if !key.starts_with('@') => is_called(&called, name),
                _ => expr.contains(key.as_str()),
            };
            if !there {
                continue;
            }
            match (when, verdict) {
                (_, Verdict::Refused) => count.refused += 1,
                (When::Instant(_), _) => count.instant += 1,
                (When::Range(..), _) => count.range += 1,
            }
            count.full += usize::from(matches!(verdict, Verdict::Equal(series) if *series > 0));
        }
    }

    pub fn print(&self) {
        println!("{:20} {:>8} {:>8} {:>10} {:>8}", "", "instant", "range", "not empty", "refused");
        for (key, count) in &self.0 {
            let Count { instant, range, full, refused } = count;
            println!("{:20} {instant:8} {range:8} {full:10} {refused:8}", key.trim());
        }
    }

    /// What has no instant or no range answer that holds something.
    pub fn missing(&self) -> Vec<&str> {
        let bare = self.0.iter().filter(|(_, c)| c.instant == 0 || c.range == 0 || c.full < 2);
        bare.map(|(key, _)| key.as_str()).collect()
    }
}

/// The name as a whole word before a parenthesis.
fn is_called(expr: &str, name: &str) -> bool {
    expr.match_indices(name).any(|(at, _)| {
        let before = expr[..at].chars().next_back();
        let word = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(word) && expr[at + name.len()..].starts_with('(')
    })
}
