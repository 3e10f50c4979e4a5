//! Brings each account that is due to the standing that its money says, and wakes at the next
//! threshold.
//!
//! An account is looked at under its lock; the step, its notice, the hold on the tenant's instances
//! and the instant at which to look again are one transaction ([`super::act`]).

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use base::{
    Result,
    bus::{Bus, Topic},
    db::Db,
    id::{HostId, TenantId},
    reconcile::{Outcome, Reconciler, error_chain},
    time::SharedClock,
};
use serde::Serialize;

use super::{
    Settings,
    act::{self, Done},
};
use crate::{
    accounts,
    agenda::{self, Queue},
};

/// Accounts that are looked at at the same time; SQLite lets one write after the other.
const AT_ONCE: usize = 4;

pub struct StandingReconciler {
    db: Db,
    clock: SharedClock,
    bus: Bus,
    settings: Settings,
    /// The settings may be others than those of the last look at each account.
    settings_are_new: AtomicBool,
}

impl StandingReconciler {
    pub fn new(db: Db, clock: SharedClock, bus: Bus, settings: Settings) -> Self {
        Self { db, clock, bus, settings, settings_are_new: AtomicBool::new(false) }
    }

    /// Its first run looks at every account again, after those that are due.
    pub fn with_new_settings(self) -> Self {
        Self { settings_are_new: AtomicBool::new(true), ..self }
    }

    /// Looks at one account under its lock, does what follows, and says when it is due again.
    async fn run_tenant(&self, tenant: TenantId) -> Result<Done> {
        let mut tx = self.db.begin_write().await?;
        let account = accounts::lock(&mut tx, tenant).await?;
        // Under the lock, so that a later look is never of an earlier instant.
        let now = self.clock.now();
        let done = act::look(&mut tx, now, &self.settings, &account).await?;
        tx.commit().await?;
        self.publish(tenant, &done);
        Ok(done)
    }

    fn publish(&self, tenant: TenantId, done: &Done) {
        let hosts: BTreeSet<HostId> = done.touched.iter().map(|(host, _)| *host).collect();
        for host in hosts {
            self.bus.publish(Topic::HostDesired, host, None);
        }
        for (_, instance) in &done.touched {
            self.bus.publish(Topic::Instance, instance, Some(tenant));
            self.bus.publish(Topic::Operation, instance, Some(tenant));
        }
        if done.is_news {
            self.bus.publish(Topic::Money, tenant, Some(tenant));
            self.bus.publish(Topic::Notice, tenant, Some(tenant));
        }
    }
}

#[async_trait]
impl Reconciler for StandingReconciler {
    fn name(&self) -> &'static str {
        "standing"
    }
    fn description(&self) -> &'static str {
        "Warns, suspends, stops and restores tenants by their balance."
    }
    fn period(&self) -> Duration {
        Duration::from_secs(300)
    }

    async fn run(&self) -> Result<Outcome> {
        if self.settings_are_new.load(Ordering::Relaxed) {
            let mut tx = self.db.begin_write().await?;
            agenda::make_stale(&mut tx).await?;
            tx.commit().await?;
            self.settings_are_new.store(false, Ordering::Relaxed);
        }
        let mut run = Run::default();
        let mut touched_first = false;
        let mut failed = BTreeSet::new();
        loop {
            let tenants = self.turn(std::mem::take(&mut touched_first), &failed).await?;
            if tenants.is_empty() {
                break;
            }
            // Several at once: one that waits for its host's row, which a report holds, keeps no
            // other from its instant.
            for some in tenants.chunks(AT_ONCE) {
                let one = async |at: usize| match some.get(at) {
                    Some(tenant) => Some((*tenant, self.run_tenant(*tenant).await)),
                    None => None,
                };
                let done = tokio::join!(one(0), one(1), one(2), one(3));
                for (tenant, done) in <[_; AT_ONCE]>::from(done).into_iter().flatten() {
                    run.tenants += 1;
                    match done {
                        Ok(done) => {
                            run.steps += done.steps;
                            touched_first |= done.waits_for_others;
                        }
                        // One account that fails keeps no other from its standing.
                        Err(error) => {
                            run.failed.push(format!("{tenant}: {}", error_chain(&error)));
                            self.try_again(tenant).await?;
                            failed.insert(tenant);
                        }
                    }
                }
            }
        }
        let wake_at = agenda::next(&mut *self.db.read().await?, Queue::Stand).await?;
        Ok(Outcome { status: serde_json::json!(run), wake_at })
    }
}

/// For the operator.
#[derive(Default, Serialize)]
struct Run {
    tenants: usize,
    steps: usize,
    failed: Vec<String>,
}

impl StandingReconciler {
    /// Whom to look at next: those whose instant has come, then those that were touched, then those
    /// at whom nobody looked for long. Where the guard must know of the touched ones before somebody
    /// is stopped, they come first. Who failed waits for the next run, or those that fail would keep
    /// the others waiting.
    async fn turn(
        &self,
        touched_first: bool,
        failed: &BTreeSet<TenantId>,
    ) -> Result<Vec<TenantId>> {
        let mut conn = self.db.read().await?;
        let now = self.clock.now();
        let touched = agenda::touched(&mut conn, Queue::Stand).await?;
        if touched_first && !touched.is_empty() {
            return Ok(touched);
        }
        let due = agenda::due(&mut conn, Queue::Stand, now, failed).await?;
        if !due.is_empty() {
            return Ok(due);
        }
        if !touched.is_empty() {
            return Ok(touched);
        }
        agenda::stale(&mut conn, now).await
    }

    async fn try_again(&self, tenant: TenantId) -> Result<()> {
        let mut tx = self.db.begin_write().await?;
        accounts::lock(&mut tx, tenant).await?;
        let at = self.clock.now().saturating_add_ms(agenda::AGAIN_MS);
        agenda::plan(&mut tx, Queue::Stand, tenant, at).await?;
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests;
