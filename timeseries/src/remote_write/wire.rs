//! Protobuf, as far as remote write needs it.

use base::sample::Sample;

use super::{LABELS_MAX, Label, bad, owned};
use crate::{
    error::Result,
    store::{Exemplar, Metadata},
};

/// Both are UTF-8; the name is not empty.
pub fn label(bytes: &[u8]) -> Result<Label<'_>> {
    let (name, value) = match usual_label(bytes) {
        Some(label) => label,
        None => {
            let (mut name, mut value) = (&b""[..], &b""[..]);
            let mut fields = Fields(bytes);
            while let Some((number, field)) = fields.next()? {
                match (number, field) {
                    (1, Field::Bytes(bytes)) => name = bytes,
                    (2, Field::Bytes(bytes)) => value = bytes,
                    (1 | 2, _) => return Err(bad("a label's field has a wrong type")),
                    _ => {}
                }
            }
            (name, value)
        }
    };
    if name.is_empty() {
        return Err(bad("a label has no name"));
    }
    // What is not ASCII is rare.
    if !bytes.is_ascii() {
        let utf8 = |bytes| std::str::from_utf8(bytes).map_err(|_| bad("a label is no UTF-8"));
        utf8(name)?;
        utf8(value)?;
    }
    Ok((name, value))
}

/// As every encoder writes a label of up to 127 bytes: both fields, in order.
fn usual_label(bytes: &[u8]) -> Option<Label<'_>> {
    let (&[0x0a, length], rest) = bytes.split_first_chunk::<2>()? else { return None };
    if length >= 0x80 {
        return None;
    }
    let (name, rest) = rest.split_at_checked(length.into())?;
    let (&[0x12, length], value) = rest.split_first_chunk::<2>()? else { return None };
    (length < 0x80 && value.len() == usize::from(length)).then_some((name, value))
}

pub fn sample(bytes: &[u8]) -> Result<Sample> {
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

pub fn exemplar(bytes: &[u8]) -> Result<Exemplar> {
    let mut labels = Vec::new();
    let mut sample = Sample { at_ms: 0, value: 0.0 };
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Field::Bytes(bytes)) if labels.len() < LABELS_MAX => labels.push(label(bytes)?),
            (2, Field::Fixed64(bits)) => sample.value = f64::from_bits(bits),
            (3, Field::Varint(number)) => sample.at_ms = number as i64,
            (1, Field::Bytes(_)) => return Err(bad("an exemplar has too many labels")),
            (1..=3, _) => return Err(bad("an exemplar's field has a wrong type")),
            _ => {}
        }
    }
    Ok(Exemplar { labels: owned(&labels), sample })
}

/// None where it names no metric family.
pub fn metadata(bytes: &[u8]) -> Result<Option<Metadata>> {
    /// By number, as in prompb/types.proto.
    const KINDS: [&str; 8] = [
        "unknown",
        "counter",
        "gauge",
        "histogram",
        "gaugehistogram",
        "summary",
        "info",
        "stateset",
    ];
    let mut metadata = Metadata { kind: KINDS[0].to_owned(), ..Metadata::default() };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Field::Varint(number)) => {
                let kind = usize::try_from(number).ok().and_then(|number| KINDS.get(number));
                metadata.kind = (*kind.unwrap_or(&KINDS[0])).to_owned();
            }
            (2, Field::Bytes(bytes)) => metadata.metric = text(bytes),
            (4, Field::Bytes(bytes)) => metadata.help = text(bytes),
            (5, Field::Bytes(bytes)) => metadata.unit = text(bytes),
            (1 | 2 | 4 | 5, _) => return Err(bad("a metadata field has a wrong type")),
            _ => {}
        }
    }
    Ok((!metadata.metric.is_empty()).then_some(metadata))
}

pub enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of one protobuf message.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    #[inline]
    pub fn next(&mut self) -> Result<Option<(u32, Field<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        self.read().map(Some).ok_or_else(|| bad("it is cut short or no protobuf"))
    }

    #[inline]
    fn read(&mut self) -> Option<(u32, Field<'a>)> {
        let key = self.varint()?;
        let number = Some(u32::try_from(key).ok()? >> 3).filter(|number| *number > 0)?;
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

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        if let Some((first, rest)) = self.0.split_first()
            && *first < 0x80
        {
            self.0 = rest;
            return Some(u64::from(*first));
        }
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            if shift == 63 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}
