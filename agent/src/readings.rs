//! What guests' interfaces have counted, for billing: on disk until the server has it.
//!
//! Every look comes here, and one is written down when a port's counters begin a new life, and then
//! each interval; what was looked at since is kept in memory, and written when the guest ends. So a
//! guest that ends unasked loses at most what it counted since the last look, and one that ends
//! unseen, because no agent ran, what it counted since the last that was written.
//!
//! Counters say all that was ever counted, so that readings in between can be done without: when more
//! than [`MAX_WAITING`] wait for the server, the newest of a life takes the place of the one before
//! it. That costs no byte, only the knowledge of when it was counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Mutex, MutexGuard},
};

use base::{Error, Result, id::InstanceId, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    files::{self, Layout},
    wire::PortReading,
};

/// From here on only the first and the last reading of a life wait for the server.
pub const MAX_WAITING: usize = 20_000;
/// A clock that was set back by more than this was wrong before, and is followed.
pub const MAX_CLOCK_BACK_MS: i64 = 300_000;

/// What a look found of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub port: String,
    pub epoch: String,
    pub received_bytes: i64,
    pub sent_bytes: i64,
}

#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
struct Content {
    /// Guests that no reading was ever written of, and since when their counters are zero at least.
    started: BTreeMap<InstanceId, Timestamp>,
    /// The last that was written, by the port.
    last: BTreeMap<InstanceId, BTreeMap<String, PortReading>>,
    /// Not acknowledged yet, in order.
    waiting: Vec<PortReading>,
}

#[derive(Debug)]
pub struct Readings {
    path: PathBuf,
    interval_ms: i64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    content: Content,
    /// Looked at, and not written.
    seen: BTreeMap<InstanceId, BTreeMap<String, PortReading>>,
}

impl Readings {
    pub fn open(layout: &Layout, interval_ms: u64) -> Result<Self> {
        let path = layout.readings();
        let content = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                Error::internal(format!("the agent's readings {} are damaged", path.display()))
                    .remedy(
                        "remove the file; traffic that the server was not told of is not billed",
                    )
                    .source(e)
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Content::default(),
            Err(e) => return Err(failed(&path, e)),
        };
        let interval_ms = i64::try_from(interval_ms).unwrap_or(i64::MAX);
        let inner = Mutex::new(Inner { content, ..Inner::default() });
        Ok(Self { path, interval_ms, inner })
    }

    /// The guest is about to be started: what its interfaces count begins at zero.
    pub fn starting(&self, id: InstanceId, now: Timestamp) -> Result<()> {
        let mut inner = self.lock();
        if inner.content.last.contains_key(&id) {
            return Ok(());
        }
        inner.content.started.insert(id, now);
        self.save(&inner.content)
    }

    /// Takes what a look found of all of a guest's interfaces.
    pub fn saw(&self, id: InstanceId, counted: Vec<Counted>, now: Timestamp) -> Result<()> {
        let mut inner = self.lock();
        let mut changed = false;
        // An interface that is gone, or counts anew: what was seen of it is the last.
        let seen = inner.seen.remove(&id).unwrap_or_default();
        for reading in seen.into_values() {
            let goes_on = |c: &Counted| c.port == reading.port && c.epoch == reading.epoch;
            if !counted.iter().any(goes_on) {
                changed |= inner.content.write_last(reading);
            }
        }
        for counted in counted {
            let last = inner.content.last.get(&id).and_then(|ports| ports.get(&counted.port));
            let reading = PortReading {
                instance_id: id,
                at: instant(last, now),
                port: counted.port,
                epoch: counted.epoch,
                received_bytes: counted.received_bytes,
                sent_bytes: counted.sent_bytes,
            };
            let waits = last.is_some_and(|last| {
                let passed_ms = reading.at.since_ms(last.at);
                last.epoch == reading.epoch && (0..self.interval_ms).contains(&passed_ms)
            });
            if waits {
                let seen = inner.seen.entry(id).or_default();
                seen.insert(reading.port.clone(), reading);
            } else {
                inner.content.write(reading);
                changed = true;
            }
        }
        // From here on a port that is new to the guest is one that nobody saw begin.
        changed |=
            inner.content.last.contains_key(&id) && inner.content.started.remove(&id).is_some();
        if changed { self.save(&inner.content) } else { Ok(()) }
    }

    /// The guest runs no more: what was last seen of it is the last.
    pub fn ended(&self, id: InstanceId) -> Result<()> {
        let mut inner = self.lock();
        let Some(seen) = inner.seen.remove(&id) else { return Ok(()) };
        let mut changed = false;
        for reading in seen.into_values() {
            changed |= inner.content.write_last(reading);
        }
        if changed { self.save(&inner.content) } else { Ok(()) }
    }

    /// Those that something was seen of since the last that was written.
    pub fn running(&self) -> Vec<InstanceId> {
        self.lock().seen.keys().copied().collect()
    }

    /// The oldest that wait for an acknowledgement.
    pub fn waiting(&self, limit: usize) -> Vec<PortReading> {
        self.lock().content.waiting.iter().take(limit).cloned().collect()
    }

    /// Of which instances more waits than the oldest `told`.
    pub fn behind(&self, told: usize) -> BTreeSet<InstanceId> {
        self.lock().content.waiting.iter().skip(told).map(|reading| reading.instance_id).collect()
    }

    /// The server has these.
    pub fn acknowledge(&self, readings: &[PortReading]) -> Result<()> {
        if readings.is_empty() {
            return Ok(());
        }
        let mut inner = self.lock();
        inner.content.waiting.retain(|waiting| !readings.contains(waiting));
        self.save(&inner.content)
    }

    /// Nothing of the instance is left. What waits of it waits on.
    pub fn forget(&self, id: InstanceId) -> Result<()> {
        let mut inner = self.lock();
        inner.seen.remove(&id);
        let content = &mut inner.content;
        let known = content.last.remove(&id).is_some() | content.started.remove(&id).is_some();
        if known { self.save(&inner.content) } else { Ok(()) }
    }

    fn save(&self, content: &Content) -> Result<()> {
        let bytes = serde_json::to_vec(content).map_err(|e| failed(&self.path, e))?;
        files::write(&self.path, &bytes).map_err(|e| failed(&self.path, e))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while held")
    }
}

