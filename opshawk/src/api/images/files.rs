//! Images' files in the data directory, named by their SHA-256.
//!
//! A file is written aside, synced, and renamed into its name, so that what has a name is whole.

use std::{
    io,
    path::{Path, PathBuf},
};

use axum::body::Body;
use base::{Error, ErrorKind, Result};
use bytes::Bytes;
use futures::StreamExt;
use inventory::images::File;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

/// The largest file that is taken.
pub const MAX_FILE_BYTES: u64 = 1 << 40;
/// What an upload is called before it is whole.
const ASIDE: &str = ".upload-";

#[derive(Debug, Clone)]
pub struct Files {
    dir: PathBuf,
}

impl Files {
    /// Uses the directory, and removes what an upload left that was cut short.
    pub fn open_dir(dir: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        for entry in std::fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(ASIDE) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { dir })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub async fn open(&self, sha256: &str) -> Result<tokio::fs::File> {
        tokio::fs::File::open(self.dir.join(sha256)).await.map_err(|e| {
            Error::internal(format!("the image file {sha256} can't be read"))
                .remedy("restore it from a backup, or upload the image again")
                .source(e)
        })
    }

    /// Takes the bytes, whatever their number up to [`MAX_FILE_BYTES`].
    pub async fn receive(&self, body: Body, qcow2: bool) -> Result<File> {
        let aside = self.dir.join(format!("{ASIDE}{}", base::id::ImageId::new()));
        let taken = self.write(body, qcow2, &aside).await;
        if taken.is_err() {
            let _ = tokio::fs::remove_file(&aside).await;
        }
        taken
    }

    async fn write(&self, body: Body, qcow2: bool, aside: &Path) -> Result<File> {
        let mut file = tokio::fs::File::create_new(aside).await.map_err(disk)?;
        let mut hash = Sha256::new();
        let mut bytes: u64 = 0;
        let mut head = Vec::with_capacity(QCOW2_HEADER_BYTES);
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk: Bytes = chunk
                .map_err(|e| Error::new(ErrorKind::Invalid, "the body ended early").source(e))?;
            bytes += chunk.len() as u64;
            if bytes > MAX_FILE_BYTES {
                let message = format!("an image's file may have at most {MAX_FILE_BYTES} bytes");
                return Err(Error::new(ErrorKind::TooLarge, message));
            }
            let missing = QCOW2_HEADER_BYTES - head.len();
            head.extend_from_slice(&chunk[..missing.min(chunk.len())]);
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(disk)?;
        }
        if bytes == 0 {
            return Err(Error::new(ErrorKind::Invalid, "the body is empty"));
        }
        if qcow2 {
            check_qcow2(&head)?;
        }
        file.sync_all().await.map_err(disk)?;
        let sha256 = hex::encode(hash.finalize());
        tokio::fs::rename(aside, self.dir.join(&sha256)).await.map_err(disk)?;
        // The name is durable with its directory.
        let dir = tokio::fs::File::open(&self.dir).await.map_err(disk)?;
        dir.sync_all().await.map_err(disk)?;
        Ok(File { sha256, bytes: i64::try_from(bytes).unwrap_or(i64::MAX) })
    }
}

fn disk(error: io::Error) -> Error {
    Error::unavailable("the image's file can't be written")
        .remedy("free space in the data directory, or repair its disk")
        .source(error)
}

/// Up to and with the incompatible features of version 3.
const QCOW2_HEADER_BYTES: usize = 80;

/// QEMU's docs/interop/qcow2.txt: a backing or data file would let an image name any file of the
/// host.
fn check_qcow2(head: &[u8]) -> Result<()> {
    let refuse = |message: &str| Err(Error::invalid("disk", message));
    let word =
        |at: usize| head.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
    if head.get(..4) != Some(b"QFI\xfb") {
        return refuse("this is no qcow2 image; register it with disk_format raw");
    }
    if word(8).is_none_or(|backing_file_offset| backing_file_offset != 0) {
        return refuse("the qcow2 image has a backing file; flatten it with qemu-img convert");
    }
    let version = head.get(4..8).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    const EXTERNAL_DATA_FILE: u64 = 1 << 2;
    if version == Some(3) && word(72).is_none_or(|features| features & EXTERNAL_DATA_FILE != 0) {
        return refuse(
            "the qcow2 image keeps its data elsewhere; flatten it with qemu-img convert",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
