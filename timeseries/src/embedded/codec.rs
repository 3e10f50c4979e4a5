//! Bytes: LEB128 varints, zigzag, length-prefixed text; and in [`instants`] and [`values`] the two
//! columns of a chunk.

pub mod instants;
mod packed;
pub mod values;

pub use packed::Scratch;

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

pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
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
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
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
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.len()?;
        self.take(len)
    }
}

/// Zigzag varints of differences of differences: one byte each where steps are regular.
pub fn put_deltas(out: &mut Vec<u8>, numbers: impl Iterator<Item = i64>) {
    let (mut last, mut last_delta) = (0i64, 0i64);
    for number in numbers {
        let delta = number.wrapping_sub(last);
        put_signed(out, delta.wrapping_sub(last_delta));
        (last, last_delta) = (number, delta);
    }
}

/// Adds `count` numbers to `out`.
pub fn read_deltas(reader: &mut Reader<'_>, count: usize, out: &mut Vec<i64>) -> Option<()> {
    let (mut last, mut delta) = (0i64, 0i64);
    for _ in 0..count {
        delta = delta.wrapping_add(reader.signed()?);
        last = last.wrapping_add(delta);
        out.push(last);
    }
    Some(())
}

#[cfg(test)]
mod tests;
