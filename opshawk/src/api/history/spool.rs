//! What an import read, by day, on disk until it is written: a text is by series, a store's blocks
//! are by day.
//!
//! ```text
//! DAY:  01 | line u64 | count u32 | name, value, ... (each length u32, text)   samples that follow are of it
//!       02 | instant i64 | value u64 | lines since that line u32
//! ```
//!
//! Little endian. Nothing of it outlives the import; what a kill leaves goes at the next start.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use base::sample::{Labels, Sample, Series};

use crate::server::dir;

/// Buffers of all days together.
const BUFFERED_MAX_BYTES: usize = 32 << 20;
/// Days that have samples: more than ten years of them.
pub const DAYS_MAX: usize = 4000;
/// The disk is the database's, too: the spool leaves so much of it.
pub const FREE_MIN_BYTES: u64 = 1 << 30;
/// Labels of one batch.
const BATCH_MAX_LABEL_BYTES: usize = 64 << 20;
const READ_BYTES: usize = 256 << 10;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

const SERIES: u8 = 1;
const SAMPLE: u8 = 2;

#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    days: BTreeMap<i64, Day>,
    buffered: usize,
    free_min: u64,
    /// A number for each time that the text went on to another series.
    series: u64,
    labels: Vec<u8>,
    label_count: u32,
    pub samples: u64,
    pub first_ms: i64,
    pub last_ms: i64,
}

#[derive(Debug, Default)]
struct Day {
    buffer: Vec<u8>,
    /// Of which the day's last sample is.
    series: u64,
    line: u64,
}

/// Why a sample can't be kept.
#[derive(Debug)]
pub enum Full {
    Days,
    Disk,
    Io(io::Error),
}

impl From<io::Error> for Full {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Spool {
    /// A directory of its own in the data directory; gone with this value.
    pub fn create(data_dir: &Path) -> io::Result<Self> {
        let name = format!("{}{}", dir::IMPORT_ASIDE, base::id::OperationId::new());
        let dir = data_dir.join(name);
        dir::create_private_dir(&dir)?;
        Ok(Self {
            dir,
            days: BTreeMap::new(),
            buffered: 0,
            free_min: FREE_MIN_BYTES,
            series: 0,
            labels: Vec::new(),
            label_count: 0,
            samples: 0,
            first_ms: i64::MAX,
            last_ms: i64::MIN,
        })
    }

    /// Whose the samples are that follow.
    pub fn begin_series(&mut self, labels: &Labels) {
        self.series += 1;
        self.labels.clear();
        self.label_count = labels.iter().len() as u32;
        for text in labels.iter().flat_map(|(name, value)| [name, value]) {
            self.labels.extend_from_slice(&(text.len() as u32).to_le_bytes());
            self.labels.extend_from_slice(text.as_bytes());
        }
    }

