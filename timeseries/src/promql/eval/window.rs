//! Functions over ranges: each series' windows, from step to step. They overlap, so what a function
//! would look for in each of them again is kept between them.

use std::{ops, slice};

use base::sample::Sample;

use super::{
    Error, Evaluator, Grid, Points, Result, Stretch, bests::Bests, leave_out_stale, parallel,
};
use crate::promql::{
    functions::{LANES, Needs, RangeFn, SeveralFn, Window, Windows},
    guard::Guard,
    plan::{Range, RangeSource, Selector},
};

/// A long loop looks whether it should go on after so many samples (about a millisecond's), each
/// step counted as one more.
const GUARD_SAMPLES: usize = 100_000;

/// A function over a range, with its scalar arguments at each step.
pub struct Ranged<'a> {
    pub function: RangeFn,
    pub needs: Needs,
    pub check: fn([f64; 2]) -> Result<()>,
    pub scalars: &'a [Vec<f64>],
}

impl Ranged<'_> {
    fn args(&self, step: usize) -> [f64; 2] {
        let arg = |index: usize| self.scalars.get(index).map_or(0.0, |values| values[step]);
        [arg(0), arg(1)]
    }
}

impl Evaluator<'_> {
    /// Calls a function with each series' window at each step.
    pub fn over_range(
        &self,
        range: &Range,
        grid: Grid,
        ranged: &Ranged<'_>,
    ) -> Result<Vec<Points>> {
        let guard = self.guard;
        let series = match &range.source {
            RangeSource::Selector(selector) => {
                let few = self.few(selector, grid, ranged);
                self.each_few_selected(selector, grid, few, |labels, samples| {
                    samples.iter_mut().for_each(leave_out_stale);
                    let values = values(samples, range, grid, ranged, guard)?;
                    let series = labels.iter().zip(values);
                    Ok(series
                        .map(|(labels, values)| Points { labels: labels.clone().into(), values })
                        .collect())
                })?
            }
            RangeSource::Subquery { .. } => {
                let stretches = self.stretches(range, grid)?;
                self.bound(stretches.len(), grid)?;
                let samples: usize = stretches.iter().map(|stretch| stretch.samples.len()).sum();
                let work = samples + stretches.len() * grid.count;
                parallel::map(
                    stretches.len(),
                    work,
                    || (),
                    |(), series| {
                        let Stretch { labels, samples } = &stretches[series];
                        let mut values =
                            values(slice::from_ref(samples), range, grid, ranged, guard)?;
                        let values = values.pop().unwrap_or_default();
                        Ok(Points { labels: labels.clone(), values })
                    },
                )?
            }
        };
        Ok(series.into_iter().filter(|points| !points.is_empty()).collect())
    }

    /// How many series are looked at together: more than one where one has too few windows for a
    /// function of several.
    fn few(&self, selector: &Selector, grid: Grid, ranged: &Ranged<'_>) -> usize {
        let series = self.data[selector.data].labels().len();
        match ranged.function {
            RangeFn::Several(_) if grid.count < LANES => {
                series.div_ceil(parallel::threads()).clamp(1, LANES)
            }
            _ => 1,
        }
    }
}

/// Of some series, each one's value at each step.
fn values(
    series: &[Vec<Sample>],
    range: &Range,
    grid: Grid,
    ranged: &Ranged<'_>,
    guard: &Guard,
) -> Result<Vec<Vec<Option<f64>>>, Error> {
    let kept: Vec<Kept> = series.iter().map(|s| Kept::new(ranged.needs, s, grid)).collect();
    let of_each = series.iter().zip(&kept);
    match ranged.function {
        RangeFn::Each(function) => {
            let values = of_each.map(|(samples, kept)| {
                let mut values = vec![None; grid.count];
                let mut resets = 0..0;
                each_window(samples, range, grid, guard, |step, within, _| {
                    let args = ranged.args(step);
                    (ranged.check)(args)?;
                    values[step] = function(&Window {
                        samples: &samples[within.clone()],
                        at_ms: grid.at(step),
                        args,
                        resets: kept.resets(&within, &mut resets),
                        best: kept.best(samples, &within),
                    });
                    Ok(())
                })?;
                Ok(values)
            });
            values.collect()
        }
        RangeFn::Several(function) => {
            let mut together = Together::new(function, range.range_ms, series.len(), grid);
            for (number, (samples, kept)) in of_each.enumerate() {
                let mut resets = 0..0;
                each_window(samples, range, grid, guard, |step, within, start_ms| {
                    let resets = kept.resets(&within, &mut resets);
                    together.put((number, step), &samples[within], start_ms, resets);
                    Ok(())
                })?;
            }
            Ok(together.finish())
        }
    }
}

/// Calls a function with each step whose window has samples: which ones, and when it begins.
#[inline(always)]
fn each_window(
    samples: &[Sample],
    range: &Range,
    grid: Grid,
    guard: &Guard,
    mut each: impl FnMut(usize, ops::Range<usize>, i64) -> Result<()>,
) -> Result<()> {
    guard.check()?;
    let stride = stride(samples, grid);
    let (mut from, mut to, mut unguarded) = (0, 0, 0);
    for step in 0..grid.count {
        let end_ms = range.end_ms(grid.at(step));
        let start_ms = end_ms - range.range_ms;
        // Both ends belong to the window, as in Prometheus 2. Windows only move on.
        from = advance(samples, from, stride, |s| s.at_ms < start_ms);
        to = advance(samples, to.max(from), stride, |s| s.at_ms <= end_ms);
        unguarded += 1 + to - from;
        if unguarded > GUARD_SAMPLES {
            guard.check()?;
            unguarded = 0;
        }
        if from < to {
            each(step, from..to, start_ms)?;
        }
    }
    Ok(())
}

