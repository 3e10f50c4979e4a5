//! Sensor data records (IPMI 2.0 §43): which sensors there are, what they are called, and how
//! their raw readings become numbers. Pure; offsets are from the start of the record.

use super::tables;

/// A record's own id, version, type and length.
pub const HEADER_BYTES: usize = 5;
const TYPE_FULL: u8 = 0x01;
const TYPE_COMPACT: u8 = 0x02;
/// The event/reading type of a sensor with thresholds.
const READING_THRESHOLD: u8 = 0x01;
pub const LINEAR: u8 = 0;
/// From here on, the factors differ with the reading and are asked for with it.
pub const NON_LINEAR: u8 = 0x70;

/// How a raw byte is to be read (table 43-1, byte 21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Unsigned,
    OnesComplement,
    TwosComplement,
    /// States only.
    NotAnalog,
}

impl Format {
    fn number(self, raw: u8) -> Option<f64> {
        let signed = i16::from(i8::from_ne_bytes([raw]));
        match self {
            Self::Unsigned => Some(f64::from(raw)),
            Self::OnesComplement if signed < 0 => Some(f64::from(signed + 1)),
            Self::OnesComplement | Self::TwosComplement => Some(f64::from(signed)),
            Self::NotAnalog => None,
        }
    }
}

/// `y = L[(M x + B 10^b) 10^r]` (§36.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Factors {
    pub m: i16,
    pub b: i16,
    pub b_exponent: i8,
    pub r_exponent: i8,
}

impl Factors {
    /// From the six bytes that the record, and Get Sensor Reading Factors, have them in: M, M
    /// and tolerance, B, B and accuracy, accuracy, exponents.
    pub fn decode(bytes: &[u8; 6]) -> Self {
        let [m, m_high, b, b_high, _, exponents] = *bytes;
        Self {
            m: ten_bits(m, m_high),
            b: ten_bits(b, b_high),
            r_exponent: four_bits(exponents >> 4),
            b_exponent: four_bits(exponents & 0x0f),
        }
    }
}

/// A signed number whose upper two bits are the top of `high`.
fn ten_bits(low: u8, high: u8) -> i16 {
    let bits = u16::from(low) | u16::from(high & 0xc0) << 2;
    i16::from_ne_bytes((bits << 6).to_ne_bytes()) >> 6
}

fn four_bits(nibble: u8) -> i8 {
    i8::from_ne_bytes([nibble << 4]) >> 4
}

/// Raw thresholds and which of them there are, in the order of the bits of §35.9: lower
/// non-critical, critical, non-recoverable, then upper the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RawThresholds {
    pub mask: u8,
    pub raw: [u8; 6],
}

/// One sensor, from a full or a compact record.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    pub record_id: u16,
    /// The bus address of the controller that has the sensor.
    pub owner: u8,
    pub lun: u8,
    pub number: u8,
    pub name: String,
    /// Table 42-3.
    pub kind: u8,
    /// Table 42-1.
    pub reading_type: u8,
    pub unit: String,
    pub format: Format,
    pub linearization: u8,
    pub factors: Factors,
    /// The record's own; the BMC may have been given others since.
    pub thresholds: RawThresholds,
    /// The BMC can be asked for the present ones.
    pub thresholds_readable: bool,
}

impl Sensor {
    pub fn has_thresholds(&self) -> bool {
        self.reading_type == READING_THRESHOLD
    }

    /// The number for a raw reading; `None` for a sensor of states, or where the formula has no
    /// finite answer.
    pub fn value(&self, raw: u8, factors: &Factors) -> Option<f64> {
        let x = self.format.number(raw)?;
        let b = f64::from(factors.b) * 10f64.powi(i32::from(factors.b_exponent));
        let y = (f64::from(factors.m) * x + b) * 10f64.powi(i32::from(factors.r_exponent));
        let y = match self.linearization & 0x7f {
            0x01 => y.ln(),
            0x02 => y.log10(),
            0x03 => y.log2(),
            0x04 => y.exp(),
            0x05 => 10f64.powf(y),
            0x06 => y.exp2(),
            0x07 => y.recip(),
            0x08 => y * y,
            0x09 => y * y * y,
            0x0a => y.sqrt(),
            0x0b => y.cbrt(),
            _ => y,
        };
        y.is_finite().then_some(tidy(y))
    }
}

/// Decimal factors leave binary dust (11.969999999999999): nine digits are more than eight bits
/// can mean.
fn tidy(y: f64) -> f64 {
    if y == 0.0 {
        return 0.0;
    }
    format!("{y:.9e}").parse().unwrap_or(y)
}

