//! The syntax of PromQL 2.42 by recursive descent, with the quoted names of Prometheus 3
//! (`{"metric"}`, `{"a label"="x"}`, `by ("a label")`).
//!
//! Accepted and refused is what Prometheus 2.42 accepts and refuses, with these exceptions: a text
//! whose escapes make no UTF-8 is refused, so is a letter in the place of a subquery's colon, and
//! nesting is bounded.

use std::fmt;

pub mod ast;
mod lex;
mod parse;
mod print;
mod selector;
pub mod text;

pub use print::pretty;
pub use text::TIME_MAX_MS;

#[cfg(test)]
mod tests;

/// Nesting of one expression: operators, calls and parentheses on top of each other.
pub const DEPTH_MAX: usize = 100;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Bytes from the beginning.
    pub at: usize,
    pub why: String,
    /// Known to newer versions of PromQL, but not here.
    pub unsupported: bool,
}

/// An error with its line and column, from 1.
struct Placed<'a>(&'a Error, &'a str);

impl fmt::Display for Placed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error, input) = self;
        let before = &input[..input.floor_char_boundary(error.at)];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        let why = &error.why;
        write!(f, "the expression can't be parsed: {why} (line {line}, column {column})")
    }
}

pub fn parse(input: &str) -> crate::Result<ast::Expr> {
    lex::tokens(input).and_then(|tokens| parse::expression(&tokens)).map_err(|error| {
        if error.unsupported {
            return crate::Error::Unsupported(error.why);
        }
        crate::Error::BadData(Placed(&error, input).to_string())
    })
}
