//! Columns of numbers packed by `pco`: bins by entropy, bits by tANS.
//!
//! A column is the chunk metadata and then the one page of pco's wrapped format; its constant file
//! header ([`HEADER`]) is not stored, and how many numbers there are is the caller's to know.

use std::sync::LazyLock;

use pco::{
    ChunkConfig, DecompressorScratch, DeltaSpec, ModeSpec,
    data_types::Number,
    wrapped::{FileCompressor, FileDecompressor},
};

/// Beyond it the gain in size is small and packing takes twice as long.
const LEVEL: usize = 4;
/// The wrapped format's header: version 4.1 of pco's format.
const HEADER: [u8; 2] = [4, 1];

/// As far as pco may look ahead for one batch (256 numbers of 16 bytes, each behind a symbol of 2,
/// and 9 bytes more): where less follows, it copies the rest to a fresh buffer, which takes longer
/// than a short column.
const PADDING_BYTES: usize = 256 * (16 + 2) + 9;

static UNPACKER: LazyLock<FileDecompressor> = LazyLock::new(|| {
    let (unpacker, _) = FileDecompressor::new(HEADER.as_slice()).expect("a header that is known");
    unpacker
});

/// Numbers whose differences are small.
pub fn put_integers<T: Number>(out: &mut Vec<u8>, numbers: &[T]) {
    let config = ChunkConfig::default()
        .with_compression_level(LEVEL)
        .with_mode_spec(ModeSpec::Classic)
        .with_delta_spec(DeltaSpec::TryConsecutive(1));
    put(out, numbers, &config);
}

pub fn put_floats(out: &mut Vec<u8>, numbers: &[f64]) {
    let config = ChunkConfig::default().with_compression_level(LEVEL);
    put(out, numbers, &config);
}

fn put<T: Number>(out: &mut Vec<u8>, numbers: &[T], config: &ChunkConfig) {
    let mut write = || -> pco::errors::PcoResult<()> {
        let mut chunk = FileCompressor::default().chunk_compressor(numbers, config)?;
        chunk.write_meta(&mut *out)?;
        chunk.write_page(0, &mut *out)?;
        Ok(())
    };
    write().expect("a vector takes any bytes, and the settings are valid");
}

/// What columns are unpacked with, one after another.
#[derive(Default)]
pub struct Scratch {
    pco: DecompressorScratch,
    padded: Padded,
}

impl Scratch {
    /// Fills `numbers` from the whole of `bytes`; None where they are something else.
    pub fn read<T: Number>(&mut self, bytes: &[u8], numbers: &mut [T]) -> Option<()> {
        let bytes = self.padded.put(bytes);
        let (chunk, rest) = UNPACKER.chunk_decompressor::<T, _>(bytes).ok()?;
        let scratch = &mut self.pco;
        let mut page = chunk.page_decompressor_with_scratch(rest, numbers.len(), scratch).ok()?;
        let progress = page.read(numbers).ok()?;
        (progress.finished && page.into_src().len() == PADDING_BYTES).then_some(())
    }
}

#[derive(Default)]
struct Padded {
    /// The last column, and zeros.
    bytes: Vec<u8>,
    last: usize,
}

impl Padded {
    fn put(&mut self, column: &[u8]) -> &[u8] {
        let (here, all) = (column.len(), column.len() + PADDING_BYTES);
        if self.bytes.len() < all {
            self.bytes.resize(all, 0);
        }
        self.bytes[..here].copy_from_slice(column);
        if here < self.last {
            self.bytes[here..self.last].fill(0);
        }
        self.last = here;
        &self.bytes[..all]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_left_out_is_the_one_that_is_put_back() {
        let mut header = Vec::new();
        FileCompressor::default().write_header(&mut header).unwrap();
        assert_eq!(header, HEADER, "pco writes a newer format: raise the block's version");
    }

    #[test]
    fn only_zeros_follow_a_column() {
        let mut padded = Padded::default();
        for bytes in [300, 7, 9000, 7, 8, 0] {
            let column = vec![0xff; bytes];
            let (its, rest) = padded.put(&column).split_at(bytes);
            assert!(its == column && rest == [0; PADDING_BYTES], "{bytes}");
        }
    }

    #[test]
    fn a_column_with_more_or_less_behind_it_is_refused() {
        let mut scratch = Scratch::default();
        let mut column = Vec::new();
        let numbers: Vec<u32> = (0..480).map(|i| i * i % 97).collect();
        put_integers(&mut column, &numbers);
        let mut read = |bytes: &[u8]| {
            let mut back = vec![0; numbers.len()];
            scratch.read(bytes, &mut back).map(|()| back)
        };
        assert_eq!(read(&column).as_ref(), Some(&numbers));
        assert_eq!(read(&column[..column.len() - 1]), None);
        assert_eq!(read(&[column.as_slice(), &[0]].concat()), None);
        assert_eq!(read(&column), Some(numbers.clone()));
    }
}
