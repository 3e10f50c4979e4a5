//! What a query will do, decided before any sample is read: a typed tree, the selectors with their
//! enforced matchers, and the time each of them needs.
//!
//! Everything that PromQL can say and this evaluator does not know is refused here, by name.

use base::sample::NAME;

use super::{
    functions::{self, Signature},
    syntax::{self, ast},
};
use crate::{
    error::{Error, Result},
    matcher::Matcher,
    scope::Scope,
};

mod binary;
mod fetch;
mod node;

pub use node::*;
pub use syntax::DEPTH_MAX;

/// One expression.
pub const EXPR_MAX_BYTES: usize = 16 * 1024;
/// The step of a subquery that names none: Prometheus' default evaluation interval.
pub const SUBQUERY_STEP_MS: i64 = 60_000;

/// Reads an expression for evaluation from `start_ms` to `end_ms`.
pub fn compile(expr: &str, scope: &Scope, start_ms: i64, end_ms: i64) -> Result<Plan> {
    let tree = parse(expr)?;
    if [start_ms, end_ms].iter().any(|ms| ms.unsigned_abs() > syntax::TIME_MAX_MS as u64) {
        return Err(Error::BadData("the time of the query is out of range".to_owned()));
    }
    let mut planner = Planner { scope, start_ms, end_ms, selectors: Vec::new() };
    let root = planner.node(&tree)?;
    Ok(Plan { root, selectors: planner.selectors })
}

fn parse(expr: &str) -> Result<ast::Expr> {
    if expr.len() > EXPR_MAX_BYTES {
        return Err(Error::TooLarge { what: "the expression", limit: EXPR_MAX_BYTES });
    }
    syntax::parse(expr)
}

/// The expression in the layout of Prometheus' `format_query`. What is well formed is formatted,
/// whether or not it can be evaluated.
pub fn format(expr: &str) -> Result<String> {
    let tree = parse(expr)?;
    match compile(expr, &Scope::ALL, 0, 0) {
        Ok(_) | Err(Error::Execution(_) | Error::Unsupported(_)) => Ok(syntax::pretty(&tree)),
        Err(error) => Err(error),
    }
}

/// `match[]` of the API: one selector, with the scope's matcher.
pub fn matchers(selector: &str, scope: &Scope) -> Result<Vec<Matcher>> {
    let tree = parse(selector)?;
    match tree {
        ast::Expr::Selector(selector) if selector.shift == ast::Shift::default() => {
            let mut planner = Planner { scope, start_ms: 0, end_ms: 0, selectors: Vec::new() };
            planner.selector(&selector)?;
            Ok(planner.selectors.remove(0))
        }
        _ => Err(Error::BadData(format!("{selector:?} is no series selector"))),
    }
}

struct Planner<'a> {
    scope: &'a Scope,
    start_ms: i64,
    end_ms: i64,
    selectors: Vec<Vec<Matcher>>,
}

