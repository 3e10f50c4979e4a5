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

/// Reading can begin at every so many samples of a column: a look at the newest minutes decodes
/// those, not hours. Each beginning takes 32 bytes, half a byte a sample.
const MARK_EVERY: u32 = 64;
/// Two varints of 64 bits.
const SAMPLE_MAX_BYTES: usize = 20;

/// Samples in order of time, only ever added at the end: each is the difference to the last
/// difference of instants (zigzag varint) and the value's bits XOR the last one's, bit-reversed
/// (varint).
#[derive(Debug, Default)]
pub struct Column {
    bytes: Vec<u8>,
    pub count: u32,
    pub first_ms: i64,
    last: State,
    /// Before the samples that follow each [`MARK_EVERY`], and where these begin.
    marks: Vec<(u32, State)>,
}

/// What the next sample is told as a difference to.
#[derive(Debug, Default, Clone, Copy)]
struct State {
    at_ms: i64,
    delta: i64,
    bits: u64,
}

impl Column {
    pub fn last_ms(&self) -> i64 {
        self.last.at_ms
    }

    pub fn push(&mut self, sample: Sample) {
        if self.count == 0 {
            self.first_ms = sample.at_ms;
        } else if self.count.is_multiple_of(MARK_EVERY) {
            // A column beyond 4 GiB is read from an earlier mark.
            self.marks.extend(u32::try_from(self.bytes.len()).ok().map(|at| (at, self.last)));
        }
        if self.bytes.capacity() - self.bytes.len() < SAMPLE_MAX_BYTES {
            // Doubling would leave a quarter of a large head's memory empty.
            self.bytes.reserve_exact((self.bytes.len() / 4).max(2 * SAMPLE_MAX_BYTES));
        }
        let delta = sample.at_ms.wrapping_sub(self.last.at_ms);
        let bits = sample.value.to_bits();
        put_signed(&mut self.bytes, delta.wrapping_sub(self.last.delta));
        put_varint(&mut self.bytes, (bits ^ self.last.bits).reverse_bits());
        self.last = State { at_ms: sample.at_ms, delta, bits };
        self.count += 1;
    }

    /// Its samples from the last mark on that all samples before `start_ms` allow.
    pub fn from(&self, start_ms: i64) -> impl Iterator<Item = Sample> {
        // What a mark stands on is before the samples that it begins.
        let marks = self.marks.partition_point(|(_, state)| state.at_ms < start_ms);
        let (begin, mut state, read) = match marks.checked_sub(1) {
            Some(mark) => {
                let (begin, state) = self.marks[mark];
                (begin as usize, state, (mark as u32 + 1) * MARK_EVERY)
            }
            None => (0, State::default(), 0),
        };
        let mut reader = Reader::new(&self.bytes[begin..]);
        (read..self.count).map_while(move |_| {
            state.delta = state.delta.wrapping_add(reader.signed()?);
            state.at_ms = state.at_ms.wrapping_add(state.delta);
            state.bits ^= reader.varint()?.reverse_bits();
            Some(Sample { at_ms: state.at_ms, value: f64::from_bits(state.bits) })
        })
    }
}
