//! The two background tasks: flushes with retention, which must keep up with appends, and merges,
//! which take their time.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use tokio::sync::{Notify, watch};

use super::{
    BLOCK_DIR, Inner, block_path, files, open,
    options::{MAINTENANCE_PERIOD, millis},
};
use crate::error::{Error, Result};

/// Ends when the store's handle goes.
pub async fn flush_when_due(store: Arc<Inner>, mut end: watch::Receiver<()>) {
    while wait(&store, &store.due, &mut end).await {
        let inner = store.clone();
        if !report(super::blocking(move || inner.keep_up()).await) {
            return;
        }
    }
}

/// Ends when the store's handle goes.
pub async fn merge_when_due(store: Arc<Inner>, mut end: watch::Receiver<()>) {
    while wait(&store, &store.grown, &mut end).await {
        let inner = store.clone();
        if !report(super::blocking(move || inner.merge_all()).await) {
            return;
        }
    }
}

/// False at the end.
async fn wait(store: &Inner, wake: &Notify, end: &mut watch::Receiver<()>) -> bool {
    let wake_at = store.clock.now() + MAINTENANCE_PERIOD;
    tokio::select! {
        _ = end.changed() => false,
        () = wake.notified() => true,
        () = store.clock.sleep_until(wake_at) => true,
    }
}

/// False when there is nothing more to do.
fn report(done: Result<()>) -> bool {
    match done {
        Ok(()) => true,
        Err(Error::Closed) => false,
        Err(error) => {
            tracing::error!(%error, "the store's maintenance failed; it is tried again");
            true
        }
    }
}

impl Inner {
    /// Flush and retention as far as they are due.
    pub(super) fn keep_up(&self) -> Result<()> {
        self.check_open()?;
        self.drop_condemned()?;
        if self.flush_is_due(self.clock.now()) {
            self.flush()?;
        }
        self.notes.store(&self.dir)?;
        self.drop_expired()
    }

    /// Takes blocks that were found damaged out of the manifest.
    fn drop_condemned(&self) -> Result<()> {
        let mut manifest = self.manifest.lock().expect("no panic while held");
        let condemned = std::mem::take(&mut *self.condemned.lock().expect("no panic while held"));
        if condemned.is_empty() {
            return Ok(());
        }
        for block in &condemned {
            if block.path.exists() {
                open::set_aside(&block.path)?;
            }
        }
        files::sync_dir(&self.dir.join(BLOCK_DIR))?;
        let numbers: Vec<u64> = condemned.iter().map(|block| block.number).collect();
        self.commit(&mut manifest, Vec::new(), &numbers, None)
    }

    /// Retention by time and by size.
    fn drop_expired(&self) -> Result<()> {
        let mut manifest = self.manifest.lock().expect("no panic while held");
        let horizon = self.clock.now().ms().saturating_sub(millis(self.options.retention));
        let blocks = self.blocks();
        let mut by_age: Vec<_> = blocks.iter().collect();
        by_age.sort_by_key(|block| (block.last_ms, block.number));
        let mut left: u64 = blocks.iter().map(|block| block.file_bytes).sum();
        let limit = self.options.retention_bytes.unwrap_or(u64::MAX);
        let expired = by_age.into_iter().take_while(|block| {
            let goes = block.last_ms < horizon || left > limit;
            if goes {
                left -= block.file_bytes;
            }
            goes
        });
        let expired: Vec<u64> = expired.map(|block| block.number).collect();
        if expired.is_empty() {
            return Ok(());
        }
        self.commit(&mut manifest, Vec::new(), &expired, None)?;
        self.counters.expired_blocks.fetch_add(expired.len() as u64, Relaxed);
        for number in expired {
            files::remove(&block_path(&self.dir.join(BLOCK_DIR), number))?;
        }
        Ok(())
    }
}
