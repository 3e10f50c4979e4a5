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

/// Seven bits each.
const VARINT_MAX_BYTES: usize = 10;
/// In eight bytes, what says that another one follows.
const MORE: u64 = 0x8080_8080_8080_8080;

/// The low seven bits of eight bytes, side by side: of two neighbours at a time, then of two pairs,
/// then of both halves.
#[inline]
fn sevens(bytes: u64) -> u64 {
    let bytes = bytes & !MORE;
    let pairs = (bytes & 0x007f_007f_007f_007f) | (bytes & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    (fours & 0x0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4
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
    #[inline]
    pub fn varint(&mut self) -> Option<u64> {
        match self.bytes {
            [byte @ ..0x80, rest @ ..] => {
                self.bytes = rest;
                Some(u64::from(*byte))
            }
            long if long.len() >= VARINT_MAX_BYTES => self.long_varint(),
            _ => self.any_varint(),
        }
    }
    /// With [`VARINT_MAX_BYTES`] left: all bytes at once.
    #[inline]
    fn long_varint(&mut self) -> Option<u64> {
        let bytes: &[u8; VARINT_MAX_BYTES] = self.bytes.first_chunk()?;
        let [eight @ .., ninth, tenth] = *bytes;
        let eight = u64::from_le_bytes(eight);
        let ends = !eight & MORE;
        if ends != 0 {
            // Up to the first byte that no other follows.
            let its = eight & (ends ^ (ends - 1));
            self.bytes = &self.bytes[ends.trailing_zeros() as usize / 8 + 1..];
            return Some(sevens(its));
        }
        let (low, ninth_bits) = (sevens(eight), u64::from(ninth & 0x7f) << 56);
        if ninth < 0x80 {
            self.bytes = &self.bytes[9..];
            return Some(low | ninth_bits);
        }
        if tenth > 1 {
            return None;
        }
        self.bytes = &self.bytes[10..];
        Some(low | ninth_bits | u64::from(tenth) << 63)
    }
    /// Byte by byte.
    fn any_varint(&mut self) -> Option<u64> {
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
