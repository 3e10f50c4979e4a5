//! `histogram_quantile` of classic histograms: cumulative buckets with an `le` label.

use std::collections::HashMap;

use base::sample::Labels;

use super::{Metric, Points, Result};
use crate::promql::{guard::Guard, syntax::text};

const LE: &str = "le";

#[derive(Debug, Clone, Copy)]
struct Bucket {
    upper_bound: f64,
    count: f64,
}

/// A bucket's upper bound, and its count at each step.
type BucketSeries = (f64, Vec<Option<f64>>);

/// One series a histogram; elements without a numeric `le` are no buckets and are left out.
pub fn quantiles(quantiles: &[f64], buckets: Vec<Points>, guard: &Guard) -> Result<Vec<Points>> {
    let mut found: HashMap<Labels, usize> = HashMap::new();
    let mut histograms: Vec<(Metric, Vec<BucketSeries>)> = Vec::new();
    for points in buckets {
        let bound = points.labels.get(LE).and_then(text::float);
        let Some(bound) = bound else { continue };
        let labels = points.labels.to_labels().without(LE);
        let index = *found.entry(labels.clone()).or_insert_with(|| {
            histograms.push((Metric::from(labels).without_name(), Vec::new()));
            histograms.len() - 1
        });
        histograms[index].1.push((bound, points.values));
    }
    let series = histograms.into_iter().map(|(labels, buckets)| {
        guard.check()?;
        let values = quantiles.iter().enumerate().map(|(step, q)| {
            let at_step = buckets.iter().filter_map(|(upper_bound, values)| {
                Some(Bucket { upper_bound: *upper_bound, count: values[step]? })
            });
            let at_step: Vec<Bucket> = at_step.collect();
            (!at_step.is_empty()).then(|| quantile(*q, at_step))
        });
        Ok(Points { labels, values: values.collect() })
    });
    series.collect()
}

/// Linear within a bucket; the lowest one begins at zero if its bound is positive, and of the
/// highest one only its lower bound is known.
fn quantile(q: f64, mut buckets: Vec<Bucket>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|a, b| a.upper_bound.total_cmp(&b.upper_bound));
    if buckets.last().is_none_or(|last| last.upper_bound != f64::INFINITY) {
        return f64::NAN;
    }
    let buckets = monotonic(coalesced(buckets));
    let [.., before, highest] = buckets.as_slice() else { return f64::NAN };
    if highest.count == 0.0 {
        return f64::NAN;
    }
    let mut rank = q * highest.count;
    let finite = &buckets[..buckets.len() - 1];
    // Not reached: less, or not comparable because one is NaN.
    let reached = |bucket: &Bucket| bucket.count >= rank;
    let at = finite.partition_point(|bucket| !reached(bucket));
    if at == finite.len() {
        return before.upper_bound;
    }
    let bucket = finite[at];
    if at == 0 && bucket.upper_bound <= 0.0 {
        return bucket.upper_bound;
    }
    let (mut start, mut count) = (0.0, bucket.count);
    if at > 0 {
        let below = finite[at - 1];
        start = below.upper_bound;
        count -= below.count;
        rank -= below.count;
    }
    start + (bucket.upper_bound - start) * (rank / count)
}

fn coalesced(buckets: Vec<Bucket>) -> Vec<Bucket> {
    let mut out: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        match out.last_mut() {
            Some(last) if last.upper_bound == bucket.upper_bound => last.count += bucket.count,
            _ => out.push(bucket),
        }
    }
    out
}

/// Buckets read at different moments can decrease; their envelope does not.
fn monotonic(mut buckets: Vec<Bucket>) -> Vec<Bucket> {
    let mut max = f64::NEG_INFINITY;
    for (i, bucket) in buckets.iter_mut().enumerate() {
        if i == 0 || bucket.count > max {
            max = bucket.count;
        } else if bucket.count < max {
            bucket.count = max;
        }
    }
    buckets
}
