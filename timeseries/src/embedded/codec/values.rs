//! A chunk's values, back bit for bit: NaN payloads, stale markers, negative zero, infinities.
//!
//! | Encoding | For | Bytes |
//! | --- | --- | --- |
//! | 0 XOR | few values, or what nothing else holds | each value's bits XOR its predecessor's, bit-reversed, as a varint |
//! | 1 integers | few values, all decimals of one scale | scale u8, then differences of differences of value x 10^scale, zigzag varints |
//! | 2 constant | all equal | the value's bits, u64 LE |
//! | 3 packed | decimals of one scale | scale u8, exceptions, then pco of value x 10^scale, i64, delta order 1 |
//! | 4 narrow | the same within 2^32 of the least | as 3, with the least one (zigzag) before pco of the differences to it, u32 |
//! | 5 floats | the rest | pco of f64 |
//!
//! A decimal of up to 15 digits is the double nearest to integer / 10^scale, so that dividing gives
//! its very bits; that is checked for each value. What does not scale, such as a stale marker, is
//! an exception (count varint, then place varint, counted from the one before, and bits u64 LE
//! each), and its predecessor stands in the column in its place.

use std::ops::Range;

use base::sample::Sample;

use super::{
    Reader, Scratch, instants::PACKED_MIN, packed, put_deltas, put_signed, put_varint, read_deltas,
};

const XOR: u8 = 0;
const INTEGERS: u8 = 1;
const CONSTANT: u8 = 2;
const PACKED: u8 = 3;
const NARROW: u8 = 4;
const FLOATS: u8 = 5;

/// Beyond it not all integers are doubles.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;
pub const SCALES: [f64; 13] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];
/// Such a number and one of 32 bits make an integer that is a double.
const EXACT_MAX: u64 = 1 << 52;
/// One value in so many may be an exception.
const EXCEPTION_SHARE: usize = 16;

struct Scaled {
    scale: u8,
    integers: Vec<i64>,
    exceptions: Vec<(usize, u64)>,
}

pub fn put(out: &mut Vec<u8>, values: &[f64]) {
    let Some(first) = values.first() else { return };
    if values.iter().all(|value| value.to_bits() == first.to_bits()) {
        out.push(CONSTANT);
        out.extend_from_slice(&first.to_bits().to_le_bytes());
    } else if values.len() < PACKED_MIN {
        put_few(out, values);
    } else if let Some(scaled) = scale(values) {
        put_packed(out, &scaled);
    } else {
        put_floats(out, values);
    }
}

fn put_few(out: &mut Vec<u8>, values: &[f64]) {
    match scale(values).filter(|scaled| scaled.exceptions.is_empty()) {
        Some(scaled) => {
            out.extend([INTEGERS, scaled.scale]);
            put_deltas(out, scaled.integers.into_iter());
        }
        None => put_xor(out, values),
    }
}

fn put_xor(out: &mut Vec<u8>, values: &[f64]) {
    out.push(XOR);
    let mut last = 0;
    for value in values {
        let bits = value.to_bits();
        put_varint(out, (bits ^ last).reverse_bits());
        last = bits;
    }
}

fn put_packed(out: &mut Vec<u8>, scaled: &Scaled) {
    let least = scaled.integers.iter().copied().min().unwrap_or(0);
    let differences: Option<Vec<u32>> =
        scaled.integers.iter().map(|i| u32::try_from(i.checked_sub(least)?).ok()).collect();
    out.extend([if differences.is_some() { NARROW } else { PACKED }, scaled.scale]);
    put_varint(out, scaled.exceptions.len() as u64);
    let mut last = 0;
    for (place, bits) in &scaled.exceptions {
        put_varint(out, (place - last) as u64);
        out.extend_from_slice(&bits.to_le_bytes());
        last = *place;
    }
    match differences {
        Some(differences) => {
            put_signed(out, least);
            packed::put_integers(out, &differences);
        }
        None => packed::put_integers(out, &scaled.integers),
    }
}

/// Nothing here depends on another crate's promise about unusual floats: what does not come back
/// bit for bit is stored the plain way.
fn put_floats(out: &mut Vec<u8>, values: &[f64]) {
    let begin = out.len();
    out.push(FLOATS);
    packed::put_floats(out, values);
    let mut back = vec![0.0; values.len()];
    let read = Scratch::default().read(&out[begin + 1..], &mut back);
    let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits();
    if read.is_none() || !values.iter().zip(&back).all(same) {
        out.truncate(begin);
        put_xor(out, values);
    }
}

/// The integer that is exactly `value` at this scale.
pub fn integer(value: f64, scale: f64) -> Option<i64> {
    let scaled = (value * scale).round();
    if scaled.is_nan() || scaled.abs() >= INTEGER_MAX {
        return None;
    }
    // By way of the integer, which knows no negative zero.
    let integer = scaled as i64;
    (integer as f64 / scale).to_bits().eq(&value.to_bits()).then_some(integer)
}

/// The least scale at which all but a few values are integers.
fn scale(values: &[f64]) -> Option<Scaled> {
    let exceptions_max = values.len() / EXCEPTION_SHARE;
    let mut scale = 0;
    let mut hopeless = 0;
    for value in values {
        let next = (scale..SCALES.len()).find(|at| integer(*value, SCALES[*at]).is_some());
        match next {
            Some(next) => scale = next,
            None => hopeless += 1,
        }
        if hopeless > exceptions_max {
            return None;
        }
    }
    let mut scaled = Scaled {
        scale: scale as u8,
        integers: Vec::with_capacity(values.len()),
        exceptions: Vec::new(),
    };
    for (place, value) in values.iter().enumerate() {
        let integer = integer(*value, SCALES[scale]).unwrap_or_else(|| {
            scaled.exceptions.push((place, value.to_bits()));
            scaled.integers.last().copied().unwrap_or(0)
        });
        scaled.integers.push(integer);
    }
    // A large value may fit no more at the scale of a finer one.
    (scaled.exceptions.len() <= exceptions_max).then_some(scaled)
}

