//! The tree of an expression as it was written, parentheses included.

use crate::promql::plan::{AggregateOp, BinaryOp, Many};

#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Number(f64),
    Text(String),
    Selector(Selector),
    Matrix { selector: Selector, range_ms: i64 },
    Subquery(Box<Subquery>),
    Paren(Box<Expr>),
    Unary { negative: bool, inner: Box<Expr> },
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call(Box<Call>),
}

/// Of a selector, a range or a subquery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shift {
    pub at: Option<At>,
    pub offset_ms: i64,
}

/// After `@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Time(i64),
    Start,
    End,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    /// Before the braces.
    pub name: Option<String>,
    pub matchers: Vec<LabelMatch>,
    pub shift: Shift,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMatch {
    pub name: String,
    pub op: MatchOp,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    pub inner: Expr,
    pub range_ms: i64,
    pub step_ms: Option<i64>,
    pub shift: Shift,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    pub op: BinaryOp,
    pub lhs: Expr,
    pub rhs: Expr,
    pub modifiers: Modifiers,
}

/// What stands between an operator and its right side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modifiers {
    pub returns_bool: bool,
    /// `on`, or else `ignoring` or nothing.
    pub on: bool,
    pub labels: Vec<String>,
    pub many: Many,
    pub include: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    pub op: AggregateOp,
    pub without: bool,
    pub labels: Vec<String>,
    pub param: Option<Expr>,
    pub expr: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub name: String,
    pub args: Vec<Expr>,
}
