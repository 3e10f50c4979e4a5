//! One segment file: appending records, scanning and reading them.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Far above any batch of samples; a larger length is damage.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
const HEADER_BYTES: usize = 8;
const SUFFIX: &str = "seg";

/// What a segment holds that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scan {
    pub bytes: u64,
    pub records: u64,
    /// Something unreadable follows.
    pub torn: bool,
}

pub fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016}.{SUFFIX}"))
}

pub fn number(path: &Path) -> Option<u64> {
    if path.extension()? != SUFFIX {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

pub const fn record_bytes(payload: &[u8]) -> u64 {
    (HEADER_BYTES + payload.len()) as u64
}

pub fn scan(path: &Path) -> io::Result<Scan> {
    let length = fs::metadata(path)?.len();
    let mut reader = Reader(BufReader::new(File::open(path)?));
    let mut scan = Scan::default();
    while let Some(payload) = reader.next()? {
        scan.bytes += record_bytes(&payload);
        scan.records += 1;
    }
    scan.torn = scan.bytes != length;
    Ok(scan)
}

#[derive(Debug)]
pub struct Reader(BufReader<File>);

impl Reader {
    pub fn open(dir: &Path, number: u64, offset: u64) -> io::Result<Self> {
        let mut file = File::open(path(dir, number))?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self(BufReader::new(file)))
    }

    /// The next record; `None` at the end, and where the rest is no whole record.
    pub fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut header = [0; HEADER_BYTES];
        if !self.fill(&mut header)? {
            return Ok(None);
        }
        let [l0, l1, l2, l3, crc @ ..] = header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length > RECORD_BYTES_MAX {
            return Ok(None);
        }
        let mut payload = vec![0; length];
        let whole = self.fill(&mut payload)? && crc32fast::hash(&payload).to_le_bytes() == crc;
        Ok(whole.then_some(payload))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match self.0.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(e),
        }
    }
}

#[derive(Debug)]
pub struct Writer {
    file: File,
    number: u64,
    bytes: u64,
}

impl Writer {
    pub fn create(dir: &Path, number: u64) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(path(dir, number))?;
        // The name itself must survive, too.
        File::open(dir)?.sync_all()?;
        Ok(Self { file, number, bytes: 0 })
    }
    pub const fn number(&self) -> u64 {
        self.number
    }
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
    pub fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).expect("bounded by RECORD_BYTES_MAX");
        let mut record = length.to_le_bytes().to_vec();
        record.extend(crc32fast::hash(payload).to_le_bytes());
        record.extend(payload);
        self.file.write_all(&record)?;
        self.file.sync_data()?;
        self.bytes += record.len() as u64;
        Ok(())
    }
}
