//! Live consoles: hears by a long poll of who waits for one, opens the guest's serial port or
//! screen, dials the server, and copies until either side ends.
//!
//! It stands beside what keeps guests as they are wanted: a server that is away is asked again, and
//! nothing here holds up a guest.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use base::{
    id::{InstanceId, StreamId},
    reconcile::error_chain,
};
use hypervisor::{DomainState, Event, events::Lifecycle};
use tokio::{
    net::UnixStream,
    sync::broadcast::{self, error::TryRecvError},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    server::{POLL_WAIT_S, Server},
    wire::{End, MAX_STREAMS_PER_HOST, StreamKind, StreamWanted, close},
    worker::Shared,
};

mod copy;

use copy::Line;

const MIN_RETRY_MS: u64 = 250;
const MAX_RETRY_MS: u64 = 5_000;
/// A guest that stops closes its consoles before libvirt says that it has stopped: for so long,
const STOP_LOOK_MS: u64 = 3_000;
/// it is looked at this often.
const STOP_LOOK_INTERVAL_MS: u64 = 100;

/// Those under way.
struct Streams {
    shared: Arc<Shared>,
    server: Server,
    active: Mutex<BTreeMap<StreamId, Active>>,
}

#[derive(Clone)]
struct Active {
    instance: InstanceId,
    kind: StreamKind,
    /// Set when another console is to have the port.
    taken_over: CancellationToken,
    /// Consoles of one port are opened one after the other, so that the last one has it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Runs until it is dropped; the streams end with it.
pub async fn run(shared: Arc<Shared>, server: Server) -> std::convert::Infallible {
    let streams = Arc::new(Streams { shared, server, active: Mutex::default() });
    let mut tasks = JoinSet::new();
    let mut retry_ms = MIN_RETRY_MS;
    loop {
        let asked = tokio::time::Instant::now();
        match streams.server.streams(POLL_WAIT_S).await {
            Ok(wanted) => {
                retry_ms = MIN_RETRY_MS;
                let mut begun = false;
                for wanted in wanted.items {
                    if let Some(active) = streams.begin(&wanted) {
                        tasks.spawn(streams.clone().carry(wanted, active));
                        begun = true;
                    }
                }
                let hasty = Duration::from_millis(MIN_RETRY_MS);
                // A server that is stopping answers "none" at once.
                if !begun && asked.elapsed() < hasty {
                    tokio::time::sleep(hasty).await;
                }
            }
            Err(error) => {
                if retry_ms == MIN_RETRY_MS {
                    tracing::warn!(error = error_chain(&error), "no consoles");
                }
                tokio::time::sleep(Duration::from_millis(retry_ms)).await;
                retry_ms = (retry_ms * 2).min(MAX_RETRY_MS);
            }
        }
        while tasks.try_join_next().is_some() {}
    }
}

impl Streams {
    fn active(&self) -> MutexGuard<'_, BTreeMap<StreamId, Active>> {
        self.active.lock().expect("no panic while held")
    }

    /// Takes note of one. None: it is carried already, or there is no room.
    fn begin(&self, wanted: &StreamWanted) -> Option<Active> {
        let mut all = self.active();
        if all.contains_key(&wanted.id) {
            return None;
        }
        if all.len() >= MAX_STREAMS_PER_HOST {
            tracing::warn!(instance = %wanted.instance_id, "too many consoles: one is not opened");
            return None;
        }
        let mut turn = Arc::default();
        let same = |other: &&Active| {
            wanted.kind == StreamKind::Serial
                && other.kind == wanted.kind
                && other.instance == wanted.instance_id
        };
        for other in all.values().filter(same) {
            // Before the port is taken: it knows why it loses it.
            other.taken_over.cancel();
            turn = other.turn.clone();
        }
        let active = Active {
            instance: wanted.instance_id,
            kind: wanted.kind,
            taken_over: CancellationToken::new(),
            turn,
        };
        all.insert(wanted.id, active.clone());
        Some(active)
    }

