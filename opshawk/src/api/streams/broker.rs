//! Who waits for which agent. In memory only: a console lives no longer than the process that
//! relays it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use agent::wire::{MAX_STREAMS_PER_HOST, StreamKind};
use base::{
    Error, ErrorKind, Result,
    id::{HostId, InstanceId, StreamId, TenantId},
};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

/// Consoles at once, of everybody,
pub const MAX_STREAMS: usize = 512;
/// of one tenant's instances,
pub const MAX_STREAMS_PER_TENANT: usize = 64;
/// of one instance.
pub const MAX_STREAMS_PER_INSTANCE: usize = 8;
/// The longest that an agent may wait for one.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// One that no agent dialled for so long is named again: the answer that named it may be lost.
const NAME_AGAIN: Duration = Duration::from_secs(2);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub host: HostId,
    pub tenant: TenantId,
    pub instance: InstanceId,
    pub kind: StreamKind,
}

/// `S` is what an agent brings.
pub struct Broker<S>(Arc<Shared<S>>);

struct Shared<S> {
    open: Mutex<BTreeMap<StreamId, Open<S>>>,
    /// Something waits that did not before.
    changed: Notify,
}

struct Open<S> {
    asked: Asked,
    /// None: an agent has come, or nobody waits yet.
    waiting: Option<Waiting<S>>,
}

struct Waiting<S> {
    meeting: oneshot::Sender<S>,
    named: Option<Instant>,
}

impl<S> Clone for Broker<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> Default for Broker<S> {
    fn default() -> Self {
        Self(Arc::new(Shared { open: Mutex::default(), changed: Notify::new() }))
    }
}

/// A console's place among the bounded number of them; given back when it is dropped.
pub struct Place<S> {
    id: StreamId,
    broker: Broker<S>,
}

impl<S> Drop for Place<S> {
    fn drop(&mut self) {
        self.broker.lock().remove(&self.id);
    }
}

impl<S> Place<S> {
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// From now on the host's agent hears of it. Returns what the agent brings.
    pub async fn agent(&mut self) -> Option<S> {
        let (meeting, met) = oneshot::channel();
        if let Some(open) = self.broker.lock().get_mut(&self.id) {
            open.waiting = Some(Waiting { meeting, named: None });
        }
        self.broker.0.changed.notify_waiters();
        met.await.ok()
    }
}

impl<S> Broker<S> {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamId, Open<S>>> {
        self.0.open.lock().expect("no panic while held")
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Takes a place, if there is one.
    pub fn open(&self, asked: Asked) -> Result<Place<S>> {
        let mut open = self.lock();
        let count =
            |same: &dyn Fn(&Asked) -> bool| open.values().filter(|o| same(&o.asked)).count();
        let full = |whose: &str, limit: usize| {
            Error::new(
                ErrorKind::QuotaExceeded,
                format!("{whose} has {limit} open consoles, the most"),
            )
            .remedy("close one of them")
        };
        if count(&|other| other.instance == asked.instance) >= MAX_STREAMS_PER_INSTANCE {
            return Err(full("the instance", MAX_STREAMS_PER_INSTANCE));
        }
        if count(&|other| other.tenant == asked.tenant) >= MAX_STREAMS_PER_TENANT {
            return Err(full("the tenant", MAX_STREAMS_PER_TENANT));
        }
        if count(&|other| other.host == asked.host) >= MAX_STREAMS_PER_HOST {
            return Err(full("the host", MAX_STREAMS_PER_HOST));
        }
        if open.len() >= MAX_STREAMS {
            return Err(full("the server", MAX_STREAMS));
        }
        let id = StreamId::new();
        open.insert(id, Open { asked, waiting: None });
        Ok(Place { id, broker: self.clone() })
    }

    /// What waits for this host's agent, as soon as there is something; none after `wait`.
    pub async fn wanted(&self, host: HostId, wait: Duration) -> Vec<(StreamId, Asked)> {
        let deadline = Instant::now() + wait.min(WAIT_MAX);
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let (found, again) = self.name(host);
            if !found.is_empty() || Instant::now() >= deadline {
                return found;
            }
            let until = again.map_or(deadline, |again| again.min(deadline));
            // Either way it is looked again.
            let _ = tokio::time::timeout_at(until, changed).await;
        }
    }

    /// Those to name now, and when the next one is to be named again.
    fn name(&self, host: HostId) -> (Vec<(StreamId, Asked)>, Option<Instant>) {
        let now = Instant::now();
        let (mut found, mut again): (Vec<_>, Option<Instant>) = (Vec::new(), None);
        for (id, open) in self.lock().iter_mut().filter(|(_, open)| open.asked.host == host) {
            let Some(waiting) = &mut open.waiting else { continue };
            match waiting.named.map(|named| named + NAME_AGAIN) {
                Some(at) if at > now => again = Some(again.map_or(at, |other| other.min(at))),
                _ => {
                    waiting.named = Some(now);
                    found.push((*id, open.asked));
                }
            }
        }
        (found, again)
    }

    pub fn is_waiting(&self, host: HostId, id: StreamId) -> bool {
        let open = self.lock();
        open.get(&id).is_some_and(|open| open.asked.host == host && open.waiting.is_some())
    }

    /// Where the agent of this host meets who waits; once only.
    pub fn take(&self, host: HostId, id: StreamId) -> Option<oneshot::Sender<S>> {
        let mut open = self.lock();
        let open = open.get_mut(&id).filter(|open| open.asked.host == host)?;
        Some(open.waiting.take()?.meeting)
    }
}

#[cfg(test)]
mod tests;
