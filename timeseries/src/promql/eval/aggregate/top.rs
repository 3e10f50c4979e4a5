//! `topk` and `bottomk`.

use super::{AggregateOp, Error, Evaluator, Grid, Grouped, Points, Result, joined};
use crate::promql::eval::heap::Heap;

impl Evaluator<'_> {
    pub(super) fn top(
        &self,
        op: AggregateOp,
        grouped: &Grouped,
        series: Vec<Points>,
        k: &[f64],
        grid: Grid,
    ) -> Result<Vec<Points>> {
        let largest = op == AggregateOp::Topk;
        // Made for the series that are ever among the best.
        let mut kept: Vec<Vec<Option<f64>>> = vec![Vec::new(); series.len()];
        let mut order = Vec::new();
        for (step, k) in k.iter().enumerate() {
            self.guard.check()?;
            for best in best(largest, whole(*k)?, grouped, &series, step) {
                for (value, index) in best {
                    let row = &mut kept[index];
                    if row.is_empty() {
                        *row = vec![None; grid.count];
                        order.push(index);
                    }
                    row[step] = Some(value);
                }
            }
        }
        // The order of an instant is that of the values.
        if grid.count > 1 {
            order.sort_unstable();
        }
        let out = order.into_iter().map(|index| Points {
            labels: series[index].labels.clone(),
            values: std::mem::take(&mut kept[index]),
        });
        joined(out.collect())
    }
}

/// Go's `int64(f)`, and what it refuses.
fn whole(k: f64) -> Result<usize> {
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_807.0).contains(&k) {
        return Err(Error::Execution(format!("Scalar value {k} overflows int64")));
    }
    Ok(if k < 1.0 { 0 } else { k as usize })
}

/// Each group's best values at a step with their series, the best first and NaN last.
fn best(
    largest: bool,
    k: usize,
    grouped: &Grouped,
    series: &[Points],
    step: usize,
) -> Vec<Vec<(f64, usize)>> {
    if k == 0 {
        return Vec::new();
    }
    let worse = |a: &(f64, usize), b: &(f64, usize)| {
        a.0.is_nan() || if largest { a.0 < b.0 } else { a.0 > b.0 }
    };
    let mut heaps: Vec<_> = grouped.labels.iter().map(|_| Heap::new(worse)).collect();
    for (index, group) in grouped.of_series.iter().enumerate() {
        let Some(value) = series[index].values[step] else { continue };
        let heap = &mut heaps[*group];
        let better = heap.worst().is_none_or(|worst| {
            worst.0.is_nan() || if largest { worst.0 < value } else { worst.0 > value }
        });
        if heap.len() == k && better {
            heap.pop();
        }
        if heap.len() < k {
            heap.push((value, index));
        }
    }
    let sorted = heaps.into_iter().map(|heap| {
        let mut best = heap.into_items();
        best.sort_by(|a, b| {
            let both = a.0.partial_cmp(&b.0);
            let both = both.map(|order| if largest { order.reverse() } else { order });
            both.unwrap_or_else(|| a.0.is_nan().cmp(&b.0.is_nan()))
        });
        best
    });
    sorted.collect()
}
