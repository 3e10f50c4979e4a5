//! The functions by name, with what the planner needs to know of them.

use std::sync::Arc;

use regex::Regex;

use super::{
    eval::{calendar, number, over_time, rate},
    plan::{Call, Node},
};
use crate::{
    error::{Error, Result},
    matcher,
    validate::is_label_name,
};

/// What a function over a range vector sees at one step.
pub struct Window<'a> {
    /// In the range, stale markers left out; never empty.
    pub samples: &'a [base::sample::Sample],
    pub start_ms: i64,
    pub end_ms: i64,
    pub range_ms: i64,
    /// The step.
    pub at_ms: i64,
    /// The scalar argument, for the functions that have one.
    pub arg: f64,
}

pub type RangeFn = fn(&Window<'_>) -> Option<f64>;

#[derive(Debug, Clone)]
pub enum Function {
    /// Value by value.
    Map(fn(f64) -> f64),
    /// Over a range vector; the scalar argument's place, if there is one.
    Range {
        function: RangeFn,
        keeps_name: bool,
        scalar: Option<usize>,
        knows_the_step: bool,
    },
    /// Of an instant: value by value, or of the step's.
    Calendar(fn(chrono::DateTime<chrono::Utc>) -> f64),
    Clamp,
    ClampMin,
    ClampMax,
    Round,
    Scalar,
    Vector,
    Time,
    Pi,
    Timestamp,
    Absent,
    AbsentOverTime,
    HistogramQuantile,
    Sort {
        descending: bool,
    },
    LabelReplace(Option<Arc<Replace>>),
    LabelJoin(Option<Arc<Join>>),
}

#[derive(Debug)]
pub struct Replace {
    pub to: String,
    pub replacement: String,
    pub from: String,
    pub regex: Regex,
}

#[derive(Debug)]
pub struct Join {
    pub to: String,
    pub separator: String,
    pub from: Vec<String>,
}

impl Function {
    /// None for what this evaluator does not know.
    pub fn named(name: &str) -> Option<Self> {
        let over = |function| Self::Range {
            function,
            keeps_name: false,
            scalar: None,
            knows_the_step: false,
        };
        Some(match name {
            "rate" => over(rate::rate),
            "increase" => over(rate::increase),
            "delta" => over(rate::delta),
            "irate" => over(rate::irate),
            "idelta" => over(rate::idelta),
            "deriv" => over(rate::deriv),
            "resets" => over(rate::resets),
            "changes" => over(rate::changes),
            "predict_linear" => Self::Range {
                function: rate::predict_linear,
                keeps_name: false,
                scalar: Some(1),
                knows_the_step: true,
            },
            "avg_over_time" => over(over_time::avg),
            "min_over_time" => over(over_time::min),
            "max_over_time" => over(over_time::max),
            "sum_over_time" => over(over_time::sum),
            "count_over_time" => over(over_time::count),
            "present_over_time" => over(|_| Some(1.0)),
            "stddev_over_time" => over(over_time::stddev),
            "stdvar_over_time" => over(over_time::stdvar),
            "last_over_time" => Self::Range {
                function: over_time::last,
                keeps_name: true,
                scalar: None,
                knows_the_step: false,
            },
            "quantile_over_time" => Self::Range {
                function: over_time::quantile,
                keeps_name: false,
                scalar: Some(0),
                knows_the_step: false,
            },
            "clamp" => Self::Clamp,
            "clamp_min" => Self::ClampMin,
            "clamp_max" => Self::ClampMax,
            "round" => Self::Round,
            "scalar" => Self::Scalar,
            "vector" => Self::Vector,
            "time" => Self::Time,
            "pi" => Self::Pi,
            "timestamp" => Self::Timestamp,
            "absent" => Self::Absent,
            "absent_over_time" => Self::AbsentOverTime,
            "histogram_quantile" => Self::HistogramQuantile,
            "sort" => Self::Sort { descending: false },
            "sort_desc" => Self::Sort { descending: true },
            "label_replace" => Self::LabelReplace(None),
            "label_join" => Self::LabelJoin(None),
            _ => {
                return number::map(name)
                    .map(Self::Map)
                    .or_else(|| calendar::named(name).map(Self::Calendar));
            }
        })
    }

    pub fn returns_scalar(&self) -> bool {
        matches!(self, Self::Scalar | Self::Time | Self::Pi)
    }

    /// Its result depends on the step even where its arguments do not.
    pub fn knows_the_step(&self) -> bool {
        matches!(
            self,
            Self::Calendar(_)
                | Self::Time
                | Self::Timestamp
                | Self::Range { knows_the_step: true, .. }
        )
    }
}

/// Looks at the arguments that are texts, once.
pub fn check(name: &str, function: Function, args: Vec<Node>) -> Result<Node> {
    let function = match function {
        Function::LabelReplace(_) => {
            let [to, replacement, from, pattern] = texts(name, &args[1..])?;
            if !is_label_name(&to) {
                return Err(Error::Execution(format!(
                    "invalid destination label name in label_replace(): {to}"
                )));
            }
            let regex = matcher::anchored(&pattern)?;
            Function::LabelReplace(Some(Arc::new(Replace { to, replacement, from, regex })))
        }
        Function::LabelJoin(_) => {
            let [to, separator] = texts(name, &args[1..3])?;
            let from: Vec<String> =
                args[3..].iter().map(|arg| text(name, arg)).collect::<Result<_>>()?;
            if let Some(bad) = from.iter().chain([&to]).find(|label| !is_label_name(label)) {
                return Err(Error::Execution(format!("invalid label name in label_join(): {bad}")));
            }
            Function::LabelJoin(Some(Arc::new(Join { to, separator, from })))
        }
        other => other,
    };
    Ok(Node::Call(Box::new(Call { function, args })))
}

fn text(name: &str, arg: &Node) -> Result<String> {
    match arg {
        Node::Text(text) => Ok(text.clone()),
        _ => Err(Error::BadData(format!("{name} wants a string here"))),
    }
}

fn texts<const N: usize>(name: &str, args: &[Node]) -> Result<[String; N]> {
    let texts: Vec<String> = args.iter().map(|arg| text(name, arg)).collect::<Result<_>>()?;
    texts.try_into().map_err(|_| Error::BadData(format!("{name} has a wrong number of arguments")))
}
