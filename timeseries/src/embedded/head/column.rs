//! The open columns of a shard: samples in order of time, at three bytes each where values are
//! decimals.
//!
//! A column is a chain of slabs from its newest samples to its oldest, so that a look at the newest
//! minutes walks those, not hours. A slab can be read by itself:
//!
//! ```text
//! first   the instant and value of its first sample, as they are
//! then    instant: difference to the last difference (zigzag varint)
//!         value:   scaled   varint 2 x zigzag(difference of value x 10^scale), or
//!                           varint 1 and the value's bits: one that does not scale
//!                  floats   the bits XOR the last one's, bit-reversed (varint)
//! ```
//!
//! Slabs of one size leave no holes in memory, however columns grow, and all of a shard's go at once
//! when a flush has written them.

use base::sample::Sample;

use crate::embedded::codec::{
    Reader, put_signed, put_varint,
    values::{SCALES, integer},
};

/// Two lines of a cache.
const SLAB_BYTES: usize = 128;
const SLAB_HEADER_BYTES: usize = 16 + 4 + 3;
const NONE: u32 = u32::MAX;
/// Slabs that are allocated together.
const PAGE_SLABS: usize = 256;

/// Of a slab whose values are floats.
const FLOATS: u8 = u8::MAX;
/// In the place of a difference, which is even.
const EXCEPTION: u64 = 1;

#[derive(Debug)]
struct Slab {
    first: Sample,
    /// The slab with the samples before its own.
    before: u32,
    /// Of ten; or FLOATS.
    scale: u8,
    used: u8,
    /// Samples behind the first.
    more: u8,
    bytes: [u8; SLAB_BYTES - SLAB_HEADER_BYTES],
}

/// Numbered as they were added.
#[derive(Debug, Default)]
pub struct Slabs {
    pages: Vec<Vec<Slab>>,
    scratch: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Column {
    newest: u32,
    pub count: u32,
    pub first_ms: i64,
    last: State,
}

/// What the next sample of a slab is told as a difference to.
#[derive(Debug, Default, Clone, Copy)]
struct State {
    at_ms: i64,
    delta: i64,
    bits: u64,
    /// The last that scaled.
    integer: i64,
}

impl Slabs {
    fn get(&self, slab: u32) -> &Slab {
        &self.pages[slab as usize / PAGE_SLABS][slab as usize % PAGE_SLABS]
    }
    fn get_mut(&mut self, slab: u32) -> &mut Slab {
        &mut self.pages[slab as usize / PAGE_SLABS][slab as usize % PAGE_SLABS]
    }
    fn add(&mut self, slab: Slab) -> u32 {
        if self.pages.last().is_none_or(|page| page.len() == PAGE_SLABS) {
            self.pages.push(Vec::with_capacity(PAGE_SLABS));
        }
        let before = self.pages.len() - 1;
        self.pages[before].push(slab);
        let number = before * PAGE_SLABS + (self.pages[before].len() - 1);
        u32::try_from(number).expect("unflushed samples are bounded far below")
    }
}

/// The least scale, from `least` on, at which all values are integers.
fn scale_of(values: &[f64], least: usize) -> u8 {
    let fits = |scale: &usize| values.iter().all(|value| integer(*value, SCALES[*scale]).is_some());
    (least..SCALES.len()).find(fits).map_or(FLOATS, |scale| scale as u8)
}

impl Slab {
    /// The scale of the slab before is likely this one's, too: one value may have less digits.
    fn new(first: Sample, before: u32, scale_before: u8) -> Self {
        let hint = Some(usize::from(scale_before)).filter(|scale| *scale < SCALES.len());
        let scale = match scale_of(&[first.value], hint.unwrap_or(0)) {
            FLOATS if hint.is_some() => scale_of(&[first.value], 0),
            scale => scale,
        };
        let bytes = [0; SLAB_BYTES - SLAB_HEADER_BYTES];
        Self { first, before, scale, used: 0, more: 0, bytes }
    }