/// What columns are decoded in, one after another.
#[derive(Default)]
pub struct Buffers {
    pub scratch: Scratch,
    narrow: Vec<u32>,
    wide: Vec<i64>,
    floats: Vec<f64>,
}

/// From the whole of `bytes` a value for each instant, of which the samples `within` are added to
/// `out`. Where it returns None, some may have been.
pub fn read(
    bytes: &[u8],
    instants: &[i64],
    within: Range<usize>,
    buffers: &mut Buffers,
    out: &mut Vec<Sample>,
) -> Option<()> {
    let count = instants.len();
    let inside = instants.get(within.clone())?;
    let mut reader = Reader::new(bytes);
    match reader.byte()? {
        CONSTANT => {
            let value = f64::from_bits(reader.u64()?);
            out.extend(inside.iter().map(|at_ms| Sample { at_ms: *at_ms, value }));
            reader.is_empty().then_some(())
        }
        XOR => {
            let mut last = 0;
            for (place, at_ms) in instants.iter().enumerate() {
                last ^= reader.varint()?.reverse_bits();
                if within.contains(&place) {
                    out.push(Sample { at_ms: *at_ms, value: f64::from_bits(last) });
                }
            }
            reader.is_empty().then_some(())
        }
        INTEGERS => {
            let scale = *SCALES.get(usize::from(reader.byte()?))?;
            let mut integers = Vec::with_capacity(count);
            read_deltas(&mut reader, count, &mut integers)?;
            put_scaled(inside, &integers[within], |integer| integer as f64, scale, out);
            reader.is_empty().then_some(())
        }
        encoding @ (PACKED | NARROW) => {
            read_packed(encoding, reader, instants, within, buffers, out)
        }
        FLOATS => {
            let floats = sized(&mut buffers.floats, count);
            buffers.scratch.read(reader.rest(), floats)?;
            put_samples(inside, &floats[within], out);
            Some(())
        }
        _ => None,
    }
}

fn read_packed(
    encoding: u8,
    mut reader: Reader<'_>,
    instants: &[i64],
    within: Range<usize>,
    buffers: &mut Buffers,
    out: &mut Vec<Sample>,
) -> Option<()> {
    let count = instants.len();
    let scale = *SCALES.get(usize::from(reader.byte()?))?;
    let exceptions = reader.len().filter(|exceptions| *exceptions <= count)?;
    let mut raw = reader.clone();
    for _ in 0..exceptions {
        reader.varint()?;
        reader.u64()?;
    }
    let begin = out.len();
    let inside = &instants[within.clone()];
    if encoding == NARROW {
        let least = reader.signed()?;
        let numbers = sized(&mut buffers.narrow, count);
        buffers.scratch.read(reader.rest(), numbers)?;
        let numbers = &numbers[within.clone()];
        if least.unsigned_abs() < EXACT_MAX {
            // No sum here is rounded, and the processor converts and adds several at once.
            let least = least as f64;
            put_scaled(inside, numbers, |number| least + f64::from(number), scale, out);
        } else {
            let integer = |number| least.wrapping_add(i64::from(number)) as f64;
            put_scaled(inside, numbers, integer, scale, out);
        }
    } else {
        let numbers = sized(&mut buffers.wide, count);
        buffers.scratch.read(reader.rest(), numbers)?;
        put_scaled(inside, &numbers[within.clone()], |number| number as f64, scale, out);
    }
    let mut place = 0usize;
    for _ in 0..exceptions {
        place = place.checked_add(raw.len()?)?;
        let value = f64::from_bits(raw.u64()?);
        if within.contains(&place) {
            out[begin + place - within.start].value = value;
        } else if place >= count {
            return None;
        }
    }
    Some(())
}

/// So many elements, whatever they are.
fn sized<T: Copy + Default>(buffer: &mut Vec<T>, count: usize) -> &mut [T] {
    if buffer.len() < count {
        buffer.resize(count, T::default());
    }
    &mut buffer[..count]
}

/// Several at a time, which the processor divides at once.
fn put_scaled<T: Copy>(
    instants: &[i64],
    numbers: &[T],
    integer: impl Fn(T) -> f64,
    scale: f64,
    out: &mut Vec<Sample>,
) {
    const SEVERAL: usize = 8;
    let (some, rest) = numbers.as_chunks::<SEVERAL>();
    let (their_instants, rest_instants) = instants.as_chunks::<SEVERAL>();
    out.reserve(numbers.len());
    for (instants, numbers) in their_instants.iter().zip(some) {
        let mut values = numbers.map(&integer);
        // Dividing by one changes nothing, but takes its time.
        if scale != 1.0 {
            values.iter_mut().for_each(|value| *value /= scale);
        }
        put_samples(instants, &values, out);
    }
    for (at_ms, number) in rest_instants.iter().zip(rest) {
        out.push(Sample { at_ms: *at_ms, value: integer(*number) / scale });
    }
}

#[inline]
fn put_samples(instants: &[i64], values: &[f64], out: &mut Vec<Sample>) {
    let samples = instants.iter().zip(values);
    out.extend(samples.map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }));
}