    pub fn put(&mut self, sample: Sample, line: u64) -> Result<(), Full> {
        let number = sample.at_ms.div_euclid(DAY_MS);
        if self.days.len() >= DAYS_MAX && !self.days.contains_key(&number) {
            return Err(Full::Days);
        }
        let day = self.days.entry(number).or_default();
        let before = day.buffer.len();
        if day.series != self.series || line - day.line > u64::from(u32::MAX) {
            (day.series, day.line) = (self.series, line);
            day.buffer.push(SERIES);
            day.buffer.extend_from_slice(&line.to_le_bytes());
            day.buffer.extend_from_slice(&self.label_count.to_le_bytes());
            day.buffer.extend_from_slice(&self.labels);
        }
        day.buffer.push(SAMPLE);
        day.buffer.extend_from_slice(&sample.at_ms.to_le_bytes());
        day.buffer.extend_from_slice(&sample.value.to_bits().to_le_bytes());
        day.buffer.extend_from_slice(&((line - day.line) as u32).to_le_bytes());
        self.buffered += day.buffer.len() - before;
        self.samples += 1;
        self.first_ms = self.first_ms.min(sample.at_ms);
        self.last_ms = self.last_ms.max(sample.at_ms);
        if self.buffered >= BUFFERED_MAX_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Full> {
        if free_bytes(&self.dir)? < self.free_min.saturating_add(self.buffered as u64) {
            return Err(Full::Disk);
        }
        for (number, day) in self.days.iter_mut().filter(|(_, day)| !day.buffer.is_empty()) {
            let path = self.dir.join(number.to_string());
            let mut file = File::options().append(true).create(true).open(path)?;
            file.write_all(&day.buffer)?;
            day.buffer = Vec::new();
        }
        self.buffered = 0;
        Ok(())
    }

    /// What was put, from the first day to the last.
    pub fn read(mut self) -> Result<Batches, Full> {
        self.flush()?;
        let days = std::mem::take(&mut self.days).into_keys().collect();
        Ok(Batches { spool: self, days, open: None, series: None })
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn free_bytes(dir: &Path) -> io::Result<u64> {
    let stat = nix::sys::statvfs::statvfs(dir)?;
    Ok(stat.blocks_available() as u64 * stat.fragment_size() as u64)
}

/// Samples of one day, and the line that each was read from.
#[derive(Debug, Default, PartialEq)]
pub struct Batch {
    pub series: Vec<Series>,
    lines: Vec<(u64, Vec<u32>)>,
}

impl Batch {
    /// Of a sample of one of the series.
    pub fn line(&self, series: usize, sample: usize) -> Option<u64> {
        let (first, lines) = self.lines.get(series)?;
        Some(first + u64::from(*lines.get(sample)?))
    }

    /// Of the first sample of a series.
    pub fn first_line(&self, series: usize) -> Option<u64> {
        self.line(series, 0)
    }

    /// Takes out the series that `taken` is false for, by their places.
    pub fn retain(&mut self, taken: &[bool]) {
        let mut at = taken.iter();
        self.series.retain(|_| at.next().copied().unwrap_or(true));
        let mut at = taken.iter();
        self.lines.retain(|_| at.next().copied().unwrap_or(true));
    }
}

/// Reads a spool once.
#[derive(Debug)]
pub struct Batches {
    spool: Spool,
    /// Still to be read.
    days: std::collections::VecDeque<i64>,
    open: Option<BufReader<File>>,
    /// That the last batch ended in, and its line.
    series: Option<(Labels, u64)>,
}

impl Batches {
    /// None at the end. A batch is of one day.
    pub fn next(&mut self, max_samples: usize) -> io::Result<Option<Batch>> {
        loop {
            let Some(reader) = &mut self.open else {
                let Some(day) = self.days.pop_front() else { return Ok(None) };
                let path = self.spool.dir.join(day.to_string());
                let file = File::open(&path)?;
                // Its bytes stay until they are read; the name is not needed.
                fs::remove_file(&path)?;
                self.open = Some(BufReader::with_capacity(READ_BYTES, file));
                continue;
            };
            let mut batch = Batch::default();
            let more = fill(&mut batch, reader, &mut self.series, max_samples)?;
            if !more {
                (self.open, self.series) = (None, None);
            }
            if !batch.series.is_empty() {
                return Ok(Some(batch));
            }
        }
    }
}

/// False at the end of the file.
fn fill(
    batch: &mut Batch,
    reader: &mut impl Read,
    series: &mut Option<(Labels, u64)>,
    max_samples: usize,
) -> io::Result<bool> {
    let (mut samples, mut label_bytes, mut begun) = (0, 0, false);
    while samples < max_samples && label_bytes < BATCH_MAX_LABEL_BYTES {
        let mut tag = [0];
        if reader.read(&mut tag)? == 0 {
            return Ok(false);
        }
        if tag[0] == SERIES {
            let line = u64::from_le_bytes(bytes(reader)?);
            let mut pairs = Vec::new();
            for _ in 0..u32::from_le_bytes(bytes(reader)?) {
                pairs.push((text(reader)?, text(reader)?));
            }
            label_bytes +=
                pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
            *series = Some((Labels::new(pairs), line));
            begun = false;
            continue;
        }
        let at_ms = i64::from_le_bytes(bytes(reader)?);
        let value = f64::from_bits(u64::from_le_bytes(bytes(reader)?));
        let line = u32::from_le_bytes(bytes(reader)?);
        let (labels, first_line) = series.as_ref().ok_or(io::ErrorKind::InvalidData)?;
        if !begun {
            begun = true;
            batch.series.push(Series { labels: labels.clone(), samples: Vec::new() });
            batch.lines.push((*first_line, Vec::new()));
        }
        if let (Some(its), Some((_, lines))) = (batch.series.last_mut(), batch.lines.last_mut()) {
            its.samples.push(Sample { at_ms, value });
            lines.push(line);
        }
        samples += 1;
    }
    Ok(true)
}

fn bytes<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn text(reader: &mut impl Read) -> io::Result<String> {
    let length = u32::from_le_bytes(bytes(reader)?);
    let mut bytes = vec![0; length as usize];
    reader.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests;
