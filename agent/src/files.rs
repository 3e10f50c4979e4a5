//! Where the agent's files are, and how one is written so that a crash leaves the old or the new.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base::id::InstanceId;

/// Names what a step is still writing.
const ASIDE: &str = ".new";

#[derive(Debug, Clone)]
pub struct Layout {
    data_dir: PathBuf,
    instances_dir: PathBuf,
}

impl Layout {
    pub fn new(data_dir: &Path, instances_dir: &Path) -> io::Result<Self> {
        // libvirt takes absolute paths only.
        let layout = Self {
            data_dir: std::path::absolute(data_dir)?,
            instances_dir: std::path::absolute(instances_dir)?,
        };
        for dir in [&layout.data_dir, &layout.instances_dir, &layout.images_dir()] {
            make_dir(dir)?;
        }
        Ok(layout)
    }
    pub fn instances_dir(&self) -> &Path {
        &self.instances_dir
    }
    pub fn images_dir(&self) -> PathBuf {
        self.data_dir.join("images")
    }
    /// `sha256` is 64 hexadecimal digits; see [`is_sha256`].
    pub fn image(&self, sha256: &str) -> PathBuf {
        self.images_dir().join(sha256)
    }
    pub fn desired(&self) -> PathBuf {
        self.data_dir.join("desired.json")
    }
    pub fn journal(&self) -> PathBuf {
        self.data_dir.join("journal.json")
    }
    pub fn readings(&self) -> PathBuf {
        self.data_dir.join("readings.json")
    }
    pub fn alive(&self) -> PathBuf {
        self.data_dir.join("alive")
    }
    pub fn samples(&self) -> PathBuf {
        self.data_dir.join("samples")
    }
    pub fn instance(&self, id: InstanceId) -> PathBuf {
        self.instances_dir.join(id.to_string())
    }
    pub fn disk(&self, id: InstanceId) -> PathBuf {
        self.instance(id).join("disk.qcow2")
    }
    pub fn seed(&self, id: InstanceId) -> PathBuf {
        self.instance(id).join("seed.img")
    }
    pub fn serial_log(&self, id: InstanceId) -> PathBuf {
        self.instance(id).join("serial.log")
    }

    /// The instances that have a directory here.
    pub fn instances(&self) -> io::Result<Vec<InstanceId>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.instances_dir)? {
            let name = entry?.file_name();
            // Only the canonical form is ours.
            let id = name.to_str().and_then(|name| name.parse::<InstanceId>().ok());
            found.extend(id.filter(|id| *name == *id.to_string()));
        }
        Ok(found)
    }
}

/// A directory that QEMU's user may traverse but not list.
pub fn make_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o711).create(path)
}

/// Beside `path`, for what is being written.
pub fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ASIDE);
    path.with_file_name(name)
}

/// Puts `aside(path)` in place: its bytes first, then its name.
pub fn commit(path: &Path) -> io::Result<()> {
    let aside = aside(path);
    fs::File::open(&aside)?.sync_all()?;
    fs::rename(&aside, path)?;
    sync_dir(path)
}

/// Writes a small private file whole.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(aside(path))?;
    file.write_all(bytes)?;
    drop(file);
    commit(path)
}

pub fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) => Ok(()),
        Ok(()) => sync_dir(path),
    }
}

fn sync_dir(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) => fs::File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// Whether the text may stand in a path as an image's name.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
