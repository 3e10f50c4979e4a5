//! Ends a query that takes too long, that takes too much memory, or that nobody waits for any more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::error::{Error, Result};

#[derive(Debug, Clone)]
pub struct Guard {
    deadline: Instant,
    limit: Duration,
    canceled: Arc<AtomicBool>,
}

impl Guard {
    pub fn new(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit, limit, canceled: Arc::default() }
    }
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
    pub fn check(&self) -> Result<()> {
        if self.canceled.load(Relaxed) {
            return Err(Error::Canceled);
        }
        if Instant::now() >= self.deadline {
            return Err(self.timeout());
        }
        Ok(())
    }
    pub fn timeout(&self) -> Error {
        Error::Timeout { limit_ms: u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX) }
    }
    /// Cancels when it is dropped: a future that is dropped takes its evaluation with it.
    pub fn cancel_on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(self.canceled.clone())
    }
}

pub struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// How much of its memory a query has taken for good.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    taken: usize,
    limit: usize,
}

impl Memory {
    pub fn at_most(limit_bytes: usize) -> Self {
        Self { taken: 0, limit: limit_bytes }
    }
    pub fn left(&self) -> usize {
        self.limit.saturating_sub(self.taken)
    }
    pub fn take(&mut self, bytes: usize) -> Result<()> {
        self.check(bytes)?;
        self.taken += bytes;
        Ok(())
    }
    /// Whether so much more fits for a while.
    pub fn check(&self, bytes: usize) -> Result<()> {
        if bytes > self.left() { Err(self.exceeded()) } else { Ok(()) }
    }
    /// Whether what outlives everything else fits.
    pub fn check_alone(&self, bytes: usize) -> Result<()> {
        if bytes > self.limit { Err(self.exceeded()) } else { Ok(()) }
    }
    pub fn exceeded(&self) -> Error {
        Error::TooMuchMemory { limit_bytes: self.limit }
    }
}
