//! One task an instance: look, take down what was seen, plan, do one step, look again.
//!
//! So a slow guest holds nobody else, and two steps of one instance never overlap. Steps that cost
//! the host much (copying, defining, booting) take a place in [`MAX_HEAVY_STEPS`].

use std::sync::Arc;

use base::{
    Result,
    id::InstanceId,
    reconcile::error_chain,
    time::{SharedClock, Timestamp},
};
use hypervisor::DomainState;
use tokio::sync::{Notify, Semaphore};

use crate::{
    board::{Board, Status},
    execute::Executor,
    failure::{Retry, StepError},
    journal::{Journal, Record},
    plan::{Memory, Next, Refusal, Seen, SeenDomain, Step, StopAsked, plan},
    ports::{self, Ports},
    wire::{DesiredInstance, Failure, InstanceState, Power},
};

/// Steps of all instances that may fetch, copy, define or boot at once.
pub const MAX_HEAVY_STEPS: usize = 4;
/// How often an instance that never ran, or a disk that is to grow, is tried before it has failed for
/// good: some two minutes.
pub const MAX_BUILD_ATTEMPTS: u32 = 8;
const MIN_BACKOFF_MS: i64 = 1_000;
const MAX_BACKOFF_MS: i64 = 60_000;
/// A guest that ran for this long may be started at once when it stops.
const STABLE_MS: i64 = 60_000;
/// How often an instance is looked at when nothing hints at a change,
const LOOK_INTERVAL_MS: i64 = 5_000;
/// while it is about to get an address or to go down,
const LOOK_FOR_ADDRESS_INTERVAL_MS: i64 = 1_000;
/// and, for an address, so long after its start.
const LOOK_FOR_ADDRESS_MS: i64 = 120_000;

/// What the workers of a host share.
pub struct Shared {
    pub executor: Executor,
    pub board: Board,
    pub journal: Journal,
    pub ports: Ports,
    pub clock: SharedClock,
    pub heavy: Semaphore,
}

pub struct Worker {
    shared: Arc<Shared>,
    id: InstanceId,
    nudge: Arc<Notify>,
    memory: Memory,
    retry: Backoff,
    starts: Starts,
    /// The last step that succeeded without a look in between that planned another.
    last_done: Option<Step>,
    /// The generation and power that all of the above is about.
    about: Option<(i64, Power)>,
}

/// When a failed step is tried again.
#[derive(Debug, Default)]
struct Backoff {
    attempts: u32,
    /// Of these, those at which the disk did not grow.
    growths: u32,
    not_before: Timestamp,
    step: Option<Step>,
    failure: Option<Failure>,
}

/// Starts in close succession.
#[derive(Debug, Default)]
struct Starts {
    count: u32,
    last: Option<Timestamp>,
}

enum Pause {
    /// Look again at once.
    Again,
    Until(Timestamp),
    /// Nothing is left of it, and nobody wants it.
    Gone,
}

impl Worker {
    pub fn new(shared: Arc<Shared>, id: InstanceId, nudge: Arc<Notify>) -> Self {
        Self {
            shared,
            id,
            nudge,
            memory: Memory::default(),
            retry: Backoff::default(),
            starts: Starts::default(),
            last_done: None,
            about: None,
        }
    }

