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
    Error, Result,
    id::{InstanceId, StreamId},
    reconcile::error_chain,
};
use hypervisor::DomainState;
use tokio::{net::UnixStream, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    server::{POLL_WAIT_S, Server},
    wire::{MAX_STREAMS_PER_HOST, StreamKind, StreamWanted, close},
    worker::Shared,
};

mod copy;

use copy::{End, Line};

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
                let hasty = Duration::from_millis(MIN_RETRY_MS);
                // A server that is stopping answers "none" at once.
                if wanted.items.is_empty() && asked.elapsed() < hasty {
                    tokio::time::sleep(hasty).await;
                }
                for wanted in wanted.items {
                    if let Some(active) = streams.begin(&wanted) {
                        tasks.spawn(streams.clone().carry(wanted, active));
                    }
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
        let opened = self.open(&wanted, &active).await;
        match self.server.stream(wanted.id).await {
            Ok(socket) => {
                let mut line = Line::new(socket);
                let end = match opened {
                    Ok(console) => self.joined(&wanted, &active, &mut line, console).await,
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
            None => self.why(wanted, active).await,
        }
    }

    async fn open(&self, wanted: &StreamWanted, active: &Active) -> Result<UnixStream, End> {
        let failed = |error: Error| {
            let remedy = error.remedy.as_deref().map(|remedy| format!(" ({remedy})"));
            End::new(close::FAILED, format!("{}{}", error.message, remedy.unwrap_or_default()))
        };
        let Some(desired) = self.shared.board.desired() else {
            let error = Error::unavailable("the agent does not know its host yet");
            return Err(failed(error.remedy("try again")));
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
        opened.map_err(|error| failed(error.into()))
    }

    /// The guest's side ended; libvirt doesn't say why.
    async fn why(&self, wanted: &StreamWanted, active: &Active) -> End {
        if active.taken_over.is_cancelled() {
            return taken_over();
        }
        let deadline = tokio::time::Instant::now() + Duration::from_millis(STOP_LOOK_MS);
        while tokio::time::Instant::now() < deadline {
            let seen = self.shared.executor.hypervisor.domain(wanted.instance_id.0).await;
            match seen.map(|domain| domain.map(|domain| domain.state)) {
                Ok(None | Some(DomainState::Stopped | DomainState::Crashed)) => {
                    return End::new(close::NORMAL, "the guest has stopped");
                }
                Ok(Some(_)) => {}
                Err(error) => return End::new(close::FAILED, error.to_string()),
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

fn taken_over() -> End {
    End::new(close::TAKEN_OVER, "another console took the serial port over")
}
