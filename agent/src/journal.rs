//! What must survive the agent: each instance's last confirmed state and since when, what failed
//! for good, and the events that the server has not acknowledged.
//!
//! An event is on disk before anybody reports it, and goes only when a report that carried it was
//! acknowledged; it keeps its id for ever, so that it counts once however often it is sent.
//!
//! The journal says when it began: from another instant than before the server sees that the one
//! before it is gone, with whatever it had not told.
//!
//! A guest that is found dead when the agent starts died at some instant that nobody saw: its stop
//! is dated to the last time the agent was alive, in the tenant's favour.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Mutex, MutexGuard},
};

use base::{Error, Result, id::InstanceId, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    files::{self, Layout},
    wire::{Failure, InstanceEvent, InstanceState},
};

/// More than this many unacknowledged events, and no guest is started until the server is back.
pub const MAX_EVENTS: usize = 20_000;
/// How often the time of being alive is written down.
pub const ALIVE_INTERVAL_MS: i64 = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Record {
    /// The last state that an event was made for, and its instant.
    pub confirmed: Option<(InstanceState, Timestamp)>,
    /// Its disk was complete once.
    pub was_built: bool,
    /// What failed for good, and the generation that it failed for.
    pub failed: Option<(i64, Failure)>,
}

#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
struct Content {
    /// When it began; none in one that an older agent wrote.
    since: Option<Timestamp>,
    records: BTreeMap<InstanceId, Record>,
    events: Vec<InstanceEvent>,
}

#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    alive_path: PathBuf,
    /// When an earlier run of the agent was last alive.
    last_alive: Option<Timestamp>,
    since: Timestamp,
    inner: Mutex<Content>,
    /// What this run has looked at.
    looked_at: Mutex<BTreeSet<InstanceId>>,
}

impl Journal {
    /// One that is not there begins `now`.
    pub fn open(layout: &Layout, now: Timestamp) -> Result<Self> {
        let path = layout.journal();
        let mut inner: Content = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                Error::internal(format!("the agent's journal {} is damaged", path.display()))
                    .remedy("restore it from a backup; without it, usage may count twice")
                    .source(e)
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Content::default(),
            Err(e) => return Err(failed(&path, e)),
        };
        let alive_path = layout.alive();
        let last_alive = std::fs::read_to_string(&alive_path).ok();
        let last_alive = last_alive.and_then(|text| text.trim().parse().ok());
        let began = inner.since;
        let since = *inner.since.get_or_insert(now);
        let (inner, looked_at) = (Mutex::new(inner), Mutex::default());
        let journal = Self { path, alive_path, last_alive, since, inner, looked_at };
        if began.is_none() {
            journal.save(&journal.lock())?;
        }
        Ok(journal)
    }

    /// When it began.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    pub fn record(&self, id: InstanceId) -> Record {
        self.lock().records.get(&id).cloned().unwrap_or_default()
    }

    /// What is not known to be gone.
    pub fn ids(&self) -> Vec<InstanceId> {
        let gone = |record: &Record| {
            record.confirmed.is_some_and(|(state, _)| state == InstanceState::Absent)
        };
        let content = self.lock();
        content.records.iter().filter(|(_, r)| !gone(r)).map(|(id, _)| *id).collect()
    }

    pub fn is_full(&self) -> bool {
        self.lock().events.len() >= MAX_EVENTS
    }

    /// The oldest events that wait for an acknowledgement.
    pub fn events(&self, limit: usize) -> Vec<InstanceEvent> {
        self.lock().events.iter().take(limit).cloned().collect()
    }

    /// Of which instances more waits than the oldest `told`.
    pub fn behind(&self, told: usize) -> BTreeSet<InstanceId> {
        self.lock().events.iter().skip(told).map(|event| event.instance_id).collect()
    }

    /// Takes down what was seen. A change of state makes an event, on disk when this returns.
    /// Returns whether it changed, and since when it is so.
    pub fn confirm(
        &self,
        id: InstanceId,
        state: InstanceState,
        now: Timestamp,
    ) -> Result<(bool, Timestamp)> {
        let first_look = self.looked_at.lock().expect("no panic while held").insert(id);
        let mut content = self.lock();
        let record = content.records.entry(id).or_default();
        if let Some((last, since)) = record.confirmed
            && last == state
        {
            return Ok((false, since));
        }
        let last_alive = self.last_alive.filter(|_| first_look);
        let at = instant(record, state, last_alive, now);
        *record = Record {
            confirmed: Some((state, at)),
            was_built: state != InstanceState::Absent,
            failed: record.failed.take(),
        };
        let event = InstanceEvent { id: uuid::Uuid::now_v7(), instance_id: id, state, at };
        content.events.push(event);
        self.save(&content)?;
        Ok((true, at))
    }

    pub fn fail(&self, id: InstanceId, generation: i64, failure: Failure) -> Result<()> {
        self.change(id, |record| record.failed = Some((generation, failure)))
    }
    pub fn clear_failure(&self, id: InstanceId) -> Result<()> {
        self.change(id, |record| record.failed = None)
    }

    fn change(&self, id: InstanceId, change: impl FnOnce(&mut Record)) -> Result<()> {
        let mut content = self.lock();
        let before = content.records.get(&id).cloned().unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        content.records.insert(id, after);
        self.save(&content)
    }

    /// Nothing of the instance is left, and the server knows.
    pub fn forget(&self, id: InstanceId) -> Result<()> {
        let mut content = self.lock();
        match content.records.remove(&id) {
            Some(_) => self.save(&content),
            None => Ok(()),
        }
    }

    /// The server has these.
    pub fn acknowledge(&self, events: &[InstanceEvent]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let mut content = self.lock();
        content.events.retain(|event| !events.iter().any(|acked| acked.id == event.id));
        self.save(&content)
    }

    /// Takes down that the agent lives and sees its guests. Not forced to disk: it is a hint.
    pub fn alive(&self, now: Timestamp) {
        if let Err(error) = std::fs::write(&self.alive_path, now.to_string()) {
            tracing::warn!(%error, path = %self.alive_path.display(), "can't write");
        }
    }

    fn save(&self, content: &Content) -> Result<()> {
        let bytes = serde_json::to_vec(content).map_err(|e| failed(&self.path, e))?;
        files::write(&self.path, &bytes).map_err(|e| failed(&self.path, e))
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.inner.lock().expect("no panic while held")
    }
}

/// When it changed. `last_alive` is set for the first look of this run; see the module's page.
fn instant(
    record: &Record,
    state: InstanceState,
    last_alive: Option<Timestamp>,
    now: Timestamp,
) -> Timestamp {
    let Some((last, since)) = record.confirmed else { return now };
    let died = state == InstanceState::Stopped
        && matches!(last, InstanceState::Running | InstanceState::Paused);
    match last_alive {
        Some(alive) if died => alive.min(now).max(since),
        // A clock that was set back makes no stop before its start.
        _ => now.max(since),
    }
}

fn failed(path: &std::path::Path, e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal(format!("the agent's journal {} can't be used", path.display()))
        .remedy("make room on its disk, and check who may write it")
        .source(e)
}

#[cfg(test)]
mod tests;
