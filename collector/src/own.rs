//! What the collector tells about itself, as samples like any other.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use base::{sample::Series, time::Timestamp};

use crate::{
    queue::Queue,
    source::{FailureReason, Samples, Source, SourceError, float},
};

/// Since the start of the process.
#[derive(Debug, Default)]
pub struct Counters {
    sent_samples: AtomicU64,
    refused_samples: AtomicU64,
    send_failures: AtomicU64,
    queue_failures: AtomicU64,
    failures: Mutex<BTreeMap<(&'static str, FailureReason), u64>>,
}

fn samples_in(series: &[Series]) -> u64 {
    series.iter().map(|one| one.samples.len() as u64).sum()
}

impl Counters {
    pub fn sent(&self, series: &[Series]) {
        self.sent_samples.fetch_add(samples_in(series), Ordering::Relaxed);
    }
    pub fn refused(&self, series: &[Series]) {
        self.refused_samples.fetch_add(samples_in(series), Ordering::Relaxed);
    }
    pub fn send_failed(&self) {
        self.send_failures.fetch_add(1, Ordering::Relaxed);
    }
    pub fn queue_failed(&self) {
        self.queue_failures.fetch_add(1, Ordering::Relaxed);
    }
    /// Counted by job, not by source: a thousand servers would make thousands of series.
    pub fn source_failed(&self, job: &'static str, reason: FailureReason) {
        *self.failures.lock().expect("no panic while held").entry((job, reason)).or_default() += 1;
    }
    pub fn refused_samples(&self) -> u64 {
        self.refused_samples.load(Ordering::Relaxed)
    }
}

/// The collector as a source.
pub struct OwnSource {
    pub queue: Arc<Queue>,
    pub counters: Arc<Counters>,
}

#[async_trait]
impl Source for OwnSource {
    fn name(&self) -> &str {
        "collector"
    }
    fn job(&self) -> &'static str {
        "opshawk_collector"
    }
    async fn collect(&self, now: Timestamp) -> Result<Vec<Series>, SourceError> {
        let mut samples = Samples::at(now);
        let mut add = |name: &str, labels: &[(&str, &str)], value: u64| {
            samples.add(&format!("opshawk_collector_{name}"), labels, float(value));
        };
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let queue = self.queue.stats();
        add("queue_bytes", &[], queue.bytes);
        add("queue_bytes_max", &[], queue.bytes_max);
        add("queue_batches", &[], queue.records);
        add("queue_dropped_batches_total", &[], queue.dropped_records);
        add("queue_damaged_segments_total", &[], queue.damaged_segments);
        add("queue_failures_total", &[], load(&self.counters.queue_failures));
        add("sent_samples_total", &[], load(&self.counters.sent_samples));
        add("refused_samples_total", &[], load(&self.counters.refused_samples));
        add("send_failures_total", &[], load(&self.counters.send_failures));
        for ((job, reason), count) in &*self.counters.failures.lock().expect("no panic while held")
        {
            add("failures_total", &[("source", job), ("reason", reason.name())], *count);
        }
        Ok(samples.into_series())
    }
}
