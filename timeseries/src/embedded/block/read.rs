//! Reading chunks: checked, decoded, and with their neighbours where they come in the file's order.

use std::sync::Arc;

use base::sample::Sample;
use hashbrown::HashMap;

use super::{Block, CRC_BYTES, Index, index::ChunkRef};
use crate::{
    embedded::codec::{instants, values},
    error::Result,
};

/// A read that follows the last one takes twice as much, up to this.
const WINDOW_MAX_BYTES: usize = 256 << 10;
/// What lies between two reads that follow one another.
const GAP_MAX_BYTES: u64 = 16 << 10;
/// Decoded instants kept for the chunks that share them.
const KEPT_MAX_INSTANTS: usize = 1 << 20;

pub struct ChunkReader<'a> {
    block: &'a Block,
    index: &'a Index,
    window: Vec<u8>,
    window_at: u64,
    ahead: usize,
    columns: HashMap<u32, Arc<[i64]>, foldhash::fast::FixedState>,
    kept: usize,
    buffers: values::Buffers,
}

impl<'a> ChunkReader<'a> {
    pub fn new(block: &'a Block, index: &'a Index) -> Self {
        Self {
            block,
            index,
            window: Vec::new(),
            window_at: 0,
            ahead: 0,
            columns: HashMap::default(),
            kept: 0,
            buffers: values::Buffers::default(),
        }
    }

    /// Adds the chunk's samples in the range, both ends included.
    pub fn read(
        &mut self,
        chunk: &ChunkRef,
        start_ms: i64,
        end_ms: i64,
        out: &mut Vec<Sample>,
    ) -> Result<()> {
        let instants = self.instants(chunk.column)?;
        let bytes = self.framed(chunk.offset, chunk.bytes as usize)?;
        let from = instants.partition_point(|at| *at < start_ms);
        let to = instants.partition_point(|at| *at <= end_ms).max(from);
        let begin = out.len();
        let bytes = &self.window[bytes];
        if values::read(bytes, &instants, from..to, &mut self.buffers, out).is_none() {
            out.truncate(begin);
            return Err(self.block.corrupt(chunk.offset, "a chunk can't be decoded"));
        }
        Ok(())
    }

    fn instants(&mut self, column: u32) -> Result<Arc<[i64]>> {
        if let Some(found) = self.columns.get(&column) {
            return Ok(found.clone());
        }
        let its = self.index.column(column);
        let bytes = self.framed(its.offset, its.bytes as usize)?;
        let read =
            instants::read(&self.window[bytes], its.samples as usize, &mut self.buffers.scratch);
        let sound = |instants: &Vec<i64>| {
            instants.first() == Some(&its.first_ms)
                && instants.last() == Some(&its.last_ms)
                && instants.is_sorted_by(|a, b| a < b)
        };
        let Some(instants) = read.filter(sound) else {
            return Err(self.block.corrupt(its.offset, "a column can't be decoded"));
        };
        if self.kept + instants.len() > KEPT_MAX_INSTANTS {
            self.columns.clear();
            self.kept = 0;
        }
        self.kept += instants.len();
        let instants: Arc<[i64]> = instants.into();
        self.columns.insert(column, instants.clone());
        Ok(instants)
    }

    /// Where in the window the bytes behind a sound checksum are.
    fn framed(&mut self, offset: u64, bytes: usize) -> Result<std::ops::Range<usize>> {
        let at = self.within(offset, bytes)?;
        let (crc, content) = self.window[at..at + bytes].split_at(CRC_BYTES);
        if crc != crc32fast::hash(content).to_le_bytes() {
            return Err(self.block.corrupt(offset, "a checksum is wrong"));
        }
        Ok(at + CRC_BYTES..at + bytes)
    }

    fn within(&mut self, offset: u64, bytes: usize) -> Result<usize> {
        let end = self.window_at + self.window.len() as u64;
        if offset >= self.window_at && offset + bytes as u64 <= end {
            return Ok((offset - self.window_at) as usize);
        }
        let follows = !self.window.is_empty()
            && offset >= self.window_at
            && offset <= end.saturating_add(GAP_MAX_BYTES);
        self.ahead = if follows { (self.ahead * 2).clamp(bytes, WINDOW_MAX_BYTES) } else { bytes };
        let left = self.block.index_offset - offset;
        let length = self.ahead.max(bytes).min(usize::try_from(left).unwrap_or(usize::MAX));
        self.window.resize(length, 0);
        if let Err(error) = self.block.read_at(&mut self.window, offset) {
            self.window.clear();
            return Err(error);
        }
        self.window_at = offset;
        Ok(0)
    }
}
