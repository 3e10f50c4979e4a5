//! Writing a block: series by series in the order of their keys, then the index.

use std::{
    fs::File,
    hash::{BuildHasher, Hash},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use base::sample::Sample;
use hashbrown::HashMap;

use super::{
    CRC_BYTES, END_MAGIC, FOOTER_BYTES, MAGIC,
    index::{ChunkRef, ColumnRef, Rows, put_columns, put_text},
};
use crate::{
    embedded::{
        codec::{instants, put_signed, put_varint, values},
        files, key,
    },
    error::{Error, Result},
};

/// Instants kept to find the columns that chunks share.
const KEPT_MAX_INSTANTS: usize = 2 << 20;
const BUFFER_BYTES: usize = 256 << 10;

type State = foldhash::fast::FixedState;
/// A column and its instants.
type Kept = (u32, Box<[i64]>);
/// Name and value.
type Pair = (Box<[u8]>, Box<[u8]>);

pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    offset: u64,
    /// Samples a chunk holds about.
    chunk_samples: usize,
    /// In the order of their first use.
    pairs: HashMap<Pair, u32, State>,
    columns: Vec<ColumnRef>,
    /// By hash; which of them it is tells a comparison.
    kept: HashMap<u64, Vec<Kept>, State>,
    kept_instants: usize,
    labels: Rows<u32>,
    chunks: Rows<ChunkRef>,
    first_ms: i64,
    last_ms: i64,
    instants: Vec<i64>,
    values: Vec<f64>,
    frame: Vec<u8>,
}