impl Planner<'_> {
    fn node(&mut self, expr: &ast::Expr) -> Result<Node> {
        match expr {
            ast::Expr::Paren(inner) => self.node(inner),
            ast::Expr::Number(number) => Ok(Node::Number(*number)),
            ast::Expr::Text(text) => Ok(Node::Text(text.clone())),
            ast::Expr::Selector(selector) => Ok(Node::Selector(self.selector(selector)?)),
            ast::Expr::Matrix { selector, range_ms } => {
                let selector = self.selector(selector)?;
                let (at_ms, offset_ms) = (selector.at_ms, selector.offset_ms);
                let source = RangeSource::Selector(selector);
                Ok(Node::Range(Box::new(Range { source, range_ms: *range_ms, at_ms, offset_ms })))
            }
            ast::Expr::Subquery(subquery) => self.subquery(subquery),
            ast::Expr::Unary { negative, inner } => {
                let inner = self.node(inner)?;
                inner.expect(&[Kind::Scalar, Kind::Vector], "the operand of a sign")?;
                let inner = Box::new(inner);
                Ok(if *negative { Node::Negate(inner) } else { Node::Plus(inner) })
            }
            ast::Expr::Binary(binary) => self.binary(binary),
            ast::Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            ast::Expr::Call(call) => self.call(call),
        }
    }

    fn selector(&mut self, selector: &ast::Selector) -> Result<Selector> {
        let mut matchers = Vec::new();
        for matcher in &selector.matchers {
            let (name, value) = (&matcher.name, &matcher.value);
            if let (Some(outside), NAME) = (&selector.name, name.as_str()) {
                return Err(Error::BadData(format!(
                    "metric name must not be set twice: {outside:?} or {value:?}"
                )));
            }
            matchers.push(match matcher.op {
                ast::MatchOp::Equal => Matcher::equal(name, value),
                ast::MatchOp::NotEqual => Matcher::not_equal(name, value),
                ast::MatchOp::Regex => Matcher::regex(name, value)?,
                ast::MatchOp::NotRegex => Matcher::not_regex(name, value)?,
            });
        }
        if let Some(name) = &selector.name {
            matchers.push(Matcher::equal(NAME, name));
        }
        if matchers.iter().all(|matcher| matcher.matches("")) {
            return Err(Error::BadData(
                "a selector must have at least one matcher that does not match the empty string"
                    .to_owned(),
            ));
        }
        let shown = matchers.clone();
        self.scope.enforce(&mut matchers);
        self.selectors.push(matchers);
        Ok(Selector {
            data: self.selectors.len() - 1,
            shown,
            at_ms: self.at_ms(selector.shift),
            offset_ms: selector.shift.offset_ms,
        })
    }

    fn subquery(&mut self, subquery: &ast::Subquery) -> Result<Node> {
        let inner = self.node(&subquery.inner)?;
        inner.expect(&[Kind::Vector], "the expression of a subquery")?;
        let step_ms = subquery.step_ms.unwrap_or(SUBQUERY_STEP_MS);
        Ok(Node::Range(Box::new(Range {
            source: RangeSource::Subquery { inner, step_ms },
            range_ms: subquery.range_ms,
            at_ms: self.at_ms(subquery.shift),
            offset_ms: subquery.shift.offset_ms,
        })))
    }

    fn at_ms(&self, shift: ast::Shift) -> Option<i64> {
        Some(match shift.at? {
            ast::At::Start => self.start_ms,
            ast::At::End => self.end_ms,
            ast::At::Time(at_ms) => at_ms,
        })
    }

    fn aggregate(&mut self, aggregate: &ast::Aggregate) -> Result<Node> {
        let op = aggregate.op;
        let name = op.name();
        let expr = self.node(&aggregate.expr)?;
        expr.expect(&[Kind::Vector], &format!("the operand of {name}"))?;
        let param = match (op.param(), &aggregate.param) {
            (Some(kind), Some(param)) => {
                let param = self.node(param)?;
                param.expect(&[kind], &format!("the parameter of {name}"))?;
                match param {
                    Node::Text(label) if crate::validate::is_label_name(&label) => {
                        Param::Label(label)
                    }
                    Node::Text(label) => {
                        return Err(Error::Execution(format!("invalid label name {label:?}")));
                    }
                    scalar => Param::Scalar(scalar),
                }
            }
            _ => Param::None,
        };
        let (without, labels) = (aggregate.without, aggregate.labels.clone());
        Ok(Node::Aggregate(Box::new(Aggregate { op, without, labels, param, expr })))
    }

    fn call(&mut self, call: &ast::Call) -> Result<Node> {
        let name = &call.name;
        let (function, signature) = functions::named(name)?;
        signature.check_count(name, call.args.len())?;
        let Signature { args: kinds, .. } = signature;
        let mut args = Vec::with_capacity(call.args.len());
        for (i, arg) in call.args.iter().enumerate() {
            let arg = self.node(arg)?;
            if let Some(wanted) = kinds.get(i).or(kinds.last()) {
                arg.expect(&[*wanted], &format!("argument {} of {name}", i + 1))?;
            }
            args.push(arg);
        }
        functions::check(name, function, args)
    }
}

#[cfg(test)]
mod tests;
