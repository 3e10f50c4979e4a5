//! Brings each account that is due to the standing that its money says, and wakes at the next
//! threshold.
//!
//! An account is looked at under its lock; the step, its notice, the hold on the tenant's instances
//! and the instant at which to look again are one transaction.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use base::{
    Result,
    bus::{Bus, Topic},
    db::{Conn, Db},
    id::{HostId, InstanceId, TenantId},
    outbox,
    reconcile::{Outcome, Reconciler, error_chain},
    time::{SharedClock, Timestamp},
};
use identity::Actor;
use inventory::instances::{self, Hold};
use serde::Serialize;

use super::{
    Decision, Facts, Settings, Standing, cut_at, decide,
    notices::{About, notice},
};
use crate::{
    accounts::{self, Account},
    agenda::{self, Assessment, Queue},
    balance::{Snapshot, snapshot},
    meter,
};

/// Steps of one account in one run; more would be a loop.
const STEPS_MAX: usize = 8;

pub struct StandingReconciler {
    db: Db,
    clock: SharedClock,
    bus: Bus,
    settings: Settings,
    /// The settings may be others than those of the last look at each account.
    settings_are_new: AtomicBool,
}

/// What a run did for one account.
#[derive(Debug, Default)]
struct Done {
    steps: Vec<Step>,
    /// Whose effective state changed.
    touched: Vec<(HostId, InstanceId)>,
}

/// A standing that was reached, in the episode it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    standing: Standing,
    episode: i64,
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
        accounts::lock(&mut tx, tenant).await?;
        // Under the lock, so that a later look is never of an earlier instant.
        let now = self.clock.now();
        let done = self.act(&mut tx, now, tenant).await?;
        tx.commit().await?;
        self.publish(tenant, &done);
        Ok(done)
    }

    async fn act(&self, conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Done> {
        let snapshot = snapshot(conn, now, tenant).await?;
        let facts = Facts::of(&snapshot.position);
        let (steps, wake_at) = self.steps(&snapshot.account, &facts, now);
        let last = steps.last().map_or(snapshot.account.standing, |step| step.standing);
        if !steps.is_empty() {
            self.record(conn, now, &snapshot, &facts, &steps).await?;
        }
        let mut touched = Vec::new();
        if !steps.is_empty() || !held(conn, tenant, last.hold()).await? {
            let actor = Actor::system("standing");
            touched = instances::set_hold(conn, now, &actor, tenant, last.hold()).await?;
        }
        let since = if steps.is_empty() { snapshot.account.standing_since } else { now };
        let found = Assessment {
            at: now,
            balance: snapshot.account.posted.checked_sub(snapshot.accrued)?,
            burn_per_hour: snapshot.position.burn_per_hour(),
            runs_out_at: facts.runs_out_at,
            cut_at: cut_at(last, since, &facts, &self.settings),
            due: wake_at.into_iter().chain(snapshot.position.burn_changes_at()).min(),
        };
        agenda::assessed(conn, tenant, &found).await?;
        Ok(Done { steps, touched })
    }

    fn steps(
        &self,
        account: &Account,
        facts: &Facts,
        now: Timestamp,
    ) -> (Vec<Step>, Option<Timestamp>) {
        let mut steps: Vec<Step> = Vec::new();
        let (mut standing, mut since) = (account.standing, account.standing_since);
        let mut episode = account.episode;
        while steps.len() < STEPS_MAX {
            match decide(standing, since, facts, now, &self.settings) {
                Decision::Stay(wake_at) => return (steps, wake_at),
                Decision::Go(next) => {
                    if standing == Standing::Active {
                        episode += 1;
                    }
                    (standing, since) = (next, now);
                    steps.push(Step { standing, episode });
                }
            }
        }
        (steps, Some(now.saturating_add_ms(agenda::AGAIN_MS)))
    }

    async fn record(
        &self,
        conn: &mut Conn,
        now: Timestamp,
        snapshot: &Snapshot,
        facts: &Facts,
        steps: &[Step],
    ) -> Result<()> {
        let account = &snapshot.account;
        let tenant = account.tenant_id;
        let name = tenant_name(conn, tenant).await?;
        let instances = running(snapshot);
        let balance = account.posted.checked_sub(snapshot.accrued)?;
        for (index, step) in steps.iter().enumerate() {
            log(conn, now, tenant, step, balance.0).await?;
            // What is passed through in one run is told by where it ends.
            let passed = steps.get(index + 1).is_some_and(|next| next.standing > step.standing);
            if passed && step.standing != Standing::Active {
                continue;
            }
            let about = About {
                tenant_id: tenant,
                tenant: &name,
                episode: step.episode,
                balance,
                currency: &account.currency,
                runs_out_at: facts.runs_out_at,
                instances: &instances,
                zone: account.timezone,
                now,
            };
            outbox::enqueue(conn, now, &notice(step.standing, &about, &self.settings)).await?;
        }
        let Some(last) = steps.last() else { return Ok(()) };
        sqlx::query(
            "UPDATE accounts SET standing = $2, standing_since_ms = $3, episode = $4 \
             WHERE tenant_id = $1",
        )
        .bind(tenant.to_string())
        .bind(last.standing.as_str())
        .bind(now.ms())
        .bind(last.episode)
        .execute(conn)
        .await?;
        Ok(())
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
        if !done.steps.is_empty() {
            self.bus.publish(Topic::Money, tenant, Some(tenant));
            self.bus.publish(Topic::Notice, tenant, Some(tenant));
        }
    }
}

