//! Which blocks were set aside, and what time they were of. The directory is what remembers it: a
//! damaged block's file stays until somebody repairs it or takes it away.

use std::{ffi::OsStr, path::Path, sync::atomic::Ordering::Relaxed};

use super::{Inner, block::Block, options::millis};
use crate::{
    error::{Error, Result},
    lost::Lost,
};

/// What a damaged block's file name ends with.
pub const ASIDE: &str = "blk.damaged";

impl From<&Block> for Lost {
    fn from(block: &Block) -> Self {
        let span_ms = Some((block.first_ms, block.last_ms));
        Self { file: name(block.number), span_ms }
    }
}

/// One of which nothing is left.
pub fn gone(number: u64) -> Lost {
    Lost { file: name(number), span_ms: None }
}

fn name(number: u64) -> String {
    format!("{number:08}.blk")
}

/// Those whose files are in `dir`, in order.
pub fn load(dir: &Path) -> Result<Vec<Lost>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::io("listed", dir))? {
        let path = entry.map_err(Error::io("listed", dir))?.path();
        let number = path.file_name().and_then(OsStr::to_str).and_then(|name| {
            let (number, extension) = name.split_once('.')?;
            number.parse::<u64>().ok().filter(|_| extension == ASIDE)
        });
        if let Some(number) = number {
            // Its footer may be sound.
            let block = Block::open_footer(path, number, 0);
            found.push(block.map_or_else(|_| gone(number), |block| Lost::from(&block)));
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

impl Inner {
    /// From here on the block is out of use, and the answers say so.
    pub(super) fn lose(&self, block: &Block, error: &Error) {
        tracing::error!(%error, "a block is damaged; it is set aside");
        self.counters.damaged_blocks.fetch_add(1, Relaxed);
        self.lost.lock().expect("no panic while held").push(Lost::from(block));
    }

    /// What answers about the range lack. Both ends belong to it.
    pub(super) fn lost(&self, start_ms: i64, end_ms: i64) -> Vec<Lost> {
        let lost = self.lost.lock().expect("no panic while held");
        // What is beyond retention would be gone anyway.
        let horizon = self.clock.now().ms().saturating_sub(millis(self.options.retention));
        let start_ms = start_ms.max(horizon);
        lost.iter().filter(|one| one.overlaps(start_ms, end_ms)).cloned().collect()
    }
}