impl Writer {
    pub fn create(path: &Path, chunk_samples: usize) -> Result<Self> {
        let create = || -> std::io::Result<_> {
            let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?);
            file.write_all(MAGIC)?;
            Ok(file)
        };
        Ok(Self {
            path: path.to_owned(),
            file: create().map_err(Error::io("created", path))?,
            offset: MAGIC.len() as u64,
            chunk_samples,
            pairs: HashMap::default(),
            columns: Vec::new(),
            kept: HashMap::default(),
            kept_instants: 0,
            labels: Rows::default(),
            chunks: Rows::default(),
            first_ms: i64::MAX,
            last_ms: i64::MIN,
            instants: Vec::new(),
            values: Vec::new(),
            frame: Vec::new(),
        })
    }

    /// Keys come in rising order; samples in order of time, each instant once.
    pub fn add(&mut self, key: &[u8], samples: &[Sample]) -> Result<()> {
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Ok(()) };
        self.first_ms = self.first_ms.min(first.at_ms);
        self.last_ms = self.last_ms.max(last.at_ms);
        for (name, value) in key::pairs(key) {
            let pair = self.pair(name, value);
            self.labels.push(pair);
        }
        self.labels.end().ok_or_else(|| self.full())?;
        // Even parts: a short last chunk costs as much as a long one.
        let parts = ((samples.len() + self.chunk_samples / 2) / self.chunk_samples).max(1);
        for part in 0..parts {
            let (begin, end) = (samples.len() * part / parts, samples.len() * (part + 1) / parts);
            self.add_chunk(&samples[begin..end])?;
        }
        self.chunks.end().ok_or_else(|| self.full())
    }

    fn full(&self) -> Error {
        Error::io("written", &self.path)(std::io::Error::other("a block takes 2^32 labels"))
    }

    fn pair(&mut self, name: &[u8], value: &[u8]) -> u32 {
        /// Finds the pair without owning it.
        #[derive(Hash)]
        struct Borrowed<'a>(&'a [u8], &'a [u8]);
        impl hashbrown::Equivalent<Pair> for Borrowed<'_> {
            fn equivalent(&self, pair: &Pair) -> bool {
                self.0 == &*pair.0 && self.1 == &*pair.1
            }
        }
        let number = self.pairs.len() as u32;
        if let Some(found) = self.pairs.get(&Borrowed(name, value)) {
            return *found;
        }
        self.pairs.insert((name.into(), value.into()), number);
        number
    }

    fn add_chunk(&mut self, samples: &[Sample]) -> Result<()> {
        self.instants.clear();
        self.instants.extend(samples.iter().map(|sample| sample.at_ms));
        self.values.clear();
        self.values.extend(samples.iter().map(|sample| sample.value));
        let column = self.column()?;
        let mut frame = std::mem::take(&mut self.frame);
        values::put(begin(&mut frame), &self.values);
        let (offset, bytes) = self.write_frame(&mut frame)?;
        self.frame = frame;
        self.chunks.push(ChunkRef { offset, bytes, column });
        Ok(())
    }

    /// The column of the instants at hand, written if none like it was.
    fn column(&mut self) -> Result<u32> {
        let hash = self.kept.hasher().hash_one(self.instants.as_slice());
        if let Some(found) = self
            .kept
            .get(&hash)
            .and_then(|like| like.iter().find(|(_, instants)| **instants == *self.instants))
        {
            return Ok(found.0);
        }
        let mut frame = std::mem::take(&mut self.frame);
        instants::put(begin(&mut frame), &self.instants);
        let (offset, bytes) = self.write_frame(&mut frame)?;
        self.frame = frame;
        let column = u32::try_from(self.columns.len()).map_err(|_| self.full())?;
        self.columns.push(ColumnRef {
            offset,
            bytes,
            samples: self.instants.len() as u32,
            first_ms: self.instants[0],
            last_ms: self.instants[self.instants.len() - 1],
        });
        if self.kept_instants + self.instants.len() > KEPT_MAX_INSTANTS {
            self.kept.clear();
            self.kept_instants = 0;
        }
        self.kept_instants += self.instants.len();
        self.kept.entry(hash).or_default().push((column, self.instants.as_slice().into()));
        Ok(column)
    }

    /// Sets the checksum; returns place and size.
    fn write_frame(&mut self, frame: &mut [u8]) -> Result<(u64, u32)> {
        let crc = crc32fast::hash(&frame[CRC_BYTES..]);
        frame[..CRC_BYTES].copy_from_slice(&crc.to_le_bytes());
        self.file.write_all(frame).map_err(Error::io("written", &self.path))?;
        let offset = self.offset;
        self.offset += frame.len() as u64;
        Ok((offset, u32::try_from(frame.len()).map_err(|_| self.full())?))
    }

    /// So far, without the index.
    pub fn bytes(&self) -> u64 {
        self.offset
    }

    /// Makes the file durable; its name is the caller's to sync. False, and no file, when nothing
    /// was added.
    pub fn finish(mut self) -> Result<bool> {
        if self.labels.count() == 0 {
            self.abandon()?;
            return Ok(false);
        }
        let index = self.index();
        let mut footer = Vec::with_capacity(FOOTER_BYTES);
        for number in [self.offset, index.len() as u64, self.first_ms as u64, self.last_ms as u64] {
            footer.extend_from_slice(&number.to_le_bytes());
        }
        footer.extend_from_slice(&crc32fast::hash(&index).to_le_bytes());
        let crc = crc32fast::hash(&footer);
        footer.extend_from_slice(&crc.to_le_bytes());
        footer.extend_from_slice(END_MAGIC);
        let mut write = || -> std::io::Result<()> {
            self.file.write_all(&index)?;
            self.file.write_all(&footer)?;
            self.file.flush()?;
            self.file.get_ref().sync_all()
        };
        write().map_err(Error::io("written", &self.path))?;
        Ok(true)
    }

    /// Takes the file away.
    pub fn abandon(self) -> Result<()> {
        let path = self.path;
        // What is buffered need not reach a file that goes.
        let _ = self.file.into_parts();
        files::remove(&path)
    }

    fn index(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut texts: Vec<&[u8]> =
            self.pairs.keys().flat_map(|(name, value)| [&**name, &**value]).collect();
        texts.sort_unstable();
        texts.dedup();
        put_varint(&mut out, texts.len() as u64);
        let mut last: &[u8] = b"";
        for text in &texts {
            put_text(&mut out, last, text);
            last = text;
        }
        let number =
            |text: &[u8]| texts.binary_search(&text).expect("all texts are in the list") as u64;
        let mut pairs: Vec<_> = self.pairs.iter().collect();
        pairs.sort_unstable();
        put_varint(&mut out, pairs.len() as u64);
        let mut sorted = vec![0; pairs.len()];
        let (mut last_name, mut last_value) = (0, 0);
        for (place, ((name, value), first_use)) in pairs.into_iter().enumerate() {
            sorted[*first_use as usize] = place as u32;
            let (name, value) = (number(name), number(value));
            put_varint(&mut out, name - last_name);
            let same = place > 0 && name == last_name;
            put_varint(&mut out, if same { value - last_value } else { value });
            (last_name, last_value) = (name, value);
        }
        put_columns(&mut out, &self.columns);
        self.put_series(&mut out, &sorted);
        out
    }

    fn put_series(&self, out: &mut Vec<u8>, sorted: &[u32]) {
        put_varint(out, self.labels.count() as u64);
        let mut before: &[u32] = &[];
        let mut end = 0;
        for series in 0..self.labels.count() {
            let labels = self.labels.row(series);
            let shared = labels.iter().zip(before).take_while(|(a, b)| a == b).count();
            put_varint(out, labels.len() as u64);
            put_varint(out, shared as u64);
            for (at, pair) in labels.iter().enumerate().skip(shared) {
                let pair = i64::from(sorted[*pair as usize]);
                let its = before.get(at).map_or(0, |pair| i64::from(sorted[*pair as usize]));
                put_signed(out, pair - its);
            }
            before = labels;
            let chunks = self.chunks.row(series);
            put_varint(out, chunks.len() as u64);
            let mut column = 0;
            for chunk in chunks {
                put_signed(out, i64::from(chunk.column) - column);
                put_varint(out, chunk.offset - end);
                put_varint(out, chunk.bytes.into());
                column = i64::from(chunk.column);
                end = chunk.offset + u64::from(chunk.bytes);
            }
        }
    }
}

/// Empties a frame but for the checksum's place.
fn begin(frame: &mut Vec<u8>) -> &mut Vec<u8> {
    frame.clear();
    frame.resize(CRC_BYTES, 0);
    frame
}
