//! This machine, under node_exporter's names, labels and types.
//! <https://github.com/prometheus/node_exporter>
//!
//! One file a part, as node_exporter has its collectors; a part that fails leaves the others, and
//! says so in `node_scrape_collector_success`.

mod disk;
mod files;
mod filesystem;
mod memory;
mod network;
mod pressure;
mod stat;

use std::{error::Error, sync::Arc, time::Instant};

use async_trait::async_trait;
use base::{sample::Series, time::Timestamp};
use tokio::sync::Mutex;

use crate::{
    delivery::blocking,
    source::{FailureReason, Samples, Source, SourceError},
};

type PartResult = Result<(), Box<dyn Error + Send + Sync>>;

/// node_exporter's name of the collector, and what it adds.
type Part = (&'static str, fn(&mut Samples) -> PartResult);

const PARTS: [Part; 11] = [
    ("cpu", stat::cpu),
    ("stat", stat::stat),
    ("loadavg", stat::load),
    ("vmstat", stat::vmstat),
    ("meminfo", memory::add),
    ("diskstats", disk::add),
    ("filesystem", filesystem::add),
    ("netdev", network::counters),
    ("netclass", network::interfaces),
    ("pressure", pressure::add),
    ("uname", files::add),
];

/// The machine that this process runs on.
#[derive(Debug, Default)]
pub struct HostSource {
    /// A dead network file system can hang a look for good: it must not hang a second.
    looking: Arc<Mutex<()>>,
}

#[async_trait]
impl Source for HostSource {
    fn name(&self) -> &str {
        "host"
    }
    fn job(&self) -> &'static str {
        "node"
    }
    async fn collect(&self, now: Timestamp) -> Result<Vec<Series>, SourceError> {
        let one_at_a_time = self.looking.clone().try_lock_owned().map_err(|_| {
            let message = "the last look still hangs (a dead network file system?)";
            SourceError::new(FailureReason::Timeout, message)
        })?;
        // The guard goes with the work, which outlives a timeout of ours.
        let looked = blocking(move || {
            let _one_at_a_time = one_at_a_time;
            look(now)
        });
        Ok(looked.await)
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact in an f64")]
fn look(now: Timestamp) -> Vec<Series> {
    let mut samples = Samples::at(now);
    samples.add("node_time_seconds", &[], now.ms() as f64 / 1000.0);
    for (name, part) in PARTS {
        let started = Instant::now();
        let mut own = Samples::at(now);
        let result = part(&mut own);
        if let Err(error) = &result {
            tracing::debug!(part = name, %error, "a part of the host can't be read");
        }
        samples.extend(own);
        let labels = [("collector", name)];
        let success = f64::from(u8::from(result.is_ok()));
        samples.add("node_scrape_collector_success", &labels, success);
        let took_s = started.elapsed().as_secs_f64();
        samples.add("node_scrape_collector_duration_seconds", &labels, took_s);
    }
    samples.into_series()
}

#[cfg(test)]
mod tests;
