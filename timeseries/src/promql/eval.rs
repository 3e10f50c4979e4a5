//! The evaluator: a plan and the samples read for it, to values at every step. It does no input
//! or output, and keeps nothing.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use base::sample::{Labels, NAME, Sample, is_stale};

use super::{
    functions::Function,
    guard::{Guard, Memory, Reading},
    plan::{Node, Param, Range, RangeSource, Selector},
};
use crate::{
    error::{Error, Result},
    memory, parallel,
    selection::Selection,
};

mod aggregate;
mod bests;
mod binary;
pub mod calendar;
mod call;
mod groups;
mod heap;
mod histogram;
mod labels;
mod means;
mod metric;
pub mod number;
pub mod over_time;
pub mod rate;
mod window;

pub use metric::Metric;
use window::{Ranged, advance, stride};

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
pub struct Stretch {
    pub labels: Metric,
    pub samples: Vec<Sample>,
}

pub struct Evaluator<'a> {
    /// By [`Selector::data`].
    pub data: &'a [Arc<dyn Selection>],
    pub lookback_ms: i64,
    pub reading: Reading,
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
/// What a thread holds of several series that are looked at together: 4 MiB.
const FEW_MAX_SAMPLES: usize = 1 << 18;

impl Evaluator<'_> {
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

    /// What is the same at every step is evaluated, and may fail, even where there is no step: so it
    /// does in Prometheus.
    fn judge_invariants(&self, node: &Node, grid: Grid) -> Result<()> {
        if node.is_step_invariant() {
            if !matches!(node, Node::Number(_) | Node::Text(_) | Node::Range(_)) {
                let before = self.held.now.get();
                self.eval(node, grid)?;
                self.held.now.set(before);
            }
            return Ok(());
        }
        match node {
            Node::Negate(inner) | Node::Plus(inner) => self.judge_invariants(inner, grid),
            Node::Binary(binary) => {
                self.judge_invariants(&binary.lhs, grid)?;
                self.judge_invariants(&binary.rhs, grid)
            }
            Node::Aggregate(aggregate) => {
                if let Param::Scalar(param) = &aggregate.param {
                    self.judge_invariants(param, grid)?;
                }
                self.judge_invariants(&aggregate.expr, grid)
            }
            Node::Call(call) => {
                call.args.iter().try_for_each(|arg| self.judge_invariants(arg, grid))
            }
            Node::Number(_) | Node::Text(_) | Node::Selector(_) | Node::Range(_) => Ok(()),
        }
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
        value: impl Fn(&Sample) -> f64 + Sync,
    ) -> Result<Vec<Points>> {
        let (guard, lookback_ms) = (self.guard, self.lookback_ms);
        let series = self.each_selected(selector, grid, |labels, samples| {
            guard.check()?;
            let (mut from, stride) = (0, stride(samples, grid));
            let values = (0..grid.count).map(|step| {
                let look_ms = selector.at_ms.unwrap_or(grid.at(step)) - selector.offset_ms;
                from = advance(samples, from, stride, |s| s.at_ms <= look_ms);
                let newest = samples[..from].last()?;
                let fresh = newest.at_ms >= look_ms - lookback_ms;
                (fresh && !is_stale(newest.value)).then(|| value(newest))
            });
            Ok(Points { labels: labels.clone().into(), values: values.collect() })
        })?;
        Ok(series.into_iter().filter(|points| !points.is_empty()).collect())
    }

    /// Calls a function with the samples of each series that a selector finds, one after another
    /// and by several threads; a thread holds no more than one series' samples.
    fn each_selected<R: Send>(
        &self,
        selector: &Selector,
        grid: Grid,
        each: impl Fn(&Arc<Labels>, &mut Vec<Sample>) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        self.each_few_selected(selector, grid, 1, |labels, samples| {
            Ok(vec![each(&labels[0], &mut samples[0])?])
        })
    }

    /// The same with so many series at a time, or fewer: a thread that holds [`FEW_MAX_SAMPLES`]
    /// reads no further series.
    fn each_few_selected<R: Send>(
        &self,
        selector: &Selector,
        grid: Grid,
        few: usize,
        each: impl Fn(&[Arc<Labels>], &mut [Vec<Sample>]) -> Result<Vec<R>> + Sync,
    ) -> Result<Vec<R>> {
        let selection = &*self.data[selector.data];
        let labels = selection.labels();
        self.bound(labels.len(), grid)?;
        let counts = !selection.is_loaded();
        let reading = &self.reading;
        let work = selection.samples_about() + labels.len() * grid.count;
        let state = || (selection.reader(), vec![Vec::new(); few]);
        let all = parallel::map(labels.len().div_ceil(few), work, state, |state, group| {
            let (reader, samples) = state;
            let group = group * few..((group + 1) * few).min(labels.len());
            let (mut begin, mut held, mut out) = (group.start, 0, Vec::new());
            for series in group.clone() {
                let its = &mut samples[series - begin];
                reader.read(series, its)?;
                if counts {
                    reading.take(its.len())?;
                }
                held += its.len();
                if held >= FEW_MAX_SAMPLES || series + 1 == group.end {
                    let next = series + 1;
                    out.append(&mut each(&labels[begin..next], &mut samples[..next - begin])?);
                    (begin, held) = (next, 0);
                }
            }
            Ok(out)
        })?;
        Ok(all.into_iter().flatten().collect())
    }

    /// The samples that the windows of all steps are cut from, stale markers left out.
    pub fn stretches(&self, range: &Range, grid: Grid) -> Result<Vec<Stretch>> {
        match &range.source {
            RangeSource::Selector(selector) => {
                let held = AtomicUsize::new(0);
                let memory = self.held.memory;
                self.each_selected(selector, grid, |labels, samples| {
                    leave_out_stale(samples);
                    let bytes = memory::of_samples(samples.len());
                    memory.check(held.fetch_add(bytes, Relaxed) + bytes)?;
                    Ok(Stretch { labels: labels.clone().into(), samples: samples.clone() })
                })
            }
            RangeSource::Subquery { inner, step_ms } => self.subquery(range, inner, *step_ms, grid),
        }
    }

    fn subquery(
        &self,
        range: &Range,
        inner: &Node,
        step_ms: i64,
        grid: Grid,
    ) -> Result<Vec<Stretch>> {
        let inner_grid = self.subquery_grid(range, step_ms, grid)?;
        if inner_grid.count == 0 {
            self.judge_invariants(inner, Grid::instant(grid.start_ms))?;
            return Ok(Vec::new());
        }
        let series = self.vector(inner, inner_grid)?;
        Ok(series.into_iter().map(|points| to_stretch(points, inner_grid)).collect())
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

fn leave_out_stale(samples: &mut Vec<Sample>) {
    // A few at a time, which are compared at once.
    const SEVERAL: usize = 32;
    let any = |samples: &[Sample]| samples.iter().fold(false, |any, s| any | is_stale(s.value));
    if samples.chunks(SEVERAL).any(any) {
        samples.retain(|sample| !is_stale(sample.value));
    }
}

fn to_stretch(points: Points, grid: Grid) -> Stretch {
    let values = points.values.into_iter().enumerate();
    let samples = values.filter_map(|(i, v)| Some(Sample { at_ms: grid.at(i), value: v? }));
    Stretch { labels: points.labels, samples: samples.collect() }
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
