//! Series by some of their labels: equal ones get equal numbers, without a copy of their texts.

use std::collections::HashMap;

use base::sample::{Labels, NAME};

use super::{Metric, Points, Result};
use crate::promql::guard::Guard;

/// Which labels count: these only, or all but these and the name.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    pub only: bool,
    pub labels: &'a [String],
}

/// Numbers by first appearance.
#[derive(Debug, Default)]
pub struct Groups {
    numbers: HashMap<Box<[u8]>, usize>,
    key: Vec<u8>,
}

impl By<'_> {
    pub fn counts(&self, name: &str) -> bool {
        let named = self.labels.iter().any(|label| label == name);
        if self.only { named } else { !named && name != NAME }
    }

    /// The labels that count.
    pub fn of<'l>(&self, labels: impl Iterator<Item = (&'l str, &'l str)>) -> Labels {
        let kept = labels.filter(|(name, _)| self.counts(name));
        Labels::new(kept.map(|(name, value)| (name.to_owned(), value.to_owned())))
    }
}

impl Groups {
    pub fn count(&self) -> usize {
        self.numbers.len()
    }

    fn number(&mut self, labels: &Metric, by: By<'_>) -> usize {
        self.key.clear();
        // No text has this byte, so that none runs into the next.
        const END: u8 = 0xff;
        for (name, value) in labels.iter().filter(|(name, _)| by.counts(name)) {
            for text in [name, value] {
                self.key.extend_from_slice(text.as_bytes());
                self.key.push(END);
            }
        }
        match self.numbers.get(self.key.as_slice()) {
            Some(number) => *number,
            None => {
                let number = self.numbers.len();
                self.numbers.insert(self.key.as_slice().into(), number);
                number
            }
        }
    }

    pub fn numbers(&mut self, series: &[Points], by: By<'_>, guard: &Guard) -> Result<Vec<usize>> {
        let number = |points: &Points| {
            guard.check()?;
            Ok(self.number(&points.labels, by))
        };
        series.iter().map(number).collect()
    }
}
