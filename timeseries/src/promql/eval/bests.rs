//! The largest or smallest value of any window of a series, from those of its blocks, their
//! blocks, and so on.

use base::sample::Sample;

/// Values of one block.
const BLOCK: usize = 16;

pub struct Bests {
    largest: bool,
    /// The best values of blocks of samples, then of blocks of those; each level while it has more
    /// than a block.
    levels: Vec<Vec<f64>>,
}

impl Bests {
    /// For so many windows; for a single one nothing is kept.
    pub fn new(largest: bool, samples: &[Sample], windows: usize) -> Self {
        let mut levels = Vec::new();
        if windows > 1 {
            let first = samples.chunks(BLOCK).map(|block| fold(largest, none(largest), block));
            let mut level: Vec<f64> = first.collect();
            while level.len() > BLOCK {
                let next = level.chunks(BLOCK).map(|block| fold(largest, none(largest), block));
                let next = next.collect();
                levels.push(std::mem::replace(&mut level, next));
            }
            levels.push(level);
        }
        Self { largest, levels }
    }

    /// Of the samples from `start` up to `end`; of equal ones (zeros can differ) the first. NaN only
    /// where all are.
    pub fn of(&self, samples: &[Sample], start: usize, end: usize) -> f64 {
        let best = self.in_level(0, samples, none(self.largest), start, end);
        let found = best != none(self.largest);
        if found || samples[start..end].iter().any(|sample| sample.value == best) {
            best
        } else {
            f64::NAN
        }
    }

    /// Of values of one level, the levels from this number on being of their blocks. In order.
    fn in_level<T: Value>(
        &self,
        level: usize,
        values: &[T],
        best: f64,
        start: usize,
        end: usize,
    ) -> f64 {
        let (first, last) = (start.div_ceil(BLOCK), end / BLOCK);
        match self.levels.get(level) {
            Some(blocks) if first < last => {
                let best = fold(self.largest, best, &values[start..first * BLOCK]);
                let best = self.in_level(level + 1, blocks, best, first, last);
                fold(self.largest, best, &values[last * BLOCK..end])
            }
            _ => fold(self.largest, best, &values[start..end]),
        }
    }
}

/// What everything else is as good as, or better.
fn none(largest: bool) -> f64 {
    if largest { f64::NEG_INFINITY } else { f64::INFINITY }
}

trait Value {
    fn value(&self) -> f64;
}

impl Value for f64 {
    fn value(&self) -> f64 {
        *self
    }
}

impl Value for Sample {
    fn value(&self) -> f64 {
        self.value
    }
}

/// The best of a value and these; NaN is none.
fn fold<T: Value>(largest: bool, best: f64, values: &[T]) -> f64 {
    let values = values.iter().map(Value::value);
    if largest {
        values.fold(best, |best, value| if value > best { value } else { best })
    } else {
        values.fold(best, |best, value| if value < best { value } else { best })
    }
}

#[cfg(test)]
mod tests;
