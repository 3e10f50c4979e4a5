//! Aggregations over a range: `*_over_time`.

use base::sample::Sample;

use super::{means, number};
use crate::promql::functions::{LANES, Window, Windows};

pub fn avg(windows: &Windows<'_>) -> [Option<f64>; LANES] {
    means::of(&windows.samples[..windows.count]).map(Some)
}

pub fn sum(window: &Window<'_>) -> Option<f64> {
    Some(total(window.samples))
}

/// With what each addition loses added in the end.
fn total(samples: &[Sample]) -> f64 {
    let (mut sum, mut lost) = (0.0, 0.0);
    for sample in samples {
        let total: f64 = sum + sample.value;
        let added = total - sum;
        lost += (sum - (total - added)) + (sample.value - added);
        sum = total;
    }
    if f64::is_infinite(sum) { sum } else { sum + lost }
}

pub fn count(window: &Window<'_>) -> Option<f64> {
    Some(window.samples.len() as f64)
}

pub fn last(window: &Window<'_>) -> Option<f64> {
    window.samples.last().map(|sample| sample.value)
}

pub fn quantile(window: &Window<'_>) -> Option<f64> {
    let mut values: Vec<f64> = window.samples.iter().map(|sample| sample.value).collect();
    Some(number::quantile(window.args[0], &mut values))
}

pub fn stddev(window: &Window<'_>) -> Option<f64> {
    stdvar(window).map(f64::sqrt)
}

pub fn stdvar(window: &Window<'_>) -> Option<f64> {
    let mut count = 0.0;
    let (mut mean, mut mean_correction) = (0.0, 0.0);
    let (mut squares, mut squares_correction) = (0.0, 0.0);
    for sample in window.samples {
        count += 1.0;
        let delta = sample.value - (mean + mean_correction);
        (mean, mean_correction) = number::add(delta / count, mean, mean_correction);
        let square = delta * (sample.value - (mean + mean_correction));
        (squares, squares_correction) = number::add(square, squares, squares_correction);
    }
    Some((squares + squares_correction) / count)
}

pub fn first(window: &Window<'_>) -> Option<f64> {
    window.samples.first().map(|sample| sample.value)
}

/// The median of the distances from the median; NaN where a value is.
pub fn mad(window: &Window<'_>) -> Option<f64> {
    let mut values: Vec<f64> = window.samples.iter().map(|sample| sample.value).collect();
    if values.iter().any(|value| value.is_nan()) {
        return Some(f64::NAN);
    }
    let median = number::quantile(0.5, &mut values);
    values.iter_mut().for_each(|value| *value = (*value - median).abs());
    Some(number::quantile(0.5, &mut values))
}

fn seconds(sample: &Sample) -> f64 {
    sample.at_ms as f64 / 1000.0
}

pub fn ts_of_first(window: &Window<'_>) -> Option<f64> {
    window.samples.first().map(seconds)
}

pub fn ts_of_last(window: &Window<'_>) -> Option<f64> {
    window.samples.last().map(seconds)
}

/// Of the last one, where several are the smallest.
pub fn ts_of_min(window: &Window<'_>) -> Option<f64> {
    last_best(window, |value, best| value <= best)
}

pub fn ts_of_max(window: &Window<'_>) -> Option<f64> {
    last_best(window, |value, best| value >= best)
}

fn last_best(window: &Window<'_>, better: fn(f64, f64) -> bool) -> Option<f64> {
    let samples = window.samples.iter();
    let best = samples.reduce(|best, sample| {
        if better(sample.value, best.value) || best.value.is_nan() { sample } else { best }
    });
    best.map(seconds)
}
