//! The evaluator: a plan and the samples read for it, to values at every step. It does no input
//! or output, and keeps nothing.

use std::{borrow::Cow, cell::Cell, collections::HashMap, sync::Arc};

use base::sample::{NAME, Sample, is_stale};

use super::{
    functions::Function,
    guard::{Guard, Memory},
    plan::{Node, Range, RangeSource, Selector},
};
use crate::{
    error::{Error, Result},
    memory,
    store::Selected,
};

mod aggregate;
mod binary;
pub mod calendar;
mod call;
mod groups;
mod heap;
mod histogram;
mod labels;
mod metric;
pub mod number;
pub mod over_time;
mod parallel;
pub mod rate;
mod window;

pub use metric::Metric;
use window::{Ranged, advance};

/// The instants of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub start_ms: i64,
    pub step_ms: i64,
    pub count: usize,
}

impl Grid {
    pub fn instant(at_ms: i64) -> Self {
        Self { start_ms: at_ms, step_ms: 1, count: 1 }
    }
    pub fn at(&self, step: usize) -> i64 {
        self.start_ms + self.step_ms * step as i64
    }
    pub fn end_ms(&self) -> i64 {
        self.at(self.count.saturating_sub(1))
    }
}

/// One series of a vector: a value, or none, at each step.
#[derive(Debug, Clone)]
pub struct Points {
    pub labels: Metric,
    pub values: Vec<Option<f64>>,
}

impl Points {
    fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }
}

#[derive(Debug)]
pub enum Out {
    Scalar(Vec<f64>),
    /// In the order that `sort` and `topk` made, where there is one step.
    Vector(Vec<Points>),
}

/// A series of a range vector before it is cut into windows.
pub struct Stretch<'a> {
    pub labels: Metric,
    pub samples: Cow<'a, [Sample]>,
}

pub struct Evaluator<'a> {
    /// By [`Selector::data`].
    pub data: &'a [Arc<Vec<Selected>>],
    pub lookback_ms: i64,
    pub held: Held,
    pub guard: &'a Guard,
}

/// How many values are held, with their bounds: what a node's operands gave is held until the node
/// has its own.
pub struct Held {
    now: Cell<usize>,
    limit: usize,
    memory: Memory,
}

impl Held {
    pub fn at_most(limit: usize, memory: Memory) -> Self {
        Self { now: Cell::new(0), limit, memory }
    }
    fn check(&self, more: usize) -> Result<()> {
        let all = self.now.get().saturating_add(more);
        if all > self.limit {
            return Err(Error::TooManyPoints { limit: self.limit });
        }
        self.memory.check(all.saturating_mul(VALUE_BYTES))
    }
    /// Whether something else fits beside the values.
    pub fn check_bytes(&self, more: usize) -> Result<()> {
        self.memory.check(self.now.get().saturating_mul(VALUE_BYTES).saturating_add(more))
    }
    /// Whether these fit as an answer: their labels are copied, values become text.
    pub fn check_answer(&self, series: &[Points]) -> Result<()> {
        let labels: usize = series.iter().map(|one| memory::of_labels(one.labels.iter())).sum();
        self.check_bytes(labels)?;
        let values = |one: &Points| one.values.iter().filter(|value| value.is_some()).count();
        let values: usize = series.iter().map(values).sum();
        // The labels once more as text.
        self.memory.check_alone(2 * labels + values * memory::ANSWERED_VALUE)
    }
}

const VALUE_BYTES: usize = size_of::<Option<f64>>();

impl<'a> Evaluator<'a> {
    pub fn eval(&self, node: &Node, grid: Grid) -> Result<Out> {
        self.guard.check()?;
        let before = self.held.now.get();
        let out = self.eval_node(node, grid)?;
        let series = match &out {
            Out::Scalar(_) => 1,
            Out::Vector(series) => series.len(),
        };
        // Its operands are still there.
        self.bound(series, grid)?;
        self.held.now.set(before.saturating_add(series.saturating_mul(grid.count)));
        Ok(out)
    }

