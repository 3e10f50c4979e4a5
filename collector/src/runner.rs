//! [`Collector`]: one task a source, one queue, one delivery.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use base::{
    sample::{Labels, Series},
    time::{SharedClock, Timestamp},
};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    delivery::{Backoff, Delivery, blocking},
    own::{Counters, OwnSource},
    queue::{Queue, QueueError},
    remote_write,
    schedule::Schedule,
    server::{BmcTarget, ServerSource},
    sink::Sink,
    source::{FailureReason, Samples, Source, SourceError},
    stale::Tracker,
};

/// Of one collector, for its whole life.
#[derive(Debug, Clone)]
pub struct Settings {
    pub queue_dir: PathBuf,
    /// What waits on disk at most; then the oldest goes.
    pub queue_bytes_max: u64,
    /// The `instance` label of sources that have none of their own: the host's name.
    pub instance: String,
    /// On every series, under whatever its source says: `host_id`, for instance.
    pub labels: Vec<(String, String)>,
    /// How often the collector tells about itself.
    pub own_interval_s: u32,
    pub backoff: Backoff,
}

impl Settings {
    const QUEUE_BYTES_MAX: u64 = 256 * 1024 * 1024;
    const OWN_INTERVAL_S: u32 = 15;

    pub fn new(queue_dir: impl Into<PathBuf>, instance: impl Into<String>) -> Self {
        Self {
            queue_dir: queue_dir.into(),
            queue_bytes_max: Self::QUEUE_BYTES_MAX,
            instance: instance.into(),
            labels: Vec::new(),
            own_interval_s: Self::OWN_INTERVAL_S,
            backoff: Backoff::default(),
        }
    }
}

/// Runs sources until it is stopped or dropped. A clone is the same collector.
#[derive(Clone)]
pub struct Collector(Arc<Inner>);

struct Inner {
    common: Arc<Common>,
    tasks: Mutex<JoinSet<()>>,
    sources: Mutex<BTreeMap<String, Running>>,
}

/// One source's task, from outside.
struct Running {
    gone: CancellationToken,
    /// Its stale markers are in the queue.
    ended: CancellationToken,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.common.stop.cancel();
    }
}

/// What every task needs.
struct Common {
    clock: SharedClock,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    instance: String,
    labels: Vec<(String, String)>,
    stop: CancellationToken,
}

impl Collector {
    /// Opens the queue and begins to send what is in it.
    pub fn start(
        settings: Settings,
        clock: SharedClock,
        sink: Arc<dyn Sink>,
    ) -> Result<Self, QueueError> {
        let queue = Arc::new(Queue::open(&settings.queue_dir, settings.queue_bytes_max)?);
        let counters = Arc::new(Counters::default());
        let stop = CancellationToken::new();
        let delivery = Delivery {
            queue: queue.clone(),
            sink,
            counters: counters.clone(),
            backoff: settings.backoff,
            stop: stop.clone(),
        };
        let own = OwnSource { queue: queue.clone(), counters: counters.clone() };
        let Settings { instance, labels, .. } = settings;
        let common = Common { clock, queue, counters, instance, labels, stop };
        let mut tasks = JoinSet::new();
        tasks.spawn(delivery.run());
        let collector = Self(Arc::new(Inner {
            common: Arc::new(common),
            tasks: Mutex::new(tasks),
            sources: Mutex::default(),
        }));
        collector.add(Arc::new(own), Schedule::every_s(settings.own_interval_s));
        Ok(collector)
    }

