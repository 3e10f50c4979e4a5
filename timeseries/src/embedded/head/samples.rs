//! Lists of samples in order of time.

use base::sample::Sample;

/// The part of a sorted list within the range, both ends included.
pub fn clip(samples: &[Sample], start_ms: i64, end_ms: i64) -> &[Sample] {
    let from = samples.partition_point(|s| s.at_ms < start_ms);
    let to = samples.partition_point(|s| s.at_ms <= end_ms);
    &samples[from..to.max(from)]
}

/// Both sorted; of two samples at one instant the first list's stays: it was acknowledged first.
pub fn merge(mut first: Vec<Sample>, second: &[Sample]) -> Vec<Sample> {
    let Some(begin) = second.first() else { return first };
    if first.last().is_none_or(|last| last.at_ms < begin.at_ms) {
        first.extend_from_slice(second);
        return first;
    }
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let mut rest = second;
    for sample in first {
        let before = rest.partition_point(|s| s.at_ms < sample.at_ms);
        merged.extend_from_slice(&rest[..before]);
        rest = &rest[before..];
        if rest.first().is_some_and(|s| s.at_ms == sample.at_ms) {
            rest = &rest[1..];
        }
        merged.push(sample);
    }
    merged.extend_from_slice(rest);
    merged
}