    fn eval_node(&self, node: &Node, grid: Grid) -> Result<Out> {
        if grid.count > 1 && !matches!(node, Node::Number(_)) && node.is_step_invariant() {
            return self.eval_once(node, grid);
        }
        Ok(match node {
            Node::Number(number) => Out::Scalar(vec![*number; grid.count]),
            Node::Selector(selector) => Out::Vector(self.instant(selector, grid)?),
            Node::Negate(inner) => self.negate(inner, grid)?,
            Node::Plus(inner) => self.eval(inner, grid)?,
            Node::Binary(binary) => self.binary(binary, grid)?,
            Node::Aggregate(aggregate) => Out::Vector(self.aggregate(aggregate, grid)?),
            Node::Call(call) => self.call(call, grid)?,
            Node::Text(_) | Node::Range(_) => {
                let kind = node.kind().name();
                return Err(Error::BadData(format!("a {kind} can't stand here")));
            }
        })
    }

    /// What is the same at every step is evaluated at the first one.
    fn eval_once(&self, node: &Node, grid: Grid) -> Result<Out> {
        Ok(match self.eval(node, Grid { count: 1, ..grid })? {
            Out::Scalar(values) => Out::Scalar(vec![values[0]; grid.count]),
            Out::Vector(mut series) => {
                self.bound(series.len(), grid)?;
                for points in &mut series {
                    points.values = vec![points.values[0]; grid.count];
                }
                Out::Vector(series)
            }
        })
    }

    /// Whether so many series of so many steps fit beside what is held.
    fn bound(&self, series: usize, grid: Grid) -> Result<()> {
        self.held.check(series.saturating_mul(grid.count))
    }

    pub fn vector(&self, node: &Node, grid: Grid) -> Result<Vec<Points>> {
        match self.eval(node, grid)? {
            Out::Vector(series) => Ok(series),
            Out::Scalar(_) => Err(Error::BadData("a scalar can't stand here".to_owned())),
        }
    }

    pub fn scalar(&self, node: &Node, grid: Grid) -> Result<Vec<f64>> {
        match self.eval(node, grid)? {
            Out::Scalar(values) => Ok(values),
            Out::Vector(_) => Err(Error::BadData("a vector can't stand here".to_owned())),
        }
    }

    fn negate(&self, inner: &Node, grid: Grid) -> Result<Out> {
        Ok(match self.eval(inner, grid)? {
            Out::Scalar(values) => Out::Scalar(values.into_iter().map(|v| -v).collect()),
            Out::Vector(series) => {
                let negated = series.into_iter().map(|points| Points {
                    labels: points.labels,
                    values: points.values.into_iter().map(|v| v.map(|v| -v)).collect(),
                });
                Out::Vector(distinct(without_names(negated.collect()))?)
            }
        })
    }

    /// Each step's newest sample, unless it is stale or older than the lookback.
    fn instant(&self, selector: &Selector, grid: Grid) -> Result<Vec<Points>> {
        self.look_back(selector, grid, |sample| sample.value)
    }

    pub fn look_back(
        &self,
        selector: &Selector,
        grid: Grid,
        value: fn(&Sample) -> f64,
    ) -> Result<Vec<Points>> {
        let all = self.data[selector.data].as_slice();
        self.bound(all.len(), grid)?;
        let samples: usize = all.iter().map(|series| series.samples.len()).sum();
        let (guard, lookback_ms) = (self.guard, self.lookback_ms);
        let series = parallel::map(all, samples + all.len() * grid.count, |series| {
            guard.check()?;
            let mut from = 0;
            let values = (0..grid.count).map(|step| {
                let look_ms = selector.at_ms.unwrap_or(grid.at(step)) - selector.offset_ms;
                // Steps rise, so what lies behind this one's sample is done with.
                from += advance(&series.samples[from..], |s| s.at_ms <= look_ms);
                let newest = series.samples[..from].last()?;
                from -= 1;
                let fresh = newest.at_ms >= look_ms - lookback_ms;
                (fresh && !is_stale(newest.value)).then(|| value(newest))
            });
            Ok(Points { labels: series.labels.clone().into(), values: values.collect() })
        })?;
        Ok(series.into_iter().filter(|points| !points.is_empty()).collect())
    }

