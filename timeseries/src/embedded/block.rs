//! Blocks: immutable files of samples of one day (UTC). docs/formats/timeseries.md draws their bytes.
//!
//! ```text
//! NNNNNNNN.blk
//! +----------------------+--------+-------+-------+-- ... --+-------+--------+
//! | magic "OHBLK\0\0\2" 8 | column | chunk | chunk |         | index | footer |
//! +----------------------+--------+-------+-------+-- ... --+-------+--------+
//! ```
//!
//! | Part | Holds |
//! | --- | --- |
//! | column | CRC-32, then the instants of the chunks that name it: see [`super::codec::instants`] |
//! | chunk | CRC-32, then the values of one series at its column's instants: [`super::codec::values`] |
//! | index | labels, columns and chunks of each series, by rising key: see [`index`] |
//! | footer | where the index is, the block's first and last instant, checksums |
//!
//! Series of one target are read at the same instants, so that most chunks share their column:
//! that makes an instant cost a hundredth of a byte.
//!
//! Every byte but the magic stands under a checksum, and what is under a wrong one is never used.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

pub use self::{index::Index, read::ChunkReader};
use super::codec::Reader;
use crate::error::{Error, Result};

pub mod index;
pub mod read;
#[cfg(test)]
mod tests;
pub mod write;

pub const MAGIC: &[u8; 8] = b"OHBLK\0\0\x02";
pub const END_MAGIC: &[u8; 8] = b"OHBLKEND";
pub const FOOTER_BYTES: usize = 48;
/// What a flush aims at: two hours at 15 s. More costs reads of a single instant, less costs bytes.
pub const FLUSHED_CHUNK_SAMPLES: usize = 480;
/// What a merge aims at.
pub const MERGED_CHUNK_SAMPLES: usize = 1920;
/// A column's or chunk's checksum.
pub const CRC_BYTES: usize = 4;
/// Refuses to read what no flush or merge writes.
pub const CHUNK_MAX_SAMPLES: usize = 2 * MERGED_CHUNK_SAMPLES;
const INDEX_MAX_BYTES: u64 = 1 << 30;

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
    /// A checksum in it was found wrong.
    condemned: AtomicBool,
    file: File,
    index_offset: u64,
    index_bytes: u64,
    index_crc: u32,
}

impl Block {
    /// Checks the footer and the index.
    pub fn open(path: PathBuf, number: u64, level: u32) -> Result<Self> {
        let block = Self::open_footer(path, number, level)?;
        block.index_raw()?;
        Ok(block)
    }

    /// Checks the footer alone.
    pub fn open_footer(path: PathBuf, number: u64, level: u32) -> Result<Self> {
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
        Ok(Self {
            number,
            level,
            path,
            first_ms,
            last_ms,
            file_bytes,
            condemned: AtomicBool::new(false),
            file,
            index_offset,
            index_bytes,
            index_crc,
        })
    }

    pub fn overlaps(&self, start_ms: i64, end_ms: i64) -> bool {
        self.first_ms <= end_ms && self.last_ms >= start_ms
    }
    /// True the first time: one finder reports the damage.
    pub fn condemn(&self) -> bool {
        !self.condemned.swap(true, Relaxed)
    }
    pub fn is_condemned(&self) -> bool {
        self.condemned.load(Relaxed)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        match self.file.read_exact_at(bytes, offset) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(Error::corrupt(&self.path, offset, "the file is cut short"))
            }
            other => other.map_err(Error::io("read", &self.path)),
        }
    }

    fn index_raw(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.index_bytes as usize];
        self.read_at(&mut bytes, self.index_offset)?;
        if crc32fast::hash(&bytes) != self.index_crc {
            return Err(self.corrupt(self.index_offset, "the index's checksum is wrong"));
        }
        Ok(bytes)
    }

    pub fn read_index(&self) -> Result<Index> {
        let index = Index::decode(&self.index_raw()?).filter(|i| i.ends_by(self.index_offset));
        index.ok_or_else(|| self.corrupt(self.index_offset, "the index can't be decoded"))
    }

    fn corrupt(&self, offset: u64, reason: &'static str) -> Error {
        Error::corrupt(&self.path, offset, reason)
    }
}
