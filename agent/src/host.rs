//! The host reconciler: sees to it that every instance that is wanted here, or has something left
//! here, has a worker, and wakes the workers that a change concerns.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use base::{id::InstanceId, time::Timestamp};
use hypervisor::Event;
use tokio::{
    sync::{Notify, broadcast, watch},
    task::{self, JoinSet},
};

use crate::{
    journal::ALIVE_INTERVAL_MS,
    wire::{Desired, Problem},
    worker::{Shared, Worker},
};

/// How often all of the host is looked at when nothing hints at a change.
const LOOK_INTERVAL_MS: u64 = 5_000;
/// How often facts about the host are asked for.
const FACTS_INTERVAL_MS: i64 = 60_000;

pub struct HostReconciler {
    shared: Arc<Shared>,
    workers: BTreeMap<InstanceId, Arc<Notify>>,
    tasks: JoinSet<()>,
    of_task: HashMap<task::Id, InstanceId>,
    /// The look under way, at most one: a slow libvirt must not keep a new desired state waiting.
    looking: JoinSet<Option<BTreeSet<InstanceId>>>,
    facts_at: Option<Timestamp>,
    alive_at: Option<Timestamp>,
}

impl HostReconciler {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            workers: BTreeMap::new(),
            tasks: JoinSet::new(),
            of_task: HashMap::new(),
            looking: JoinSet::new(),
            facts_at: None,
            alive_at: None,
        }
    }

    /// Runs until it is dropped, and its workers with it.
    pub async fn run(
        mut self,
        mut told: watch::Receiver<Option<Arc<Desired>>>,
    ) -> std::convert::Infallible {
        let mut events = self.shared.executor.hypervisor.events();
        let mut period = tokio::time::interval(Duration::from_millis(LOOK_INTERVAL_MS));
        period.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = period.tick() => self.look(),
                // Its sender lives as long as this runs.
                Ok(()) = told.changed() => {
                    let desired = told.borrow_and_update().clone();
                    self.turn_to(desired);
                }
                event = events.recv() => self.hear(event),
                Some(found) = self.looking.join_next() => self.found(found),
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
            }
        }
    }

    /// A new desired state: everybody looks at once.
    fn turn_to(&mut self, desired: Option<Arc<Desired>>) {
        let Some(desired) = desired else { return };
        self.shared.board.set_desired(desired.clone());
        for instance in &desired.instances {
            self.ensure(instance.id);
        }
        self.wake_all();
    }

    fn hear(&mut self, event: Result<Event, broadcast::error::RecvError>) {
        match event {
            Ok(Event::Domain { id, .. }) => {
                if let Some(nudge) = self.workers.get(&InstanceId(id)) {
                    nudge.notify_one();
                }
            }
            Ok(Event::Connected) => {
                self.facts_at = None;
                self.look();
                self.wake_all();
            }
            Ok(Event::Lost) | Err(broadcast::error::RecvError::Lagged(_)) => {
                self.look();
                self.wake_all();
            }
            // The hypervisor holds the sender, and this holds the hypervisor.
            Err(broadcast::error::RecvError::Closed) => {}
        }
    }

    /// Begins to find what is on the host, whoever wants it.
    fn look(&mut self) {
        if !self.looking.is_empty() {
            return;
        }
        let now = self.shared.clock.now();
        let due = self.facts_at.is_none_or(|at| now.since_ms(at) >= FACTS_INTERVAL_MS);
        if due {
            self.facts_at = Some(now);
        }
        self.looking.spawn(look(self.shared.clone(), due));
    }

    fn found(&mut self, found: Result<Option<BTreeSet<InstanceId>>, task::JoinError>) {
        let Ok(Some(found)) = found else {
            // Unanswered: the facts are asked for again.
            self.facts_at = None;
            return;
        };
        let now = self.shared.clock.now();
        if self.alive_at.is_none_or(|at| now.since_ms(at) >= ALIVE_INTERVAL_MS) {
            self.shared.journal.alive(now);
            self.alive_at = Some(now);
        }
        for id in found {
            self.ensure(id);
        }
    }

    fn ensure(&mut self, id: InstanceId) {
        if self.workers.contains_key(&id) {
            return;
        }
        let nudge = Arc::new(Notify::new());
        let worker = Worker::new(self.shared.clone(), id, nudge.clone());
        self.workers.insert(id, nudge);
        let task = self.tasks.spawn(worker.run());
        self.of_task.insert(task.id(), id);
    }

    /// A worker has nothing left to do; or it has a defect, and what it did is on disk, so that
    /// the next look starts a new one that goes on from there.
    fn ended(&mut self, ended: Result<(task::Id, ()), task::JoinError>) {
        let task = match ended {
            Ok((task, ())) => task,
            Err(error) => {
                tracing::error!(%error, "a worker ended badly");
                error.id()
            }
        };
        if let Some(id) = self.of_task.remove(&task) {
            self.workers.remove(&id);
        }
    }

    fn wake_all(&self) {
        for nudge in self.workers.values() {
            nudge.notify_one();
        }
    }
}

/// None if the hypervisor does not answer, which then stands on the board.
async fn look(shared: Arc<Shared>, facts: bool) -> Option<BTreeSet<InstanceId>> {
    match find(&shared, facts).await {
        Ok(found) => {
            shared.board.set_host(|host| {
                if host.problem.take().is_some() {
                    tracing::info!("the hypervisor answers again");
                }
            });
            Some(found)
        }
        Err(error) => {
            let remedy = error.remedy();
            let problem = Problem { reason: error.to_string(), remedy: remedy.to_owned() };
            shared.board.set_host(|host| {
                if host.problem.replace(problem).is_none() {
                    tracing::warn!(%error, remedy, "the hypervisor does not answer");
                }
            });
            None
        }
    }
}

async fn find(shared: &Shared, facts: bool) -> hypervisor::Result<BTreeSet<InstanceId>> {
    let hypervisor = &shared.executor.hypervisor;
    if facts {
        let info = hypervisor.host().await?;
        shared.board.set_host(|host| host.info = Some(info));
    }
    let domains = hypervisor.domains().await?;
    // Until the host knows its name there is nothing that it could call its own.
    let Some(desired) = shared.board.desired() else { return Ok(BTreeSet::new()) };
    let owner = desired.host_id.to_string();
    let ours = domains.iter().filter(|domain| domain.is_owned_by(&owner));
    let mut found: BTreeSet<_> = ours.map(|domain| InstanceId(domain.id)).collect();
    match shared.executor.layout.instances() {
        Ok(directories) => found.extend(directories),
        Err(error) => tracing::error!(%error, "the instances' directory can't be read"),
    }
    found.extend(shared.journal.ids());
    found.extend(desired.instances.iter().map(|instance| instance.id));
    Ok(found)
}
