//! Aggregations: across the series of a vector, step by step.

use std::{collections::HashMap, ops::Range};

use base::sample::Labels;

use super::{
    Error, Evaluator, Grid, Metric, Points, Result, VALUE_BYTES,
    groups::{By, Groups},
    joined, number,
};
use crate::{
    memory, parallel,
    promql::{
        guard::Guard,
        plan::{Aggregate, AggregateOp, Param},
    },
};

mod top;

/// Steps that one thread folds at a time: few enough that the running values stay in its cache.
const STEPS: usize = 128;
/// A fold looks whether it should go on after so many values (about a millisecond's).
const GUARD_VALUES: usize = 500_000;

/// The groups that series fall into.
struct Grouped {
    labels: Vec<Metric>,
    of_series: Vec<usize>,
}

/// A running value of one group.
#[derive(Debug, Clone, Copy)]
struct Running {
    value: f64,
    mean: f64,
    count: f64,
}

impl Evaluator<'_> {
    pub(super) fn aggregate(&self, aggregate: &Aggregate, grid: Grid) -> Result<Vec<Points>> {
        let param = match &aggregate.param {
            Param::Scalar(param) => Some(self.scalar(param, grid)?),
            Param::None | Param::Label(_) => None,
        };
        let series = self.vector(&aggregate.expr, grid)?;
        if let Param::Label(label) = &aggregate.param {
            return self.count_values(aggregate, label, series, grid);
        }
        let grouped = self.grouped(aggregate, &series)?;
        match (aggregate.op, param) {
            (AggregateOp::Topk | AggregateOp::Bottomk, Some(k)) => {
                self.top(aggregate.op, &grouped, series, &k, grid)
            }
            (AggregateOp::Quantile, Some(q)) => self.quantiles(&grouped, &series, &q, grid),
            (op, _) => self.folded(op, &grouped, &series, grid),
        }
    }

    fn grouped(&self, aggregate: &Aggregate, series: &[Points]) -> Result<Grouped> {
        let by = By { only: !aggregate.without, labels: &aggregate.labels };
        let mut groups = Groups::default();
        let of_series = groups.numbers(series, by, self.guard)?;
        let mut labels: Vec<Metric> = Vec::with_capacity(groups.count());
        for (points, number) in series.iter().zip(&of_series) {
            if *number == labels.len() {
                labels.push(by.of(points.labels.iter()).into());
            }
        }
        Ok(Grouped { labels, of_series })
    }

    /// Series by series, in their order, so that sums round as the reference's do.
    fn folded(
        &self,
        op: AggregateOp,
        grouped: &Grouped,
        series: &[Points],
        grid: Grid,
    ) -> Result<Vec<Points>> {
        self.bound(grouped.labels.len(), grid)?;
        let cells = grouped.labels.len().saturating_mul(grid.count);
        self.held.check_bytes(cells.saturating_mul(size_of::<Option<Running>>()))?;
        let (guard, groups) = (self.guard, grouped.labels.len());
        let work = series.len().saturating_mul(grid.count);
        let parts = parallel::map(
            grid.count.div_ceil(STEPS),
            work,
            || (),
            |(), part| {
                let steps = part * STEPS..((part + 1) * STEPS).min(grid.count);
                fold(op, groups, &grouped.of_series, series, &steps, guard)
            },
        )?;
        let mut out: Vec<Points> = Vec::with_capacity(groups);
        for (group, labels) in grouped.labels.iter().enumerate() {
            let values = parts.iter().flat_map(|part| &part[group]).copied();
            out.push(Points { labels: labels.clone(), values: values.collect() });
        }
        joined(out)
    }

    fn quantiles(
        &self,
        grouped: &Grouped,
        series: &[Points],
        q: &[f64],
        grid: Grid,
    ) -> Result<Vec<Points>> {
        self.bound(grouped.labels.len(), grid)?;
        let empty =
            |labels: &Metric| Points { labels: labels.clone(), values: vec![None; grid.count] };
        let mut out: Vec<Points> = grouped.labels.iter().map(empty).collect();
        let mut values = vec![Vec::new(); out.len()];
        for (step, q) in q.iter().enumerate() {
            self.guard.check()?;
            for (points, group) in series.iter().zip(&grouped.of_series) {
                values[*group].extend(points.values[step]);
            }
            for (points, values) in out.iter_mut().zip(&mut values) {
                points.values[step] = (!values.is_empty()).then(|| number::quantile(*q, values));
                values.clear();
            }
        }
        joined(out)
    }

    fn count_values(
        &self,
        aggregate: &Aggregate,
        label: &str,
        series: Vec<Points>,
        grid: Grid,
    ) -> Result<Vec<Points>> {
        let mut found: HashMap<Labels, usize> = HashMap::new();
        let mut out: Vec<Points> = Vec::new();
        let mut grouping = aggregate.labels.clone();
        if !aggregate.without {
            grouping.push(label.to_owned());
        }
        let by = By { only: !aggregate.without, labels: &grouping };
        // Each value is a series of its own, so that a single one can become thousands.
        let mut made = 0;
        for points in series {
            self.guard.check()?;
            for (step, value) in points.values.iter().enumerate() {
                let Some(value) = value else { continue };
                let with_value = points.labels.to_labels().with(label, &shown(*value));
                let key = by.of(with_value.iter());
                let index = match found.get(&key) {
                    Some(index) => *index,
                    None => {
                        self.bound(out.len() + 1, grid)?;
                        made += grid.count * VALUE_BYTES + 2 * memory::of_labels(key.iter());
                        self.held.check_bytes(made)?;
                        let values = vec![None; grid.count];
                        out.push(Points { labels: key.clone().into(), values });
                        found.insert(key, out.len() - 1);
                        out.len() - 1
                    }
                };
                let count = &mut out[index].values[step];
                *count = Some(count.unwrap_or(0.0) + 1.0);
            }
        }
        joined(out)
    }
}

