//! What things take in memory, as the bound of a query counts it: what is allocated for them, but
//! not the allocator's own.

use base::sample::Sample;

use crate::store::Selected;

/// One value of a result, with the text that it becomes in an answer:
/// `[1700000000.123,"0.30000000000000004"],`.
pub const ANSWERED_VALUE: usize = size_of::<Sample>() + 48;

/// A label beside its text: two strings.
const LABEL: usize = 2 * size_of::<String>();
/// A series beside its labels and samples, wherever it is in a query: its plan, its list, the
/// counter of its labels.
const SERIES: usize = 160;

pub fn of_samples(count: usize) -> usize {
    count.saturating_mul(size_of::<Sample>())
}

/// A series without its samples; `text_bytes` is the length of all names and values.
pub fn of_series(labels: usize, text_bytes: usize) -> usize {
    SERIES + labels * LABEL + text_bytes
}

pub fn of_labels<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
    let (mut count, mut text_bytes) = (0, 0);
    for (name, value) in labels {
        count += 1;
        text_bytes += name.len() + value.len();
    }
    of_series(count, text_bytes)
}

pub fn of_selected(selected: &[Selected]) -> usize {
    let one = |one: &Selected| of_labels(one.labels.iter()) + of_samples(one.samples.capacity());
    selected.iter().map(one).sum()
}
