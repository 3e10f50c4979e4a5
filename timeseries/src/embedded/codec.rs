//! Bytes: LEB128 varints, zigzag, length-prefixed text, and the two column encodings of a chunk.
//!
//! A chunk's instants are the first one, then the first difference, then differences of
//! differences, all zigzag varints. Its values are one of
//!
//! | Encoding | For | Bytes |
//! | --- | --- | --- |
//! | 0 XOR | any bits | each value's bits XOR its predecessor's, bit-reversed, as a varint: what is equal costs one byte, what differs in its high bits a few |
//! | 1 integers | all values whole (counters, states) | as the instants: differences of differences |

use base::sample::Sample;

pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Takes bytes from the front; None when they do not hold what is asked.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }
    pub fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
    pub fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
    pub fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
    pub fn signed(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
    pub fn len(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }
    pub fn text(&mut self) -> Option<&'a str> {
        let len = self.len()?;
        std::str::from_utf8(self.take(len)?).ok()
    }
}

const XOR: u8 = 0;
const INTEGERS: u8 = 1;
/// Whole numbers of larger magnitude are not all representable.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// `samples` must be in order of time.
pub fn put_samples(out: &mut Vec<u8>, samples: &[Sample]) {
    put_varint(out, samples.len() as u64);
    put_deltas(out, samples.iter().map(|s| s.at_ms));
    let whole = |s: &Sample| {
        s.value.abs() < INTEGER_MAX && ((s.value as i64) as f64).to_bits() == s.value.to_bits()
    };
    if samples.iter().all(whole) {
        out.push(INTEGERS);
        put_deltas(out, samples.iter().map(|s| s.value as i64));
    } else {
        out.push(XOR);
        let mut last = 0;
        for sample in samples {
            let bits = sample.value.to_bits();
            put_varint(out, (bits ^ last).reverse_bits());
            last = bits;
        }
    }
}

/// None when the bytes are not what [`put_samples`] made.
pub fn read_samples(reader: &mut Reader<'_>, max: usize) -> Option<Vec<Sample>> {
    let count = reader.len().filter(|count| *count <= max)?;
    let instants = read_deltas(reader, count)?;
    let sample = |(at_ms, value)| Sample { at_ms, value };
    match reader.byte()? {
        INTEGERS => {
            let values = read_deltas(reader, count)?;
            Some(
                instants
                    .into_iter()
                    .zip(values.into_iter().map(|v| v as f64))
                    .map(sample)
                    .collect(),
            )
        }
        XOR => {
            let mut samples = Vec::with_capacity(count);
            let mut last = 0;
            for at_ms in instants {
                last ^= reader.varint()?.reverse_bits();
                samples.push(Sample { at_ms, value: f64::from_bits(last) });
            }
            Some(samples)
        }
        _ => None,
    }
}

fn put_deltas(out: &mut Vec<u8>, numbers: impl Iterator<Item = i64>) {
    let (mut last, mut last_delta) = (0i64, 0i64);
    for number in numbers {
        let delta = number.wrapping_sub(last);
        put_signed(out, delta.wrapping_sub(last_delta));
        (last, last_delta) = (number, delta);
    }
}

fn read_deltas(reader: &mut Reader<'_>, count: usize) -> Option<Vec<i64>> {
    let mut numbers = Vec::with_capacity(count);
    let (mut last, mut delta) = (0i64, 0i64);
    for _ in 0..count {
        delta = delta.wrapping_add(reader.signed()?);
        last = last.wrapping_add(delta);
        numbers.push(last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn samples_come_back_bit_for_bit(
            raw in prop::collection::vec((any::<i64>(), prop_oneof![any::<u64>(), (0u64..2000).prop_map(|n| (n as f64).to_bits())]), 0..300)
        ) {
            let samples: Vec<_> = raw.iter().map(|(at_ms, bits)| Sample { at_ms: *at_ms, value: f64::from_bits(*bits) }).collect();
            let mut bytes = Vec::new();
            put_samples(&mut bytes, &samples);
            let back = read_samples(&mut Reader::new(&bytes), 300).unwrap();
            let bits = |s: &[Sample]| s.iter().map(|s| (s.at_ms, s.value.to_bits())).collect::<Vec<_>>();
            prop_assert_eq!(bits(&back), bits(&samples));
        }

        #[test]
        fn garbage_is_refused_or_read_but_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_samples(&mut Reader::new(&bytes), 480);
        }
    }

    #[test]
    fn regular_counters_are_small() {
        let samples: Vec<_> = (0..480)
            .map(|i| Sample { at_ms: 1_700_000_000_000 + i * 15_000, value: (i * 7) as f64 })
            .collect();
        let mut bytes = Vec::new();
        put_samples(&mut bytes, &samples);
        assert!(bytes.len() < 3 * 480, "{}", bytes.len());
    }
}
