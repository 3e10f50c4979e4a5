//! The manifest: which blocks and which part of the log make up the store.
//!
//! `MANIFEST` is one line of JSON and, on the next, the CRC-32 of the first as eight hexadecimal
//! digits. It is replaced by a rename, so a flush, a merge or a retention step happens whole or
//! not at all; block files and segments that it does not name are leftovers, and are removed.
//!
//! `MANIFEST.copy` is the same once more, written after it: without a manifest nobody knows which
//! blocks count and what of them was deleted, so that one rotten byte must not be the end.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files;
use crate::error::{Error, Result};

pub const FILE: &str = "MANIFEST";
pub const COPY: &str = "MANIFEST.copy";
/// A damaged one's name, which nobody reads.
const ASIDE: &str = "MANIFEST.damaged";
const VERSION: u32 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub version: u32,
    /// The next block's number; never given twice.
    pub next_block: u64,
    /// The log is needed from this segment on.
    pub first_segment: u64,
    pub blocks: Vec<Entry>,
    /// Deletions that blocks still hold samples of.
    pub tombstones: Vec<Tombstone>,
}

/// What was deleted from the blocks that were there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Name, operator and value of each matcher.
    pub matchers: Vec<(String, String, String)>,
    pub start_ms: i64,
    pub end_ms: i64,
    /// It speaks of blocks of lower numbers.
    pub below_block: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub number: u64,
    pub level: u32,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            version: VERSION,
            next_block: 1,
            first_segment: 1,
            blocks: Vec::new(),
            tombstones: Vec::new(),
        }
    }
}

impl Manifest {
    /// None in a new directory. A damaged one is set aside, and its copy takes its place.
    pub fn load(dir: &Path) -> Result<Option<Self>> {
        let damage = match Self::read(&dir.join(FILE)) {
            Ok(Some(manifest)) => {
                // A crash may have come between the two.
                if !matches!(Self::read(&dir.join(COPY)), Ok(Some(copy)) if copy == manifest) {
                    files::replace(&dir.join(COPY), manifest.text().as_bytes())?;
                }
                return Ok(Some(manifest));
            }
            Ok(None) => None,
            Err(damage @ Error::Corrupt { .. }) => Some(damage),
            Err(error) => return Err(error),
        };
        let Ok(Some(copy)) = Self::read(&dir.join(COPY)) else {
            return damage.map_or(Ok(None), Err);
        };
        match damage {
            Some(damage) => {
                tracing::error!(error = %damage, "the manifest is set aside; its copy counts");
                let (from, to) = (dir.join(FILE), dir.join(ASIDE));
                std::fs::rename(&from, &to).map_err(Error::io("renamed", &from))?;
            }
            None => tracing::error!("the manifest is gone; its copy counts"),
        }
        copy.store(dir)?;
        Ok(Some(copy))
    }

    /// None where there is no such file.
    fn read(path: &Path) -> Result<Option<Self>> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(Error::io("read", path))?,
        };
        let text = String::from_utf8_lossy(&text);
        let corrupt = |reason: String| Error::corrupt(path, 0, reason);
        let (json, crc) =
            text.split_once('\n').ok_or_else(|| corrupt("it has no checksum".to_owned()))?;
        if crc.trim_end() != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
            return Err(corrupt("its checksum is wrong".to_owned()));
        }
        let manifest: Self = serde_json::from_str(json).map_err(|e| corrupt(e.to_string()))?;
        if manifest.version != VERSION {
            return Err(corrupt(format!(
                "it is of version {}, this program reads version {VERSION}",
                manifest.version
            )));
        }
        Ok(Some(manifest))
    }

    pub fn store(&self, dir: &Path) -> Result<()> {
        let text = self.text();
        files::replace(&dir.join(FILE), text.as_bytes())?;
        files::replace(&dir.join(COPY), text.as_bytes())
    }

    fn text(&self) -> String {
        let json = serde_json::to_string(self).expect("plain numbers serialize");
        let crc = crc32fast::hash(json.as_bytes());
        format!("{json}\n{crc:08x}\n")
    }
}
