//! History as text: `GET /v1/metrics/export` writes samples of any age as OpenMetrics,
//! `POST /v1/metrics/import` takes them in, whatever engine is behind either.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`export`] | pages of the store as a stream of text |
//! | [`import`] | text read whole and line by line, then written day by day |
//! | [`notes`] | what families are, and exemplars: beside samples in the text |
//! | [`spool`] | what was read, on disk by day until it is written |
//!
//! Who exports sees what its queries see. Only operators import, and an import keeps `tenant` as it
//! stands in the text: that is what moves a tenant's history. Two things keep it from making one
//! tenant's samples another's: a series of an instance that is known here must carry its owner's
//! `tenant`, and every import is in the audit trail before its first sample is written.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub mod export;
pub mod import;
pub mod notes;
pub mod spool;

/// Each holds a page of samples, and its text.
const EXPORTS_MAX: usize = 4;
/// It fills the disk with what it read, and the store's merges with work.
const IMPORTS_MAX: usize = 1;

/// The media type of both.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A header of an export's answer, once for each damaged block that the text lacks.
pub const WARNING: &str = "opshawk-warning";

/// Places for what is under way.
#[derive(Debug)]
pub struct Moves {
    exports: Arc<Semaphore>,
    imports: Arc<Semaphore>,
}

impl Default for Moves {
    fn default() -> Self {
        Self {
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            imports: Arc::new(Semaphore::new(IMPORTS_MAX)),
        }
    }
}

fn place(of: &Arc<Semaphore>, what: &str, max: usize) -> base::Result<OwnedSemaphorePermit> {
    of.clone().try_acquire_owned().map_err(|_| {
        base::Error::conflict(format!(
            "{max} {what} at once is the most, and as many are under way"
        ))
        .remedy("wait for one to end, then try again")
    })
}