    /// The samples that the windows of all steps are cut from, stale markers left out.
    pub fn stretches(&self, range: &Range, grid: Grid) -> Result<Vec<Stretch<'a>>> {
        match &range.source {
            RangeSource::Selector(selector) => {
                let mut copied = 0;
                let stretches = self.data[selector.data].iter().map(|series| {
                    let stretch = without_stale(series);
                    if let Cow::Owned(samples) = &stretch.samples {
                        copied += memory::of_samples(samples.len());
                        self.held.check_bytes(copied)?;
                    }
                    Ok(stretch)
                });
                stretches.collect()
            }
            RangeSource::Subquery { inner, step_ms } => {
                let inner_grid = self.subquery_grid(range, *step_ms, grid)?;
                if inner_grid.count == 0 {
                    return Ok(Vec::new());
                }
                let series = self.vector(inner, inner_grid)?;
                Ok(series.into_iter().map(|points| to_stretch(points, inner_grid)).collect())
            }
        }
    }

    /// Multiples of the step, from the first one inside the first window.
    fn subquery_grid(&self, range: &Range, step_ms: i64, grid: Grid) -> Result<Grid> {
        let first_ms = range.end_ms(grid.start_ms) - range.range_ms;
        let end_ms = range.end_ms(grid.end_ms());
        let mut start_ms = step_ms * (first_ms / step_ms);
        if start_ms < first_ms {
            start_ms += step_ms;
        }
        let count = if end_ms < start_ms { 0 } else { (end_ms - start_ms) / step_ms + 1 };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.held.check(count)?;
        Ok(Grid { start_ms, step_ms, count })
    }
}

fn without_stale(series: &Selected) -> Stretch<'_> {
    let samples = if series.samples.iter().any(|s| is_stale(s.value)) {
        Cow::Owned(series.samples.iter().filter(|s| !is_stale(s.value)).copied().collect())
    } else {
        Cow::Borrowed(series.samples.as_slice())
    };
    Stretch { labels: series.labels.clone().into(), samples }
}

fn to_stretch(points: Points, grid: Grid) -> Stretch<'static> {
    let values = points.values.into_iter().enumerate();
    let samples = values.filter_map(|(i, v)| Some(Sample { at_ms: grid.at(i), value: v? }));
    Stretch { labels: points.labels, samples: Cow::Owned(samples.collect()) }
}

/// Takes the metrics' names away; [`distinct`] or [`joined`] has to look at what comes of it, unless
/// they were all the same.
pub struct Nameless {
    series: Vec<Points>,
    had_one_name: bool,
}

pub fn without_names(mut series: Vec<Points>) -> Nameless {
    let mut names = series.iter().map(|points| points.labels.get(NAME));
    let first = names.next();
    let had_one_name = first.is_none_or(|first| names.all(|name| name == first));
    series.iter_mut().for_each(|points| points.labels = points.labels.without_name());
    Nameless { series, had_one_name }
}

fn same_labels() -> Error {
    Error::Execution("vector cannot contain metrics with the same labelset".to_owned())
}

/// Refuses two series of the same labels.
pub fn distinct(nameless: Nameless) -> Result<Vec<Points>> {
    let Nameless { series, had_one_name } = nameless;
    if had_one_name {
        return Ok(series);
    }
    let mut seen = std::collections::HashSet::with_capacity(series.len());
    if series.iter().all(|points| seen.insert(&points.labels)) {
        return Ok(series);
    }
    Err(same_labels())
}

/// Joins what is the same without its name, as [`joined`] does.
pub fn joined_nameless(nameless: Nameless) -> Result<Vec<Points>> {
    let Nameless { mut series, had_one_name } = nameless;
    if had_one_name {
        series.retain(|points| !points.is_empty());
        return Ok(series);
    }
    joined(series)
}

/// Joins series of the same labels, and refuses two values of them at one step. Empty ones go.
pub fn joined(series: Vec<Points>) -> Result<Vec<Points>> {
    let mut by_labels: HashMap<Metric, usize> = HashMap::with_capacity(series.len());
    let mut out: Vec<Points> = Vec::with_capacity(series.len());
    for points in series.into_iter().filter(|points| !points.is_empty()) {
        let Some(before) = by_labels.get(&points.labels) else {
            by_labels.insert(points.labels.clone(), out.len());
            out.push(points);
            continue;
        };
        for (there, value) in out[*before].values.iter_mut().zip(points.values) {
            match (&there, value) {
                (Some(_), Some(_)) => return Err(same_labels()),
                (None, Some(_)) => *there = value,
                (_, None) => {}
            }
        }
    }
    Ok(out)
}
