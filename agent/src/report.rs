//! The report loop: says what was seen, at once when it changed and at least every
//! [`INTERVAL_MS`]; the same report again, until the server has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use base::{
    Error, Result,
    id::{BootId, InstanceId},
    reconcile::error_chain,
};

use crate::{
    board::Snapshot,
    console,
    server::{self, Server},
    wire::{HostFacts, InstanceState, ObservedInstance, Problem, Report},
    worker::Shared,
};

pub const INTERVAL_MS: u64 = 10_000;
/// How often consoles are looked at for something new.
const CONSOLE_INTERVAL_MS: u64 = 1_000;
/// The rest goes with the next report.
pub const MAX_EVENTS_PER_REPORT: usize = 1_000;
/// Each costs the server more than an event does, and others wait for it.
pub const MAX_READINGS_PER_REPORT: usize = 100;
const MIN_RETRY_MS: u64 = 250;
const MAX_RETRY_MS: u64 = 10_000;

pub struct Reporter {
    shared: Arc<Shared>,
    server: Server,
    boot_id: BootId,
    sequence: i64,
    /// Each console's tail, as the server knows it.
    acked_tails: BTreeMap<InstanceId, String>,
    /// Each console's length at the last report.
    stamps: BTreeMap<InstanceId, u64>,
}

impl Reporter {
    pub fn new(shared: Arc<Shared>, server: Server) -> Self {
        Self {
            shared,
            server,
            boot_id: BootId::new(),
            sequence: 0,
            acked_tails: BTreeMap::new(),
            stamps: BTreeMap::new(),
        }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) -> std::convert::Infallible {
        loop {
            let report = self.build().await;
            let more = report.events.len() == MAX_EVENTS_PER_REPORT
                || report.readings.len() == MAX_READINGS_PER_REPORT;
            if self.deliver(&report).await {
                self.acknowledged(report);
            }
            if !more {
                self.wait().await;
            }
        }
    }

    /// Until something changed, or it is time.
    async fn wait(&self) {
        let changed = async {
            tokio::select! {
                () = self.shared.board.changed() => {}
                () = self.console_grew() => {}
            }
        };
        // Time is the other reason.
        let _ = tokio::time::timeout(Duration::from_millis(INTERVAL_MS), changed).await;
    }

    async fn console_grew(&self) {
        let mut period = tokio::time::interval(Duration::from_millis(CONSOLE_INTERVAL_MS));
        period.tick().await;
        loop {
            period.tick().await;
            let layout = &self.shared.executor.layout;
            let grew =
                |(id, at): (&InstanceId, &u64)| console::stamp(&layout.serial_log(*id)) != *at;
            if self.stamps.iter().any(grew) {
                return;
            }
        }
    }

    /// Sends until it is taken. False if the server refuses it for good: then the next report,
    /// which carries the same events, may say it better.
    async fn deliver(&self, report: &Report) -> bool {
        let mut retry_ms = MIN_RETRY_MS;
        loop {
            let error = match self.server.report(report).await {
                Ok(ack) if ack.sequence >= report.sequence => return true,
                Ok(_) => Error::unavailable("the server acknowledged another report"),
                Err(error) => error,
            };
            let refused = server::is_refusal(&error);
            if retry_ms == MIN_RETRY_MS || refused {
                let chain = error_chain(&error);
                tracing::warn!(error = chain, sequence = report.sequence, "report not taken");
            }
            tokio::time::sleep(Duration::from_millis(retry_ms)).await;
            if refused {
                return false;
            }
            retry_ms = (retry_ms * 2).min(MAX_RETRY_MS);
        }
    }

    async fn build(&mut self) -> Report {
        self.sequence += 1;
        // The board first: the journal has the event of every state that stands on it.
        let snapshot = self.shared.board.snapshot();
        // And readings before events: the journal has the first event of each guest that was read.
        let mut readings = self.shared.ports.readings.waiting(MAX_READINGS_PER_REPORT);
        let events = self.shared.journal.events(MAX_EVENTS_PER_REPORT);
        if events.len() == MAX_EVENTS_PER_REPORT {
            readings.clear();
        }
        // What is seen gone is forgotten by the server: not before all of its life is told.
        let mut untold = self.shared.ports.readings.behind(readings.len());
        untold.extend(self.shared.journal.behind(events.len()));
        let tails = self.tails(&snapshot).await;
        let told = snapshot
            .instances
            .iter()
            .filter(|(id, status)| status.state != InstanceState::Absent || !untold.contains(id));
        let instances = told.map(|(id, status)| ObservedInstance {
            id: *id,
            generation: status.generation,
            state: status.state,
            since: status.since,
            step: status.step.map(str::to_owned),
            progress_pct: status.progress_pct,
            failure: status.failure.clone(),
            addresses: status.addresses.clone(),
            disk_gib: status.disk_gib,
            console_tail: tails.get(id).cloned(),
        });
        Report {
            boot_id: self.boot_id,
            sequence: self.sequence,
            at: self.shared.clock.now(),
            journal_since: Some(self.shared.journal.since()),
            generation: snapshot.generation,
            instances: instances.collect(),
            host: facts(&self.shared, &snapshot),
            events,
            readings,
        }
    }