/// Of each group the values at some steps.
fn fold(
    op: AggregateOp,
    groups: usize,
    of_series: &[usize],
    series: &[Points],
    steps: &Range<usize>,
    guard: &Guard,
) -> Result<Vec<Vec<Option<f64>>>> {
    let mut rows: Vec<Vec<Option<Running>>> = vec![vec![None; steps.len()]; groups];
    let mut unguarded = GUARD_VALUES;
    for (points, group) in series.iter().zip(of_series) {
        unguarded += steps.len();
        if unguarded > GUARD_VALUES {
            guard.check()?;
            unguarded = 0;
        }
        for (running, value) in rows[*group].iter_mut().zip(&points.values[steps.clone()]) {
            if let Some(value) = value {
                add(op, running, *value);
            }
        }
    }
    let finished = |row: Vec<Option<Running>>| row.into_iter().map(|r| r.map(|r| finish(op, r)));
    Ok(rows.into_iter().map(|row| finished(row).collect()).collect())
}

#[inline]
fn add(op: AggregateOp, running: &mut Option<Running>, value: f64) {
    let Some(r) = running else {
        let start = match op {
            AggregateOp::Stddev | AggregateOp::Stdvar => 0.0,
            AggregateOp::Group => 1.0,
            _ => value,
        };
        *running = Some(Running { value: start, mean: value, count: 1.0 });
        return;
    };
    r.count += 1.0;
    match op {
        AggregateOp::Sum => r.value += value,
        AggregateOp::Avg if number::stays_infinite(r.mean, value) => {}
        AggregateOp::Avg => r.mean += value / r.count - r.mean / r.count,
        AggregateOp::Min if r.value > value || r.value.is_nan() => r.value = value,
        AggregateOp::Max if r.value < value || r.value.is_nan() => r.value = value,
        AggregateOp::Stddev | AggregateOp::Stdvar => {
            let delta = value - r.mean;
            r.mean += delta / r.count;
            r.value += delta * (value - r.mean);
        }
        _ => {}
    }
}

fn finish(op: AggregateOp, r: Running) -> f64 {
    match op {
        AggregateOp::Avg => r.mean,
        AggregateOp::Count => r.count,
        AggregateOp::Stdvar => r.value / r.count,
        AggregateOp::Stddev => (r.value / r.count).sqrt(),
        _ => r.value,
    }
}

/// A value as the text of a label: Go's shortest form without an exponent.
fn shown(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value if value.is_nan() => "NaN".to_owned(),
        value => crate::value::shortest(value),
    }
}

#[cfg(test)]
mod tests;
