//! A copy of the store while writing goes on.

use std::path::Path;

use super::{BLOCK_DIR, Inner, block_path, files, manifest::Manifest};
use crate::error::{Error, Result};

impl Inner {
    /// Blocks never change, so that links to them are a copy.
    pub(super) fn snapshot(&self, dir: &Path) -> Result<()> {
        self.check_open()?;
        // What is there could be a link to a block of this store, and is never written to.
        if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::BadData(format!(
                "{} is not empty; name a new directory",
                dir.display()
            )));
        }
        let mut manifest = self.manifest.lock().expect("no panic while held");
        self.flush_held(&mut manifest)?;
        let copied = self.copy_to(dir, &manifest);
        if copied.is_err() {
            let _ = std::fs::remove_dir_all(dir);
        }
        copied
    }

    fn copy_to(&self, dir: &Path, manifest: &Manifest) -> Result<()> {
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
