//! The means of several windows at once, each to the last bit what it is alone.
//!
//! The reference has a mean grow value by value, so that each division waits for the one before it.
//! Those of other windows don't: the processor does several windows' in the time of one.

use base::sample::Sample;

use super::number;
use crate::promql::functions::LANES;

/// So many samples are added before somebody looks whether a mean is finite still.
const BLOCK: usize = 64;

/// A mean as it grows, value by value, as the reference has it to the last digit: where a rounding
/// function or a comparison stands around it, that digit can decide.
#[derive(Debug, Clone, Copy, Default)]
struct Growing {
    mean: f64,
    correction: f64,
}

impl Growing {
    /// `done` samples of the window are in it already.
    fn add(&mut self, samples: &[Sample], done: usize) {
        let mut count = done as f64;
        for sample in samples {
            count += 1.0;
            if number::stays_infinite(self.mean, sample.value) {
                continue;
            }
            let grown = sample.value / count - self.mean / count;
            (self.mean, self.correction) = number::add(grown, self.mean, self.correction);
        }
    }

    fn value(self) -> f64 {
        if self.mean.is_infinite() { self.mean } else { self.mean + self.correction }
    }
}

/// Of windows with samples, [`LANES`] of them at most; the means of the rest are nothing.
pub fn of(windows: &[&[Sample]]) -> [f64; LANES] {
    let mut growing = [Growing::default(); LANES];
    let mut order: Vec<usize> = (0..windows.len()).collect();
    order.sort_unstable_by_key(|window| windows[*window].len());
    let mut done = 0;
    for (shorter, shortest) in order.iter().enumerate() {
        let (longer, to) = (&order[shorter..], windows[*shortest].len());
        if let [alone] = longer {
            growing[*alone].add(&windows[*alone][done..], done);
        } else if to > done {
            // Lanes that are left over do the first one's work once more.
            let lane = |lane: usize| *longer.get(lane).unwrap_or(&longer[0]);
            let lanes: [usize; LANES] = std::array::from_fn(lane);
            let grown =
                together(lanes.map(|i| &windows[i][done..to]), lanes.map(|i| growing[i]), done);
            lanes.into_iter().zip(grown).for_each(|(window, grown)| growing[window] = grown);
        }
        done = to;
    }
    growing.map(Growing::value)
}

/// Adds to each mean the samples of its window; they are as many for each.
fn together(
    mut rest: [&[Sample]; LANES],
    mut growing: [Growing; LANES],
    mut done: usize,
) -> [Growing; LANES] {
    while !rest[0].is_empty() {
        let at = BLOCK.min(rest[0].len());
        let block = rest.map(|samples| &samples[..at]);
        let grown = finite(block, growing, done);
        if grown.iter().all(|grown| grown.mean.is_finite() && grown.correction.is_finite()) {
            growing = grown;
        } else {
            // What isn't finite once never is again, so that none was missed.
            growing.iter_mut().zip(block).for_each(|(growing, samples)| growing.add(samples, done));
        }
        rest = rest.map(|samples| &samples[at..]);
        done += at;
    }
    growing
}

/// The same where all means stay finite.
fn finite(samples: [&[Sample]; LANES], growing: [Growing; LANES], done: usize) -> [Growing; LANES] {
    let length = samples[0].len();
    let samples = samples.map(|samples| &samples[..length]);
    let mut means = growing.map(|growing| growing.mean);
    let mut corrections = growing.map(|growing| growing.correction);
    let mut count = done as f64;
    for (at, _) in samples[0].iter().enumerate() {
        count += 1.0;
        let values: [f64; LANES] = std::array::from_fn(|lane| samples[lane][at].value);
        for lane in 0..LANES {
            let (mean, grown) = (means[lane], values[lane] / count - means[lane] / count);
            // What is lost, without a look at which of the two is larger: it is exact either way.
            let total = mean + grown;
            let added = total - mean;
            corrections[lane] += (mean - (total - added)) + (grown - added);
            means[lane] = total;
        }
    }
    std::array::from_fn(|lane| Growing { mean: means[lane], correction: corrections[lane] })
}

#[cfg(test)]
mod tests;
