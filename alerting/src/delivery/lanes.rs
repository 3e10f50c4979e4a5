//! One worker a receiver: it lives while something is pending for it.
//!
//! All mail goes through one server and is one lane; each webhook is one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use base::{
    Result,
    bus::{Bus, Topic},
    db::Db,
    time::{SharedClock, Timestamp},
};
use tokio::{sync::Notify, task::JoinSet};

use super::{Channel, Delivery, Transport, store};

/// So many deliveries are read at once.
const BATCH: i64 = 50;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    pub channel: Channel,
    /// None: all addresses of the channel.
    pub address: Option<String>,
}

impl Lane {
    pub fn of(channel: Channel, address: String) -> Self {
        Self { channel, address: (channel == Channel::Webhook).then_some(address) }
    }
}

/// The workers; they end with this value, at any point: what is not marked is sent again.
pub struct Lanes {
    worker: Worker,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Clone)]
struct Worker {
    db: Db,
    clock: SharedClock,
    bus: Bus,
    transport: Arc<Transport>,
    active: Arc<Mutex<HashMap<Lane, Kick>>>,
}

/// How a running worker learns of new work: from its sleep, and before it ends.
#[derive(Clone, Default)]
struct Kick {
    notify: Arc<Notify>,
    again: Arc<AtomicBool>,
}

impl Lanes {
    pub fn new(db: Db, clock: SharedClock, bus: Bus, transport: Arc<Transport>) -> Self {
        let worker = Worker { db, clock, bus, transport, active: Arc::default() };
        Self { worker, tasks: Mutex::default() }
    }

    /// Lets the lane's worker look again, and starts it where there is none.
    pub fn kick(&self, lane: Lane) {
        let mut active = self.worker.active.lock().expect("no panic while held");
        if let Some(kick) = active.get(&lane) {
            kick.again.store(true, Ordering::Relaxed);
            kick.notify.notify_one();
            return;
        }
        let kick = Kick::default();
        active.insert(lane.clone(), kick.clone());
        let guard = Active { lane, all: self.worker.active.clone(), retired: false };
        let mut tasks = self.tasks.lock().expect("no panic while held");
        while tasks.try_join_next().is_some() {}
        tasks.spawn(self.worker.clone().run(guard, kick));
    }

    pub fn count(&self) -> usize {
        self.worker.active.lock().expect("no panic while held").len()
    }
}

/// Leaves the list of workers, however the worker ends.
struct Active {
    lane: Lane,
    all: Arc<Mutex<HashMap<Lane, Kick>>>,
    retired: bool,
}

impl Active {
    /// Leaves the list, unless there was a kick since the last look. Kicks hold the same lock, so
    /// that none is lost.
    fn retire(&mut self, kick: &Kick) -> bool {
        let mut all = self.all.lock().expect("no panic while held");
        if kick.again.swap(false, Ordering::Relaxed) {
            return false;
        }
        all.remove(&self.lane);
        self.retired = true;
        true
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if !self.retired
            && let Ok(mut all) = self.all.lock()
        {
            all.remove(&self.lane);
        }
    }
}

impl Worker {
    async fn run(self, mut active: Active, kick: Kick) {
        loop {
            match self.work(&active.lane).await {
                Ok(Some(next)) => tokio::select! {
                    () = self.clock.sleep_until(next) => {}
                    () = kick.notify.notified() => {}
                },
                Ok(None) if active.retire(&kick) => return,
                Ok(None) => {}
                Err(error) => {
                    // The reconciler's next run starts it again.
                    let error = base::reconcile::error_chain(&error);
                    tracing::warn!(lane = ?active.lane, error, "deliveries stopped");
                    return;
                }
            }
        }
    }

    /// Sends what is due. Returns when the next is, or none where nothing is pending.
    async fn work(&self, lane: &Lane) -> Result<Option<Timestamp>> {
        loop {
            let now = self.clock.now();
            let pending = store::pending(&mut *self.db.read().await?, now, lane, BATCH).await?;
            match pending.first() {
                None => return Ok(None),
                Some((due, _)) if *due > now => return Ok(Some(*due)),
                Some(_) => {}
            }
            for (_, delivery) in pending.into_iter().filter(|(due, _)| *due <= now) {
                self.attempt(&delivery).await?;
            }
        }
    }

    async fn attempt(&self, delivery: &Delivery) -> Result<()> {
        let outcome = self.transport.send(delivery).await;
        if let Err(refusal) = &outcome {
            let (id, address) = (delivery.id, &delivery.address);
            tracing::warn!(%id, address, reason = refusal.reason, "delivery not taken");
        }
        let now = self.clock.now();
        let mut tx = self.db.begin_write().await?;
        store::mark(&mut tx, now, delivery, &outcome).await?;
        tx.commit().await?;
        self.bus.publish(Topic::Notice, delivery.notice.id, delivery.notice.tenant_id);
        Ok(())
    }
}
