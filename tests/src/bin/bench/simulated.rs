//! A host's agent without a hypervisor: it polls for what is wanted and reports what it would have
//! done, in the time that nothing takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use base::{
    id::{BootId, UsageEventId},
    time::{Clock, SystemClock, Timestamp},
};
use lab::api::Api;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use crate::cutoff::text_of;

/// As the real agent: so often without a reason, and at once where something changed.
const REPORT_EVERY: Duration = Duration::from_secs(10);
const POLL_WAIT_S: u64 = 30;
/// A host that takes as many instances as a host may have.
const ROOM: i64 = 10_000;

/// What the agents are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Only tell that they are there.
    Idle,
    /// Start what is wanted, but for what is held back.
    Running,
    /// Start that, too.
    Crossing,
}

/// A stop command, and what it was for.
#[derive(Debug, Clone)]
pub struct Stop {
    pub instance: String,
    pub started_ms: i64,
    pub told_ms: i64,
}

pub struct Agent {
    api: Api,
    boot_id: BootId,
    phase: watch::Receiver<Phase>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    generation: i64,
    sequence: i64,
    instances: BTreeMap<String, Guest>,
    held_back: BTreeSet<String>,
    /// Not acknowledged yet.
    events: Vec<Value>,
    stops: Vec<Stop>,
}

struct Guest {
    generation: i64,
    state: &'static str,
    since: Timestamp,
}

impl State {
    fn becomes(&mut self, id: &str, state: &'static str, at: Timestamp) {
        let Some(guest) = self.instances.get_mut(id) else { return };
        (guest.state, guest.since) = (state, at);
        // Any id that is unique will do.
        let event = UsageEventId::new().to_string();
        self.events.push(json!({"id": event, "instance_id": id, "state": state, "at": at}));
    }
}

impl Agent {
    pub fn new(api: Api, phase: watch::Receiver<Phase>) -> Self {
        let (boot_id, state) = (BootId::new(), Mutex::default());
        Self { api, boot_id, phase, state, changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    pub fn hold_back(&self, instances: impl Iterator<Item = String>) {
        self.state().held_back.extend(instances);
    }

    pub fn known(&self) -> usize {
        self.state().instances.len()
    }

    pub fn is_acknowledged(&self) -> bool {
        self.state().events.is_empty()
    }

    pub fn stops(&self) -> Vec<Stop> {
        self.state().stops.clone()
    }

    /// A guest that stops by itself and is started again at once.
    pub fn restart_one(&self) {
        let mut state = self.state();
        let one = state
            .instances
            .iter()
            .find(|(id, guest)| guest.state == "running" && !state.held_back.contains(*id));
        let Some(id) = one.map(|(id, _)| id.clone()) else { return };
        let now = SystemClock.now();
        state.becomes(&id, "stopped", now);
        state.becomes(&id, "running", now.saturating_add_ms(1));
        drop(state);
        self.changed.notify_one();
    }

    pub async fn first_report(&self) -> Result<()> {
        self.send_report().await
    }

    /// Reports for ever.
    pub async fn report(self: std::sync::Arc<Self>) -> Result<()> {
        let mut phase = self.phase.clone();
        loop {
            let crossing = tokio::select! {
                () = self.changed.notified() => false,
                () = tokio::time::sleep(REPORT_EVERY) => false,
                changed = phase.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    *phase.borrow_and_update() == Phase::Crossing
                }
            };
            if crossing {
                let mut state = self.state();
                let now = SystemClock.now();
                let waiting: Vec<String> = state.held_back.iter().cloned().collect();
                waiting.iter().for_each(|id| state.becomes(id, "running", now));
            }
            self.send_report().await?;
        }
    }

    async fn send_report(&self) -> Result<()> {
        let (report, events) = self.build();
        let answer = self.api.ask(Method::POST, "/v1/agent/reports", Some(&report)).await?;
        ensure!(answer.status.is_success(), "a report was answered {}", answer.text);
        self.state().events.drain(..events);
        Ok(())
    }

    /// With how many events it carries.
    fn build(&self) -> (Value, usize) {
        let mut state = self.state();
        state.sequence += 1;
        let instances: Vec<Value> = state
            .instances
            .iter()
            .map(|(id, guest)| {
                json!({"id": id, "generation": guest.generation, "state": guest.state,
                    "since": guest.since, "step": null, "progress_pct": null, "failure": null,
                    "addresses": [], "console_tail": null})
            })
            .collect();
        let host = json!({"hostname": "simulated", "agent_version": "0", "hypervisor_ok": true,
            "problem": null, "cpus": ROOM, "memory_mib": ROOM * 1024, "disk_gib": ROOM,
            "domain_type": "kvm", "libvirt_version": null, "hypervisor_version": null});
        let report = json!({"boot_id": self.boot_id, "sequence": state.sequence,
            "at": SystemClock.now(), "generation": state.generation, "host": host,
            "instances": instances, "events": state.events});
        (report, state.events.len())
    }

    /// Asks for ever what is wanted, from [`Phase::Running`] on.
    pub async fn poll(self: std::sync::Arc<Self>) -> Result<()> {
        let mut phase = self.phase.clone();
        if phase.wait_for(|phase| *phase >= Phase::Running).await.is_err() {
            return Ok(());
        }
        loop {
            let after = self.state().generation;
            let path = format!("/v1/agent/desired?after={after}&wait_s={POLL_WAIT_S}");
            let answer = self.api.ask(Method::GET, &path, None).await?;
            if answer.status == StatusCode::NOT_MODIFIED {
                continue;
            }
            ensure!(answer.status.is_success(), "a poll was answered {}", answer.text);
            self.take(&answer.json(), SystemClock.now())?;
            self.changed.notify_one();
        }
    }

    fn take(&self, desired: &Value, now: Timestamp) -> Result<()> {
        let mut state = self.state();
        state.generation = desired["generation"].as_i64().context("no generation")?;
        for wanted in desired["instances"].as_array().context("no instances")? {
            let id = text_of(wanted, "id")?;
            let generation = wanted["generation"].as_i64().context("no generation")?;
            let starts = !state.instances.contains_key(id) && !state.held_back.contains(id);
            let building = Guest { generation, state: "building", since: now };
            let guest = state.instances.entry(id.to_owned()).or_insert(building);
            guest.generation = generation;
            match (text_of(wanted, "power")?, guest.state) {
                ("running", "building") if starts => {
                    state.becomes(id, "running", now);
                }
                ("stopped", "running") => {
                    let started_ms = guest.since.ms();
                    let instance = id.to_owned();
                    state.stops.push(Stop { instance, started_ms, told_ms: now.ms() });
                    state.becomes(id, "stopped", now);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
