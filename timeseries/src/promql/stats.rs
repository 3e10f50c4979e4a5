//! How queries ended, for `/metrics` and the operator.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use serde::Serialize;

use crate::error::{Error, Result};

/// Since the start, but for `running`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct QueryStats {
    /// Those that wait for their turn among them.
    pub running: u64,
    pub answered: u64,
    /// By each limit of a query.
    pub too_long: u64,
    pub too_many_samples: u64,
    pub too_many_series: u64,
    pub too_many_points: u64,
    pub too_much_memory: u64,
    /// Nobody waited for them any more.
    pub canceled: u64,
    /// For other reasons.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub struct Counters {
    running: AtomicU64,
    answered: AtomicU64,
    too_long: AtomicU64,
    too_many_samples: AtomicU64,
    too_many_series: AtomicU64,
    too_many_points: AtomicU64,
    too_much_memory: AtomicU64,
    canceled: AtomicU64,
    failed: AtomicU64,
}

impl Counters {
    pub fn stats(&self) -> QueryStats {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        QueryStats {
            running: read(&self.running),
            answered: read(&self.answered),
            too_long: read(&self.too_long),
            too_many_samples: read(&self.too_many_samples),
            too_many_series: read(&self.too_many_series),
            too_many_points: read(&self.too_many_points),
            too_much_memory: read(&self.too_much_memory),
            canceled: read(&self.canceled),
            failed: read(&self.failed),
        }
    }
}

/// A query that runs. Dropped before its end, it was canceled.
pub struct Running {
    counters: Arc<Counters>,
    ended: bool,
}

impl Running {
    pub fn begin(counters: &Arc<Counters>) -> Self {
        counters.running.fetch_add(1, Relaxed);
        Self { counters: counters.clone(), ended: false }
    }

    pub fn end<T>(mut self, result: Result<T>) -> Result<T> {
        self.ended = true;
        let counters = &self.counters;
        let counter = match &result {
            Ok(_) => &counters.answered,
            Err(Error::Timeout { .. }) => &counters.too_long,
            Err(Error::TooManySamples { .. }) => &counters.too_many_samples,
            Err(Error::TooManySeries { .. }) => &counters.too_many_series,
            Err(Error::TooManyPoints { .. }) => &counters.too_many_points,
            Err(Error::TooMuchMemory { .. }) => &counters.too_much_memory,
            Err(Error::Canceled) => &counters.canceled,
            Err(_) => &counters.failed,
        };
        counter.fetch_add(1, Relaxed);
        result
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.counters.running.fetch_sub(1, Relaxed);
        if !self.ended {
            self.counters.canceled.fetch_add(1, Relaxed);
        }
    }
}
