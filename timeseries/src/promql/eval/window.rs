//! Functions over ranges: each series' windows, from step to step. They overlap, so what a function
//! would look for in each of them again is kept between them.

use std::collections::VecDeque;

use base::sample::Sample;

use super::{Error, Evaluator, Grid, Points, Result, Stretch, leave_out_stale, parallel};
use crate::promql::{
    functions::{Needs, RangeFn, Window},
    guard::Guard,
    plan::{Range, RangeSource},
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
                self.each_selected(selector, grid, |labels, samples| {
                    leave_out_stale(samples);
                    let values = values(samples, range, grid, ranged, guard)?;
                    Ok(Points { labels: labels.clone().into(), values })
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
                        let values = values(samples, range, grid, ranged, guard)?;
                        Ok(Points { labels: labels.clone(), values })
                    },
                )?
            }
        };
        Ok(series.into_iter().filter(|points| !points.is_empty()).collect())
    }
}

fn values(
    samples: &[Sample],
    range: &Range,
    grid: Grid,
    ranged: &Ranged<'_>,
    guard: &Guard,
) -> Result<Vec<Option<f64>>, Error> {
    guard.check()?;
    let mut kept = Kept::new(ranged.needs, samples);
    let mut values = Vec::with_capacity(grid.count);
    let (mut from, mut to, mut unguarded) = (0, 0, 0);
    for step in 0..grid.count {
        unguarded += 1 + to - from;
        if unguarded > GUARD_SAMPLES {
            guard.check()?;
            unguarded = 0;
        }
        let at_ms = grid.at(step);
        let end_ms = range.end_ms(at_ms);
        let start_ms = end_ms - range.range_ms;
        // Both ends belong to the window, as in Prometheus 2. Windows only move on.
        from += advance(&samples[from..], |s| s.at_ms < start_ms);
        to = to.max(from);
        to += advance(&samples[to..], |s| s.at_ms <= end_ms);
        if from == to {
            values.push(None);
            continue;
        }
        let args = ranged.args(step);
        (ranged.check)(args)?;
        kept.advance(samples, from, to);
        let window = Window {
            samples: &samples[from..to],
            start_ms,
            end_ms,
            range_ms: range.range_ms,
            at_ms,
            args,
            resets: kept.resets(),
            best: kept.best(samples),
        };
        values.push((ranged.function)(&window));
    }
    Ok(values)
}

/// How many samples from the first on are behind: a few, mostly, so that they are walked first.
pub(super) fn advance(samples: &[Sample], behind: impl Fn(&Sample) -> bool) -> usize {
    const WALKED: usize = 8;
    let walked = samples.iter().take(WALKED).take_while(|sample| behind(sample)).count();
    match walked {
        WALKED => WALKED + samples[WALKED..].partition_point(behind),
        _ => walked,
    }
}

/// What is kept from window to window.
enum Kept {
    Nothing,
    /// Where a value is smaller than the one before, and that one; of them, the window's.
    Resets {
        at: Vec<usize>,
        before: Vec<f64>,
        from: usize,
        to: usize,
    },
    /// Candidates for the best value: each is better than all that follow it. NaN is none.
    Best {
        better: fn(f64, f64) -> bool,
        candidates: VecDeque<usize>,
        next: usize,
    },
}

impl Kept {
    fn new(needs: Needs, samples: &[Sample]) -> Self {
        let best = |better| Self::Best { better, candidates: VecDeque::new(), next: 0 };
        match needs {
            Needs::Nothing => Self::Nothing,
            Needs::Largest => best(|a, b| a > b),
            Needs::Smallest => best(|a, b| a < b),
            Needs::Resets => {
                let (mut at, mut before) = (Vec::new(), Vec::new());
                for (index, pair) in samples.windows(2).enumerate() {
                    if pair[1].value < pair[0].value {
                        at.push(index + 1);
                        before.push(pair[0].value);
                    }
                }
                Self::Resets { at, before, from: 0, to: 0 }
            }
        }
    }

    /// To the window of the samples from `start` up to `end`.
    fn advance(&mut self, samples: &[Sample], start: usize, end: usize) {
        match self {
            Self::Nothing => {}
            Self::Resets { at, from, to, .. } => {
                // What the first sample is less than lies outside.
                *from += at[*from..].iter().take_while(|at| **at <= start).count();
                *to = (*to).max(*from);
                *to += at[*to..].iter().take_while(|at| **at < end).count();
            }
            Self::Best { better, candidates, next } => {
                for index in (*next).max(start)..end {
                    let value = samples[index].value;
                    if value.is_nan() {
                        continue;
                    }
                    while candidates.back().is_some_and(|last| better(value, samples[*last].value))
                    {
                        candidates.pop_back();
                    }
                    candidates.push_back(index);
                }
                *next = (*next).max(end);
                while candidates.front().is_some_and(|first| *first < start) {
                    candidates.pop_front();
                }
            }
        }
    }

    fn resets(&self) -> &[f64] {
        match self {
            Self::Resets { before, from, to, .. } => &before[*from..*to],
            _ => &[],
        }
    }

    fn best(&self, samples: &[Sample]) -> f64 {
        match self {
            Self::Best { candidates, .. } => {
                candidates.front().map_or(f64::NAN, |first| samples[*first].value)
            }
            _ => f64::NAN,
        }
    }
}
