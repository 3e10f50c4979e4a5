//! What is known right now about the host and each instance: workers write, the report reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use base::{id::InstanceId, time::Timestamp};
use tokio::sync::Notify;

use crate::wire::{Desired, Failure, InstanceState, Problem};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub generation: i64,
    pub state: InstanceState,
    pub since: Timestamp,
    pub step: Option<&'static str>,
    pub progress_pct: Option<i64>,
    pub failure: Option<Failure>,
    pub addresses: Vec<String>,
    /// See [`crate::wire::ObservedInstance::disk_gib`].
    pub disk_gib: Option<i64>,
}

impl Status {
    pub fn new(generation: i64, state: InstanceState, since: Timestamp) -> Self {
        Self {
            generation,
            state,
            since,
            step: None,
            progress_pct: None,
            failure: None,
            addresses: Vec::new(),
            disk_gib: None,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct HostStatus {
    pub info: Option<hypervisor::HostInfo>,
    pub problem: Option<Problem>,
}

#[derive(Debug, Default)]
pub struct Board {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    desired: Option<Arc<Desired>>,
    /// Wanted, and not looked at yet.
    pending: BTreeSet<InstanceId>,
    /// The latest desired generation of which everything was looked at.
    generation: i64,
    host: HostStatus,
    instances: BTreeMap<InstanceId, Status>,
}

impl Inner {
    fn answer(&mut self) {
        if let (true, Some(desired)) = (self.pending.is_empty(), &self.desired) {
            self.generation = desired.generation;
        }
    }
}

/// A consistent copy, for one report.
pub struct Snapshot {
    /// The desired generation that it answers to: it lacks nothing of that.
    pub generation: i64,
    pub host: HostStatus,
    pub instances: BTreeMap<InstanceId, Status>,
}

impl Board {
    /// Returns when something changed since the last time this returned.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    pub fn snapshot(&self) -> Snapshot {
        let inner = self.lock();
        Snapshot {
            generation: inner.generation,
            host: inner.host.clone(),
            instances: inner.instances.clone(),
        }
    }

    /// A new desired state. The board answers to it once all that is in it was looked at.
    pub fn set_desired(&self, desired: Arc<Desired>) {
        let mut inner = self.lock();
        let ids = desired.instances.iter().map(|instance| instance.id);
        inner.pending = ids.filter(|id| !inner.instances.contains_key(id)).collect();
        inner.desired = Some(desired);
        inner.answer();
        drop(inner);
        self.changed.notify_one();
    }

    pub fn desired(&self) -> Option<Arc<Desired>> {
        self.lock().desired.clone()
    }

    pub fn set_host(&self, change: impl FnOnce(&mut HostStatus)) {
        let mut inner = self.lock();
        // Its first facts make a host usable, which is news as much as a problem is.
        let known = |host: &HostStatus| (host.info.is_some(), host.problem.clone());
        let before = known(&inner.host);
        change(&mut inner.host);
        let changed = known(&inner.host) != before;
        drop(inner);
        if changed {
            self.changed.notify_one();
        }
    }

    pub fn instance(&self, id: InstanceId) -> Option<Status> {
        self.lock().instances.get(&id).cloned()
    }

    pub fn set(&self, id: InstanceId, status: Status) {
        let mut inner = self.lock();
        if inner.instances.get(&id) == Some(&status) {
            return;
        }
        inner.instances.insert(id, status);
        inner.pending.remove(&id);
        inner.answer();
        drop(inner);
        self.changed.notify_one();
    }

    pub fn update(&self, id: InstanceId, change: impl FnOnce(&mut Status)) {
        if let Some(mut status) = self.instance(id) {
            change(&mut status);
            self.set(id, status);
        }
    }

    pub fn forget(&self, id: InstanceId) {
        self.lock().instances.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while held")
    }
}

#[cfg(test)]
mod tests;
