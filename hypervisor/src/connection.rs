//! One connection to a libvirtd that may be slow, hang, be killed and come back.
//!
//! libvirt's calls block. Each runs on a thread of its own, at most [`MAX_CALLS`] at once, and is
//! waited for at most [`Settings::call_timeout_ms`]; a thread that hangs keeps its place until
//! libvirt answers, so that a hung libvirtd costs a bounded number of threads and never the
//! caller. The threads are not the async runtime's: they do not hold up its end.
//! Keepalives ([`KEEPALIVE_INTERVAL_S`] × [`KEEPALIVE_COUNT`]) end a connection whose peer is
//! silent; the next call opens a new one.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, oneshot};
use virt::connect::Connect;

use crate::{
    error::{Error, Result},
    events::{self, Event},
    raw,
};

/// Calls under way at once.
pub const MAX_CALLS: usize = 32;
/// How often an idle libvirtd is asked for a sign of life, and how many may stay unanswered.
pub const KEEPALIVE_INTERVAL_S: i32 = 5;
pub const KEEPALIVE_COUNT: u32 = 4;

#[derive(Debug, Clone)]
pub struct Settings {
    /// For instance `qemu:///system`, `qemu+unix:///system?socket=PATH`.
    pub uri: String,
    /// How long a connection may take to stand.
    pub connect_timeout_ms: u64,
    /// How long a call may take. A first `define` on a busy host may take many seconds.
    pub call_timeout_ms: u64,
}

impl Settings {
    pub fn new(uri: impl Into<String>) -> Self {
        Self { uri: uri.into(), connect_timeout_ms: 10_000, call_timeout_ms: 60_000 }
    }
}

/// A cheap handle; clones share the connection.
#[derive(Clone)]
pub struct Hypervisor(Arc<Inner>);

struct Inner {
    settings: Settings,
    session: Mutex<Option<Arc<Session>>>,
    /// One attempt to connect at a time.
    connecting: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    events: broadcast::Sender<Event>,
}

/// A connection with its event registrations.
struct Session {
    connect: Connect,
    subscription: raw::Subscription,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.subscription.end(&self.connect);
    }
}

impl std::fmt::Debug for Hypervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Hypervisor").field(&self.0.settings.uri).finish()
    }
}

impl Hypervisor {
    /// Connects at the first call, not here: a libvirtd that is down is no reason not to start.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            settings,
            session: Mutex::default(),
            connecting: Arc::new(Semaphore::new(1)),
            calls: Arc::new(Semaphore::new(MAX_CALLS)),
            events: broadcast::channel(events::BACKLOG).0,
        }))
    }

    pub fn uri(&self) -> &str {
        &self.0.settings.uri
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Lifecycle events from now on. Events flow while there is a connection; any call opens one.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// Runs `work` with a standing connection, on a thread.
    pub(crate) async fn call<T, F>(&self, call: &'static str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connect) -> Result<T> + Send + 'static,
    {
        let session = self.session().await?;
        let permit = self.permit()?;
        let timeout_ms = self.0.settings.call_timeout_ms;
        let uri = self.0.settings.uri.clone();
        let run = move || {
            let result = work(&session.connect);
            let alive = session.connect.is_alive().unwrap_or(false);
            result.map_err(|error| located(error, call, alive, uri))
        };
        on_thread(permit, timeout_ms, run)
            .await
            .unwrap_or(Err(Error::TimedOut { call, timeout_ms }))
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let calls = self.0.calls.clone();
        calls.try_acquire_owned().map_err(|_| Error::Busy { pending: MAX_CALLS })
    }

    /// The standing connection, or a new one.
    async fn session(&self) -> Result<Arc<Session>> {
        if let Some(session) = self.standing() {
            return Ok(session);
        }
        let timeout_ms = self.0.settings.connect_timeout_ms;
        let hung = || self.unreachable(format!("no connection within {timeout_ms} ms"));
        let waiting = self.0.connecting.clone().acquire_owned();
        let Ok(Ok(permit)) = tokio::time::timeout(Duration::from_millis(timeout_ms), waiting).await
        else {
            return Err(hung());
        };
        // Whoever held the permit may have connected meanwhile.
        if let Some(session) = self.standing() {
            return Ok(session);
        }
        let (uri, events) = (self.0.settings.uri.clone(), self.0.events.clone());
        let session =
            on_thread(permit, timeout_ms, move || open(&uri, events)).await.ok_or_else(hung)??;
        let session = Arc::new(session);
        *self.0.session.lock().expect("no panic while held") = Some(session.clone());
        tracing::info!(uri = self.uri(), "connected to libvirt");
        let _ = self.0.events.send(Event::Connected);
        Ok(session)
    }

    fn standing(&self) -> Option<Arc<Session>> {
        let mut slot = self.0.session.lock().expect("no panic while held");
        let session = slot.as_ref()?;
        if session.connect.is_alive().unwrap_or(false) {
            return Some(session.clone());
        }
        tracing::warn!(uri = self.uri(), "the connection to libvirt is lost");
        close_aside(slot.take());
        None
    }

    fn unreachable(&self, reason: String) -> Error {
        Error::Unreachable { uri: self.0.settings.uri.clone(), reason }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        close_aside(self.session.get_mut().ok().and_then(Option::take));
    }
}

/// Closing may wait for the peer, so it never happens on the caller's thread.
fn close_aside(session: Option<Arc<Session>>) {
    if let Some(session) = session {
        let closing = thread::Builder::new().name("libvirt-close".into());
        // Without a thread the closure, and with it the session, is dropped here.
        let _ = closing.spawn(move || drop(session));
    }
}

fn open(uri: &str, events: broadcast::Sender<Event>) -> Result<Session> {
    let connect = connect(uri)?;
    let forward = Arc::new(events::Forward(events));
    let subscription =
        raw::Subscription::new(&connect, forward).map_err(|e| unreachable(uri, &e))?;
    Ok(Session { connect, subscription })
}

/// A connection of its own, which blocks; the event loop runs.
pub(crate) fn connect(uri: &str) -> Result<Connect> {
    events::ensure_loop();
    let connect = Connect::open(Some(uri)).map_err(|e| unreachable(uri, &e))?;
    // Not every transport has keepalives (a driver inside this process needs none).
    if let Err(error) = connect.set_keep_alive(KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT) {
        tracing::warn!(%error, "libvirt connection without keepalives");
    }
    Ok(connect)
}

fn unreachable(uri: &str, error: &virt::error::Error) -> Error {
    Error::Unreachable { uri: uri.to_owned(), reason: error.message().trim().to_owned() }
}

/// Says which call failed; an error on a dead connection says nothing about the machine.
fn located(error: Error, call: &'static str, alive: bool, uri: String) -> Error {
    match error {
        Error::Refused { message, .. } if !alive => Error::Unreachable { uri, reason: message },
        Error::Refused { code, message, .. } => Error::Refused { call, code, message },
        other => other,
    }
}

/// Runs `work` on a thread that holds `permit` to its end. None if it took too long or panicked.
async fn on_thread<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    timeout_ms: u64,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = oneshot::channel();
    let run = move || {
        let _permit = permit;
        let _ = done.send(work());
    };
    thread::Builder::new().name("libvirt-call".into()).spawn(run).ok()?;
    tokio::time::timeout(Duration::from_millis(timeout_ms), result).await.ok()?.ok()
}
