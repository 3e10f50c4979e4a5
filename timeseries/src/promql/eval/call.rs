//! Calls of functions.

use base::sample::{Labels, NAME};

use super::{
    Error, Evaluator, Function, Grid, Metric, Out, Points, Ranged, Result, calendar, distinct,
    histogram, joined, joined_nameless, labels, number, without_names,
};
use crate::promql::{
    functions::{Needs, RangeFn},
    plan::{Call, Node, Range, RangeSource},
};

impl Evaluator<'_> {
    pub(super) fn call(&self, call: &Call, grid: Grid) -> Result<Out> {
        let args = &call.args;
        Ok(match &call.function {
            Function::Time => {
                Out::Scalar((0..grid.count).map(|i| grid.at(i) as f64 / 1000.0).collect())
            }
            Function::Pi => Out::Scalar(vec![std::f64::consts::PI; grid.count]),
            Function::Scalar => Out::Scalar(the_only_one(&self.vector(&args[0], grid)?, grid)),
            Function::Vector => {
                let values = self.scalar(&args[0], grid)?.into_iter().map(Some).collect();
                Out::Vector(vec![Points { labels: Metric::default(), values }])
            }
            Function::Map(map) => Out::Vector(self.map(&args[0], grid, |v, _| Some(map(v)))?),
            Function::Calendar(part) => Out::Vector(self.calendar(args, *part, grid)?),
            Function::Clamp | Function::ClampMin | Function::ClampMax | Function::Round => {
                Out::Vector(self.bounded(call, grid)?)
            }
            Function::Timestamp => Out::Vector(self.timestamp(&args[0], grid)?),
            Function::Absent => {
                let series = self.vector(&args[0], grid)?;
                Out::Vector(absent(labels::of_absent(&args[0]), &series, grid))
            }
            Function::AbsentOverTime => {
                let (needs, check) = (Needs::Nothing, |_: [f64; 2]| Ok(()));
                let function = RangeFn::Each(|_| Some(1.0));
                let present = Ranged { function, needs, check, scalars: &[] };
                let series = self.over_range(range_of(&args[0])?, grid, &present)?;
                Out::Vector(absent(labels::of_absent(&args[0]), &series, grid))
            }
            Function::HistogramQuantile => {
                let quantiles = self.scalar(&args[0], grid)?;
                let buckets = self.vector(&args[1], grid)?;
                Out::Vector(joined(histogram::quantiles(&quantiles, buckets, self.guard)?)?)
            }
            Function::Sort { descending } => {
                let mut series = self.vector(&args[0], grid)?;
                if grid.count == 1 {
                    sort(&mut series, *descending);
                }
                Out::Vector(series)
            }
            Function::LabelReplace(replace) => {
                let replace = replace.as_deref().expect("the planner put it there");
                let series = self.vector(&args[0], grid)?;
                Out::Vector(joined(labels::replace(series, replace, self)?)?)
            }
            Function::LabelJoin(join) => {
                let join = join.as_deref().expect("the planner put it there");
                let series = self.vector(&args[0], grid)?;
                Out::Vector(joined(labels::join(series, join, self)?)?)
            }
            Function::SortByLabel { descending, labels } => {
                let mut series = self.vector(&args[0], grid)?;
                if grid.count == 1 {
                    labels::sort(&mut series, labels, *descending);
                }
                Out::Vector(series)
            }
            Function::Range { .. } => Out::Vector(self.ranged(call, grid)?),
        })
    }

    fn ranged(&self, call: &Call, grid: Grid) -> Result<Vec<Points>> {
        let Function::Range { function, needs, keeps_name, check, .. } = call.function else {
            unreachable!("the caller has seen that it is one")
        };
        let is_range = |arg: &Node| matches!(arg, Node::Range(_));
        let others = call.args.iter().filter(|arg| !is_range(arg));
        let scalars: Vec<Vec<f64>> =
            others.map(|arg| self.scalar(arg, grid)).collect::<Result<_>>()?;
        let ranged = Ranged { function, needs, check, scalars: &scalars };
        let at = call.args.iter().position(is_range).unwrap_or(0);
        let series = self.over_range(range_of(&call.args[at])?, grid, &ranged)?;
        if keeps_name { Ok(series) } else { distinct(without_names(series)) }
    }

    /// Value by value, with the step's index; the metric's name goes.
    fn map(
        &self,
        arg: &Node,
        grid: Grid,
        map: impl Fn(f64, usize) -> Option<f64>,
    ) -> Result<Vec<Points>> {
        let series = self.vector(arg, grid)?.into_iter().map(|points| {
            let values = points.values.into_iter().enumerate();
            Points {
                labels: points.labels,
                values: values.map(|(i, value)| value.and_then(|v| map(v, i))).collect(),
            }
        });
        joined_nameless(without_names(series.collect()))
    }

    /// The functions with scalars beside the vector.
    fn bounded(&self, call: &Call, grid: Grid) -> Result<Vec<Points>> {
        let scalars: Vec<Vec<f64>> =
            call.args[1..].iter().map(|arg| self.scalar(arg, grid)).collect::<Result<_>>()?;
        let arg = |index: usize, step: usize| scalars[index][step];
        let vector = &call.args[0];
        match call.function {
            Function::ClampMin => self.map(vector, grid, |v, i| Some(number::max(arg(0, i), v))),
            Function::ClampMax => self.map(vector, grid, |v, i| Some(number::min(arg(0, i), v))),
            Function::Clamp => self.map(vector, grid, |v, i| {
                let (min, max) = (arg(0, i), arg(1, i));
                if max < min { None } else { Some(number::max(min, number::min(max, v))) }
            }),
            _ if scalars.is_empty() => self.map(vector, grid, |v, _| Some(number::round(v, 1.0))),
            _ => self.map(vector, grid, |v, i| Some(number::round(v, arg(0, i)))),
        }
    }

    fn calendar(&self, args: &[Node], part: calendar::Part, grid: Grid) -> Result<Vec<Points>> {
        if let Some(arg) = args.first() {
            let at = |v| part(&calendar::Civil::at(calendar::whole_seconds(v)));
            return self.map(arg, grid, |v, _| Some(at(v)));
        }
        let seconds = (0..grid.count).map(|i| grid.at(i) / 1000);
        let values = seconds.map(|at| Some(part(&calendar::Civil::at(at)))).collect();
        Ok(vec![Points { labels: Metric::default(), values }])
    }

    /// Of a selector the samples' own instants, of anything else the steps'.
    fn timestamp(&self, arg: &Node, grid: Grid) -> Result<Vec<Points>> {
        if let Node::Selector(selector) = arg {
            let series = self.look_back(selector, grid, |sample| sample.at_ms as f64 / 1000.0)?;
            return joined_nameless(without_names(series));
        }
        self.map(arg, grid, |_, i| Some(grid.at(i) as f64 / 1000.0))
    }
}

