//! A data directory from a backup: made aside, and moved to its place when it is whole.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Component, Path, PathBuf},
};

use base::{Error, Result, db::dump};

use super::{END, FORMAT, IMAGES, KEY, MANIFEST, Manifest, ROWS, SAMPLES, VERSION, is_sha256};
use crate::{config, server::dir};

fn damaged(why: &str) -> Error {
    Error::invalid("backup", format!("the backup is damaged: {why}")).remedy("use another backup")
}

fn unwritable(error: io::Error) -> Error {
    Error::unavailable("the data directory can't be made")
        .remedy("look for free space, and that this user may write there")
        .source(error)
}

fn open(file: &Path) -> Result<tar::Archive<BufReader<File>>> {
    let opened = File::open(file).map_err(|e| {
        Error::invalid("file", format!("the backup {} can't be read", file.display())).source(e)
    })?;
    Ok(tar::Archive::new(BufReader::new(opened)))
}

/// Whether the tar ends as a backup ends.
pub fn check_whole(file: &Path) -> Result<()> {
    let mut archive = open(file)?;
    let mut last = None;
    for entry in archive.entries().map_err(|e| damaged("it is no tar").source(e))? {
        let entry = entry.map_err(|e| damaged("it is cut short").source(e))?;
        last = Some(entry.path().map_err(|e| damaged("a name is broken").source(e))?.into_owned());
    }
    match last {
        Some(path) if path == Path::new(END) => Ok(()),
        _ => Err(damaged("it is cut short")),
    }
}

/// Makes `data_dir`, and fills `database` where it is not SQLite in there.
pub async fn restore(file: &Path, data_dir: &Path, database: Option<&str>) -> Result<u64> {
    if std::fs::read_dir(data_dir).is_ok_and(|mut entries| entries.next().is_some()) {
        let message = format!("the data directory {} is not empty", data_dir.display());
        return Err(Error::conflict(message).remedy("name a new one"));
    }
    check_whole(file)?;
    let aside = Aside::new(data_dir)?;
    unpack(file, &aside.path)?;
    let rows_file = aside.path.join(ROWS);
    let rows = File::open(&rows_file).map_err(|_| damaged("it has no rows"))?;
    let url = database.map_or_else(|| config::sqlite_url(&aside.path), str::to_owned);
    if database.is_none() {
        dir::create_private_file(&aside.path.join(dir::DATABASE)).map_err(unwritable)?;
    }
    let count = dump::restore(&url, &mut BufReader::new(rows)).await?;
    std::fs::remove_file(&rows_file).map_err(unwritable)?;
    aside.move_to(data_dir)?;
    Ok(count)
}

fn unpack(file: &Path, into: &Path) -> Result<()> {
    let mut archive = open(file)?;
    let mut manifest = None;
    for entry in archive.entries().map_err(|e| damaged("it is no tar").source(e))? {
        let mut entry = entry.map_err(|e| damaged("it is cut short").source(e))?;
        let path = entry.path().map_err(|e| damaged("a name is broken").source(e))?.into_owned();
        match place(&path, entry.header().entry_type())? {
            Place::Manifest => manifest = Some(read_manifest(&mut entry)?),
            Place::Directory(path) => {
                dir::create_private_dir(&into.join(path)).map_err(unwritable)?
            }
            Place::File(path) => {
                let path = into.join(path);
                if let Some(parent) = path.parent() {
                    dir::create_private_dir(parent).map_err(unwritable)?;
                }
                let mut out = super::create_private(&path)?;
                io::copy(&mut entry, &mut out).map_err(unwritable)?;
                out.sync_all().map_err(unwritable)?;
            }
            Place::Nowhere => {}
        }
    }
    manifest.map(drop).ok_or_else(|| damaged("it has no manifest"))
}

fn read_manifest(entry: &mut impl io::Read) -> Result<Manifest> {
    let manifest: Manifest = serde_json::from_reader(entry)
        .map_err(|e| damaged("its manifest can't be understood").source(e))?;
    if manifest.format != FORMAT || manifest.version != VERSION {
        return Err(damaged("it is in a format that this program does not know"));
    }
    Ok(manifest)
}

enum Place {
    Manifest,
    File(PathBuf),
    Directory(PathBuf),
    Nowhere,
}

/// Where an entry goes: only to places that a backup has.
fn place(path: &Path, kind: tar::EntryType) -> Result<Place> {
    let strange = || damaged(&format!("'{}' does not belong into it", path.display()));
    let parts: Vec<&str> = path
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str().ok_or_else(strange),
            _ => Err(strange()),
        })
        .collect::<Result<_>>()?;
    match (kind, parts.as_slice()) {
        (tar::EntryType::Regular, [MANIFEST]) => Ok(Place::Manifest),
        (tar::EntryType::Regular, [END]) => Ok(Place::Nowhere),
        (tar::EntryType::Regular, [KEY]) => Ok(Place::File(dir::KEY.into())),
        (tar::EntryType::Regular, [ROWS]) => Ok(Place::File(ROWS.into())),
        (tar::EntryType::Regular, [IMAGES, name]) if is_sha256(name) => {
            Ok(Place::File(Path::new(dir::IMAGES).join(name)))
        }
        (tar::EntryType::Directory, [SAMPLES, rest @ ..]) => {
            Ok(Place::Directory(Path::new(dir::SAMPLES).join(rest.iter().collect::<PathBuf>())))
        }
        (tar::EntryType::Regular, [SAMPLES, rest @ ..]) if !rest.is_empty() => {
            Ok(Place::File(Path::new(dir::SAMPLES).join(rest.iter().collect::<PathBuf>())))
        }
        _ => Err(strange()),
    }
}

/// The directory under another name, until it is whole.
struct Aside {
    path: PathBuf,
    done: bool,
}

impl Aside {
    fn new(data_dir: &Path) -> Result<Self> {
        let mut name = data_dir.file_name().unwrap_or_default().to_owned();
        name.push(format!(".restoring-{}", std::process::id()));
        let path = data_dir.with_file_name(name);
        dir::create_private_dir(&path).map_err(unwritable)?;
        Ok(Self { path, done: false })
    }

    fn move_to(mut self, data_dir: &Path) -> Result<()> {
        dir::create_private_dir(&self.path.join(dir::SAMPLES)).map_err(unwritable)?;
        dir::create_private_dir(&self.path.join(dir::IMAGES)).map_err(unwritable)?;
        // Takes the place of an empty directory.
        std::fs::rename(&self.path, data_dir).map_err(unwritable)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
