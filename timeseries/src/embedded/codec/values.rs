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

use pco::DecompressorScratch;

use super::{
    Reader, instants::PACKED_MIN, packed, put_deltas, put_signed, put_varint, read_deltas,
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
    let read = packed::read(&out[begin + 1..], &mut back, &mut DecompressorScratch::default());
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

/// Exactly `count` values from the whole of `bytes`, added to `out`.
pub fn read(
    bytes: &[u8],
    count: usize,
    scratch: &mut DecompressorScratch,
    out: &mut Vec<f64>,
) -> Option<()> {
    let mut reader = Reader::new(bytes);
    match reader.byte()? {
        CONSTANT => {
            let value = f64::from_bits(reader.u64()?);
            out.resize(out.len() + count, value);
            reader.is_empty().then_some(())
        }
        XOR => {
            let mut last = 0;
            for _ in 0..count {
                last ^= reader.varint()?.reverse_bits();
                out.push(f64::from_bits(last));
            }
            reader.is_empty().then_some(())
        }
        INTEGERS => {
            let scale = *SCALES.get(usize::from(reader.byte()?))?;
            let mut integers = Vec::with_capacity(count);
            read_deltas(&mut reader, count, &mut integers)?;
            out.extend(integers.into_iter().map(|integer| integer as f64 / scale));
            reader.is_empty().then_some(())
        }
        encoding @ (PACKED | NARROW) => read_packed(encoding, reader, count, scratch, out),
        FLOATS => {
            let begin = out.len();
            out.resize(begin + count, 0.0);
            packed::read(reader.rest(), &mut out[begin..], scratch)
        }
        _ => None,
    }
}

fn read_packed(
    encoding: u8,
    mut reader: Reader<'_>,
    count: usize,
    scratch: &mut DecompressorScratch,
    out: &mut Vec<f64>,
) -> Option<()> {
    let scale = *SCALES.get(usize::from(reader.byte()?))?;
    let exceptions = reader.len().filter(|exceptions| *exceptions <= count)?;
    let mut raw = reader.clone();
    for _ in 0..exceptions {
        reader.varint()?;
        reader.u64()?;
    }
    let begin = out.len();
    // Dividing by one changes nothing, but takes its time.
    let value = |integer: i64| if scale == 1.0 { integer as f64 } else { integer as f64 / scale };
    if encoding == NARROW {
        let least = reader.signed()?;
        let mut differences = vec![0u32; count];
        packed::read(reader.rest(), &mut differences, scratch)?;
        let integers = differences.into_iter().map(|d| least.wrapping_add(i64::from(d)));
        out.extend(integers.map(value));
    } else {
        let mut integers = vec![0i64; count];
        packed::read(reader.rest(), &mut integers, scratch)?;
        out.extend(integers.into_iter().map(value));
    }
    let mut place = 0usize;
    for _ in 0..exceptions {
        place = place.checked_add(raw.len()?)?;
        *out.get_mut(begin + place)? = f64::from_bits(raw.u64()?);
    }
    Some(())
}
