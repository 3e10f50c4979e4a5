//! The desired loop: long-polls the host's desired state and keeps the last one on disk, so that
//! an agent that starts without a server still converges.

use std::{path::Path, sync::Arc, time::Duration};

use base::{Result, reconcile::error_chain};
use tokio::sync::watch;

use crate::{
    files,
    server::{POLL_WAIT_S, Server},
    wire::Desired,
};

/// Below every generation: whatever there is, is newer.
const NOTHING: i64 = -1;
const MIN_RETRY_MS: u64 = 250;
const MAX_RETRY_MS: u64 = 5_000;

/// What an earlier run was told last. One that can't be read is as good as none: the server has
/// the truth.
pub fn load(path: &Path) -> Option<Desired> {
    let bytes = std::fs::read(path).ok()?;
    match serde_json::from_slice(&bytes) {
        Ok(desired) => Some(desired),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the kept desired state is damaged");
            None
        }
    }
}

/// Runs until it is dropped.
pub async fn follow(
    server: &Server,
    path: &Path,
    told: &watch::Sender<Option<Arc<Desired>>>,
) -> std::convert::Infallible {
    // The first question gets a whole answer at once, and so does the first after an error: a
    // server that was restored from a backup may be at an earlier generation.
    let (mut after, mut retry_ms) = (NOTHING, MIN_RETRY_MS);
    loop {
        let asked = tokio::time::Instant::now();
        match next(server, path, after, told).await {
            Ok(generation) => {
                if retry_ms > MIN_RETRY_MS {
                    tracing::info!("the server answers again");
                }
                // A server that is stopping answers "nothing" at once.
                let hasty = Duration::from_millis(MIN_RETRY_MS);
                if generation == after && asked.elapsed() < hasty {
                    tokio::time::sleep(hasty).await;
                }
                (after, retry_ms) = (generation, MIN_RETRY_MS);
            }
            Err(error) => {
                if retry_ms == MIN_RETRY_MS {
                    tracing::warn!(error = error_chain(&error), "no desired state");
                }
                tokio::time::sleep(Duration::from_millis(retry_ms)).await;
                (after, retry_ms) = (NOTHING, (retry_ms * 2).min(MAX_RETRY_MS));
            }
        }
    }
}

async fn next(
    server: &Server,
    path: &Path,
    after: i64,
    told: &watch::Sender<Option<Arc<Desired>>>,
) -> Result<i64> {
    let Some(desired) = server.desired(after, POLL_WAIT_S).await? else { return Ok(after) };
    let generation = desired.generation;
    if told.borrow().as_deref() == Some(&desired) {
        return Ok(generation);
    }
    tracing::info!(generation, instances = desired.instances.len(), "new desired state");
    // On disk before anything is done for it, so that a restarted agent knows what it was doing.
    let kept = serde_json::to_vec(&desired).map_err(|e| e.to_string());
    let kept = kept.and_then(|bytes| files::write(path, &bytes).map_err(|e| e.to_string()));
    if let Err(error) = kept {
        // Better to run what is wanted than to wait for a disk.
        tracing::error!(error, path = %path.display(), "the desired state can't be kept");
    }
    told.send_replace(Some(Arc::new(desired)));
    Ok(generation)
}
