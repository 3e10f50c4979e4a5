//! What a store can't answer any more, for the warnings of an answer: whoever reads a graph has to
//! learn that a gap in it is none of what was measured.

use std::fmt;

use base::time::Timestamp;

/// A part of a store that is damaged and out of use. It names no series and no tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Its file's name.
    pub file: String,
    /// First and last instant that it had, in milliseconds since the epoch. None where that isn't
    /// known: it may be any.
    pub span_ms: Option<(i64, i64)>,
}

impl Lost {
    /// Both ends belong to the range.
    pub fn overlaps(&self, start_ms: i64, end_ms: i64) -> bool {
        self.span_ms.is_none_or(|(first_ms, last_ms)| first_ms <= end_ms && last_ms >= start_ms)
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the block {} is damaged and set aside: samples ", self.file)?;
        match self.span_ms {
            Some((first_ms, last_ms)) => {
                let (first, last) = (Timestamp::from_ms(first_ms), Timestamp::from_ms(last_ms));
                write!(f, "from {first} to {last} may be missing")
            }
            None => write!(f, "of a time that isn't known may be missing"),
        }
    }
}
