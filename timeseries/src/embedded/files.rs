//! The few file-system steps that durability stands on.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use crate::error::{Error, Result};

/// Makes created, renamed and removed names in `dir` durable.
pub fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io("synced", dir))
}

pub fn create_dir(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(Error::io("created", dir))
}

/// Readers see the old bytes or the new ones, whole, whenever the machine stops.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let scratch = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&scratch)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&scratch, path)
    };
    write().map_err(Error::io("replaced", path))?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// The numbered files `NNNNNNNN.<extension>` in `dir`, in order.
pub fn numbered(dir: &Path, extension: &str) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::io("listed", dir))? {
        let path = entry.map_err(Error::io("listed", dir))?.path();
        let named = path.extension().is_some_and(|its| its == extension);
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let (true, Some(number)) = (named, number) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(Error::io("removed", path)),
    }
}
