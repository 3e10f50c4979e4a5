//! Blocks: immutable files of samples of one day (UTC).
//!
//! ```text
//! NNNNNNNN.blk
//! +----------------------+-------+-------+-- ... --+-------+--------+
//! | magic "OHBLK\0\0\1" 8 | chunk | chunk |         | index | footer |
//! +----------------------+-------+-------+-- ... --+-------+--------+
//!
//! chunk     at most 480 samples of one series; columns as in the codec module
//! +---------------+--------------+----------+------------+--------+
//! | CRC-32 u32 LE | count varint | instants | encoding u8 | values |
//! +---------------+--------------+----------+------------+--------+
//!
//! index     texts: count varint, then (length varint, bytes) each
//!           series: count varint, then for each, sorted by labels:
//!             labels: count varint, then (name's text varint, value's text varint) each
//!             chunks: count varint, then for each, in order of time: offset varint, bytes varint,
//!               first instant zigzag, last minus first varint, samples varint
//!
//! footer    48 bytes, little endian
//! +--------------+-------------+---------+---------+-------------+-----------------+-----------+
//! | index offset | index bytes | first   | last    | index CRC-32 | footer CRC-32   | magic     |
//! | u64          | u64         | ms i64  | ms i64  | u32          | u32, all before | "OHBLKEND" |
//! +--------------+-------------+---------+---------+-------------+-----------------+-----------+
//! ```
//!
//! Every byte but the magic stands under a checksum, and a chunk whose checksum is wrong fails the
//! query that needs it: never a wrong value.

use std::{fs::File, os::unix::fs::FileExt, path::PathBuf, sync::Arc};

use base::sample::{Labels, Sample};

use super::{
    codec::{self, Reader},
    postings::Postings,
};
use crate::error::{Error, Result};

#[cfg(test)]
mod tests;
pub mod write;

pub const MAGIC: &[u8; 8] = b"OHBLK\0\0\x01";
pub const END_MAGIC: &[u8; 8] = b"OHBLKEND";
pub const FOOTER_BYTES: usize = 48;
pub const CHUNK_MAX_SAMPLES: usize = 480;
/// Refuses to read an index that no flush or merge writes.
const INDEX_MAX_BYTES: u64 = 1 << 30;

#[derive(Debug, Clone, Copy)]
pub struct ChunkRef {
    pub offset: u64,
    pub bytes: u32,
    pub first_ms: i64,
    pub last_ms: i64,
    pub samples: u32,
}

#[derive(Debug)]
pub struct BlockSeries {
    pub labels: Arc<Labels>,
    pub chunks: Vec<ChunkRef>,
}

impl BlockSeries {
    pub fn is_in(&self, start_ms: i64, end_ms: i64) -> bool {
        self.chunks.iter().any(|c| c.first_ms <= end_ms && c.last_ms >= start_ms)
    }
    /// The newest instant.
    pub fn last_ms(&self) -> i64 {
        self.chunks.last().map_or(i64::MIN, |chunk| chunk.last_ms)
    }
}

/// A block's index in memory. Series are sorted by labels.
#[derive(Debug)]
pub struct Index {
    pub series: Vec<BlockSeries>,
    pub postings: Postings,
    /// About what it takes in memory.
    pub bytes: usize,
}

impl Index {
    pub fn find(&self, matchers: &[crate::Matcher]) -> impl Iterator<Item = &BlockSeries> {
        let labels = |id: u32| &*self.series[id as usize].labels;
        self.postings.find(matchers, labels).into_iter().map(|id| &self.series[id as usize])
    }
    pub fn get(&self, labels: &Labels) -> Option<&BlockSeries> {
        let found = self.series.binary_search_by(|series| (*series.labels).cmp(labels)).ok()?;
        Some(&self.series[found])
    }
}

/// An open block. Its file can be unlinked while queries still read it.
#[derive(Debug)]
pub struct Block {
    pub number: u64,
    /// 0 from a flush, one more than its inputs from a merge. Within a day, higher is older.
    pub level: u32,
    pub path: PathBuf,
    pub first_ms: i64,
    pub last_ms: i64,
    pub file_bytes: u64,
    file: File,
    index_offset: u64,
    index_bytes: u64,
    index_crc: u32,
}