fn range_of(arg: &Node) -> Result<&Range> {
    match arg {
        Node::Range(range) => Ok(range),
        _ => Err(Error::BadData("a range vector must stand here".to_owned())),
    }
}

fn the_only_one(series: &[Points], grid: Grid) -> Vec<f64> {
    let at = |step: usize| {
        let mut present = series.iter().filter_map(|points| points.values[step]);
        match (present.next(), present.next()) {
            (Some(value), None) => value,
            _ => f64::NAN,
        }
    };
    (0..grid.count).map(at).collect()
}

/// 1 at the steps where no series has a value.
fn absent(labels: Labels, series: &[Points], grid: Grid) -> Vec<Points> {
    let at = |step: usize| series.iter().all(|p| p.values[step].is_none()).then_some(1.0);
    let points = Points { labels: labels.into(), values: (0..grid.count).map(at).collect() };
    if points.is_empty() { Vec::new() } else { vec![points] }
}

/// NaN last, in both directions.
fn sort(series: &mut [Points], descending: bool) {
    let value = |points: &Points| points.values[0].unwrap_or(f64::NAN);
    series.sort_by(|a, b| {
        let (a, b) = (value(a), value(b));
        let order = a.partial_cmp(&b).map(|o| if descending { o.reverse() } else { o });
        order.unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
    });
}

impl RangeSource {
    /// As the caller wrote them; none for a subquery.
    pub(super) fn shown(&self) -> &[crate::Matcher] {
        match self {
            Self::Selector(selector) => &selector.shown,
            Self::Subquery { .. } => &[],
        }
    }
}

/// Whether a label is the metric's name.
pub(super) fn is_name(label: &str) -> bool {
    label == NAME
}
