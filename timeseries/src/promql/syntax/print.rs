//! A tree to text, in the layout of Prometheus' `format_query`: what is longer than a line is cut
//! at its operators, calls and parentheses.

use super::{
    ast::{Aggregate, At, Binary, Expr, LabelMatch, MatchOp, Selector, Shift},
    text,
};
use crate::{promql::plan::Many, validate};

const LINE_MAX_BYTES: usize = 100;
const INDENT: &str = "  ";

/// Over several lines where one is too long.
pub fn pretty(expr: &Expr) -> String {
    broken(expr, 0)
}

fn broken(expr: &Expr, level: usize) -> String {
    let line = line(expr);
    let margin = INDENT.repeat(level);
    // A subquery that fits stands without its margin, as there.
    if line.len() <= LINE_MAX_BYTES && matches!(expr, Expr::Subquery(_)) {
        return line;
    }
    if line.len() <= LINE_MAX_BYTES && !matches!(expr, Expr::Unary { .. }) {
        return format!("{margin}{line}");
    }
    match expr {
        Expr::Number(_) | Expr::Text(_) | Expr::Selector(_) | Expr::Matrix { .. } => {
            format!("{margin}{line}")
        }
        Expr::Subquery(subquery) => {
            let suffix = subquery_suffix(subquery.range_ms, subquery.step_ms, subquery.shift);
            format!("{}{suffix}", broken(&subquery.inner, level))
        }
        Expr::Paren(inner) => format!("{margin}(\n{}\n{margin})", broken(inner, level + 1)),
        Expr::Unary { negative, inner } => {
            format!("{margin}{}{}", sign(*negative), broken(inner, level).trim())
        }
        Expr::Binary(binary) => {
            let (lhs, rhs) = (broken(&binary.lhs, level + 1), broken(&binary.rhs, level + 1));
            format!("{lhs}\n{margin}{}\n{rhs}", operator(binary))
        }
        Expr::Aggregate(aggregate) => {
            let param = aggregate.param.iter().map(|param| broken(param, level + 1) + ",\n");
            let (head, param) = (aggregate_head(aggregate), param.collect::<String>());
            let inner = broken(&aggregate.expr, level + 1);
            format!("{margin}{head}(\n{param}{inner}\n{margin})")
        }
        Expr::Call(call) => {
            let args: Vec<String> = call.args.iter().map(|arg| broken(arg, level + 1)).collect();
            format!("{margin}{}(\n{}\n{margin})", call.name, args.join(",\n"))
        }
    }
}

fn line(expr: &Expr) -> String {
    match expr {
        Expr::Number(number) => text::show_number(*number),
        Expr::Text(text) => text::quote(text),
        Expr::Selector(selector) => {
            format!("{}{}", selected(selector), shifted(selector.shift))
        }
        Expr::Matrix { selector, range_ms } => {
            let range = text::show_duration(*range_ms);
            format!("{}[{range}]{}", selected(selector), shifted(selector.shift))
        }
        Expr::Subquery(subquery) => {
            let suffix = subquery_suffix(subquery.range_ms, subquery.step_ms, subquery.shift);
            format!("{}{suffix}", line(&subquery.inner))
        }
        Expr::Paren(inner) => format!("({})", line(inner)),
        Expr::Unary { negative, inner } => format!("{}{}", sign(*negative), line(inner)),
        Expr::Binary(binary) => {
            format!("{} {} {}", line(&binary.lhs), operator(binary), line(&binary.rhs))
        }
        Expr::Aggregate(aggregate) => {
            let param = aggregate.param.iter().map(|param| line(param) + ", ");
            let (head, param) = (aggregate_head(aggregate), param.collect::<String>());
            format!("{head}({param}{})", line(&aggregate.expr))
        }
        Expr::Call(call) => {
            let args: Vec<String> = call.args.iter().map(line).collect();
            format!("{}({})", call.name, args.join(", "))
        }
    }
}

fn sign(negative: bool) -> &'static str {
    if negative { "-" } else { "+" }
}

/// With its modifiers; `ignoring ()` is written only where a `group_left` needs it.
fn operator(binary: &Binary) -> String {
    let modifiers = &binary.modifiers;
    let mut out = binary.op.name().to_owned();
    if modifiers.returns_bool {
        out.push_str(" bool");
    }
    if !is_vector(&binary.lhs) || !is_vector(&binary.rhs) {
        return out;
    }
    let grouped = modifiers.many != Many::Neither;
    if modifiers.on || !modifiers.labels.is_empty() || grouped {
        let keyword = if modifiers.on { "on" } else { "ignoring" };
        out.push_str(&format!(" {keyword} ({})", labels(&modifiers.labels)));
    }
    if grouped {
        let side = if modifiers.many == Many::Left { "left" } else { "right" };
        out.push_str(&format!(" group_{side} ({})", labels(&modifiers.include)));
    }
    out
}

/// Modifiers of matching mean nothing beside a scalar, and are left out.
fn is_vector(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) => false,
        Expr::Paren(inner) | Expr::Unary { inner, .. } => is_vector(inner),
        Expr::Binary(binary) => is_vector(&binary.lhs) || is_vector(&binary.rhs),
        Expr::Call(call) => !matches!(call.name.as_str(), "scalar" | "time" | "pi"),
        _ => true,
    }
}

fn aggregate_head(aggregate: &Aggregate) -> String {
    let name = aggregate.op.name();
    match (aggregate.without, aggregate.labels.is_empty()) {
        (true, _) => format!("{name} without ({}) ", labels(&aggregate.labels)),
        (false, false) => format!("{name} by ({}) ", labels(&aggregate.labels)),
        (false, true) => name.to_owned(),
    }
}

fn labels(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| label(name)).collect();
    names.join(", ")
}

fn label(name: &str) -> String {
    if validate::is_label_name(name) { name.to_owned() } else { text::quote(name) }
}

/// Sorted by their texts; the name goes before the braces where it stood there.
fn selected(selector: &Selector) -> String {
    let name = selector.name.as_deref().unwrap_or_default();
    let mut matchers: Vec<String> = selector.matchers.iter().map(matcher).collect();
    if matchers.is_empty() {
        return name.to_owned();
    }
    matchers.sort();
    format!("{name}{{{}}}", matchers.join(","))
}

fn matcher(matcher: &LabelMatch) -> String {
    let op = match matcher.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    format!("{}{op}{}", label(&matcher.name), text::quote(&matcher.value))
}

fn subquery_suffix(range_ms: i64, step_ms: Option<i64>, shift: Shift) -> String {
    let step = step_ms.map(text::show_duration).unwrap_or_default();
    format!("[{}:{step}]{}", text::show_duration(range_ms), shifted(shift))
}

fn shifted(shift: Shift) -> String {
    let at = match shift.at {
        None => String::new(),
        Some(At::Start) => " @ start()".to_owned(),
        Some(At::End) => " @ end()".to_owned(),
        Some(At::Time(ms)) => format!(" @ {:.3}", ms as f64 / 1000.0),
    };
    match shift.offset_ms {
        0 => at,
        ms if ms < 0 => format!("{at} offset -{}", text::show_duration(-ms)),
        ms => format!("{at} offset {}", text::show_duration(ms)),
    }
}
