//! The host's cache of image files: each under its SHA-256, and checked against it.

use std::{collections::HashMap, fs, sync::Arc};

use base::{ErrorKind, id::ImageId, reconcile::error_chain};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncWriteExt, sync::Mutex};

use crate::{
    failure::StepError,
    files::{self, Layout},
    plan::ImagePart,
    server::Server,
    wire::{DesiredImage, ImageFile},
};

/// How often a download tells how far it is.
const PROGRESS_STEP_PCT: i64 = 10;

pub struct ImageCache {
    layout: Layout,
    server: Server,
    /// One download of a file at a time; whoever waited finds it there.
    downloads: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

/// The files that an image has, in the order in which they are fetched.
pub fn parts(image: &DesiredImage) -> impl Iterator<Item = (ImagePart, &ImageFile)> {
    [
        (ImagePart::Disk, Some(&image.disk)),
        (ImagePart::Kernel, image.kernel.as_ref()),
        (ImagePart::Ramdisk, image.ramdisk.as_ref()),
    ]
    .into_iter()
    .filter_map(|(part, file)| file.map(|file| (part, file)))
}

impl ImageCache {
    pub fn new(layout: Layout, server: Server) -> Self {
        Self { layout, server, downloads: Mutex::default() }
    }

    /// The first part that is not here whole.
    pub fn missing(&self, image: &DesiredImage) -> Option<ImagePart> {
        parts(image).find(|(_, file)| !self.has(file)).map(|(part, _)| part)
    }

    fn has(&self, file: &ImageFile) -> bool {
        // A name that is no hash is never looked for; fetching it says what is wrong.
        files::is_sha256(&file.sha256)
            && fs::metadata(self.layout.image(&file.sha256))
                .is_ok_and(|meta| i64::try_from(meta.len()) == Ok(file.bytes))
    }

    pub async fn fetch(
        &self,
        id: ImageId,
        part: ImagePart,
        file: &ImageFile,
        progress: impl Fn(i64) + Send,
    ) -> Result<(), StepError> {
        if !files::is_sha256(&file.sha256) {
            return Err(StepError::never("image_invalid", "the image's hash is no SHA-256"));
        }
        let turn = self.downloads.lock().await.entry(file.sha256.clone()).or_default().clone();
        let _turn = turn.lock().await;
        if self.has(file) {
            return Ok(());
        }
        let started = tokio::time::Instant::now();
        let result = self.download(id, part, file, progress).await;
        self.downloads.lock().await.remove(&file.sha256);
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if result.is_ok() {
            tracing::info!(image = %id, part = part.as_str(), bytes = file.bytes, elapsed_ms, "image fetched");
        }
        result
    }

    async fn download(
        &self,
        id: ImageId,
        part: ImagePart,
        file: &ImageFile,
        progress: impl Fn(i64) + Send,
    ) -> Result<(), StepError> {
        let path = self.layout.image(&file.sha256);
        let aside = files::aside(&path);
        let io = |e: std::io::Error| StepError::io(format!("the image {}", aside.display()), &e);
        let mut response = self.server.image(id, part).await.map_err(|e| unavailable(&e))?;
        let mut out = tokio::fs::File::create(&aside).await.map_err(io)?;
        let (mut hash, mut bytes, mut told) = (Sha256::new(), 0_i64, 0);
        while let Some(chunk) = response.chunk().await.map_err(|e| {
            StepError::forever("image_unavailable", format!("the download broke off: {e}"))
        })? {
            bytes += i64::try_from(chunk.len()).unwrap_or(i64::MAX);
            if bytes > file.bytes {
                return Err(self.mismatch(file));
            }
            hash.update(&chunk);
            out.write_all(&chunk).await.map_err(io)?;
            let pct = bytes * 100 / file.bytes.max(1);
            if pct >= told + PROGRESS_STEP_PCT {
                told = pct;
                progress(pct);
            }
        }
        out.flush().await.map_err(io)?;
        drop(out);
        if hex::encode(hash.finalize()) != file.sha256 {
            return Err(self.mismatch(file));
        }
        let publish = move || -> std::io::Result<()> {
            use std::os::unix::fs::PermissionsExt;
            // QEMU's user reads it as a backing file, and nobody writes it again.
            fs::set_permissions(files::aside(&path), fs::Permissions::from_mode(0o444))?;
            files::commit(&path)
        };
        on_thread(publish).await.map_err(io)
    }

    fn mismatch(&self, file: &ImageFile) -> StepError {
        let _ = files::remove_file(&files::aside(&self.layout.image(&file.sha256)));
        StepError::limited(
            "image_damaged",
            format!("what the server sent is not the image with SHA-256 {}", file.sha256),
        )
    }
}

fn unavailable(error: &base::Error) -> StepError {
    let message = format!("the image can't be fetched: {}", error_chain(error));
    match error.kind {
        ErrorKind::NotFound => StepError::limited("image_unavailable", message),
        _ => StepError::forever("image_unavailable", message),
    }
}

/// Runs blocking file work without holding up the others.
pub async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(std::io::Error::other(e)))
}