/// Windows that wait for one another.
struct Together<'a> {
    function: SeveralFn,
    windows: Windows<'a>,
    /// The series and the step of each.
    places: [(usize, usize); LANES],
    values: Vec<Vec<Option<f64>>>,
}

impl<'a> Together<'a> {
    fn new(function: SeveralFn, range_ms: i64, series: usize, grid: Grid) -> Self {
        let windows = Windows { range_ms, ..Windows::default() };
        let values = vec![vec![None; grid.count]; series];
        Self { function, windows, places: Default::default(), values }
    }

    /// Part by part: what is copied just after it was written would have to wait.
    #[inline]
    fn put(
        &mut self,
        place: (usize, usize),
        samples: &'a [Sample],
        start_ms: i64,
        resets: &'a [f64],
    ) {
        let lane = self.windows.count;
        self.windows.samples[lane] = samples;
        self.windows.start_ms[lane] = start_ms;
        self.windows.resets[lane] = resets;
        self.places[lane] = place;
        self.windows.count += 1;
        if self.windows.count == LANES {
            self.call();
        }
    }

    fn call(&mut self) {
        let values = (self.function)(&self.windows);
        for ((series, step), value) in self.places[..self.windows.count].iter().zip(values) {
            self.values[*series][*step] = value;
        }
        self.windows.count = 0;
    }

    fn finish(mut self) -> Vec<Vec<Option<f64>>> {
        if self.windows.count > 0 {
            self.call();
        }
        self.values
    }
}

/// Samples around the one where a window's next edge is expected.
const NEAR: usize = 4;

/// How many samples windows move on for sure, about, where they come regularly: [`NEAR`] others lie
/// around the edge.
pub(super) fn stride(samples: &[Sample], grid: Grid) -> usize {
    let [first, .., last] = samples else { return 0 };
    let intervals = (samples.len() - 1) as f64;
    let a_step = grid.step_ms as f64 * intervals / (last.at_ms - first.at_ms) as f64;
    (a_step.round() as usize).saturating_sub(NEAR / 2)
}

/// Of the samples from `before` on the first that isn't behind.
#[inline(always)]
pub(super) fn advance(
    samples: &[Sample],
    before: usize,
    stride: usize,
    behind: impl Fn(&Sample) -> bool,
) -> usize {
    if let Some(near) = samples[before..].get(stride..).and_then(|s| s.first_chunk::<NEAR>()) {
        // Without a branch: which of them it is changes from step to step.
        let more: usize = near.iter().map(|sample| usize::from(behind(sample))).sum();
        if (1..NEAR).contains(&more) || (more == 0 && stride == 0) {
            return before + stride + more;
        }
    }
    before + ahead(&samples[before..], behind)
}

/// How many samples from the first on are behind: a few, mostly, so that they are walked first.
#[inline(never)]
fn ahead(samples: &[Sample], behind: impl Fn(&Sample) -> bool) -> usize {
    const WALKED: usize = 8;
    let walked = samples.iter().take(WALKED).take_while(|sample| behind(sample)).count();
    match walked {
        WALKED => WALKED + samples[WALKED..].partition_point(behind),
        _ => walked,
    }
}

/// What is looked for in all of a series' samples at once.
enum Kept {
    Nothing,
    /// Where a value is smaller than the one before, and that one.
    Resets {
        at: Vec<usize>,
        before: Vec<f64>,
    },
    Best(Bests),
}

impl Kept {
    fn new(needs: Needs, samples: &[Sample], grid: Grid) -> Self {
        match needs {
            Needs::Nothing => Self::Nothing,
            Needs::Largest => Self::Best(Bests::new(true, samples, grid.count)),
            Needs::Smallest => Self::Best(Bests::new(false, samples, grid.count)),
            Needs::Resets => {
                let (mut at, mut before) = (Vec::new(), Vec::new());
                for (index, pair) in samples.windows(2).enumerate() {
                    if pair[1].value < pair[0].value {
                        at.push(index + 1);
                        before.push(pair[0].value);
                    }
                }
                Self::Resets { at, before }
            }
        }
    }

    /// Of a window; `last` is what the one before had.
    #[inline]
    fn resets(&self, within: &ops::Range<usize>, last: &mut ops::Range<usize>) -> &[f64] {
        match self {
            Self::Resets { at, before } if !at.is_empty() => {
                // What the first sample is less than lies outside.
                last.start += at[last.start..].iter().take_while(|at| **at <= within.start).count();
                last.end = last.end.max(last.start);
                last.end += at[last.end..].iter().take_while(|at| **at < within.end).count();
                &before[last.clone()]
            }
            _ => &[],
        }
    }

    fn best(&self, samples: &[Sample], within: &ops::Range<usize>) -> f64 {
        match self {
            Self::Best(bests) => bests.of(samples, within.start, within.end),
            _ => f64::NAN,
        }
    }
}

#[cfg(test)]
mod tests;