/// Whether all of the tenant's instances have this hold already (but for those that are going, and
/// those whose build failed: `set_hold` leaves them).
async fn held(conn: &mut Conn, tenant: TenantId, hold: Hold) -> Result<bool> {
    let other: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM instances WHERE tenant_id = $1 AND hold <> $2 \
         AND wanted <> 'absent' AND deleted_ms IS NULL \
         AND NOT (observed = 'failed' AND holds_quota = 0)",
    )
    .bind(tenant.to_string())
    .bind(hold.as_str())
    .fetch_one(conn)
    .await?;
    Ok(other == 0)
}

async fn log(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    step: &Step,
    balance_micros: i64,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO standing_log (tenant_id, episode, standing, at_ms, balance_micros, hold) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, episode, standing) DO NOTHING",
    )
    .bind(tenant.to_string())
    .bind(step.episode)
    .bind(step.standing.as_str())
    .bind(now.ms())
    .bind(balance_micros)
    .bind(step.standing.hold().as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// A tenant that was deleted with a debt has its name still.
async fn tenant_name(conn: &mut Conn, tenant: TenantId) -> Result<String> {
    Ok(sqlx::query_scalar("SELECT name FROM tenants WHERE id = $1")
        .bind(tenant.to_string())
        .fetch_one(conn)
        .await?)
}

/// Ids and names of the instances that run or are paused.
fn running(snapshot: &Snapshot) -> Vec<(String, String)> {
    let resources = &snapshot.usage.resources;
    resources
        .iter()
        .filter_map(|resource| {
            let open = resource
                .intervals
                .iter()
                .find(|i| i.to.is_none() && meter::is_compute(&i.meter))?;
            Some((resource.id.id.clone(), open.name.clone()))
        })
        .collect()
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
        loop {
            let tenants = self.turn().await?;
            if tenants.is_empty() {
                break;
            }
            for tenant in tenants {
                run.tenants += 1;
                match self.run_tenant(tenant).await {
                    Ok(done) => run.steps += done.steps.len(),
                    // One account that fails keeps no other from its standing.
                    Err(error) => {
                        run.failed.push(format!("{tenant}: {}", error_chain(&error)));
                        self.try_again(tenant).await?;
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
    /// at whom nobody looked for long.
    async fn turn(&self) -> Result<Vec<TenantId>> {
        let mut conn = self.db.read().await?;
        let now = self.clock.now();
        let due = agenda::due(&mut conn, Queue::Stand, now).await?;
        if !due.is_empty() {
            return Ok(due);
        }
        let touched = agenda::touched(&mut conn, Queue::Stand).await?;
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
