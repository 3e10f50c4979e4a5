//! Directories and ports of a part's own.

use std::{
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::guard;

/// A directory that goes with this value, or with the process.
///
/// Short, in the system's temporary directory: a Unix socket's path may have 107 bytes only.
pub struct LabDir(tempfile::TempDir);

impl LabDir {
    pub fn new(part: &str) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(&format!("opshawk-{part}-"))
            .tempdir()
            .context("a temporary directory can't be made")?;
        guard::watch_dir(dir.path());
        Ok(Self(dir))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text)
            .with_context(|| format!("{} can't be written", path.display()))?;
        Ok(path)
    }
}

impl Drop for LabDir {
    fn drop(&mut self) {
        guard::forget_dir(self.0.path());
    }
}

/// What is kept between runs: images that take a while to make.
pub fn cache_dir() -> PathBuf {
    workspace().join("target/lab")
}

/// The checkout this was built from.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// A TCP port of 127.0.0.1 that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The same for UDP.
pub fn free_udp_port() -> Result<u16> {
    Ok(UdpSocket::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