    /// Looks now, and from then on. A source of the same name is ended first.
    pub fn add(&self, source: Arc<dyn Source>, schedule: Schedule) {
        let before = self.end(source.name());
        let gone = self.0.common.stop.child_token();
        let ended = CancellationToken::new();
        let running = Running { gone: gone.clone(), ended: ended.clone() };
        let name = source.name().to_owned();
        self.0.sources.lock().expect("no panic while held").insert(name, running);
        let task = Task { common: self.0.common.clone(), source, schedule, gone };
        let mut tasks = self.0.tasks.lock().expect("no panic while held");
        // Those that have ended are not kept.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let _ended = ended.drop_guard();
            if let Some(before) = before {
                // Its stale markers must not come after our first samples.
                before.cancelled().await;
            }
            task.run().await;
        });
    }

    /// Ends a source; its series get stale markers.
    pub fn remove(&self, name: &str) {
        self.end(name);
    }

    fn end(&self, name: &str) -> Option<CancellationToken> {
        let running = self.0.sources.lock().expect("no panic while held").remove(name)?;
        running.gone.cancel();
        Some(running.ended)
    }

    /// Names of the sources that run.
    pub fn sources(&self) -> Vec<String> {
        self.0.sources.lock().expect("no panic while held").keys().cloned().collect()
    }

    /// One source a target, as `targets` changes. Returns when its sender is gone or the
    /// collector is stopped; spawn it.
    pub async fn follow_servers(
        self,
        mut targets: watch::Receiver<Vec<BmcTarget>>,
        schedule: Schedule,
    ) {
        let stop = self.0.common.stop.clone();
        let mut known: Vec<BmcTarget> = Vec::new();
        loop {
            let wanted = targets.borrow_and_update().clone();
            for gone in known.iter().filter(|target| !wanted.contains(target)) {
                self.remove(&ServerSource::name_of(gone.server_id));
            }
            for new in wanted.iter().filter(|target| !known.contains(target)) {
                self.add(Arc::new(ServerSource::new(new.clone())), schedule);
            }
            known = wanted;
            tokio::select! {
                () = stop.cancelled() => return,
                changed = targets.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }

    /// Stops looking and sending. What is in the queue stays there for the next start, and no
    /// series is marked stale: the things that were looked at are still there.
    pub async fn stop(&self) {
        self.0.common.stop.cancel();
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock().expect("no panic while held"));
        while tasks.join_next().await.is_some() {}
    }
}

/// One source's life.
struct Task {
    common: Arc<Common>,
    source: Arc<dyn Source>,
    schedule: Schedule,
    gone: CancellationToken,
}

impl Task {
    async fn run(self) {
        let mut tracker = Tracker::default();
        let mut failing = None;
        loop {
            tokio::select! {
                () = self.gone.cancelled() => break,
                (now, mut series) = self.look(&mut failing) => {
                    tracker.look(&mut series, now);
                    self.push(series).await;
                }
            }
            let next = self.schedule.next(self.source.name(), self.common.clock.now());
            tokio::select! {
                () = self.gone.cancelled() => break,
                () = self.common.clock.sleep_until(next) => {}
            }
        }
        if !self.common.stop.is_cancelled() {
            self.push(tracker.end(self.common.clock.now())).await;
        }
    }

    /// One look and its instant, with its self-metrics, as they go to the queue.
    async fn look(&self, failing: &mut Option<FailureReason>) -> (Timestamp, Vec<Series>) {
        let now = self.common.clock.now();
        let started = std::time::Instant::now();
        let limit = Duration::from_millis(self.schedule.timeout_ms);
        let result = match tokio::time::timeout(limit, self.source.collect(now)).await {
            Ok(result) => result,
            Err(_) => {
                let message = format!("not done after {} ms", self.schedule.timeout_ms);
                Err(SourceError::new(FailureReason::Timeout, message))
            }
        };
        let up = result.is_ok();
        self.log_change(result.as_ref().err(), failing);
        let series = result.unwrap_or_else(|error| {
            self.common.counters.source_failed(self.source.job(), error.reason);
            error.partial
        });
        let own = self_metrics(now, up, started.elapsed(), series.len());
        (now, series.into_iter().chain(own).map(|one| self.identify(one)).collect())
    }

    /// Once a change, not once a look.
    fn log_change(&self, error: Option<&SourceError>, failing: &mut Option<FailureReason>) {
        let reason = error.map(|error| error.reason);
        let source = self.source.name();
        match error {
            _ if reason == *failing => {}
            Some(error) => {
                tracing::warn!(source, reason = error.reason.name(), %error, "collects nothing");
            }
            None => tracing::info!(source, "collects again"),
        }
        *failing = reason;
    }

    /// The collector's labels under the series' own, and those under the source's.
    fn identify(&self, series: Series) -> Series {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let job = [("job", self.source.job()), ("instance", &self.common.instance)].map(owned);
        let pairs = job
            .into_iter()
            .chain(self.common.labels.iter().cloned())
            .chain(series.labels.iter().map(owned))
            .chain(self.source.labels());
        Series { labels: Labels::new(pairs), samples: series.samples }
    }

    async fn push(&self, series: Vec<Series>) {
        if series.is_empty() {
            return;
        }
        let queue = self.common.queue.clone();
        let pushed = blocking(move || queue.push(&remote_write::encode(&series))).await;
        if let Err(error) = pushed {
            tracing::error!(%error, "samples are lost");
            self.common.counters.queue_failed();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of series")]
fn self_metrics(now: Timestamp, up: bool, took: Duration, count: usize) -> Vec<Series> {
    let mut samples = Samples::at(now);
    samples.add("up", &[], f64::from(u8::from(up)));
    samples.add("scrape_duration_seconds", &[], took.as_secs_f64());
    samples.add("scrape_samples_scraped", &[], count as f64);
    samples.into_series()
}

#[cfg(test)]
mod tests;
