//! Brings each account to the standing that its money says, and wakes at the next threshold.
//!
//! A run reads without a lock; where something is to change, it decides again under the account's
//! lock, and records the step, its notice and the hold on the tenant's instances in that one
//! transaction.

use std::{collections::BTreeSet, time::Duration};

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

use super::{
    Decision, Facts, Settings, Standing, decide,
    notices::{About, notice},
};
use crate::{
    accounts::{self, Account},
    balance::{Snapshot, snapshot},
    meter,
};

/// Steps of one account in one run; more would be a loop.
const STEPS_MAX: usize = 8;
const TENANTS_A_PAGE: i64 = 500;
/// After a failure.
const AGAIN_MS: i64 = 1_000;

pub struct StandingReconciler {
    db: Db,
    clock: SharedClock,
    bus: Bus,
    settings: Settings,
}

/// What a run did for one account.
#[derive(Debug, Default)]
struct Done {
    steps: Vec<Step>,
    /// Whose effective state changed.
    touched: Vec<(HostId, InstanceId)>,
    wake_at: Option<Timestamp>,
}

/// A standing that was reached, in the episode it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    standing: Standing,
    episode: i64,
}

impl StandingReconciler {
    pub fn new(db: Db, clock: SharedClock, bus: Bus, settings: Settings) -> Self {
        Self { db, clock, bus, settings }
    }

    async fn run_tenant(&self, now: Timestamp, tenant: TenantId) -> Result<Done> {
        if let Some(wake_at) = self.rests(now, tenant).await? {
            return Ok(Done { wake_at, ..Done::default() });
        }
        let mut tx = self.db.begin_write().await?;
        let done = self.act(&mut tx, now, tenant).await?;
        tx.commit().await?;
        self.publish(tenant, &done);
        Ok(done)
    }

    /// Some where nothing is to be done, with the instant at which that may change.
    async fn rests(&self, now: Timestamp, tenant: TenantId) -> Result<Option<Option<Timestamp>>> {
        let mut conn = self.db.read().await?;
        let Snapshot { account, position, .. } = snapshot(&mut conn, now, tenant).await?;
        let facts = Facts::of(&position);
        let decision =
            decide(account.standing, account.standing_since, &facts, now, &self.settings);
        Ok(match decision {
            Decision::Stay(wake_at) if held(&mut conn, tenant, account.standing.hold()).await? => {
                Some(wake_at)
            }
            _ => None,
        })
    }

    /// Decides again, under the lock, and does it.
    async fn act(&self, conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<Done> {
        accounts::lock(conn, tenant).await?;
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
        Ok(Done { steps, touched, wake_at })
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
        (steps, Some(now.saturating_add_ms(AGAIN_MS)))
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
        let now = self.clock.now();
        let (mut tenants, mut steps) = (0usize, 0usize);
        let mut failed: Vec<String> = Vec::new();
        let mut wake_at: Option<Timestamp> = None;
        let mut sooner = |at: Timestamp| wake_at = Some(wake_at.map_or(at, |old| old.min(at)));
        let mut cursor = None;
        loop {
            let page = accounts::page(&mut *self.db.read().await?, cursor, TENANTS_A_PAGE).await?;
            let Some(last) = page.last() else { break };
            cursor = Some(*last);
            for tenant in page {
                tenants += 1;
                match self.run_tenant(now, tenant).await {
                    Ok(done) => {
                        steps += done.steps.len();
                        done.wake_at.into_iter().for_each(&mut sooner);
                    }
                    // One account that fails keeps no other from its standing.
                    Err(error) => {
                        failed.push(format!("{tenant}: {}", error_chain(&error)));
                        sooner(now.saturating_add_ms(AGAIN_MS));
                    }
                }
            }
        }
        let status = serde_json::json!({"tenants": tenants, "steps": steps, "failed": failed});
        Ok(Outcome { status, wake_at })
    }
}
