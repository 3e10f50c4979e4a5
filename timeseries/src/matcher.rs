//! Label matchers, with Prometheus' meaning: a missing label is an empty value, and a regular
//! expression must match the whole value.

use std::fmt;

use base::sample::Labels;
use regex::{Regex, RegexBuilder};

use crate::error::{Error, Result};

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
        let test = Test::Regex(anchored(&value)?);
        Ok(Self { name: name.into(), value, test })
    }
    /// `name!~"pattern"`.
    pub fn not_regex(name: impl Into<String>, pattern: impl Into<String>) -> Result<Self> {
        let value = pattern.into();
        let test = Test::NotRegex(anchored(&value)?);
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

/// A pattern of RE2 as Prometheus reads it: the whole text, ASCII classes.
pub(crate) fn anchored(pattern: &str) -> Result<Regex> {
    RegexBuilder::new(&format!("^(?:{})$", ascii_classes(pattern)))
        .size_limit(REGEX_MAX_BYTES)
        .build()
        .map_err(|error| {
            let too_large = matches!(error, regex::Error::CompiledTooBig(_));
            let why = if too_large { "it is too large" } else { "it is malformed" };
            Error::BadData(format!("the regular expression {pattern:?} can't be used: {why}"))
        })
}

/// RE2's `\d`, `\w`, `\s` and `\b` are ASCII, those of the `regex` crate Unicode; and what is
/// plain inside RE2's brackets (`[`, `&`, `~`) is an operator there.
fn ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str("[0-9A-Za-z_]"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('s') => out.push_str(r"[\t\n\f\r ]"),
                Some('S') => out.push_str(r"[^\t\n\f\r ]"),
                Some('b') if !in_class => out.push_str(r"(?-u:\b)"),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            '[' if in_class && chars.peek() == Some(&':') => {
                // A POSIX class such as [:alpha:], up to its end.
                out.push('[');
                while let Some(inner) = chars.next() {
                    out.push(inner);
                    if inner == ':' && chars.peek() == Some(&']') {
                        out.extend(chars.next());
                        break;
                    }
                }
            }
            '[' | '&' | '~' if in_class => out.extend(['\\', c]),
            _ => {
                in_class = (in_class || c == '[') && c != ']';
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
