//! A copy of the store while writing goes on.

use std::path::Path;

use super::{
    BLOCK_DIR, Inner, block_path, files,
    manifest::{self, Manifest},
};
use crate::error::{Error, Result};

impl Inner {
    /// Blocks never change, so that links to them are a copy.
    pub(super) fn snapshot(&self, dir: &Path) -> Result<()> {
        self.check_open()?;
        let mut manifest = self.manifest.lock().expect("no panic while held");
        if dir.join(manifest::FILE).exists() {
            return Err(Error::BadData(format!(
                "{} holds a store already; name a new directory",
                dir.display()
            )));
        }
        self.flush_held(&mut manifest)?;
        let block_dir = dir.join(BLOCK_DIR);
        files::create_dir(&block_dir)?;
        for entry in &manifest.blocks {
            let from = block_path(&self.dir.join(BLOCK_DIR), entry.number);
            let to = block_path(&block_dir, entry.number);
            let copy = || -> std::io::Result<()> {
                if std::fs::hard_link(&from, &to).is_err() {
                    // Another file system.
                    std::fs::copy(&from, &to)?;
                    std::fs::File::open(&to)?.sync_all()?;
                }
                Ok(())
            };
            copy().map_err(Error::io("copied", &to))?;
        }
        self.notes.store_to(dir)?;
        files::sync_dir(&block_dir)?;
        Manifest { first_segment: 1, ..manifest.clone() }.store(dir)
    }
}