impl Block {
    /// Checks the footer and the index.
    pub fn open(path: PathBuf, number: u64, level: u32) -> Result<Self> {
        let read = Error::io("read", &path);
        let open = || -> std::io::Result<_> {
            let file = File::open(&path)?;
            let file_bytes = file.metadata()?.len();
            let mut footer = [0; FOOTER_BYTES];
            let mut magic = [0; MAGIC.len()];
            if file_bytes >= (MAGIC.len() + FOOTER_BYTES) as u64 {
                file.read_exact_at(&mut magic, 0)?;
                file.read_exact_at(&mut footer, file_bytes - FOOTER_BYTES as u64)?;
            }
            Ok((file, file_bytes, magic, footer))
        };
        let (file, file_bytes, magic, footer) = open().map_err(read)?;
        let footer_offset = file_bytes.saturating_sub(FOOTER_BYTES as u64);
        let broken = |reason| Error::corrupt(&path, footer_offset, reason);
        if &magic != MAGIC {
            return Err(Error::corrupt(&path, 0, "this is no block of this version"));
        }
        let mut reader = Reader::new(&footer);
        let mut read = || -> Option<_> {
            let (offset, bytes) = (reader.u64()?, reader.u64()?);
            let (first_ms, last_ms) = (reader.u64()? as i64, reader.u64()? as i64);
            let index_crc = reader.u32()?;
            let sound = reader.u32()? == crc32fast::hash(&footer[..36]);
            (sound
                && reader.take(8)? == END_MAGIC
                && offset.checked_add(bytes) == Some(footer_offset))
            .then_some((offset, bytes, first_ms, last_ms, index_crc))
        };
        let (index_offset, index_bytes, first_ms, last_ms, index_crc) =
            read().ok_or_else(|| broken("the footer's checksum is wrong"))?;
        if index_bytes > INDEX_MAX_BYTES {
            return Err(broken("the index is impossibly large"));
        }
        let block = Self {
            number,
            level,
            path,
            first_ms,
            last_ms,
            file_bytes,
            file,
            index_offset,
            index_bytes,
            index_crc,
        };
        block.index_raw()?;
        Ok(block)
    }

    pub fn overlaps(&self, start_ms: i64, end_ms: i64) -> bool {
        self.first_ms <= end_ms && self.last_ms >= start_ms
    }

    fn index_raw(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.index_bytes as usize];
        self.file
            .read_exact_at(&mut bytes, self.index_offset)
            .map_err(Error::io("read", &self.path))?;
        if crc32fast::hash(&bytes) != self.index_crc {
            return Err(Error::corrupt(
                &self.path,
                self.index_offset,
                "the index's checksum is wrong",
            ));
        }
        Ok(bytes)
    }

    pub fn read_index(&self) -> Result<Index> {
        decode_index(&self.index_raw()?).ok_or_else(|| {
            Error::corrupt(&self.path, self.index_offset, "the index can't be decoded")
        })
    }

    /// Adds a chunk's samples to `out`.
    pub fn read_chunk(&self, chunk: &ChunkRef, out: &mut Vec<Sample>) -> Result<()> {
        let mut bytes = vec![0; chunk.bytes as usize];
        self.file.read_exact_at(&mut bytes, chunk.offset).map_err(Error::io("read", &self.path))?;
        let decode = || -> Option<Vec<Sample>> {
            let mut reader = Reader::new(&bytes);
            let crc = reader.u32()?;
            (crc == crc32fast::hash(&bytes[4..])).then_some(())?;
            codec::read_samples(&mut reader, CHUNK_MAX_SAMPLES)
        };
        let samples = decode().filter(|samples| samples.len() == chunk.samples as usize);
        let samples = samples.ok_or_else(|| {
            Error::corrupt(&self.path, chunk.offset, "a chunk's checksum is wrong")
        })?;
        out.extend_from_slice(&samples);
        Ok(())
    }
}

fn decode_index(bytes: &[u8]) -> Option<Index> {
    /// What a label or chunk takes beside its own bytes.
    const ENTRY_BYTES: usize = 64;
    let mut reader = Reader::new(bytes);
    let mut texts = Vec::new();
    for _ in 0..reader.len()? {
        texts.push(reader.text()?);
    }
    let mut index = Index { series: Vec::new(), postings: Postings::default(), bytes: bytes.len() };
    for id in 0..reader.len()? {
        let mut labels = Vec::new();
        for _ in 0..reader.len()? {
            let (name, value) = (texts.get(reader.len()?)?, texts.get(reader.len()?)?);
            index.bytes += name.len() + value.len() + ENTRY_BYTES;
            labels.push((name.to_string(), value.to_string()));
        }
        let labels = Arc::new(Labels::new(labels));
        let mut chunks = Vec::new();
        for _ in 0..reader.len()? {
            let (offset, bytes) = (reader.varint()?, u32::try_from(reader.varint()?).ok()?);
            let first_ms = reader.signed()?;
            let last_ms = first_ms.checked_add_unsigned(reader.varint()?)?;
            let samples = u32::try_from(reader.varint()?).ok()?;
            chunks.push(ChunkRef { offset, bytes, first_ms, last_ms, samples });
        }
        index.bytes += chunks.len() * ENTRY_BYTES;
        index.postings.add(u32::try_from(id).ok()?, &labels);
        index.series.push(BlockSeries { labels, chunks });
    }
    reader.is_empty().then_some(index)
}
