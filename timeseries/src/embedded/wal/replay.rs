//! Reading the log back after a start.
//!
//! A frame is written and synced before the next one begins. So an unfinished frame at the end of
//! the last segment is a group that was never acknowledged: it is cut off. Whatever else can't be
//! read is damage: it is set aside and reported, what lies before and behind it is taken, and
//! writing goes on in a new segment.

use std::{
    fs::{File, OpenOptions},
    io::{BufReader, Read, Seek, Write},
    ops::Range,
    path::{Path, PathBuf},
};

use base::sample::Sample;

use super::{
    FRAME_HEADER_BYTES, FRAME_MARK, FRAME_MAX_BYTES, MAGIC, RECORD_SAMPLES, RECORD_SERIES,
    SEGMENT_HEADER_BYTES, frame_crc,
};
use crate::{
    embedded::{codec::Reader, files, key},
    error::{Error, Result},
};

/// Of one damaged part, this much is kept for whoever looks into it.
const ASIDE_MAX_BYTES: usize = 32 << 20;
const BUFFER_BYTES: usize = 256 << 10;

#[derive(Debug)]
pub enum Record<'a> {
    /// Names an id for the rest of its segment.
    Series {
        id: u64,
        key: &'a [u8],
    },
    Sample {
        id: u64,
        sample: Sample,
    },
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// None when there was no log.
    pub last_segment: Option<u64>,
    pub bytes: u64,
    /// What was cut off the last segment's end.
    pub torn_bytes: u64,
    /// Parts that could not be read, missing segments among them.
    pub damaged_parts: u64,
    pub damaged_bytes: u64,
    /// Samples whose series was named in a damaged part.
    pub unnamed_samples: u64,
}

/// Hands each record of the segments from `first` on to `each`, with its segment's number.
pub fn replay(dir: &Path, first: u64, mut each: impl FnMut(u64, Record<'_>)) -> Result<Replayed> {
    let mut segments = files::numbered(dir, "wal")?;
    segments.retain(|(number, _)| *number >= first);
    let mut done = Replayed::default();
    let mut expected = first;
    let last = segments.last().map(|(number, _)| *number);
    for (number, path) in segments {
        for missing in expected..number {
            tracing::error!(segment = missing, "a segment of the log is missing");
            done.damaged_parts += 1;
        }
        expected = number + 1;
        let mut segment = Segment::open(path, number, last == Some(number))?;
        segment.read(&mut done, &mut each)?;
    }
    Ok(done)
}

/// One segment's file while it is read.
struct Segment {
    path: PathBuf,
    number: u64,
    last: bool,
    length: u64,
    reader: BufReader<File>,
    frame: Vec<u8>,
}

impl Segment {
    fn open(path: PathBuf, number: u64, last: bool) -> Result<Self> {
        let open = || -> std::io::Result<_> {
            let file = File::open(&path)?;
            let length = file.metadata()?.len();
            Ok((BufReader::with_capacity(BUFFER_BYTES, file), length))
        };
        let (reader, length) = open().map_err(Error::io("read", &path))?;
        Ok(Self { path, number, last, length, reader, frame: Vec::new() })
    }

    fn read(&mut self, done: &mut Replayed, each: &mut impl FnMut(u64, Record<'_>)) -> Result<()> {
        let mut at = match self.header()? {
            true => SEGMENT_HEADER_BYTES as u64,
            // It was being created; nothing was ever acknowledged from it.
            false if self.last && self.length <= SEGMENT_HEADER_BYTES as u64 => {
                files::remove(&self.path)?;
                return files::sync_dir(self.path.parent().unwrap_or(Path::new(".")));
            }
            false => self.resume(0, done)?,
        };
        while at < self.length {
            if !self.frame(at)? {
                at = self.resume(at, done)?;
                continue;
            }
            let end = at + (FRAME_HEADER_BYTES + self.frame.len()) as u64;
            if read_records(&self.frame, |record| each(self.number, record)).is_none() {
                self.set_aside(at..end, "a record can't be decoded", done)?;
            }
            at = end;
        }
        done.last_segment = Some(self.number);
        done.bytes += self.length;
        Ok(())
    }

    fn header(&mut self) -> Result<bool> {
        let mut header = [0; SEGMENT_HEADER_BYTES];
        Ok(self.read_at(0, &mut header)?
            && header[..MAGIC.len()] == *MAGIC
            && header[MAGIC.len()..] == self.number.to_le_bytes())
    }

    /// False where the file ends before.
    fn read_at(&mut self, at: u64, bytes: &mut [u8]) -> Result<bool> {
        if at + bytes.len() as u64 > self.length {
            return Ok(false);
        }
        let mut read = |reader: &mut BufReader<File>| -> std::io::Result<()> {
            // Keeps the buffer where the place is in it.
            let here = reader.stream_position()?;
            reader.seek_relative(at as i64 - here as i64)?;
            reader.read_exact(bytes)
        };
        read(&mut self.reader).map_err(Error::io("read", &self.path))?;
        Ok(true)
    }

    /// Reads the payload of the frame that begins at `at`; false where there is no sound one.
    fn frame(&mut self, at: u64) -> Result<bool> {
        let mut header = [0; FRAME_HEADER_BYTES];
        if !self.read_at(at, &mut header)? {
            return Ok(false);
        }
        let Some((length, crc)) = frame_header(&header) else { return Ok(false) };
        if u64::from(length) > self.length - at - FRAME_HEADER_BYTES as u64 {
            return Ok(false);
        }
        let mut payload = std::mem::take(&mut self.frame);
        payload.resize(length as usize, 0);
        let sound = self.read_at(at + FRAME_HEADER_BYTES as u64, &mut payload)?
            && frame_crc(length, &payload) == crc;
        self.frame = payload;
        Ok(sound)
    }

    /// Where reading goes on behind what is unreadable from `at` on.
    fn resume(&mut self, at: u64, done: &mut Replayed) -> Result<u64> {
        let mut rest = vec![0; usize::try_from(self.length - at).unwrap_or(usize::MAX)];
        self.read_at(at, &mut rest)?;
        let next = next_frame(&rest, usize::from(at > 0));
        if next.is_none() && self.last {
            if !is_unfinished(&rest) {
                self.set_aside(at..self.length, "the end can't be read", done)?;
            }
            if at == 0 {
                files::remove(&self.path)?;
            } else {
                cut(&self.path, at)?;
            }
            done.torn_bytes = self.length - at;
            tracing::warn!(
                path = %self.path.display(), torn_bytes = done.torn_bytes,
                "cut an unfinished group off the log's end"
            );
            self.length = at;
            return Ok(at);
        }
        let next = next.map_or(self.length, |next| at + next as u64);
        self.set_aside(at..next, "a checksum or length is wrong", done)?;
        Ok(next)
    }

    /// Copies the damaged bytes to a file of their own, and reports them.
    fn set_aside(&mut self, part: Range<u64>, reason: &str, done: &mut Replayed) -> Result<()> {
        let length = part.end - part.start;
        done.damaged_parts += 1;
        done.damaged_bytes += length;
        let kept = usize::try_from(length).unwrap_or(usize::MAX).min(ASIDE_MAX_BYTES);
        let mut bytes = vec![0; kept];
        self.read_at(part.start, &mut bytes)?;
        let aside = self.path.with_extension(format!("{}.damaged", part.start));
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&aside)?;
            file.write_all(&bytes)?;
            file.sync_all()
        };
        write().map_err(Error::io("written", &aside))?;
        tracing::error!(
            path = %self.path.display(), offset = part.start, bytes = length,
            aside = %aside.display(), reason, "a part of the log is damaged; it is set aside"
        );
        Ok(())
    }
}

