//! Writing a block: series by series in the order of their labels, then the index.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use base::sample::{Labels, Sample};

use super::{CHUNK_MAX_SAMPLES, END_MAGIC, FOOTER_BYTES, MAGIC};
use crate::{
    embedded::codec::{put_samples, put_signed, put_text, put_varint},
    error::{Error, Result},
};

pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    offset: u64,
    texts: HashMap<String, u64>,
    texts_raw: Vec<u8>,
    series_raw: Vec<u8>,
    series: u64,
    first_ms: i64,
    last_ms: i64,
}

impl Writer {
    pub fn create(path: &Path) -> Result<Self> {
        let create = || -> std::io::Result<_> {
            let mut file = BufWriter::new(File::create(path)?);
            file.write_all(MAGIC)?;
            Ok(file)
        };
        Ok(Self {
            path: path.to_owned(),
            file: create().map_err(Error::io("created", path))?,
            offset: MAGIC.len() as u64,
            texts: HashMap::new(),
            texts_raw: Vec::new(),
            series_raw: Vec::new(),
            series: 0,
            first_ms: i64::MAX,
            last_ms: i64::MIN,
        })
    }

    /// Labels come in rising order; samples in order of time, each instant once.
    pub fn add(&mut self, labels: &Labels, samples: &[Sample]) -> Result<()> {
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Ok(()) };
        self.first_ms = self.first_ms.min(first.at_ms);
        self.last_ms = self.last_ms.max(last.at_ms);
        self.series += 1;
        put_varint(&mut self.series_raw, labels.iter().len() as u64);
        for (name, value) in labels.iter() {
            for text in [name, value] {
                let number = self.text(text);
                put_varint(&mut self.series_raw, number);
            }
        }
        put_varint(&mut self.series_raw, samples.len().div_ceil(CHUNK_MAX_SAMPLES) as u64);
        for chunk in samples.chunks(CHUNK_MAX_SAMPLES) {
            let mut bytes = vec![0; 4];
            put_samples(&mut bytes, chunk);
            let crc = crc32fast::hash(&bytes[4..]);
            bytes[..4].copy_from_slice(&crc.to_le_bytes());
            self.file.write_all(&bytes).map_err(Error::io("written", &self.path))?;
            let (first_ms, last_ms) = (chunk[0].at_ms, chunk[chunk.len() - 1].at_ms);
            put_varint(&mut self.series_raw, self.offset);
            put_varint(&mut self.series_raw, bytes.len() as u64);
            put_signed(&mut self.series_raw, first_ms);
            put_varint(&mut self.series_raw, last_ms.abs_diff(first_ms));
            put_varint(&mut self.series_raw, chunk.len() as u64);
            self.offset += bytes.len() as u64;
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> u64 {
        if let Some(number) = self.texts.get(text) {
            return *number;
        }
        let number = self.texts.len() as u64;
        self.texts.insert(text.to_owned(), number);
        put_text(&mut self.texts_raw, text);
        number
    }

    /// Makes the file durable; its name is the caller's to sync. False, and no file, when nothing
    /// was added.
    pub fn finish(mut self) -> Result<bool> {
        if self.series == 0 {
            drop(self.file);
            crate::embedded::files::remove(&self.path)?;
            return Ok(false);
        }
        let mut index = Vec::new();
        put_varint(&mut index, self.texts.len() as u64);
        index.append(&mut self.texts_raw);
        put_varint(&mut index, self.series);
        index.append(&mut self.series_raw);
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
}
