//! A backup of everything, as one tar file, and a data directory made from it.
//!
//! ```text
//! manifest.json   {"format":"opshawk-backup","version":1,"program":"…","created_at":"…"}
//! key             the key file that sealed secrets need
//! rows.jsonl      every row, the same for SQLite and PostgreSQL (`base::db::dump`)
//! samples/…       a snapshot of the time-series store
//! images/SHA256   the images' files
//! end             nothing; a backup without it is cut short, and refused
//! ```
//!
//! The rows are those of one instant. Samples are snapshot after them and images' files copied
//! last: a row never names a file that is not there. What an agent keeps is not in it: it reads
//! what is wanted from the server again. Instances' own disks are the hosts'.
//!
//! The file holds the key and must be kept as a secret.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use base::{
    Error, Result,
    db::{Db, dump},
    time::{SystemClock, Timestamp},
};
use bytes::Bytes;
use futures::Stream;
use serde::{Deserialize, Serialize};
use timeseries::Store;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::server::dir::{self, DataDir};

mod restore;

pub use restore::restore;

pub const FORMAT: &str = "opshawk-backup";
pub const VERSION: u32 = 1;

const MANIFEST: &str = "manifest.json";
const KEY: &str = "key";
const ROWS: &str = "rows.jsonl";
const SAMPLES: &str = "samples";
const IMAGES: &str = "images";
const END: &str = "end";

/// Of the stream: what the reader has not taken yet.
const CHUNKS_AHEAD: usize = 16;
const CHUNK_BYTES: usize = 256 * 1024;

#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub format: String,
    pub version: u32,
    pub program: String,
    pub created_at: Timestamp,
}

/// What is backed up.
pub struct Source {
    pub data_dir: PathBuf,
    pub db: Db,
    pub store: Arc<dyn Store>,
}

/// The tar's bytes as they come. An error ends it before its `end`.
pub fn stream(source: Source) -> impl Stream<Item = io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::spawn(async move {
        let out = Chunks { sender: sender.clone(), buffer: Vec::with_capacity(CHUNK_BYTES) };
        if let Err(error) = write(source, out).await {
            let chain = base::reconcile::error_chain(&error);
            tracing::error!(error = chain, "the backup failed");
            // A reader that went away is no failure.
            let _ = sender.send(Err(io::Error::other(error.to_string()))).await;
        }
    });
    ReceiverStream::new(receiver)
}

/// Writes the whole backup.
pub async fn write(source: Source, out: impl Write + Send + 'static) -> Result<()> {
    let aside = Aside::new(&source.data_dir)?;
    let rows = aside.0.join(ROWS);
    let mut file = io::BufWriter::new(create_private(&rows)?);
    dump::dump(&source.db, &mut file).await?;
    file.flush().map_err(failed)?;
    drop(file);
    let samples = aside.0.join(SAMPLES);
    match source.store.snapshot(&samples).await {
        // They are elsewhere, and so are the tools to copy them: the backup says "none here".
        Err(error @ timeseries::Error::Unsupported(_)) => {
            tracing::warn!(%error, "the backup is without samples");
            std::fs::create_dir(&samples).map_err(failed)?;
        }
        other => other?,
    }
    let data_dir = source.data_dir.clone();
    let work = move || {
        let written = write_tar(&data_dir, &aside.0, out);
        drop(aside);
        written.map_err(failed)
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| failed(io::Error::other(e)))?
}

fn write_tar(data_dir: &Path, aside: &Path, out: impl Write) -> io::Result<()> {
    let mut tar = tar::Builder::new(out);
    tar.follow_symlinks(false);
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: base::time::Clock::now(&SystemClock),
    };
    append(&mut tar, MANIFEST, &serde_json::to_vec(&manifest)?)?;
    append(&mut tar, KEY, &std::fs::read(data_dir.join(dir::KEY))?)?;
    tar.append_path_with_name(aside.join(ROWS), ROWS)?;
    tar.append_dir_all(SAMPLES, aside.join(SAMPLES))?;
    for entry in std::fs::read_dir(data_dir.join(dir::IMAGES))? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|name| is_sha256(name)) else { continue };
        tar.append_path_with_name(
            data_dir.join(dir::IMAGES).join(name),
            format!("{IMAGES}/{name}"),
        )?;
    }
    append(&mut tar, END, &[])?;
    tar.into_inner()?.flush()
}

fn append(tar: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    tar.append_data(&mut header, name, bytes)
}

fn is_sha256(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn failed(error: io::Error) -> Error {
    Error::unavailable("the backup can't be written")
        .remedy("look for free space, in the data directory too")
        .source(error)
}

fn create_private(path: &Path) -> Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path).map_err(failed)
}

/// A directory for what must be complete before it is sent; gone with this value.
struct Aside(PathBuf);

impl Aside {
    fn new(data_dir: &Path) -> Result<Self> {
        let path = data_dir.join(format!("{}{}", dir::BACKUP_ASIDE, base::id::OperationId::new()));
        dir::create_private_dir(&path).map_err(failed)?;
        Ok(Self(path))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A writer on a thread, whose bytes are read in chunks by a task.
struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK_BYTES));
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(chunk.into())).map_err(gone)
    }
}

/// Of a stopped server's data directory, into a new file.
pub async fn offline(data_dir: &Path, database: &str, file: &Path) -> Result<()> {
    // Held until the end: the server must not start meanwhile.
    let held = DataDir::open_existing(data_dir)?;
    let db = Db::connect(database).await?;
    let clock = SystemClock::shared();
    let options = timeseries::Options::default();
    let store = timeseries::Embedded::open(&held.samples(), options, clock).await?;
    let store: Arc<dyn Store> = Arc::new(store);
    let source = Source { data_dir: data_dir.to_owned(), db: db.clone(), store: store.clone() };
    let target = Target::create(file)?;
    let out = io::BufWriter::new(target.file()?);
    let written = write(source, out).await;
    store.close().await?;
    db.close().await;
    written?;
    target.finish()
}

/// The backup's file, under another name until it is whole.
pub struct Target {
    aside: PathBuf,
    path: PathBuf,
    file: std::fs::File,
    done: bool,
}

impl Target {
    pub fn create(path: &Path) -> Result<Self> {
        if path.exists() {
            let message = format!("{} exists", path.display());
            return Err(Error::conflict(message).remedy("name a file that does not"));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let aside = path.with_file_name(name);
        let _ = std::fs::remove_file(&aside);
        let file = create_private(&aside)?;
        Ok(Self { aside, path: path.to_owned(), file, done: false })
    }

    pub fn file(&self) -> Result<std::fs::File> {
        self.file.try_clone().map_err(failed)
    }

    /// Refuses what was cut short; gives it its name otherwise.
    pub fn finish(mut self) -> Result<()> {
        restore::check_whole(&self.aside)?;
        self.file.sync_all().map_err(failed)?;
        std::fs::rename(&self.aside, &self.path).map_err(failed)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_file(&self.aside);
        }
    }
}

#[cfg(test)]
mod tests;