fn cut(path: &Path, length: u64) -> Result<()> {
    let cut = || -> std::io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        file.sync_all()
    };
    cut().map_err(Error::io("truncated", path))
}

/// Length and checksum.
fn frame_header(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut reader = Reader::new(bytes);
    if reader.take(FRAME_MARK.len())? != FRAME_MARK {
        return None;
    }
    let (length, crc) = (reader.u32()?, reader.u32()?);
    (length > 0 && length as usize <= FRAME_MAX_BYTES).then_some((length, crc))
}

/// A frame whose writing was interrupted: its beginning, and less than it says.
fn is_unfinished(rest: &[u8]) -> bool {
    let begun = rest.len().min(FRAME_MARK.len());
    if rest[..begun] != FRAME_MARK[..begun] {
        return false;
    }
    match frame_header(rest) {
        Some((length, _)) => rest.len() < FRAME_HEADER_BYTES + length as usize,
        None => rest.len() < FRAME_HEADER_BYTES,
    }
}

/// Where a whole frame begins at or behind `from`.
fn next_frame(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let marks = rest.windows(FRAME_MARK.len()).enumerate().filter(|(_, w)| *w == FRAME_MARK);
    let whole = |at: &usize| {
        let frame = &bytes[*at..];
        let payload = |(length, crc)| {
            let payload = frame.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + length as usize)?;
            (frame_crc(length, payload) == crc).then_some(())
        };
        frame_header(frame).and_then(payload).is_some()
    };
    marks.map(|(index, _)| from + index).find(whole)
}

/// None where the payload is not what this module's parent writes; what came before is handed on.
pub fn read_records(payload: &[u8], mut each: impl FnMut(Record<'_>)) -> Option<()> {
    let mut reader = Reader::new(payload);
    while !reader.is_empty() {
        match reader.byte()? {
            RECORD_SERIES => {
                let id = reader.varint()?;
                each(Record::Series { id, key: key::read(&mut reader)? });
            }
            RECORD_SAMPLES => {
                let count = reader.len()?;
                let mut at_ms = 0i64;
                for _ in 0..count {
                    let id = reader.varint()?;
                    at_ms = at_ms.wrapping_add(reader.signed()?);
                    let value = f64::from_bits(reader.u64()?);
                    each(Record::Sample { id, sample: Sample { at_ms, value } });
                }
            }
            _ => return None,
        }
    }
    Some(())
}
