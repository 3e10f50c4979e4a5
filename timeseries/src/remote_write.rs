//! Remote write 1.0: a snappy block of a protobuf `WriteRequest`, read by walking its bytes.
//!
//! ```text
//! WriteRequest  1 repeated TimeSeries  (3 metadata, skipped)
//! TimeSeries    1 repeated Label, 2 repeated Sample  (3 exemplars, skipped; 4 native histograms,
//!               counted as not supported)
//! Label         1 name, 2 value
//! Sample        1 value (double), 2 instant (ms, int64)
//! ```
//!
//! (prometheus.io/docs/specs/prw/remote_write_spec, prompb/remote.proto.) Label names and bounds
//! are the store's to judge; here only what can't be a label set at all is refused.

use base::sample::{Labels, Sample, Series};

use crate::error::{Error, Result};

/// The body as it came.
pub const COMPRESSED_MAX_BYTES: usize = 16 << 20;
/// After decompression, told by the body's first bytes before anything is allocated.
pub const DECODED_MAX_BYTES: usize = 64 << 20;
pub const SERIES_MAX: usize = 200_000;
pub const SAMPLES_MAX: usize = 1_000_000;
/// More than any store takes; keeps one series from holding millions.
const LABELS_MAX: usize = 256;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decoded {
    pub series: Vec<Series>,
    pub samples: usize,
    /// Native histograms are not supported: they were left out, and their sender should know.
    pub histograms_dropped: usize,
}

/// Decodes a whole body; nothing of a malformed one is used.
pub fn decode(body: &[u8]) -> Result<Decoded> {
    if body.len() > COMPRESSED_MAX_BYTES {
        return Err(Error::TooLarge { what: "the body", limit: COMPRESSED_MAX_BYTES });
    }
    let length = snap::raw::decompress_len(body).map_err(|_| bad("it is no snappy block"))?;
    if length > DECODED_MAX_BYTES {
        return Err(Error::TooLarge { what: "the decompressed body", limit: DECODED_MAX_BYTES });
    }
    let bytes =
        snap::raw::Decoder::new().decompress_vec(body).map_err(|_| bad("it is no snappy block"))?;
    decode_request(&bytes)
}

fn bad(why: &str) -> Error {
    Error::BadData(format!("the remote write body can't be read: {why}"))
}

fn decode_request(bytes: &[u8]) -> Result<Decoded> {
    let mut decoded = Decoded::default();
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        let (1, Field::Bytes(series)) = (number, value) else { continue };
        if decoded.series.len() == SERIES_MAX {
            return Err(bad(&format!("it holds more than {SERIES_MAX} series")));
        }
        let series = decode_series(series, &mut decoded)?;
        decoded.series.push(series);
    }
    Ok(decoded)
}

fn decode_series(bytes: &[u8], decoded: &mut Decoded) -> Result<Series> {
    let mut labels: Vec<(&str, &str)> = Vec::new();
    let mut samples = Vec::new();
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Field::Bytes(label)) => {
                if labels.len() == LABELS_MAX {
                    return Err(bad(&format!("a series has more than {LABELS_MAX} labels")));
                }
                labels.push(decode_label(label)?);
            }
            (2, Field::Bytes(sample)) => {
                decoded.samples += 1;
                if decoded.samples > SAMPLES_MAX {
                    return Err(bad(&format!("it holds more than {SAMPLES_MAX} samples")));
                }
                samples.push(decode_sample(sample)?);
            }
            (4, _) => decoded.histograms_dropped += 1,
            _ => {}
        }
    }
    labels.sort_unstable();
    if let Some(pair) = labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(bad(&format!("a series has the label {:?} twice", pair[0].0)));
    }
    let own = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Series { labels: Labels::new(own), samples })
}

fn decode_label(bytes: &[u8]) -> Result<(&str, &str)> {
    let (mut name, mut text) = ("", "");
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        let Field::Bytes(bytes) = value else { continue };
        let utf8 = || std::str::from_utf8(bytes).map_err(|_| bad("a label is no UTF-8"));
        match number {
            1 => name = utf8()?,
            2 => text = utf8()?,
            _ => {}
        }
    }
    if name.is_empty() {
        return Err(bad("a label has no name"));
    }
    Ok((name, text))
}

fn decode_sample(bytes: &[u8]) -> Result<Sample> {
    let mut sample = Sample { at_ms: 0, value: 0.0 };
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Field::Fixed64(bits)) => sample.value = f64::from_bits(bits),
            (2, Field::Varint(number)) => sample.at_ms = number as i64,
            (1 | 2, _) => return Err(bad("a sample's field has a wrong type")),
            _ => {}
        }
    }
    Ok(sample)
}

enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of one protobuf message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u32, Field<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        self.read().map(Some).ok_or_else(|| bad("it is cut short or no protobuf"))
    }

    fn read(&mut self) -> Option<(u32, Field<'a>)> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0)?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Field::Fixed32
            }
            _ => return None,
        };
        Some((number, field))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
