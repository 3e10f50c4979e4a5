//! From the queue to the sink: batches, in order, again until taken.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    own::Counters,
    queue::{Batch, Queue},
    remote_write,
    sink::Sink,
};

/// Records (looks of one source) in one send.
const BATCH_RECORDS_MAX: usize = 64;
const BATCH_BYTES_MAX: usize = 512 * 1024;

/// How long to wait after a failure: doubled each time. The number of tries has no bound of its
/// own, since the queue has one: what can't be sent is dropped there when newer needs the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub first_ms: u64,
    pub longest_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first_ms: 500, longest_ms: 30_000 }
    }
}

impl Backoff {
    pub fn wait(&self, failures: u32) -> Duration {
        let factor = 1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
        Duration::from_millis(self.first_ms.saturating_mul(factor).min(self.longest_ms))
    }
}

pub struct Delivery {
    pub queue: Arc<Queue>,
    pub sink: Arc<dyn Sink>,
    pub counters: Arc<Counters>,
    pub backoff: Backoff,
    pub stop: CancellationToken,
}

/// What became of one batch.
enum Outcome {
    Taken,
    Empty,
    /// Try again later.
    Failed,
    /// It was several records: the good ones are found by sending them alone.
    SendApart,
}

impl Delivery {
    pub async fn run(self) {
        let mut failures = 0u32;
        // After a refused batch: this many records go alone.
        let mut apart = 0usize;
        while !self.stop.is_cancelled() {
            let records_max = if apart > 0 { 1 } else { BATCH_RECORDS_MAX };
            let outcome = tokio::select! {
                () = self.stop.cancelled() => return,
                outcome = self.deliver(records_max, failures) => outcome,
            };
            let wait = match outcome {
                Outcome::Taken => {
                    failures = 0;
                    apart = apart.saturating_sub(1);
                    continue;
                }
                Outcome::SendApart => {
                    apart = BATCH_RECORDS_MAX;
                    continue;
                }
                Outcome::Empty => None,
                Outcome::Failed => {
                    failures = failures.saturating_add(1);
                    Some(self.backoff.wait(failures))
                }
            };
            let ready = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => self.queue.pushed().await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = ready => {}
            }
        }
    }

    async fn deliver(&self, records_max: usize, failures: u32) -> Outcome {
        let queue = self.queue.clone();
        let read = blocking(move || queue.read(records_max, BATCH_BYTES_MAX)).await;
        let Batch { records, end } = match read {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(%error, "samples wait");
                self.counters.queue_failed();
                return Outcome::Failed;
            }
        };
        if records.is_empty() {
            return Outcome::Empty;
        }
        let looks = records.iter().filter_map(|record| remote_write::decode(record));
        let series = remote_write::merge(looks.flatten());
        match self.sink.send(&series).await {
            Ok(()) => {
                if failures > 0 {
                    tracing::info!(failures, "the receiver takes samples again");
                }
                self.counters.sent(&series);
            }
            Err(error) if error.retry => {
                // Once an outage, not once a try.
                if failures == 0 {
                    tracing::warn!(%error, "samples wait for their receiver");
                }
                self.counters.send_failed();
                return Outcome::Failed;
            }
            Err(_) if records.len() > 1 => return Outcome::SendApart,
            Err(error) => {
                tracing::error!(%error, series = series.len(), "samples refused, and dropped");
                self.counters.refused(&series);
            }
        }
        let queue = self.queue.clone();
        if let Err(error) = blocking(move || queue.acknowledge(end)).await {
            // They will be sent again, which is harmless.
            tracing::error!(%error, "samples can't be acknowledged");
            self.counters.queue_failed();
            return Outcome::Failed;
        }
        Outcome::Taken
    }
}

/// File work, off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("file work does not panic")
}

#[cfg(test)]
mod tests;