    /// The consoles that the server does not know like this yet.
    async fn tails(&mut self, snapshot: &Snapshot) -> BTreeMap<InstanceId, String> {
        let layout = self.shared.executor.layout.clone();
        let ids: Vec<_> = snapshot.instances.keys().copied().collect();
        let read = move || -> Result<_, std::io::Error> {
            let read = ids.into_iter().map(|id| {
                let path = layout.serial_log(id);
                // The length first: what is printed in between is read again.
                let stamp = console::stamp(&path);
                (id, stamp, console::tail(&path).ok().flatten())
            });
            Ok(read.collect::<Vec<_>>())
        };
        let read = crate::image::on_thread(read).await.unwrap_or_default();
        self.stamps = read.iter().map(|(id, stamp, _)| (*id, *stamp)).collect();
        let news = read.into_iter().filter_map(|(id, _, tail)| Some((id, tail?)));
        news.filter(|(id, tail)| self.acked_tails.get(id) != Some(tail)).collect()
    }

    /// The server has it: what it needs not hear again is let go.
    fn acknowledged(&mut self, report: Report) {
        if let Err(error) = self.shared.journal.acknowledge(&report.events) {
            // They are sent again, and count once.
            tracing::error!(error = error_chain(&error), "acknowledged events stay");
        }
        if let Err(error) = self.shared.ports.readings.acknowledge(&report.readings) {
            tracing::error!(error = error_chain(&error), "acknowledged readings stay");
        }
        let desired = self.shared.board.desired();
        let wanted: BTreeSet<_> =
            desired.iter().flat_map(|d| d.instances.iter().map(|i| i.id)).collect();
        for instance in report.instances {
            let gone = instance.state == InstanceState::Absent && !wanted.contains(&instance.id);
            if gone {
                self.shared.board.forget(instance.id);
                self.acked_tails.remove(&instance.id);
                let shared = &self.shared;
                let forgotten = shared.journal.forget(instance.id);
                let forgotten = forgotten.and(shared.ports.readings.forget(instance.id));
                if let Err(error) = forgotten {
                    tracing::error!(error = error_chain(&error), "a removed instance stays known");
                }
            } else if let Some(tail) = instance.console_tail {
                self.acked_tails.insert(instance.id, tail);
            }
        }
    }
}

fn facts(shared: &Shared, snapshot: &Snapshot) -> HostFacts {
    let info = snapshot.host.info.as_ref();
    // The first report may come before libvirt has answered or failed.
    let unasked = || Problem {
        reason: "libvirt has not answered yet".to_owned(),
        remedy: "wait a moment".to_owned(),
    };
    HostFacts {
        hostname: hostname(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        hypervisor_ok: info.is_some() && snapshot.host.problem.is_none(),
        problem: snapshot.host.problem.clone().or_else(|| info.is_none().then(unasked)),
        cpus: info.map_or(0, |info| i64::from(info.cpus)),
        memory_mib: info.map_or(0, |info| i64::try_from(info.memory_mib).unwrap_or(0)),
        disk_gib: disk_gib(shared.executor.layout.instances_dir()),
        domain_type: info.map(|info| info.domain_type.as_str().to_owned()),
        libvirt_version: info.map(|info| info.libvirt_version.clone()),
        hypervisor_version: info.map(|info| info.hypervisor_version.clone()),
    }
}

pub fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// The size of the file system that `path` is on.
fn disk_gib(path: &std::path::Path) -> i64 {
    let Ok(of) = nix::sys::statvfs::statvfs(path) else { return 0 };
    let bytes = u128::from(of.blocks()) * u128::from(of.fragment_size());
    i64::try_from(bytes >> 30).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