    async fn carry(self: Arc<Self>, wanted: StreamWanted, active: Active) {
        let (instance, kind) = (wanted.instance_id, wanted.kind.as_str());
        // A stop is heard of, though the guest may run again by the time it is looked at.
        let mut events = self.shared.executor.hypervisor.events();
        let opened = self.open(&wanted, &active).await;
        match self.server.stream(wanted.id).await {
            Ok(socket) => {
                let mut line = Line::new(socket);
                let end = match opened {
                    Ok(console) => {
                        self.joined(&wanted, &active, &mut events, &mut line, console).await
                    }
                    Err(end) => end,
                };
                line.goodbye(&end).await;
                tracing::info!(%instance, kind, code = end.code, reason = end.reason, "console");
            }
            Err(error) => {
                // Whoever waited has left, or the server has.
                let error = error_chain(&error);
                tracing::warn!(%instance, kind, error, "nobody takes the console");
            }
        }
        self.active().remove(&wanted.id);
    }

    async fn joined(
        &self,
        wanted: &StreamWanted,
        active: &Active,
        events: &mut broadcast::Receiver<Event>,
        line: &mut Line,
        console: UnixStream,
    ) -> End {
        let end = tokio::select! {
            biased;
            () = active.taken_over.cancelled() => None,
            end = line.copy(console) => end,
        };
        match end {
            Some(end) => end,
            None => self.why(wanted, active, events).await,
        }
    }

    async fn open(&self, wanted: &StreamWanted, active: &Active) -> Result<UnixStream, End> {
        let Some(desired) = self.shared.board.desired() else {
            return Err(End::new(close::TRY_AGAIN, "the agent does not know its host yet"));
        };
        let claim = self.shared.executor.hypervisor.claim(desired.host_id.to_string());
        let id = wanted.instance_id.0;
        let opened = match wanted.kind {
            StreamKind::Screen => claim.screen(id).await,
            StreamKind::Serial => {
                let _turn = active.turn.lock().await;
                if active.taken_over.is_cancelled() {
                    return Err(taken_over());
                }
                claim.serial(id).await
            }
        };
        opened.map_err(|error| {
            tracing::warn!(instance = %wanted.instance_id, %error, "a console can't be opened");
            End::new(close::FAILED, told(&error))
        })
    }

    /// The guest's side ended; libvirt doesn't say why.
    async fn why(
        &self,
        wanted: &StreamWanted,
        active: &Active,
        events: &mut broadcast::Receiver<Event>,
    ) -> End {
        if active.taken_over.is_cancelled() {
            return taken_over();
        }
        let deadline = tokio::time::Instant::now() + Duration::from_millis(STOP_LOOK_MS);
        let stopped = || End::new(close::NORMAL, "the guest has stopped");
        while tokio::time::Instant::now() < deadline {
            if heard_of_stop(events, wanted.instance_id) {
                return stopped();
            }
            let seen = self.shared.executor.hypervisor.domain(wanted.instance_id.0).await;
            match seen.map(|domain| domain.map(|domain| domain.state)) {
                Ok(None | Some(DomainState::Stopped | DomainState::Crashed)) => {
                    return stopped();
                }
                Ok(Some(_)) => {}
                Err(error) => return End::new(close::FAILED, told(&error)),
            }
            tokio::time::sleep(Duration::from_millis(STOP_LOOK_INTERVAL_MS)).await;
        }
        match wanted.kind {
            StreamKind::Serial => {
                let reason = "libvirt closed the serial port: somebody on the host took it over, \
                              or the guest takes nothing of what is typed";
                End::new(close::TAKEN_OVER, reason)
            }
            StreamKind::Screen => End::new(close::FAILED, "the guest's screen was closed"),
        }
    }
}

/// What whoever looks may read: a tenant knows its guest, and nothing of the host.
fn told(error: &hypervisor::Error) -> String {
    use hypervisor::Error as E;
    match error {
        E::NoScreen => format!("{error} ({})", error.remedy()),
        E::NotFound { .. } => "the guest is not on its host".to_owned(),
        error if error.is_unavailable() => "the host's hypervisor does not answer".to_owned(),
        _ => "the host could not open it (an operator finds why in its agent's log)".to_owned(),
    }
}

/// Among what came since the last look.
fn heard_of_stop(events: &mut broadcast::Receiver<Event>, instance: InstanceId) -> bool {
    loop {
        match events.try_recv() {
            Ok(Event::Domain { id, kind: Lifecycle::Stopped | Lifecycle::Crashed })
                if id == instance.0 =>
            {
                return true;
            }
            Ok(_) | Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return false,
        }
    }
}

fn taken_over() -> End {
    End::new(close::TAKEN_OVER, "another console took the serial port over")
}
