//! Reading rule files. An error names the group, the rule and the field.
//!
//! The format is Prometheus's (docs: "Defining recording rules", "Alerting rules"); what it knows
//! and we don't (`query_offset`, group `labels`) is refused, never ignored.

use std::collections::BTreeMap;

use base::{Error, Result};
use serde_yaml_ng::{Mapping, Value};

use super::{AlertRule, Group, Kind, Rule, Text, is_label_name, is_metric_name, parse_duration_ms};
use crate::{state::Timing, template::Template};

pub const MAX_FILE_BYTES: usize = 1 << 20;
pub const MAX_RULES_PER_GROUP: usize = 1_000;
const MAX_NAME_CHARS: usize = 200;

/// What is wrong with an expression, or nothing.
type CheckExpr = fn(&str) -> Result<(), String>;

fn check_expr(expr: &str) -> Result<(), String> {
    timeseries::Engine::check(expr).map_err(|e| e.to_string())
}

/// A group, and a file with nothing but this group.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub group: Group,
    pub yaml: String,
}

/// The groups of a file.
pub fn file(text: &str) -> Result<Vec<Parsed>> {
    groups(text, check_expr)
}

fn groups(text: &str, check: CheckExpr) -> Result<Vec<Parsed>> {
    let whole = Place(String::new());
    if text.len() > MAX_FILE_BYTES {
        return Err(whole.wrong("groups", format!("the file is above {MAX_FILE_BYTES} bytes")));
    }
    let file: Value = serde_yaml_ng::from_str(text)
        .map_err(|e| whole.wrong("yaml", format!("this is not YAML: {e}")))?;
    let file = whole.map("groups", &file)?;
    whole.only(file, &["groups"])?;
    let Some(Value::Sequence(groups)) = file.get("groups") else {
        return Err(whole.wrong("groups", "a rules file has a list of groups"));
    };
    let mut parsed: Vec<Parsed> = Vec::new();
    for (position, value) in groups.iter().enumerate() {
        let group = group(position, value, check)?;
        if parsed.iter().any(|p| p.group.name == group.name) {
            let place = Place(format!("group '{}'", group.name));
            return Err(place.wrong("name", "is there twice in the same file"));
        }
        // A file of one group is kept as it was written, with its comments.
        let yaml = match groups.len() {
            1 => text.to_owned(),
            _ => serde_yaml_ng::to_string(&BTreeMap::from([("groups", [value])]))
                .map_err(|e| Error::internal("a rule group can't be written").source(e))?,
        };
        parsed.push(Parsed { group, yaml });
    }
    Ok(parsed)
}

/// The one group of a file, which must be called `name`.
pub fn one(name: &str, text: &str) -> Result<Parsed> {
    only(name, text, check_expr)
}

/// A group that was checked when it was stored.
pub(crate) fn stored(name: &str, text: &str) -> Result<Group> {
    Ok(only(name, text, |_| Ok(()))?.group)
}

fn only(name: &str, text: &str, check: CheckExpr) -> Result<Parsed> {
    let place = Place(String::new());
    let mut all = groups(text, check)?;
    match (all.pop(), all.len()) {
        (Some(parsed), 0) if parsed.group.name == name => Ok(parsed),
        (Some(parsed), 0) => Err(place
            .wrong("name", format!("the group is called '{}', not '{name}'", parsed.group.name))),
        _ => Err(place.wrong("groups", format!("there must be one group, called '{name}'"))),
    }
}

fn group(position: usize, value: &Value, check: CheckExpr) -> Result<Group> {
    let place = Place(format!("group {}", position + 1));
    let map = place.map("groups", value)?;
    let name = place.required(map, "name")?;
    let place = Place(format!("group '{name}'"));
    place.only(map, &["name", "interval", "limit", "rules"])?;
    if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        let message = format!("has control characters or more than {MAX_NAME_CHARS} characters");
        return Err(place.wrong("name", message));
    }
    let interval_ms = place.duration(map, "interval")?;
    if interval_ms == Some(0) {
        return Err(place.wrong("interval", "must be above zero"));
    }
    let limit = match map.get("limit") {
        None => None,
        Some(limit) => match limit.as_u64().and_then(|n| usize::try_from(n).ok()) {
            // Prometheus's 0: no limit of its own.
            Some(0) => None,
            Some(limit) => Some(limit),
            None => return Err(place.wrong("limit", "must be a number from 0")),
        },
    };
    let rules = match map.get("rules") {
        None | Some(Value::Null) => &Vec::new(),
        Some(Value::Sequence(rules)) => rules,
        Some(_) => return Err(place.wrong("rules", "must be a list")),
    };
    if rules.len() > MAX_RULES_PER_GROUP {
        return Err(place.wrong("rules", format!("are more than {MAX_RULES_PER_GROUP}")));
    }
    let rules = rules
        .iter()
        .enumerate()
        .map(|(i, value)| rule(&place, i, value, check))
        .collect::<Result<_>>()?;
    let mut group = Group { name, interval_ms, limit, rules };
    group.name_rules();
    Ok(group)
}

