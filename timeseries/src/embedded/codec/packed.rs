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

/// Fills `numbers` from the whole of `bytes`; None where they are something else.
pub fn read<T: Number>(
    bytes: &[u8],
    numbers: &mut [T],
    scratch: &mut DecompressorScratch,
) -> Option<()> {
    let (chunk, rest) = UNPACKER.chunk_decompressor::<T, _>(bytes).ok()?;
    let mut page = chunk.page_decompressor_with_scratch(rest, numbers.len(), scratch).ok()?;
    let progress = page.read(numbers).ok()?;
    (progress.finished && page.into_src().is_empty()).then_some(())
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
}
