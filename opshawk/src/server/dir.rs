//! The data directory: where everything is kept that is not in PostgreSQL.
//!
//! | Name | What |
//! | --- | --- |
//! | `lock` | held by the process that uses the directory |
//! | `key` | seals secrets (0600) |
//! | `opshawk.db` | SQLite (0600) |
//! | `samples/` | the time-series store |
//! | `images/` | images' files, by SHA-256 |
//! | `queue/` | samples of the server's own collection that wait |
//! | `agent/`, `agent.token` | of the embedded agent; its token (0600) |
//! | `instances/` | disks of the instances on this host |
//!
//! The directory itself can be passed through, not listed (0711): QEMU's own user must reach the
//! agent's files.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base::{Error, Result};

const LOCK: &str = "lock";
pub const KEY: &str = "key";
pub const DATABASE: &str = "opshawk.db";
pub const SAMPLES: &str = "samples";
pub const IMAGES: &str = "images";
const QUEUE: &str = "queue";
const AGENT: &str = "agent";
const AGENT_TOKEN: &str = "agent.token";
const INSTANCES: &str = "instances";
/// What a backup writes before it sends it.
pub const BACKUP_ASIDE: &str = ".backup-";
/// What an import has read and not written yet.
pub const IMPORT_ASIDE: &str = ".import-";

/// Held by this process; the lock goes with it, however it ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes it where it is not there.
    pub fn open(path: &Path) -> Result<Self> {
        let unusable = |e| unusable(path, e);
        fs::DirBuilder::new().recursive(true).mode(0o711).create(path).map_err(unusable)?;
        let held = Self::open_existing(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o711)).map_err(unusable)?;
        for private in [SAMPLES, IMAGES, QUEUE] {
            create_private_dir(&path.join(private)).map_err(unusable)?;
        }
        for entry in fs::read_dir(path).map_err(unusable)? {
            let entry = entry.map_err(unusable)?;
            // Of a backup or an import that was cut short.
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if [BACKUP_ASIDE, IMPORT_ASIDE].iter().any(|aside| name.starts_with(aside)) {
                fs::remove_dir_all(entry.path()).map_err(unusable)?;
            }
        }
        Ok(held)
    }

    pub fn open_existing(path: &Path) -> Result<Self> {
        let lock = path.join(LOCK);
        let mut options = File::options();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let lock = lock.map_err(|e| unusable(path, e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let message = format!("another opshawk uses the data directory {}", path.display());
                Err(Error::conflict(message).remedy("stop it, or name another directory"))
            }
            Err(TryLockError::Error(e)) => Err(unusable(path, e)),
        }
    }

    /// Before SQLite would make it readable for all.
    pub fn prepare_database(&self) -> Result<()> {
        create_private_file(&self.path.join(DATABASE)).map_err(|e| unusable(&self.path, e))
    }

    pub fn key(&self) -> PathBuf {
        self.path.join(KEY)
    }
    pub fn samples(&self) -> PathBuf {
        self.path.join(SAMPLES)
    }
    pub fn images(&self) -> PathBuf {
        self.path.join(IMAGES)
    }
    pub fn queue(&self) -> PathBuf {
        self.path.join(QUEUE)
    }
    pub fn agent(&self) -> PathBuf {
        self.path.join(AGENT)
    }
    pub fn agent_token(&self) -> PathBuf {
        self.path.join(AGENT_TOKEN)
    }
    pub fn instances(&self) -> PathBuf {
        self.path.join(INSTANCES)
    }
}

fn unusable(path: &Path, error: io::Error) -> Error {
    Error::unavailable(format!("the data directory {} can't be used", path.display()))
        .remedy("check that it can be made and written, or name another with --data-dir")
        .source(error)
}

/// Nobody else may read it; it may be there.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes it empty where it is not there.
pub fn create_private_file(path: &Path) -> io::Result<()> {
    File::options().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_holds_it_and_secrets_are_private() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let held = DataDir::open(&path).unwrap();
        held.prepare_database().unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o711);
        assert_eq!(mode(&held.samples()), 0o700);
        assert_eq!(mode(&path.join(DATABASE)), 0o600);
        let second = DataDir::open(&path).unwrap_err();
        assert_eq!(second.kind, base::ErrorKind::Conflict);
        drop(held);
        fs::create_dir(path.join(".backup-x")).unwrap();
        assert!(DataDir::open(&path).is_ok());
        assert!(!path.join(".backup-x").exists());
        assert!(DataDir::open(Path::new("/proc/none/such")).is_err());
    }
}