fn rule(group: &Place, position: usize, value: &Value, check: CheckExpr) -> Result<Rule> {
    let place = Place(format!("{}, rule {}", group.0, position + 1));
    let map = place.map("rules", value)?;
    let named = |key| map.get(key).and_then(Value::as_str).filter(|name| !name.is_empty());
    let (name, is_alert) = match (named("record"), named("alert")) {
        (Some(name), None) => (name, false),
        (None, Some(name)) => (name, true),
        (Some(_), Some(_)) => {
            return Err(place.wrong("alert", "stands beside 'record': a rule is one of the two"));
        }
        (None, None) => return Err(place.wrong("alert", "is missing, and 'record' too")),
    };
    let place = Place(format!("{} '{name}'", place.0));
    let known = match is_alert {
        true => &["alert", "expr", "for", "keep_firing_for", "labels", "annotations"][..],
        false => &["record", "expr", "labels"],
    };
    place.only(map, known)?;
    let expr = place.required(map, "expr")?;
    check(&expr).map_err(|e| place.wrong("expr", e))?;
    let labels = place.texts(map, "labels", is_alert)?;
    let kind = if is_alert {
        Kind::Alert(AlertRule {
            name: name.to_owned(),
            timing: Timing {
                for_ms: place.duration(map, "for")?.unwrap_or(0),
                keep_firing_for_ms: place.duration(map, "keep_firing_for")?.unwrap_or(0),
            },
            annotations: place.texts(map, "annotations", true)?,
        })
    } else if is_metric_name(name) {
        Kind::Record { metric: name.to_owned() }
    } else {
        return Err(place.wrong("record", "is no metric name"));
    };
    Ok(Rule { key: String::new(), expr: expr.trim().to_owned(), kind, labels })
}

/// Where in the file.
struct Place(String);

impl Place {
    fn wrong(&self, field: &str, message: impl std::fmt::Display) -> Error {
        let at = if self.0.is_empty() { "rules".to_owned() } else { self.0.clone() };
        Error::invalid(field, format!("{at}: {field}: {message}"))
    }

    fn map<'v>(&self, field: &str, value: &'v Value) -> Result<&'v Mapping> {
        value.as_mapping().ok_or_else(|| self.wrong(field, "must be a map of fields"))
    }

    /// No other fields than these.
    fn only(&self, map: &Mapping, known: &[&str]) -> Result<()> {
        for key in map.keys() {
            let key = key.as_str().unwrap_or("?");
            if !known.contains(&key) {
                let message = format!("is not a field here; there are {}", known.join(", "));
                return Err(self.wrong(key, message));
            }
        }
        Ok(())
    }

    fn required(&self, map: &Mapping, key: &str) -> Result<String> {
        match map.get(key) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
            // `expr: 1` is an expression.
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(self.wrong(key, "must be there, as text")),
        }
    }

    fn duration(&self, map: &Mapping, key: &str) -> Result<Option<i64>> {
        let text = match map.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.to_string(),
            Some(value) => value.as_str().unwrap_or("?").to_owned(),
        };
        let ms = parse_duration_ms(&text).ok_or_else(|| {
            self.wrong(key, format!("'{text}' is no duration; write 30s, 5m or 1h30m"))
        })?;
        Ok(Some(ms))
    }

    /// Label names to templates; a recording rule's labels are plain text.
    fn texts(&self, map: &Mapping, key: &str, templates: bool) -> Result<BTreeMap<String, Text>> {
        let entries = match map.get(key) {
            None | Some(Value::Null) => return Ok(BTreeMap::new()),
            Some(value) => self.map(key, value)?,
        };
        let text = |(name, value): (&Value, &Value)| {
            let name = name.as_str().unwrap_or("?").to_owned();
            let field = format!("{key}.{name}");
            if !is_label_name(&name) || name == base::sample::NAME {
                return Err(self.wrong(&field, "is no label name"));
            }
            let source = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                _ => return Err(self.wrong(&field, "must be text")),
            };
            let template = match templates {
                true => Template::parse(&source).map_err(|e| self.wrong(&field, e))?,
                false => Template::literal(&source),
            };
            Ok((name, Text { source, template }))
        };
        entries.iter().map(text).collect()
    }
}