impl Content {
    /// Writes it down, and, of a guest that was seen to start, first that it began at zero: the
    /// first reading of a port is what its next ones are counted from.
    fn write(&mut self, reading: PortReading) {
        let ports = self.last.entry(reading.instance_id).or_default();
        let known = ports.insert(reading.port.clone(), reading.clone());
        let started = self.started.get(&reading.instance_id).filter(|_| known.is_none());
        if let Some(started) = started {
            // Before it, also where the clock was set back in between.
            let at = reading.at.saturating_add_ms(-1).min(*started);
            let zero = PortReading { at, received_bytes: 0, sent_bytes: 0, ..reading.clone() };
            self.waiting.push(zero);
        }
        self.wait(reading);
    }

    /// The last of a life; false if the one before it says as much.
    fn write_last(&mut self, reading: PortReading) -> bool {
        let last = self.last.get(&reading.instance_id).and_then(|p| p.get(&reading.port));
        let says = |r: &PortReading| (r.epoch.clone(), r.received_bytes, r.sent_bytes);
        if last.is_some_and(|last| says(last) == says(&reading)) {
            return false;
        }
        self.write(reading);
        true
    }

    fn wait(&mut self, reading: PortReading) {
        if self.waiting.len() >= MAX_WAITING {
            let same = |r: &PortReading| {
                (r.instance_id, &r.port, &r.epoch)
                    == (reading.instance_id, &reading.port, &reading.epoch)
            };
            // Not its first, from which it may be counted.
            let first = self.waiting.iter().position(same);
            let last = self.waiting.iter().rposition(same);
            if let Some(last) = last.filter(|last| Some(*last) != first) {
                self.waiting.remove(last);
            }
        }
        self.waiting.push(reading);
    }
}

/// After the last that was written, also where the clock was set back.
fn instant(last: Option<&PortReading>, now: Timestamp) -> Timestamp {
    let Some(last) = last else { return now };
    if last.at.since_ms(now) > MAX_CLOCK_BACK_MS {
        return now;
    }
    now.max(last.at.saturating_add_ms(1))
}

fn failed(path: &std::path::Path, e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal(format!("the agent's readings {} can't be used", path.display()))
        .remedy("make room on its disk, and check who may write it")
        .source(e)
}

#[cfg(test)]
mod tests;
