//! Joining what is read line by line: what goes on where another of its kind ends is one with it.
//!
//! ```text
//! as read, by from and to       use 0-1  taken back 0-24  given 0-24  use 1-2 ... taken back 24-48 ...
//! joined                        use 0-48, taken back 0-48, given 0-48
//! ```
//!
//! A price that is corrected takes back and gives day by day, and both stand between the hours of
//! use. So each kind goes on by itself, whatever stands between.

use base::time::Timestamp;

/// A stretch of time that may go on.
pub(crate) trait Stretch {
    fn from(&self) -> Timestamp;
    fn to(&self) -> Timestamp;
    /// Of those that begin together, what a reader expects first has the lowest.
    fn rank(&self) -> u8;
    /// Takes the one that goes on where this ends; false where it is another thing.
    fn join(&mut self, next: &Self) -> bool;
}

/// What was joined of series that are read one after another, each in order of `from`.
pub(crate) struct Joined<T> {
    all: Vec<T>,
    /// Where the current series begins.
    series: usize,
    /// Those of the current series that something may go on from.
    open: Vec<usize>,
}

impl<T: Stretch> Joined<T> {
    pub fn new() -> Self {
        Self { all: Vec::new(), series: 0, open: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Joins it with the first that it goes on from; gives it back where there is none.
    pub fn join(&mut self, next: T) -> Option<T> {
        let all = &mut self.all;
        // What ended before this begins ended before all that comes.
        self.open.retain(|nth| all[*nth].to() >= next.from());
        let is_joined = self.open.iter().any(|nth| all[*nth].join(&next));
        (!is_joined).then_some(next)
    }

    /// It stands for itself, until something goes on from it.
    pub fn begin(&mut self, first: T) {
        self.open.push(self.all.len());
        self.all.push(first);
    }

    /// Nothing that comes goes on from what was.
    pub fn end_series(&mut self) {
        // Stable: of one kind, the first that was read.
        self.all[self.series..].sort_by_key(|one| (one.from(), one.rank()));
        self.series = self.all.len();
        self.open.clear();
    }

    pub fn done(mut self) -> Vec<T> {
        self.end_series();
        self.all
    }
}

#[cfg(test)]
mod tests;