    /// Runs until nothing is left to look after.
    pub async fn run(mut self) {
        loop {
            let pause = self.pass().await.unwrap_or_else(|error| {
                // The journal can't be written: nothing may be done that it would not know of.
                tracing::error!(instance = %self.id, error = error_chain(&error), "held up");
                Pause::Until(self.now().saturating_add_ms(LOOK_INTERVAL_MS))
            });
            match pause {
                Pause::Again => {}
                Pause::Gone => return,
                Pause::Until(at) => {
                    tokio::select! {
                        () = self.shared.clock.sleep_until(at) => {}
                        () = self.nudge.notified() => {}
                    }
                }
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// One look, and at most one step.
    async fn pass(&mut self) -> Result<Pause> {
        let Some(desired) = self.shared.board.desired() else { return Ok(Pause::Gone) };
        let owner = desired.host_id.to_string();
        let wanted = desired.instances.iter().find(|instance| instance.id == self.id);
        self.turn_to(wanted);
        let seen = match self.shared.executor.look(&owner, self.id, wanted).await {
            Ok(seen) => seen,
            Err(error) => return Ok(self.unknown(&error.into())),
        };
        let now = self.now();
        let gone = self.take_down(wanted, &seen, now).await?;
        if gone && wanted.is_none() {
            return Ok(Pause::Gone);
        }
        if self.memory.stop_asked.is_some() && is_up(&seen) {
            ports::last_look(&self.shared, self.id, false).await;
        }
        let record = self.shared.journal.record(self.id);
        self.memory.was_built = record.was_built;
        let next_look = self.next_look(&seen, now);
        if self.has_failed(&record, wanted) {
            return Ok(Pause::Until(next_look));
        }
        match plan(wanted, &seen, &self.memory, now) {
            Next::Nothing => {
                self.settled();
                Ok(Pause::Until(next_look))
            }
            Next::WaitUntil(at) => Ok(Pause::Until(at.min(next_look))),
            Next::Refuse(refusal) => self.failed(&refused(refusal), None, wanted, &record),
            // Another step than the one that failed need not wait: the hard stop after a power
            // button that libvirt refused, say.
            Next::Do(step) if now < self.retry.not_before && self.retry.step == Some(step) => {
                Ok(Pause::Until(self.retry.not_before.min(next_look)))
            }
            Next::Do(step) => self.step(&owner, wanted, step, &record).await,
        }
    }

    /// Another generation is a new question: earlier failures and haste are forgotten.
    fn turn_to(&mut self, wanted: Option<&DesiredInstance>) {
        let about = wanted.map(|wanted| (wanted.generation, wanted.power));
        if about == self.about {
            return;
        }
        self.about = about;
        self.retry = Backoff::default();
        self.starts = Starts::default();
        self.last_done = None;
        self.memory.start_not_before = Timestamp::default();
        if about.is_none_or(|(_, power)| power != Power::Stopped) {
            self.memory.stop_asked = None;
        }
    }

    async fn step(
        &mut self,
        owner: &str,
        wanted: Option<&DesiredInstance>,
        step: Step,
        record: &Record,
    ) -> Result<Pause> {
        let (shared, id) = (self.shared.clone(), self.id);
        if self.last_done == Some(step) {
            let what = format!("the step '{step:?}' went through, and changed nothing");
            return self.failed(&StepError::limited("no_effect", what), Some(step), wanted, record);
        }
        if step == Step::Start && shared.journal.is_full() {
            let what = "too much waits for the server: no guest is started until it answers";
            let error = StepError::forever("journal_full", what);
            return self.failed(&error, Some(step), wanted, record);
        }
        shared.board.update(self.id, |status| {
            (status.step, status.progress_pct) = (Some(step.as_str()), None);
        });
        let name = wanted.map_or("", |wanted| wanted.name.as_str());
        tracing::info!(instance = %self.id, name, ?step, "step");
        if step == Step::PressPower {
            // Asked for counts, whether libvirt took it or not: the grace ends some time.
            let now = self.now();
            let first = self.memory.stop_asked.map_or(now, |asked| asked.first);
            self.memory.stop_asked = Some(StopAsked { first, last: now });
        }
        match step {
            Step::Start => shared.ports.readings.starting(id, self.now())?,
            Step::PressPower => ports::last_look(&shared, id, false).await,
            Step::Destroy => ports::last_look(&shared, id, true).await,
            _ => {}
        }
        let progress = |pct| shared.board.update(id, |s| s.progress_pct = Some(pct));
        let result = {
            let _place = match is_heavy(step) {
                true => shared.heavy.acquire().await.ok(),
                false => None,
            };
            shared.executor.execute(owner, self.id, wanted, step, progress).await
        };
        match result {
            Ok(()) => {
                self.done(step);
                Ok(Pause::Again)
            }
            Err(error) => self.failed(&error, Some(step), wanted, record),
        }
    }

    fn done(&mut self, step: Step) {
        let now = self.now();
        self.last_done = Some(step);
        (self.retry.failure, self.retry.not_before) = (None, Timestamp::default());
        match step {
            Step::EnsureNetwork => self.memory.network_ready = true,
            Step::Start => {
                self.memory.network_ready = false;
                self.starts.count = match self.starts.last {
                    Some(last) if now.since_ms(last) < STABLE_MS => self.starts.count + 1,
                    _ => 0,
                };
                self.starts.last = Some(now);
                if self.starts.count > 0 {
                    let wait_ms = backoff_ms(self.starts.count);
                    self.memory.start_not_before = now.saturating_add_ms(wait_ms);
                }
            }
            // The guest follows in its own time, and is asked again.
            Step::PressPower => self.last_done = None,
            _ => {}
        }
    }

    /// All is as wanted.
    fn settled(&mut self) {
        self.retry = Backoff::default();
        self.last_done = None;
        self.memory.stop_asked = None;
        self.shared.board.update(self.id, |status| {
            (status.step, status.progress_pct, status.failure) = (None, None, None);
        });
    }

    fn failed(
        &mut self,
        error: &StepError,
        step: Option<Step>,
        wanted: Option<&DesiredInstance>,
        record: &Record,
    ) -> Result<Pause> {
        self.last_done = None;
        self.memory.network_ready = false;
        self.retry.attempts += 1;
        self.retry.step = step;
        let removing = wanted.is_none_or(|wanted| wanted.power == Power::Absent);
        let given_up = match error.retry {
            Retry::Never => true,
            Retry::Limited if record.was_built => self.is_growth_given_up(step, wanted),
            Retry::Limited => self.retry.attempts >= MAX_BUILD_ATTEMPTS,
            Retry::Forever => false,
        };
        // What is to go is tried for ever: it must not be left behind.
        let permanent = given_up && !removing;
        let wait_ms = backoff_ms(self.retry.attempts);
        self.retry.not_before = self.now().saturating_add_ms(wait_ms);
        let failure = error.to_wire(permanent);
        if self.retry.failure.as_ref() != Some(&failure) || permanent {
            let (code, message) = (error.code, &error.message);
            tracing::warn!(instance = %self.id, ?step, code, message, permanent, "step failed");
        }
        self.retry.failure = Some(failure.clone());
        if let (true, Some(wanted)) = (permanent, wanted) {
            self.shared.journal.fail(self.id, wanted.generation, failure.clone())?;
            return Ok(Pause::Again);
        }
        self.shared.board.update(self.id, |status| status.failure = Some(failure));
        Ok(Pause::Until(self.retry.not_before))
    }

    /// Whoever wants the disk larger waits for it with a stopped guest; and has what was wanted where
    /// only the last try's answer went wrong. One that can't be read may be of any size.
    fn is_growth_given_up(&mut self, step: Option<Step>, wanted: Option<&DesiredInstance>) -> bool {
        let waits = |wanted: &&DesiredInstance| wanted.power == Power::Stopped;
        let (Some(Step::GrowDisk), Some(wanted)) = (step, wanted.filter(waits)) else {
            return false;
        };
        self.retry.growths += 1;
        let has = self.shared.executor.disk_gib(self.id);
        self.retry.growths >= MAX_BUILD_ATTEMPTS && has.is_some_and(|gib| gib < wanted.disk_gib)
    }

    /// Whether what is wanted has failed for good already, in this run or an earlier one.
    fn has_failed(&self, record: &Record, wanted: Option<&DesiredInstance>) -> bool {
        match (&record.failed, wanted) {
            (Some((generation, _)), Some(wanted)) => {
                *generation == wanted.generation && wanted.power != Power::Absent
            }
            _ => false,
        }
    }

    /// The hypervisor does not answer: that says nothing about the guest.
    fn unknown(&mut self, error: &StepError) -> Pause {
        let now = self.now();
        let generation = self.about.map_or(0, |(generation, _)| generation);
        let unknown = || Status::new(generation, InstanceState::Unknown, now);
        let mut status = self.shared.board.instance(self.id).unwrap_or_else(unknown);
        if status.state != InstanceState::Unknown {
            (status.state, status.since) = (InstanceState::Unknown, now);
        }
        status.generation = generation;
        status.failure = Some(error.to_wire(false));
        self.shared.board.set(self.id, status);
        Pause::Until(now.saturating_add_ms(MIN_BACKOFF_MS))
    }

    /// Journals a confirmed change and puts what was seen on the board. Returns whether nothing
    /// is left of the instance.
    async fn take_down(
        &mut self,
        wanted: Option<&DesiredInstance>,
        seen: &Seen,
        now: Timestamp,
    ) -> Result<bool> {
        let shared = self.shared.clone();
        let mut record = shared.journal.record(self.id);
        if record.failed.is_some() && !self.has_failed(&record, wanted) {
            shared.journal.clear_failure(self.id)?;
            record.failed = None;
        }
        let absent = is_absent(wanted, seen);
        let confirmed = if absent {
            // What never was has no end.
            record.confirmed.map(|_| InstanceState::Absent)
        } else {
            confirmed(seen, wanted, &record)
        };
        let known = shared.board.instance(self.id);
        let (state, since) = match confirmed {
            Some(state) => {
                // Before its event: what it counted last is told with its end.
                if matches!(state, InstanceState::Stopped | InstanceState::Absent) {
                    shared.ports.readings.ended(self.id)?;
                }
                let (changed, since) = shared.journal.confirm(self.id, state, now)?;
                if changed {
                    tracing::info!(instance = %self.id, ?state, %since, "state");
                }
                (state, since)
            }
            None => {
                let state = if absent { InstanceState::Absent } else { unconfirmed(&record) };
                let since = known.as_ref().filter(|known| known.state == state);
                (state, since.map_or(now, |known| known.since))
            }
        };
        let generation = wanted.map_or(0, |wanted| wanted.generation);
        let mut status = Status::new(generation, state, since);
        status.disk_gib = seen.disk_gib;
        if let Some(known) = known {
            (status.step, status.progress_pct) = (known.step, known.progress_pct);
        }
        status.failure = self.retry.failure.clone();
        if let Some((_, failure)) = &record.failed {
            status.failure = Some(failure.clone());
            (status.step, status.progress_pct) = (None, None);
            if !matches!(state, InstanceState::Running | InstanceState::Paused) {
                status.state = InstanceState::Failed;
            }
        }
        if matches!(state, InstanceState::Running | InstanceState::Paused) {
            let found = shared.executor.hypervisor.addresses(self.id.0).await;
            status.addresses = found.unwrap_or_default();
        }
        shared.board.set(self.id, status);
        Ok(absent)
    }

    fn next_look(&self, seen: &Seen, now: Timestamp) -> Timestamp {
        let status = self.shared.board.instance(self.id);
        let waits_for_address = status.is_some_and(|status| {
            status.state == InstanceState::Running
                && status.addresses.is_empty()
                && now.since_ms(status.since) < LOOK_FOR_ADDRESS_MS
        });
        let stopping = matches!(seen.domain, SeenDomain::Ours { state: DomainState::Stopping, .. });
        let stopping = stopping || (self.memory.stop_asked.is_some() && is_up(seen));
        now.saturating_add_ms(match waits_for_address || stopping {
            true => LOOK_FOR_ADDRESS_INTERVAL_MS,
            false => LOOK_INTERVAL_MS,
        })
    }
}

/// Nothing of it is on the host, and nothing is wanted there.
fn is_absent(wanted: Option<&DesiredInstance>, seen: &Seen) -> bool {
    wanted.is_none_or(|wanted| wanted.power == Power::Absent)
        && seen.domain == SeenDomain::Missing
        && !seen.directory
}

/// It runs, or could be let go on.
fn is_up(seen: &Seen) -> bool {
    let up = |state| {
        matches!(state, DomainState::Running | DomainState::Stopping | DomainState::Paused { .. })
    };
    matches!(seen.domain, SeenDomain::Ours { state, .. } if up(state))
}

/// The state that a bill may rest on; none while it is being built, or in between.
fn confirmed(
    seen: &Seen,
    wanted: Option<&DesiredInstance>,
    record: &Record,
) -> Option<InstanceState> {
    match seen.domain {
        SeenDomain::Ours { state: DomainState::Running | DomainState::Stopping, .. } => {
            Some(InstanceState::Running)
        }
        SeenDomain::Ours { state: DomainState::Paused { .. }, .. } => Some(InstanceState::Paused),
        SeenDomain::Ours { state: DomainState::Other, .. } | SeenDomain::Foreign => None,
        SeenDomain::Ours { state: DomainState::Stopped | DomainState::Crashed, .. } => {
            // Defined for its first start, it is still being built.
            let rests = wanted.is_some_and(|w| matches!(w.power, Power::Stopped | Power::Paused));
            (record.was_built || (rests && seen.disk)).then_some(InstanceState::Stopped)
        }
        // It ran here once, and is not defined any more: it does not run.
        SeenDomain::Missing => {
            let ran = record.confirmed.filter(|(state, _)| *state != InstanceState::Absent);
            ran.map(|_| InstanceState::Stopped)
        }
    }
}

fn unconfirmed(record: &Record) -> InstanceState {
    match record.confirmed {
        None | Some((InstanceState::Absent, _)) => InstanceState::Building,
        Some((state, _)) => state,
    }
}

fn is_heavy(step: Step) -> bool {
    matches!(
        step,
        Step::FetchImage(_)
            | Step::MakeDisk
            | Step::GrowDisk
            | Step::Define
            | Step::Start
            | Step::RemoveFiles
    )
}

fn refused(refusal: Refusal) -> StepError {
    match refusal {
        Refusal::ForeignDomain => StepError::never(
            "domain_foreign",
            "a domain with the instance's id exists that OpsHawk did not make (remove it)",
        ),
        Refusal::DiskLost => StepError::never(
            "disk_lost",
            "the instance's disk is gone from the host (restore it from a backup)",
        ),
    }
}

fn backoff_ms(attempts: u32) -> i64 {
    let doubled = MIN_BACKOFF_MS.checked_shl(attempts.saturating_sub(1)).unwrap_or(MAX_BACKOFF_MS);
    if (1..MAX_BACKOFF_MS).contains(&doubled) { doubled } else { MAX_BACKOFF_MS }
}
