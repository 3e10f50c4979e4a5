//! The driver that runs reconcilers.
//!
//! A reconciler takes no input: it reads what is wanted and what is, and closes the difference, one
//! idempotent step at a time. It runs by period, by signal, or at the instant it named itself; it
//! holds no retries, because its next run is the retry. Its last status can be read at
//! `/v1/system/reconcilers`.
//!
//! ```text
//!            period passed | signal | wake_at reached
//!   waiting ------------------------------------------> running
//!      ^                                                   |
//!      +------------- status or error recorded ------------+
//! ```

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use serde::Serialize;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    error::Result,
    time::{SharedClock, Timestamp},
};

/// What a run did, and when it wants to run again at the latest.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For the operator, as JSON: counts, and what failed.
    pub status: serde_json::Value,
    /// Earlier than the period, where an instant is known (a balance will cross zero then).
    pub wake_at: Option<Timestamp>,
}

#[async_trait]
pub trait Reconciler: Send + Sync + 'static {
    /// Unique, kebab-case.
    fn name(&self) -> &'static str;
    /// One sentence.
    fn description(&self) -> &'static str;
    fn period(&self) -> Duration;
    async fn run(&self) -> Result<Outcome>;
}

/// How one reconciler stands.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ReconcilerStatus {
    pub name: String,
    pub description: String,
    pub period_s: u64,
    pub running: bool,
    pub runs: u64,
    pub failures: u64,
    pub last_started_at: Option<Timestamp>,
    pub last_finished_at: Option<Timestamp>,
    pub last_duration_ms: Option<i64>,
    pub last_error: Option<String>,
    pub last_status: serde_json::Value,
    pub next_run_at: Option<Timestamp>,
}

/// Wakes one reconciler; signals while it runs are kept as one.
#[derive(Debug, Clone)]
pub struct Signal(Arc<Notify>);

impl Signal {
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

type Statuses = Arc<Mutex<BTreeMap<String, ReconcilerStatus>>>;

pub struct Driver {
    clock: SharedClock,
    statuses: Statuses,
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

impl Driver {
    /// The pause before a run that is due already when the one before it ends: a reconciler that
    /// names an instant in the past must not take a core for itself. By the machine's clock, since
    /// the one that is handed in may stand still.
    const MIN_PAUSE: Duration = Duration::from_millis(20);

    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            statuses: Statuses::default(),
            stop: CancellationToken::new(),
            tasks: Mutex::default(),
        }
    }

    /// Runs it now, and from then on.
    pub fn spawn(&self, reconciler: Arc<dyn Reconciler>) -> Signal {
        let signal = Arc::new(Notify::new());
        let status = ReconcilerStatus {
            name: reconciler.name().to_owned(),
            description: reconciler.description().to_owned(),
            period_s: reconciler.period().as_secs(),
            running: false,
            runs: 0,
            failures: 0,
            last_started_at: None,
            last_finished_at: None,
            last_duration_ms: None,
            last_error: None,
            last_status: serde_json::Value::Null,
            next_run_at: None,
        };
        let known = self
            .statuses
            .lock()
            .expect("no panic while held")
            .insert(reconciler.name().to_owned(), status);
        assert!(known.is_none(), "two reconcilers are called {}", reconciler.name());
        let task = Task {
            clock: self.clock.clone(),
            statuses: self.statuses.clone(),
            stop: self.stop.clone(),
            signal: signal.clone(),
            reconciler,
        };
        self.tasks.lock().expect("no panic while held").spawn(task.run());
        Signal(signal)
    }

    pub fn statuses(&self) -> Vec<ReconcilerStatus> {
        self.statuses.lock().expect("no panic while held").values().cloned().collect()
    }

    /// Lets the runs under way finish and starts no more.
    pub async fn stop(&self) {
        self.stop.cancel();
        let mut tasks = std::mem::take(&mut *self.tasks.lock().expect("no panic while held"));
        while tasks.join_next().await.is_some() {}
    }
}

struct Task {
    clock: SharedClock,
    statuses: Statuses,
    stop: CancellationToken,
    signal: Arc<Notify>,
    reconciler: Arc<dyn Reconciler>,
}

impl Task {
    async fn run(self) {
        while !self.stop.is_cancelled() {
            let next_run_at = self.run_once().await;
            let is_due = next_run_at <= self.clock.now();
            let due = async {
                self.clock.sleep_until(next_run_at).await;
                if is_due {
                    tokio::time::sleep(Driver::MIN_PAUSE).await;
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.signal.notified() => {}
                () = due => {}
            }
        }
    }

    async fn run_once(&self) -> Timestamp {
        let started = self.clock.now();
        self.update(|s| {
            s.running = true;
            s.last_started_at = Some(started);
        });
        let result = self.reconciler.run().await;
        let finished = self.clock.now();
        let by_period = finished + self.reconciler.period();
        let next = match &result {
            Ok(Outcome { wake_at: Some(at), .. }) => by_period.min(*at),
            _ => by_period,
        };
        if let Err(error) = &result {
            let chain = error_chain(error);
            tracing::warn!(reconciler = self.reconciler.name(), error = chain, "run failed");
        }
        self.update(|s| {
            s.running = false;
            s.runs += 1;
            s.last_finished_at = Some(finished);
            s.last_duration_ms = Some(finished.since_ms(started));
            s.next_run_at = Some(next);
            match result {
                Ok(outcome) => {
                    s.last_status = outcome.status;
                    s.last_error = None;
                }
                Err(error) => {
                    s.failures += 1;
                    s.last_error = Some(error.to_string());
                }
            }
        });
        next
    }

    fn update(&self, change: impl FnOnce(&mut ReconcilerStatus)) {
        let mut statuses = self.statuses.lock().expect("no panic while held");
        if let Some(status) = statuses.get_mut(self.reconciler.name()) {
            change(status);
        }
    }
}

/// The message and all its sources, for the log. Many errors say their source's text themselves:
/// that is not said twice.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests;
