//! Lists of samples in order of time; and the open column, which holds them in a third of the room.

use base::sample::Sample;

use crate::embedded::codec::{Reader, put_signed, put_varint};

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

/// Samples in order of time, only ever added at the end: each is the difference to the last
/// difference of instants (zigzag varint) and the value's bits XOR the last one's, bit-reversed
/// (varint).
#[derive(Debug, Default)]
pub struct Column {
    bytes: Vec<u8>,
    pub count: u32,
    pub first_ms: i64,
    pub last_ms: i64,
    last_delta: i64,
    last_bits: u64,
}

impl Column {
    pub fn push(&mut self, sample: Sample) {
        if self.count == 0 {
            self.first_ms = sample.at_ms;
        }
        let delta = sample.at_ms.wrapping_sub(self.last_ms);
        let bits = sample.value.to_bits();
        put_signed(&mut self.bytes, delta.wrapping_sub(self.last_delta));
        put_varint(&mut self.bytes, (bits ^ self.last_bits).reverse_bits());
        (self.last_ms, self.last_delta, self.last_bits) = (sample.at_ms, delta, bits);
        self.count += 1;
    }

    pub fn iter(&self) -> impl Iterator<Item = Sample> {
        let mut reader = Reader::new(&self.bytes);
        let (mut at_ms, mut delta, mut bits) = (0i64, 0i64, 0u64);
        (0..self.count).map_while(move |_| {
            delta = delta.wrapping_add(reader.signed()?);
            at_ms = at_ms.wrapping_add(delta);
            bits ^= reader.varint()?.reverse_bits();
            Some(Sample { at_ms, value: f64::from_bits(bits) })
        })
    }
}
