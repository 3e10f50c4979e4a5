//! Counters and slopes over a range, extrapolated exactly as Prometheus 2.42 does.

use base::sample::Sample;

use super::number;
use crate::{
    error::{Error, Result},
    promql::functions::{LANES, Window, Windows},
};

pub fn rate(windows: &Windows<'_>) -> [Option<f64>; LANES] {
    extrapolated(windows, true, true)
}

pub fn increase(windows: &Windows<'_>) -> [Option<f64>; LANES] {
    extrapolated(windows, true, false)
}

pub fn delta(windows: &Windows<'_>) -> [Option<f64>; LANES] {
    extrapolated(windows, false, false)
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// What extrapolation needs to know of windows, each value by window: so the processor divides
/// several at once.
#[derive(Default)]
struct Ends {
    first: [f64; LANES],
    result: [f64; LANES],
    to_start_ms: [f64; LANES],
    to_end_ms: [f64; LANES],
    sampled_ms: [f64; LANES],
    intervals: [f64; LANES],
}

impl Ends {
    fn of(windows: &Windows<'_>, is_counter: bool) -> Self {
        let mut ends = Self::default();
        for (lane, samples) in windows.samples[..windows.count].iter().enumerate() {
            let [first, .., last] = samples else { continue };
            let mut result = last.value - first.value;
            if is_counter {
                windows.resets[lane].iter().for_each(|before| result += before);
            }
            let start_ms = windows.start_ms[lane];
            ends.first[lane] = first.value;
            ends.result[lane] = result;
            ends.to_start_ms[lane] = (first.at_ms - start_ms) as f64;
            ends.to_end_ms[lane] = (start_ms + windows.range_ms - last.at_ms) as f64;
            ends.sampled_ms[lane] = (last.at_ms - first.at_ms) as f64;
            ends.intervals[lane] = (samples.len() - 1) as f64;
        }
        ends
    }
}

/// The samples need not reach the range's ends. Where the gap at an end is about one interval
/// between samples, the slope is carried to the end; where it is larger, half an interval is
/// added. A counter is never carried back below zero.
fn extrapolated(windows: &Windows<'_>, is_counter: bool, per_second: bool) -> [Option<f64>; LANES] {
    let ends = Ends::of(windows, is_counter);
    let range = seconds(windows.range_ms);
    let mut rates = [0.0; LANES];
    for (lane, rate) in rates.iter_mut().enumerate() {
        let (first, result) = (ends.first[lane], ends.result[lane]);
        let to_end = ends.to_end_ms[lane] / 1000.0;
        let sampled = ends.sampled_ms[lane] / 1000.0;
        let interval = sampled / ends.intervals[lane];
        let mut to_start = ends.to_start_ms[lane] / 1000.0;
        if is_counter {
            let to_zero = sampled * (first / result);
            let to_zero = if result > 0.0 { to_zero } else { f64::INFINITY };
            let to_zero = if first >= 0.0 { to_zero } else { f64::INFINITY };
            to_start = if to_zero < to_start { to_zero } else { to_start };
        }
        let threshold = interval * 1.1;
        let half = interval / 2.0;
        let covered = sampled + if to_start < threshold { to_start } else { half };
        let covered = covered + if to_end < threshold { to_end } else { half };
        let factor = covered / sampled;
        let factor = if per_second { factor / range } else { factor };
        *rate = result * factor;
    }
    std::array::from_fn(|lane| (windows.samples[lane].len() > 1).then_some(rates[lane]))
}

pub fn irate(window: &Window<'_>) -> Option<f64> {
    let [.., before, last] = window.samples else { return None };
    let reset = last.value < before.value;
    let grown = if reset { last.value } else { last.value - before.value };
    Some(grown / seconds(last.at_ms - before.at_ms))
}

pub fn idelta(window: &Window<'_>) -> Option<f64> {
    let [.., before, last] = window.samples else { return None };
    Some(last.value - before.value)
}

pub fn resets(window: &Window<'_>) -> Option<f64> {
    Some(window.resets.len() as f64)
}

pub fn changes(window: &Window<'_>) -> Option<f64> {
    let changed = |a: f64, b: f64| a != b && !(a.is_nan() && b.is_nan());
    let changes = window.samples.windows(2).filter(|pair| changed(pair[1].value, pair[0].value));
    Some(changes.count() as f64)
}

pub fn deriv(window: &Window<'_>) -> Option<f64> {
    let [first, _, ..] = window.samples else { return None };
    // An origin near the values keeps the precision.
    Some(regression(window.samples, first.at_ms).0)
}

pub fn predict_linear(window: &Window<'_>) -> Option<f64> {
    let [_, _, ..] = window.samples else { return None };
    let (slope, intercept) = regression(window.samples, window.at_ms);
    Some(slope * window.args[0] + intercept)
}

/// Least squares: the slope per second, and the value at `origin_ms`.
fn regression(samples: &[Sample], origin_ms: i64) -> (f64, f64) {
    let first = samples[0].value;
    if samples.iter().all(|sample| sample.value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let n = samples.len() as f64;
    let [mut x, mut y, mut xy, mut xx] = [(0.0, 0.0); 4];
    for sample in samples {
        let at = seconds(sample.at_ms - origin_ms);
        x = number::add(at, x.0, x.1);
        y = number::add(sample.value, y.0, y.1);
        xy = number::add(at * sample.value, xy.0, xy.1);
        xx = number::add(at * at, xx.0, xx.1);
    }
    let [x, y, xy, xx] = [x, y, xy, xx].map(|(sum, correction)| sum + correction);
    let covariance = xy - x * y / n;
    let variance = xx - x * x / n;
    let slope = covariance / variance;
    (slope, y / n - slope * x / n)
}

pub fn check_smoothing([smoothing, trend]: [f64; 2]) -> Result<()> {
    for (what, factor) in [("smoothing", smoothing), ("trend", trend)] {
        if factor <= 0.0 || factor >= 1.0 {
            return Err(Error::Execution(format!(
                "invalid {what} factor: it must lie between 0 and 1, but is {factor}"
            )));
        }
    }
    Ok(())
}

/// Holt's linear trend: level and trend are smoothed, each by its factor.
pub fn double_exponential_smoothing(window: &Window<'_>) -> Option<f64> {
    let [first, second, ..] = window.samples else { return None };
    let [smoothing, trending] = window.args;
    let (mut before, mut level) = (0.0, first.value);
    let mut trend = second.value - first.value;
    for (i, sample) in window.samples[1..].iter().enumerate() {
        if i > 0 {
            trend = trending * (level - before) + (1.0 - trending) * trend;
        }
        let next = smoothing * sample.value + (1.0 - smoothing) * (level + trend);
        (before, level) = (level, next);
    }
    Some(level)
}

#[cfg(test)]
mod tests;
