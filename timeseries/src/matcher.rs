//! Label matchers, with Prometheus' meaning: a missing label is an empty value, and a regular
//! expression (of RE2, see `re2`) must match the whole value.

use std::fmt;

use base::sample::Labels;
use regex::{Regex, RegexBuilder};

use crate::error::{Error, Result};

mod re2;

/// Compiled size of one regular expression.
const REGEX_MAX_BYTES: usize = 1 << 20;

#[derive(Debug, Clone)]
enum Test {
    Equal,
    NotEqual,
    Regex(Regex),
    NotRegex(Regex),
}

#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    value: String,
    test: Test,
}

impl Matcher {
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), test: Test::Equal }
    }
    pub fn not_equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), test: Test::NotEqual }
    }
    /// `name=~"pattern"`.
    pub fn regex(name: impl Into<String>, pattern: impl Into<String>) -> Result<Self> {
        let value = pattern.into();
        let test = Test::Regex(whole(&value)?);
        Ok(Self { name: name.into(), value, test })
    }
    /// `name!~"pattern"`.
    pub fn not_regex(name: impl Into<String>, pattern: impl Into<String>) -> Result<Self> {
        let value = pattern.into();
        let test = Test::NotRegex(whole(&value)?);
        Ok(Self { name: name.into(), value, test })
    }
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The value or pattern as it was written.
    pub fn value(&self) -> &str {
        &self.value
    }
    /// `=`, `!=`, `=~` or `!~`.
    pub fn operator(&self) -> &'static str {
        match self.test {
            Test::Equal => "=",
            Test::NotEqual => "!=",
            Test::Regex(_) => "=~",
            Test::NotRegex(_) => "!~",
        }
    }
    /// The reverse of [`Matcher::operator`].
    pub fn of_operator(name: &str, operator: &str, value: &str) -> Result<Self> {
        match operator {
            "=" => Ok(Self::equal(name, value)),
            "!=" => Ok(Self::not_equal(name, value)),
            "=~" => Self::regex(name, value),
            "!~" => Self::not_regex(name, value),
            _ => Err(Error::BadData(format!("{operator:?} is no operator of a label matcher"))),
        }
    }
    pub fn is_equal(&self) -> bool {
        matches!(self.test, Test::Equal)
    }
    /// Every value that it matches begins with this: lists in order need no look at the others.
    pub fn prefix(&self) -> &str {
        match self.test {
            Test::Equal => &self.value,
            Test::Regex(_) => literal_prefix(&self.value),
            Test::NotEqual | Test::NotRegex(_) => "",
        }
    }
    pub fn matches(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal => self.value == value,
            Test::NotEqual => self.value != value,
            Test::Regex(regex) => regex.is_match(value),
            Test::NotRegex(regex) => !regex.is_match(value),
        }
    }
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.get(&self.name).unwrap_or_default())
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.operator(), self.value)
    }
}

/// What a pattern begins with that stands for itself. Alternatives may begin otherwise; what a
/// quantifier follows may be absent, also behind flags or an empty quotation.
fn literal_prefix(pattern: &str) -> &str {
    let plain = |c: char| c.is_alphanumeric() || "-_:/, =@%".contains(c);
    if pattern.contains('|') {
        return "";
    }
    let (prefix, rest) = pattern.split_at(pattern.find(|c| !plain(c)).unwrap_or(pattern.len()));
    let repeats =
        ["*", "?", "+", "{", "(?", "\\Q", "\\E"].iter().any(|sign| rest.starts_with(sign));
    match prefix.char_indices().next_back() {
        Some((last, _)) if repeats => &prefix[..last],
        _ => prefix,
    }
}

/// A matcher's pattern is well formed by itself.
fn whole(pattern: &str) -> Result<Regex> {
    re2::translate(pattern).map_err(|why| bad(pattern, &why))?;
    anchored(pattern)
}

/// A pattern of the whole text. It is put between the anchors as it is, so that `label_replace`
/// takes `a)(b`, as Prometheus does.
pub(crate) fn anchored(pattern: &str) -> Result<Regex> {
    let translated =
        re2::translate(&format!("^(?:{pattern})$")).map_err(|why| bad(pattern, &why))?;
    RegexBuilder::new(&translated).size_limit(REGEX_MAX_BYTES).build().map_err(|error| {
        let too_large = matches!(error, regex::Error::CompiledTooBig(_));
        bad(pattern, if too_large { "it is too large" } else { "it is malformed" })
    })
}

fn bad(pattern: &str, why: &str) -> Error {
    Error::BadData(format!("the regular expression {pattern:?} can't be used: {why}"))
}

#[cfg(test)]
mod tests;