    /// Of its first sample.
    fn state(&self) -> State {
        let scale = SCALES.get(usize::from(self.scale));
        let integer = scale.and_then(|scale| integer(self.first.value, *scale)).unwrap_or(0);
        State { at_ms: self.first.at_ms, delta: 0, bits: self.first.value.to_bits(), integer }
    }

    /// False where the sample belongs to a slab of its own: this one is full, or half full and the value
    /// doesn't scale as those here do. (By then, or values that scale by turns would fill memory with
    /// slabs that hold two samples.)
    fn push(&mut self, sample: Sample, last: &mut State, scratch: &mut Vec<u8>) -> bool {
        if self.more == 0 && sample.value.is_finite() && self.scale != FLOATS {
            // Nothing is written yet that would hinder another scale.
            self.scale = scale_of(&[self.first.value, sample.value], usize::from(self.scale));
            *last = self.state();
        }
        let delta = sample.at_ms.wrapping_sub(last.at_ms);
        let bits = sample.value.to_bits();
        let mut integer_now = last.integer;
        scratch.clear();
        put_signed(scratch, delta.wrapping_sub(last.delta));
        if self.scale == FLOATS {
            put_varint(scratch, (bits ^ last.bits).reverse_bits());
        } else if let Some(scaled) = integer(sample.value, SCALES[usize::from(self.scale)]) {
            integer_now = scaled;
            // Both are within 2^53.
            let difference = scaled - last.integer;
            let zigzag = (difference << 1) ^ (difference >> 63);
            put_varint(scratch, zigzag.cast_unsigned() << 1);
        } else if sample.value.is_finite() && usize::from(self.used) >= self.bytes.len() / 2 {
            return false;
        } else {
            put_varint(scratch, EXCEPTION);
            scratch.extend_from_slice(&bits.to_le_bytes());
        }
        let used = usize::from(self.used);
        let Some(room) = self.bytes.get_mut(used..used + scratch.len()) else { return false };
        room.copy_from_slice(scratch);
        self.used += scratch.len() as u8;
        self.more += 1;
        *last = State { at_ms: sample.at_ms, delta, bits, integer: integer_now };
        true
    }

    fn samples(&self) -> impl Iterator<Item = Sample> {
        let scale = SCALES.get(usize::from(self.scale)).copied();
        let mut state = self.state();
        let mut reader = Reader::new(&self.bytes[..usize::from(self.used)]);
        let more = (0..self.more).map_while(move |_| {
            state.delta = state.delta.wrapping_add(reader.signed()?);
            state.at_ms = state.at_ms.wrapping_add(state.delta);
            let code = reader.varint()?;
            let value = match scale {
                None => {
                    state.bits ^= code.reverse_bits();
                    f64::from_bits(state.bits)
                }
                Some(_) if code == EXCEPTION => f64::from_bits(reader.u64()?),
                Some(scale) => {
                    let zigzag = code >> 1;
                    let difference = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
                    state.integer = state.integer.wrapping_add(difference);
                    state.integer as f64 / scale
                }
            };
            Some(Sample { at_ms: state.at_ms, value })
        });
        std::iter::once(self.first).chain(more)
    }
}

impl Column {
    pub fn last_ms(&self) -> i64 {
        self.last.at_ms
    }

    pub fn push(&mut self, slabs: &mut Slabs, sample: Sample) {
        let mut scratch = std::mem::take(&mut slabs.scratch);
        let fits =
            self.count > 0 && slabs.get_mut(self.newest).push(sample, &mut self.last, &mut scratch);
        slabs.scratch = scratch;
        if !fits {
            let slab = match self.count {
                0 => Slab::new(sample, NONE, FLOATS),
                _ => Slab::new(sample, self.newest, slabs.get(self.newest).scale),
            };
            self.last = slab.state();
            self.newest = slabs.add(slab);
        }
        if self.count == 0 {
            self.first_ms = sample.at_ms;
        }
        self.count += 1;
    }

