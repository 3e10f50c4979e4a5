//! What a fact says of its resource besides its state: a flat map of whole numbers and texts, in one
//! written form, so that two that say the same are the same text.

use std::collections::BTreeMap;

use base::{Error, Result};
use serde::{Deserialize, Serialize};

/// Of the written form.
pub const ATTRIBUTES_MAX_BYTES: usize = 4_096;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Int(i64),
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// Labels stand as `label.NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attributes(BTreeMap<String, Value>);

impl Attributes {
    pub fn new<K: Into<String>, V: Into<Value>>(all: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(all.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// Adds one, or takes the other's place.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// With all of the others', which take the place of their like.
    #[must_use]
    pub fn also(mut self, others: &Self) -> Self {
        self.0.extend(others.0.clone());
        self
    }

    /// From its written form.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| {
            Error::invalid("attributes", "they are not a flat map of whole numbers and texts")
                .source(e)
        })
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub fn count(&self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Value::Int(count) => Some(*count),
            Value::Text(_) => None,
        }
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::Text(text) => Some(text),
            Value::Int(_) => None,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

/// The written form: JSON without spaces, keys sorted.
impl std::fmt::Display for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = serde_json::to_string(&self.0).map_err(|_| std::fmt::Error)?;
        f.write_str(&text)
    }
}
