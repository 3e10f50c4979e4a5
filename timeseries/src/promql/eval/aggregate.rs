//! Aggregations: across the series of a vector, step by step.

use std::{collections::HashMap, sync::Arc};

use base::sample::{Labels, NAME};

use super::{Error, Evaluator, Grid, Points, Result, heap::Heap, joined, number};
use crate::promql::plan::{Aggregate, AggregateOp, Param};

/// The groups that series fall into, numbered by first appearance.
struct Groups {
    labels: Vec<Arc<Labels>>,
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
        let groups = Groups::of(aggregate, &series);
        match (aggregate.op, param) {
            (AggregateOp::Topk | AggregateOp::Bottomk, Some(k)) => {
                self.top(aggregate.op, &groups, series, &k, grid)
            }
            (AggregateOp::Quantile, Some(q)) => {
                let column = |step: usize| {
                    let mut values = vec![Vec::new(); groups.labels.len()];
                    for (points, group) in series.iter().zip(&groups.of_series) {
                        values[*group].extend(points.values[step]);
                    }
                    let some = values.into_iter().map(|values| {
                        (!values.is_empty()).then(|| number::quantile(q[step], values))
                    });
                    some.collect()
                };
                self.columns(&groups, grid, column)
            }
            _ => self.columns(&groups, grid, |step| {
                let mut running = vec![None; groups.labels.len()];
                for (points, group) in series.iter().zip(&groups.of_series) {
                    if let Some(value) = points.values[step] {
                        add(aggregate.op, &mut running[*group], value);
                    }
                }
                running.into_iter().map(|r| r.map(|r| finish(aggregate.op, r))).collect()
            }),
        }
    }

    /// One series a group, from what each step gives for every group.
    fn columns(
        &self,
        groups: &Groups,
        grid: Grid,
        column: impl Fn(usize) -> Vec<Option<f64>>,
    ) -> Result<Vec<Points>> {
        let empty = |labels: &Arc<Labels>| Points {
            labels: labels.clone(),
            values: vec![None; grid.count],
        };
        let mut out: Vec<Points> = groups.labels.iter().map(empty).collect();
        for step in 0..grid.count {
            self.guard.check()?;
            for (points, value) in out.iter_mut().zip(column(step)) {
                points.values[step] = value;
            }
        }
        joined(out)
    }

    fn top(
        &self,
        op: AggregateOp,
        groups: &Groups,
        series: Vec<Points>,
        k: &[f64],
        grid: Grid,
    ) -> Result<Vec<Points>> {
        let ascending = op == AggregateOp::Topk;
        let worse = |a: &(f64, usize), b: &(f64, usize)| {
            a.0.is_nan() || if ascending { a.0 < b.0 } else { a.0 > b.0 }
        };
        let mut kept: Vec<Vec<Option<f64>>> = vec![vec![None; grid.count]; series.len()];
        let mut order = Vec::new();
        for (step, k) in k.iter().enumerate() {
            self.guard.check()?;
            // Go's int64(f), and what it refuses.
            if k.is_nan() || *k >= 9_223_372_036_854_775_807.0 || *k < -9_223_372_036_854_775_808.0
            {
                return Err(Error::Execution(format!("Scalar value {k} overflows int64")));
            }
            if *k < 1.0 {
                continue;
            }
            let k = *k as usize;
            let mut heaps: Vec<_> = groups.labels.iter().map(|_| Heap::new(worse)).collect();
            for (index, group) in groups.of_series.iter().enumerate() {
                let Some(value) = series[index].values[step] else { continue };
                let heap = &mut heaps[*group];
                let better = heap.worst().is_none_or(|worst| {
                    worst.0.is_nan() || if ascending { worst.0 < value } else { worst.0 > value }
                });
                if heap.len() == k && better {
                    heap.pop();
                }
                if heap.len() < k {
                    heap.push((value, index));
                }
            }
            for heap in heaps {
                let mut best = heap.into_items();
                // Best first, NaN last.
                best.sort_by(|a, b| {
                    let both = a.0.partial_cmp(&b.0);
                    let both = both.map(|o| if ascending { o.reverse() } else { o });
                    both.unwrap_or_else(|| a.0.is_nan().cmp(&b.0.is_nan()))
                });
                for (value, index) in best {
                    kept[index][step] = Some(value);
                    if grid.count == 1 {
                        order.push(index);
                    }
                }
            }
        }
        if grid.count > 1 {
            order = (0..series.len()).collect();
        }
        let out = order.into_iter().map(|index| Points {
            labels: series[index].labels.clone(),
            values: std::mem::take(&mut kept[index]),
        });
        joined(out.collect())
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
        for points in series {
            self.guard.check()?;
            for (step, value) in points.values.iter().enumerate() {
                let Some(value) = value else { continue };
                let with_value = Labels::clone(&points.labels).with(label, &shown(*value));
                let key = group_labels(&with_value, aggregate.without, &grouping);
                let index = *found.entry(key).or_insert_with_key(|key| {
                    let values = vec![None; grid.count];
                    out.push(Points { labels: Arc::new(key.clone()), values });
                    out.len() - 1
                });
                let count = &mut out[index].values[step];
                *count = Some(count.unwrap_or(0.0) + 1.0);
            }
            self.bound(out.len(), grid)?;
        }
        joined(out)
    }
}

impl Groups {
    fn of(aggregate: &Aggregate, series: &[Points]) -> Self {
        let mut numbers: HashMap<Labels, usize> = HashMap::new();
        let mut groups = Self { labels: Vec::new(), of_series: Vec::with_capacity(series.len()) };
        for points in series {
            let key = group_labels(&points.labels, aggregate.without, &aggregate.labels);
            let number = *numbers.entry(key).or_insert_with_key(|key| {
                groups.labels.push(Arc::new(key.clone()));
                groups.labels.len() - 1
            });
            groups.of_series.push(number);
        }
        groups
    }
}

fn group_labels(labels: &Labels, without: bool, grouping: &[String]) -> Labels {
    let named = |name: &str| grouping.iter().any(|label| label == name);
    let kept = labels
        .iter()
        .filter(|(name, _)| if without { *name != NAME && !named(name) } else { named(name) });
    Labels::new(kept.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

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
        value => value.to_string(),
    }
}