    /// Its samples from a slab on that begins at or before `start_ms`, where one does.
    pub fn from(&self, slabs: &Slabs, start_ms: i64) -> impl Iterator<Item = Sample> {
        let mut chain = Vec::new();
        let mut next = if self.count > 0 { self.newest } else { NONE };
        while next != NONE {
            let slab = slabs.get(next);
            chain.push(slab);
            next = if slab.first.at_ms <= start_ms { NONE } else { slab.before };
        }
        chain.into_iter().rev().flat_map(Slab::samples)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slab_is_two_lines() {
        assert_eq!(size_of::<Slab>(), SLAB_BYTES);
    }

    fn filled(samples: &[(i64, u64)]) -> (Column, Slabs) {
        let (mut column, mut slabs) = (Column::default(), Slabs::default());
        for (at_ms, bits) in samples {
            let value = f64::from_bits(*bits);
            column.push(&mut slabs, Sample { at_ms: *at_ms, value });
        }
        (column, slabs)
    }

    fn plain(sample: Sample) -> (i64, u64) {
        (sample.at_ms, sample.value.to_bits())
    }

    #[test]
    fn decimals_take_three_bytes_with_stale_markers_among_them() {
        let bits = |n: i64| match n % 50 {
            7 => base::sample::STALE_NAN_BITS,
            _ => ((4000 + n * 37 % 60) as f64 / 100.0).to_bits(),
        };
        let all: Vec<_> = (0..1000).map(|n| (n * 15_000 + n % 3, bits(n))).collect();
        let (column, slabs) = filled(&all);
        assert_eq!(column.from(&slabs, i64::MIN).map(plain).collect::<Vec<_>>(), all);
        let count: usize = slabs.pages.iter().map(Vec::len).sum();
        assert!(count * SLAB_BYTES < 4 * all.len(), "{count} slabs");
    }

    #[test]
    fn values_that_scale_by_turns_fill_their_slabs() {
        let bits = |n: i64| if n / 2 % 2 == 0 { 0.001f64 } else { 1e15 }.to_bits();
        let all: Vec<_> = (0..1000).map(|n| (n * 15_000, bits(n))).collect();
        let (column, slabs) = filled(&all);
        assert_eq!(column.from(&slabs, i64::MIN).map(plain).collect::<Vec<_>>(), all);
        let count: usize = slabs.pages.iter().map(Vec::len).sum();
        assert!(count * SLAB_BYTES < 24 * all.len(), "{count} slabs");
    }

    fn value() -> impl Strategy<Value = u64> {
        prop_oneof![
            4 => (-1000i64..1000).prop_map(|n| (n as f64).to_bits()),
            4 => (-100_000i64..100_000).prop_map(|n| (n as f64 / 100.0).to_bits()),
            2 => any::<f64>().prop_map(f64::to_bits),
            1 => any::<u64>(),
            1 => prop::sample::select(vec![
                base::sample::STALE_NAN_BITS,
                (-0.0f64).to_bits(),
                f64::INFINITY.to_bits(),
                9_007_199_254_740_991f64.to_bits(),
                (-9_007_199_254_740_991f64).to_bits(),
                f64::MIN_POSITIVE.to_bits(),
            ]),
        ]
    }

    proptest! {
        #[test]
        fn a_column_is_read_from_anywhere_as_from_its_beginning(
            steps in proptest::collection::vec((1i64..100_000, value()), 0..600),
            first in prop_oneof![Just(-500i64), Just(i64::MIN), Just(i64::MAX - 70_000_000)],
            start in -1000i64..40_000_000,
        ) {
            let mut at_ms = first;
            let mut all = Vec::new();
            for (step, bits) in steps {
                at_ms += step;
                all.push((at_ms, bits));
            }
            let (column, slabs) = filled(&all);
            let whole: Vec<_> = column.from(&slabs, i64::MIN).map(plain).collect();
            prop_assert_eq!(&whole, &all);
            // It may begin earlier, by less than a slab.
            let start_ms = first.saturating_add(start);
            let read: Vec<_> = column.from(&slabs, start_ms).map(plain).collect();
            prop_assert!(all.ends_with(&read));
            let inside = all.iter().filter(|(at, _)| *at >= start_ms).count();
            prop_assert!(read.len() >= inside && read.len() <= inside + SLAB_BYTES);
        }
    }
}
