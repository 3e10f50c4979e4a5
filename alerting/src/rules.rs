//! Rule groups as Prometheus has them: what is watched, and what is worked out in advance.
//!
//! [`parse`] reads the YAML and names group, rule and field of what is wrong; [`store`] keeps groups
//! in SQL.

use std::collections::BTreeMap;

use crate::template::Template;

mod duration;
pub mod parse;
pub mod store;

pub use duration::{format_duration, parse_duration_ms};

#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub name: String,
    /// None: the setting.
    pub interval_ms: Option<i64>,
    /// The most alerts or series that one rule may make; none: [`MAX_SERIES_PER_RULE`].
    pub limit: Option<usize>,
    pub rules: Vec<Rule>,
}

/// The bound of a rule that sets no limit of its own.
pub const MAX_SERIES_PER_RULE: usize = 10_000;

#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Names the rule from one version of its group to the next, as Prometheus carries state over:
    /// by kind, name, static labels, and position among equal ones.
    pub key: String,
    pub expr: String,
    pub kind: Kind,
    pub labels: BTreeMap<String, Text>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Record { metric: String },
    Alert(AlertRule),
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    pub name: String,
    pub timing: crate::state::Timing,
    pub annotations: BTreeMap<String, Text>,
}

/// A template and the text that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub source: String,
    pub template: Template,
}

impl Rule {
    pub fn name(&self) -> &str {
        match &self.kind {
            Kind::Record { metric } => metric,
            Kind::Alert(alert) => &alert.name,
        }
    }
}

impl Group {
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(MAX_SERIES_PER_RULE)
    }

    /// Gives each rule its key.
    fn name_rules(&mut self) {
        let mut seen = BTreeMap::<String, usize>::new();
        for rule in &mut self.rules {
            let kind = match rule.kind {
                Kind::Record { .. } => "record",
                Kind::Alert(_) => "alert",
            };
            let labels: BTreeMap<_, _> =
                rule.labels.iter().map(|(name, text)| (name, &text.source)).collect();
            let labels = serde_json::to_string(&labels).expect("text serializes");
            let key = format!("{kind}:{}{labels}", rule.name());
            let position = seen.entry(key.clone()).or_default();
            rule.key = format!("{key}#{position}");
            *position += 1;
        }
    }
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`
pub fn is_label_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`
pub fn is_metric_name(name: &str) -> bool {
    is_label_name(&name.replace(':', "_"))
}

#[cfg(test)]
mod tests;
