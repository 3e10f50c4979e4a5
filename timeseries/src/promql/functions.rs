//! The functions by name, with what the planner needs to know of them.

use std::sync::Arc;

use regex::Regex;

use super::{
    eval::{calendar, number, over_time, rate},
    plan::{Call, Kind, Node},
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
    /// The step.
    pub at_ms: i64,
    /// The scalar arguments, for the functions that have them.
    pub args: [f64; 2],
    /// With [`Needs::Resets`]: each value that a smaller one follows.
    pub resets: &'a [f64],
    /// With [`Needs::Largest`] or [`Needs::Smallest`]; NaN where all are.
    pub best: f64,
}

/// What a function wants to know of a window without looking at all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    Resets,
    Largest,
    Smallest,
}

/// What becomes of a window; none is no value.
#[derive(Debug, Clone, Copy)]
pub enum RangeFn {
    Each(fn(&Window<'_>) -> Option<f64>),
    /// Of several windows at once, where that takes less time than one by one.
    Several(SeveralFn),
}

pub type SeveralFn = fn(&Windows<'_>) -> [Option<f64>; LANES];

/// Windows that are looked at together.
pub const LANES: usize = 8;

/// As many windows of one range, or fewer; each part of all of them lies together.
#[derive(Default)]
pub struct Windows<'a> {
    pub count: usize,
    pub range_ms: i64,
    /// Of each that there is, never empty.
    pub samples: [&'a [base::sample::Sample]; LANES],
    pub start_ms: [i64; LANES],
    /// As a window's.
    pub resets: [&'a [f64]; LANES],
}

#[derive(Debug, Clone)]
pub enum Function {
    /// Value by value.
    Map(fn(f64) -> f64),
    /// Over a range vector.
    Range {
        function: RangeFn,
        needs: Needs,
        keeps_name: bool,
        knows_the_step: bool,
        /// Whether scalar arguments are in their range.
        check: fn([f64; 2]) -> Result<()>,
    },
    /// Of an instant: value by value, or of the step's.
    Calendar(calendar::Part),
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
    SortByLabel {
        descending: bool,
        labels: Arc<[String]>,
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

/// The types of a function's arguments.
#[derive(Debug, Clone, Copy)]
pub struct Signature {
    pub args: &'static [Kind],
    /// How many there may be beyond all but the last of `args`; None: as many as `args`.
    pub more: Option<usize>,
}

impl Signature {
    pub fn check_count(&self, name: &str, found: usize) -> Result<()> {
        let (least, most) = match self.more {
            None => (self.args.len(), self.args.len()),
            Some(more) => {
                let least = self.args.len() - 1;
                (least, least.saturating_add(more))
            }
        };
        if (least..=most).contains(&found) {
            return Ok(());
        }
        let wanted = match most {
            _ if least == most => format!("{least}"),
            usize::MAX => format!("at least {least}"),
            _ => format!("{least} to {most}"),
        };
        Err(Error::BadData(format!("{name} takes {wanted} argument(s), found {found}")))
    }
}

/// Those of Prometheus 2.42, native histograms' apart.
pub const NAMES: &[&str] = &[
    "abs",
    "absent",
    "absent_over_time",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "avg_over_time",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "cos",
    "cosh",
    "count_over_time",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "delta",
    "deriv",
    "exp",
    "floor",
    "histogram_quantile",
    "holt_winters",
    "hour",
    "idelta",
    "increase",
    "irate",
    "label_join",
    "label_replace",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "max_over_time",
    "min_over_time",
    "minute",
    "month",
    "pi",
    "predict_linear",
    "present_over_time",
    "quantile_over_time",
    "rad",
    "rate",
    "resets",
    "round",
    "scalar",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "tan",
    "tanh",
    "time",
    "timestamp",
    "vector",
    "year",
];

/// Of later versions, where their meaning is settled.
pub const LATER: &[&str] = &[
    "double_exponential_smoothing",
    "first_over_time",
    "mad_over_time",
    "sort_by_label",
    "sort_by_label_desc",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
];

/// Functions of later versions, or of native histograms.
const UNSUPPORTED: &[&str] = &[
    "histogram_avg",
    "histogram_count",
    "histogram_fraction",
    "histogram_quantiles",
    "histogram_stddev",
    "histogram_stdvar",
    "histogram_sum",
    "info",
    "integral",
    "max_of",
    "min_of",
    "range",
    "start_timestamp",
    "step",
];

pub fn named(name: &str) -> Result<(Function, Signature)> {
    use Kind::{Matrix, Scalar, Text, Vector};
    let exact = |args| Signature { args, more: None };
    let up_to = |args, more| Signature { args, more: Some(more) };
    Ok(match name {
        "holt_winters" | "double_exponential_smoothing" => {
            let smoothing = ranged(rate::double_exponential_smoothing);
            let Function::Range { function, needs, keeps_name, knows_the_step, .. } = smoothing
            else {
                unreachable!("ranged makes ranges")
            };
            let check = rate::check_smoothing;
            let function = Function::Range { function, needs, keeps_name, knows_the_step, check };
            (function, exact(&[Matrix, Scalar, Scalar]))
        }
        "predict_linear" => (
            Function::Range {
                function: RangeFn::Each(rate::predict_linear),
                needs: Needs::Nothing,
                keeps_name: false,
                knows_the_step: true,
                check: |_| Ok(()),
            },
            exact(&[Matrix, Scalar]),
        ),
        "quantile_over_time" => (ranged(over_time::quantile), exact(&[Scalar, Matrix])),
        "absent_over_time" => (Function::AbsentOverTime, exact(&[Matrix])),
        "clamp" => (Function::Clamp, exact(&[Vector, Scalar, Scalar])),
        "clamp_min" => (Function::ClampMin, exact(&[Vector, Scalar])),
        "clamp_max" => (Function::ClampMax, exact(&[Vector, Scalar])),
        "round" => (Function::Round, up_to(&[Vector, Scalar], 1)),
        "scalar" => (Function::Scalar, exact(&[Vector])),
        "vector" => (Function::Vector, exact(&[Scalar])),
        "time" => (Function::Time, exact(&[])),
        "pi" => (Function::Pi, exact(&[])),
        "timestamp" => (Function::Timestamp, exact(&[Vector])),
        "absent" => (Function::Absent, exact(&[Vector])),
        "histogram_quantile" => (Function::HistogramQuantile, exact(&[Scalar, Vector])),
        "sort" => (Function::Sort { descending: false }, exact(&[Vector])),
        "sort_desc" => (Function::Sort { descending: true }, exact(&[Vector])),
        "sort_by_label" | "sort_by_label_desc" => {
            let descending = name.ends_with("_desc");
            let labels = Arc::default();
            let function = Function::SortByLabel { descending, labels };
            (function, up_to(&[Vector, Text], usize::MAX))
        }
        "label_replace" => (Function::LabelReplace(None), exact(&[Vector, Text, Text, Text, Text])),
        "label_join" => (Function::LabelJoin(None), up_to(&[Vector, Text, Text, Text], usize::MAX)),
        _ => return of_one(name),
    })
}

/// The functions of one argument of the ordinary kinds.
fn of_one(name: &str) -> Result<(Function, Signature)> {
    let vector = |more| Signature { args: &[Kind::Vector], more };
    if let Some(function) = over(name) {
        return Ok((function, Signature { args: &[Kind::Matrix], more: None }));
    }
    if let Some(map) = number::map(name) {
        return Ok((Function::Map(map), vector(None)));
    }
    if let Some(part) = calendar::named(name) {
        return Ok((Function::Calendar(part), vector(Some(1))));
    }
    Err(match UNSUPPORTED.contains(&name) {
        true => Error::Unsupported(format!("the function {name}")),
        false => Error::BadData(format!("unknown function with name {name:?}")),
    })
}

fn ranged(function: fn(&Window<'_>) -> Option<f64>) -> Function {
    needing(Needs::Nothing, RangeFn::Each(function))
}

fn needing(needs: Needs, function: RangeFn) -> Function {
    let (keeps_name, knows_the_step) = (false, false);
    Function::Range { function, needs, keeps_name, knows_the_step, check: |_| Ok(()) }
}

/// Over a range vector, with nothing else.
fn over(name: &str) -> Option<Function> {
    use RangeFn::{Each, Several};
    let keeping = |function| Function::Range {
        function: Each(function),
        needs: Needs::Nothing,
        keeps_name: true,
        knows_the_step: false,
        check: |_| Ok(()),
    };
    Some(match name {
        "rate" => needing(Needs::Resets, Several(rate::rate)),
        "increase" => needing(Needs::Resets, Several(rate::increase)),
        "delta" => needing(Needs::Nothing, Several(rate::delta)),
        "irate" => ranged(rate::irate),
        "idelta" => ranged(rate::idelta),
        "deriv" => ranged(rate::deriv),
        "resets" => needing(Needs::Resets, Each(rate::resets)),
        "changes" => ranged(rate::changes),
        "avg_over_time" => needing(Needs::Nothing, Several(over_time::avg)),
        "min_over_time" => needing(Needs::Smallest, Each(|window| Some(window.best))),
        "max_over_time" => needing(Needs::Largest, Each(|window| Some(window.best))),
        "sum_over_time" => ranged(over_time::sum),
        "count_over_time" => ranged(over_time::count),
        "present_over_time" => ranged(|_| Some(1.0)),
        "stddev_over_time" => ranged(over_time::stddev),
        "stdvar_over_time" => ranged(over_time::stdvar),
        "mad_over_time" => ranged(over_time::mad),
        "ts_of_first_over_time" => ranged(over_time::ts_of_first),
        "ts_of_last_over_time" => ranged(over_time::ts_of_last),
        "ts_of_min_over_time" => ranged(over_time::ts_of_min),
        "ts_of_max_over_time" => ranged(over_time::ts_of_max),
        "first_over_time" => keeping(over_time::first),
        "last_over_time" => keeping(over_time::last),
        _ => return None,
    })
}

impl Function {
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
            let regex = matcher::anchored(&pattern)
                .map_err(|error| Error::Execution(format!("label_replace(): {error}")))?;
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
        Function::SortByLabel { descending, .. } => {
            let labels = args[1..].iter().map(|arg| text(name, arg)).collect::<Result<_>>()?;
            Function::SortByLabel { descending, labels }
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
