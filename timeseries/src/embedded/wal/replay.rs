//! Reading the log back after a start.
//!
//! A frame is written and synced before the next one begins. So a broken frame with nothing sound
//! behind it, in the last segment, is a group that was never acknowledged: it is cut off. A broken
//! frame anywhere else is damage to acknowledged samples, and the store refuses to open.

use std::{fs::OpenOptions, path::Path};

use base::sample::{Labels, Sample};

use super::{
    FRAME_HEADER_BYTES, FRAME_MARK, MAGIC, RECORD_SAMPLES, RECORD_SERIES, SEGMENT_HEADER_BYTES,
    STAGED_MAX_BYTES, frame_crc,
};
use crate::{
    embedded::{codec::Reader, files},
    error::{Error, Result},
};

#[derive(Debug)]
pub enum Record {
    /// Names an id for the rest of its segment.
    Series {
        id: u64,
        labels: Labels,
    },
    Samples(Vec<(u64, Sample)>),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// None when there was no log.
    pub last_segment: Option<u64>,
    pub bytes: u64,
    /// What was cut off the last segment's end.
    pub torn_bytes: u64,
}

/// Hands each record of the segments from `first` on to `each`, with its segment's number.
pub fn replay(
    dir: &Path,
    first: u64,
    mut each: impl FnMut(u64, Record) -> Result<()>,
) -> Result<Replayed> {
    let mut segments = files::numbered(dir, "wal")?;
    segments.retain(|(number, _)| *number >= first);
    let mut done = Replayed::default();
    for (index, (number, path)) in segments.iter().enumerate() {
        if *number != first + index as u64 {
            let reason = format!("segment {} before it is missing", first + index as u64);
            return Err(Error::corrupt(path, 0, reason));
        }
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let last = index + 1 == segments.len();
        let sound = read_segment(path, *number, &bytes, last, &mut each)?;
        if sound == 0 {
            // It was being created; nothing was ever acknowledged from it.
            files::remove(path)?;
            files::sync_dir(dir)?;
            continue;
        }
        if sound < bytes.len() {
            cut(path, sound)?;
            done.torn_bytes = (bytes.len() - sound) as u64;
            tracing::warn!(
                path = %path.display(), torn_bytes = done.torn_bytes,
                "cut an unacknowledged group off the log's end"
            );
        }
        done.last_segment = Some(*number);
        done.bytes += sound as u64;
    }
    Ok(done)
}

fn cut(path: &Path, length: usize) -> Result<()> {
    let cut = || -> std::io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length as u64)?;
        file.sync_all()
    };
    cut().map_err(Error::io("truncated", path))
}

/// Returns the length of the sound part: shorter than `bytes` only for a torn last segment.
fn read_segment(
    path: &Path,
    number: u64,
    bytes: &[u8],
    last: bool,
    each: &mut impl FnMut(u64, Record) -> Result<()>,
) -> Result<usize> {
    let header_ok = bytes.get(..8) == Some(MAGIC.as_slice())
        && bytes.get(8..SEGMENT_HEADER_BYTES) == Some(number.to_le_bytes().as_slice());
    if !header_ok {
        // A segment that was being created holds no frame yet.
        if last && bytes.len() <= SEGMENT_HEADER_BYTES {
            return Ok(0);
        }
        return Err(Error::corrupt(path, 0, "this is no segment of this version's log"));
    }
    let mut at = SEGMENT_HEADER_BYTES;
    while at < bytes.len() {
        let Some(payload) = frame_at(bytes, at) else {
            if last && next_frame(bytes, at + 1).is_none() {
                return Ok(at);
            }
            return Err(Error::corrupt(path, at as u64, "a frame's checksum is wrong"));
        };
        let broken = || Error::corrupt(path, at as u64, "a record can't be decoded");
        let mut reader = Reader::new(payload);
        while !reader.is_empty() {
            each(number, read_record(&mut reader).ok_or_else(broken)?)?;
        }
        at += FRAME_HEADER_BYTES + payload.len();
    }
    Ok(at)
}

/// The payload of the frame that begins at `at`, if it is whole.
fn frame_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes.get(at..)?);
    if reader.take(FRAME_MARK.len())? != FRAME_MARK {
        return None;
    }
    let (length, crc) = (reader.u32()?, reader.u32()?);
    if length == 0 || length as usize > STAGED_MAX_BYTES * 2 {
        return None;
    }
    let payload = reader.take(length as usize)?;
    (frame_crc(length, payload) == crc).then_some(payload)
}

/// Where a whole frame begins at or behind `from`.
fn next_frame(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let marks = rest.windows(FRAME_MARK.len()).enumerate().filter(|(_, w)| *w == FRAME_MARK);
    marks.map(|(index, _)| from + index).find(|at| frame_at(bytes, *at).is_some())
}

fn read_record(reader: &mut Reader<'_>) -> Option<Record> {
    match reader.byte()? {
        RECORD_SERIES => {
            let id = reader.varint()?;
            let count = reader.len()?;
            let mut labels = Vec::new();
            for _ in 0..count {
                labels.push((reader.text()?.to_owned(), reader.text()?.to_owned()));
            }
            Some(Record::Series { id, labels: Labels::new(labels) })
        }
        RECORD_SAMPLES => {
            let count = reader.len()?;
            let mut samples = Vec::new();
            let mut at_ms = 0i64;
            for _ in 0..count {
                let id = reader.varint()?;
                at_ms = at_ms.wrapping_add(reader.signed()?);
                let value = f64::from_bits(reader.u64()?);
                samples.push((id, Sample { at_ms, value }));
            }
            Some(Record::Samples(samples))
        }
        _ => None,
    }
}