/// The sensors of a whole record: several for a shared compact record, none for other types.
/// `None`: too short for what it says it is.
pub fn decode(record: &[u8]) -> Option<Vec<Sensor>> {
    match *record.get(3)? {
        TYPE_FULL => Some(vec![full(record)?]),
        TYPE_COMPACT => compact(record),
        _ => Some(Vec::new()),
    }
}

/// What full and compact records begin with.
fn common(record: &[u8]) -> Option<Sensor> {
    let [id0, id1, _, _, _, owner, lun, number, _, _, _, capabilities, kind, reading_type, ..] =
        *record
    else {
        return None;
    };
    let units = record.get(20..23)?;
    Some(Sensor {
        record_id: u16::from_le_bytes([id0, id1]),
        owner,
        lun: lun & 0x03,
        number,
        name: String::new(),
        kind,
        reading_type: reading_type & 0x7f,
        unit: tables::unit([units[0], units[1], units[2]]),
        format: match units[0] >> 6 {
            0 => Format::Unsigned,
            1 => Format::OnesComplement,
            2 => Format::TwosComplement,
            _ => Format::NotAnalog,
        },
        linearization: LINEAR,
        factors: Factors::default(),
        thresholds: RawThresholds::default(),
        thresholds_readable: matches!(capabilities >> 2 & 3, 1 | 2),
    })
}

fn full(record: &[u8]) -> Option<Sensor> {
    let mut sensor = common(record)?;
    sensor.linearization = record.get(23)? & 0x7f;
    sensor.factors = Factors::decode(record.get(24..30)?.try_into().ok()?);
    // The record has them from the upper non-recoverable down; the commands from below.
    let [unr, uc, unc, lnr, lc, lnc] = *record.get(36..42)?.first_chunk::<6>()?;
    sensor.thresholds =
        RawThresholds { mask: record.get(18)? & 0x3f, raw: [lnc, lc, lnr, unc, uc, unr] };
    if !sensor.has_thresholds() {
        // The bytes mean something else there.
        sensor.thresholds = RawThresholds::default();
        // A sensor of states has no number, whatever the record says of formats.
        sensor.format = Format::NotAnalog;
        sensor.unit.clear();
    }
    sensor.name = text(*record.get(47)?, record.get(48..)?)?;
    Some(sensor)
}

fn compact(record: &[u8]) -> Option<Vec<Sensor>> {
    let mut sensor = common(record)?;
    sensor.format = Format::NotAnalog;
    sensor.unit.clear();
    sensor.thresholds_readable = false;
    let [share, offset] = *record.get(23..25)?.first_chunk::<2>()?;
    let name = text(*record.get(31)?, record.get(32..)?)?;
    let count = (share & 0x0f).max(1);
    if count == 1 {
        sensor.name = name;
        return Some(vec![sensor]);
    }
    let alphabetic = share >> 4 & 3 == 1;
    let one = |index: u8| {
        let mut sensor = sensor.clone();
        sensor.number = sensor.number.wrapping_add(index);
        let suffix = (offset & 0x7f).wrapping_add(index);
        sensor.name = if alphabetic {
            format!("{name}{}", char::from(b'A' + suffix % 26))
        } else {
            format!("{name}{suffix}")
        };
        sensor
    };
    Some((0..count).map(one).collect())
}

/// A name behind its type/length byte (§43.15).
fn text(type_length: u8, bytes: &[u8]) -> Option<String> {
    const BCD_PLUS: &[u8; 16] = b"0123456789 -.:,_";
    let bytes = bytes.get(..usize::from(type_length & 0x1f))?;
    let text: String = match type_length >> 6 {
        0 => {
            let units = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        1 => {
            let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
            nibbles.map(|nibble| char::from(BCD_PLUS[usize::from(nibble)])).collect()
        }
        2 => six_bit(bytes),
        _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    // Some firmware pads with NULs; control characters have no place in a label.
    Some(text.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned())
}

/// Four characters in three bytes, from the low bits up, each 0x20 below its ASCII code.
fn six_bit(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes[at / 8] >> (at % 8) & 1;
    let whole = bytes.len() * 8 / 6;
    (0..whole)
        .map(|index| (0..6).fold(0, |code, at| code | bit(index * 6 + at) << at))
        .map(|code| char::from(code + 0x20))
        .collect()
}

#[cfg(test)]
mod tests;
