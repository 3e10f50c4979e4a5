//! What a query will do, decided before any sample is read: a typed tree, the selectors with their
//! enforced matchers, and the time each of them needs.
//!
//! Everything that PromQL can say and this evaluator does not know is refused here, by name.

use base::sample::NAME;
use promql_parser::parser::{self as ast, Expr};

use super::functions::{self, Function};
use crate::{
    error::{Error, Result},
    matcher::Matcher,
    scope::Scope,
};

mod binary;
mod fetch;
mod node;

pub use node::*;

/// One expression.
pub const EXPR_MAX_BYTES: usize = 16 * 1024;
/// Nesting of one expression, parentheses apart.
pub const DEPTH_MAX: usize = 100;
/// Shorter expressions can't nest deep enough to matter for the stack.
const SHALLOW_BYTES: usize = 512;
/// Parsing recurses; so much stack carries the longest expression of nothing but minus signs.
const DEEP_STACK_BYTES: usize = 64 << 20;
/// Instants and durations beyond it (285,000 years) can't be meant.
const TIME_MAX_MS: i64 = 1 << 53;
/// The step of a subquery that names none: Prometheus' default evaluation interval.
pub const SUBQUERY_STEP_MS: i64 = 60_000;

/// Reads an expression for evaluation from `start_ms` to `end_ms`.
pub fn compile(expr: &str, scope: &Scope, start_ms: i64, end_ms: i64) -> Result<Plan> {
    if expr.len() > EXPR_MAX_BYTES {
        return Err(Error::TooLarge { what: "the expression", limit: EXPR_MAX_BYTES });
    }
    if start_ms.abs() > TIME_MAX_MS || end_ms.abs() > TIME_MAX_MS {
        return Err(Error::BadData("the time of the query is out of range".to_owned()));
    }
    let work = || {
        let tree = ast::parse(expr)
            .map_err(|why| Error::BadData(format!("the expression can't be parsed: {why}")))?;
        let mut planner = Planner { scope, start_ms, end_ms, selectors: Vec::new() };
        let root = planner.node(&tree, 0)?;
        Ok(Plan { root, selectors: planner.selectors })
    };
    if expr.len() <= SHALLOW_BYTES {
        return work();
    }
    std::thread::scope(|threads| {
        let thread = std::thread::Builder::new().name("parse".to_owned());
        let running = thread.stack_size(DEEP_STACK_BYTES).spawn_scoped(threads, work);
        let running = running.map_err(|_| Error::Busy("no thread for parsing"))?;
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// `match[]` of the API: one selector, with the scope's matcher.
pub fn matchers(selector: &str, scope: &Scope) -> Result<Vec<Matcher>> {
    let plan = compile(selector, scope, 0, 0)?;
    match (plan.root, plan.selectors.into_iter().next()) {
        (Node::Selector(selector), Some(matchers))
            if selector.at_ms.is_none() && selector.offset_ms == 0 =>
        {
            Ok(matchers)
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
    fn node(&mut self, expr: &Expr, depth: usize) -> Result<Node> {
        if depth > DEPTH_MAX {
            return Err(Error::BadData(format!(
                "the expression is nested deeper than {DEPTH_MAX}"
            )));
        }
        match expr {
            Expr::Paren(paren) => self.node(&paren.expr, depth + 1),
            Expr::NumberLiteral(number) => Ok(Node::Number(number.val)),
            Expr::StringLiteral(text) => Ok(Node::Text(text.val.clone())),
            Expr::VectorSelector(selector) => Ok(Node::Selector(self.selector(selector)?)),
            Expr::MatrixSelector(matrix) => {
                let selector = self.selector(&matrix.vs)?;
                let (at_ms, offset_ms) = (selector.at_ms, selector.offset_ms);
                let range_ms = duration_ms(matrix.range)?;
                let source = RangeSource::Selector(selector);
                Ok(Node::Range(Box::new(Range { source, range_ms, at_ms, offset_ms })))
            }
            Expr::Subquery(subquery) => self.subquery(subquery, depth),
            Expr::Unary(unary) => {
                let inner = self.node(&unary.expr, depth + 1)?;
                inner.expect(&[Kind::Scalar, Kind::Vector], "the operand of unary minus")?;
                Ok(Node::Negate(Box::new(inner)))
            }
            Expr::Binary(binary) => self.binary(binary, depth),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, depth),
            Expr::Call(call) => self.call(call, depth),
            Expr::Extension(_) => Err(Error::Unsupported("an extension of PromQL".to_owned())),
        }
    }

    fn selector(&mut self, selector: &ast::VectorSelector) -> Result<Selector> {
        if !selector.matchers.or_matchers.is_empty() {
            return Err(Error::Unsupported("'or' between label matchers".to_owned()));
        }
        let mut matchers = Vec::new();
        if let Some(name) = &selector.name {
            matchers.push(Matcher::equal(NAME, name));
        }
        for matcher in &selector.matchers.matchers {
            use promql_parser::label::MatchOp;
            let (name, value) = (&matcher.name, &matcher.value);
            matchers.push(match matcher.op {
                MatchOp::Equal => Matcher::equal(name, value),
                MatchOp::NotEqual => Matcher::not_equal(name, value),
                MatchOp::Re(_) => Matcher::regex(name, value)?,
                MatchOp::NotRe(_) => Matcher::not_regex(name, value)?,
            });
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
            at_ms: self.at(selector.at.as_ref())?,
            offset_ms: offset_ms(selector.offset.as_ref())?,
        })
    }

    fn subquery(&mut self, subquery: &ast::SubqueryExpr, depth: usize) -> Result<Node> {
        let inner = self.node(&subquery.expr, depth + 1)?;
        inner.expect(&[Kind::Vector], "the expression of a subquery")?;
        let step_ms = match subquery.step {
            Some(step) => duration_ms(step)?,
            None => SUBQUERY_STEP_MS,
        };
        if step_ms == 0 {
            return Err(Error::BadData("the step of a subquery must be at least 1ms".to_owned()));
        }
        Ok(Node::Range(Box::new(Range {
            source: RangeSource::Subquery { inner, step_ms },
            range_ms: duration_ms(subquery.range)?,
            at_ms: self.at(subquery.at.as_ref())?,
            offset_ms: offset_ms(subquery.offset.as_ref())?,
        })))
    }

    fn at(&self, at: Option<&ast::AtModifier>) -> Result<Option<i64>> {
        let out_of_range = || Error::BadData("the instant after @ is out of range".to_owned());
        match at {
            None => Ok(None),
            Some(ast::AtModifier::Start) => Ok(Some(self.start_ms)),
            Some(ast::AtModifier::End) => Ok(Some(self.end_ms)),
            Some(ast::AtModifier::At(time)) => {
                let (before, distance) = match time.duration_since(std::time::UNIX_EPOCH) {
                    Ok(since) => (1, since),
                    Err(before) => (-1, before.duration()),
                };
                let ms = i64::try_from(distance.as_millis()).map_err(|_| out_of_range())?;
                (ms <= TIME_MAX_MS).then_some(Some(before * ms)).ok_or_else(out_of_range)
            }
        }
    }

    fn aggregate(&mut self, aggregate: &ast::AggregateExpr, depth: usize) -> Result<Node> {
        let name = aggregate.op.to_string();
        let op = AggregateOp::named(&name)
            .ok_or_else(|| Error::Unsupported(format!("the aggregation {name}")))?;
        let expr = self.node(&aggregate.expr, depth + 1)?;
        expr.expect(&[Kind::Vector], &format!("the operand of {name}"))?;
        let (without, labels) = match &aggregate.modifier {
            None => (false, Vec::new()),
            Some(ast::LabelModifier::Include(labels)) => (false, labels.labels.clone()),
            Some(ast::LabelModifier::Exclude(labels)) => (true, labels.labels.clone()),
        };
        let param = match &aggregate.param {
            None => None,
            Some(param) => Some(self.node(param, depth + 1)?),
        };
        let param = match (op.param(), param) {
            (None, None) => Param::None,
            (Some(Kind::Scalar), Some(node)) => {
                node.expect(&[Kind::Scalar], &format!("the parameter of {name}"))?;
                Param::Scalar(node)
            }
            (Some(_), Some(Node::Text(label))) if crate::validate::is_label_name(&label) => {
                Param::Label(label)
            }
            (Some(_), Some(Node::Text(label))) => {
                return Err(Error::Execution(format!("invalid label name {label:?}")));
            }
            _ => return Err(Error::BadData(format!("{name} has a wrong parameter"))),
        };
        Ok(Node::Aggregate(Box::new(Aggregate { op, without, labels, param, expr })))
    }

    fn call(&mut self, call: &ast::Call, depth: usize) -> Result<Node> {
        let name = call.func.name;
        let function = Function::named(name)
            .ok_or_else(|| Error::Unsupported(format!("the function {name}")))?;
        let mut args = Vec::with_capacity(call.args.args.len());
        for (i, arg) in call.args.args.iter().enumerate() {
            let arg = self.node(arg, depth + 1)?;
            let types = &call.func.arg_types;
            if let Some(wanted) = types.get(i).or(types.last()) {
                arg.expect(&[Kind::from(*wanted)], &format!("argument {} of {name}", i + 1))?;
            }
            args.push(arg);
        }
        functions::check(name, function, args)
    }
}

fn duration_ms(duration: std::time::Duration) -> Result<i64> {
    i64::try_from(duration.as_millis())
        .ok()
        .filter(|ms| *ms <= TIME_MAX_MS)
        .ok_or_else(|| Error::BadData("a duration is out of range".to_owned()))
}

fn offset_ms(offset: Option<&ast::Offset>) -> Result<i64> {
    match offset {
        None => Ok(0),
        Some(ast::Offset::Pos(duration)) => duration_ms(*duration),
        Some(ast::Offset::Neg(duration)) => Ok(-duration_ms(*duration)?),
    }
}

#[cfg(test)]
mod tests;
