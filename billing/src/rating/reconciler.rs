//! Posts each hour's end (and each month's), and each change of state when it is known.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use base::{
    Error, Result,
    bus::{Bus, Topic},
    db::{Backend, Conn, Db},
    id::TenantId,
    reconcile::{Outcome, Reconciler, error_chain},
    time::{SharedClock, Timestamp},
};
use futures::{StreamExt, stream};
use serde::Serialize;

use super::{Posted, Scope, load, post_scope, post_usage};
use crate::{
    accounts,
    agenda::{self, Queue},
    calendar::{last_tick, next_tick},
    ledger::over,
};

/// A tick is posted so long after its instant, since hosts report a little late; what comes later
/// still is an adjustment.
pub const SETTLE_MS: i64 = 60_000;
/// Ticks that one run posts for a tenant; the next run goes on.
pub const TICKS_MAX: usize = 1_000;
/// Transactions at the same time; SQLite lets one write after the other.
const AT_ONCE: usize = 4;
/// Tenants whose next tick is one transaction where only one writes at a time anyway: of a small
/// tenant's tick its commit is a third.
const TOGETHER: usize = 16;
/// After so many lines the others wait for the next transaction: whoever else writes waits as long.
const LINES_TOGETHER: usize = 500;

pub struct RatingReconciler {
    db: Db,
    clock: SharedClock,
    bus: Bus,
}

impl RatingReconciler {
    pub fn new(db: Db, clock: SharedClock, bus: Bus) -> Self {
        Self { db, clock, bus }
    }

    /// A step of each in one transaction, or of the first of them where those have many lines.
    async fn step(&self, tenants: &[TenantId]) -> Result<Vec<Step>> {
        let mut tx = self.db.begin_write().await?;
        let (mut steps, mut lines) = (Vec::with_capacity(tenants.len()), 0);
        for tenant in tenants {
            let step = step(&mut tx, &self.clock, *tenant).await?;
            lines += step.posted().lines;
            steps.push(step);
            if lines >= LINES_TOGETHER {
                break;
            }
        }
        tx.commit().await?;
        Ok(steps)
    }

    /// The same, where each is for itself if one fails.
    async fn step_together(&self, tenants: &[TenantId]) -> Vec<Step> {
        match self.step(tenants).await {
            Ok(steps) => steps,
            Err(error) => {
                let (error, tenants) = (error_chain(&error), tenants.len());
                tracing::warn!(error, tenants, "tenants are rated one by one");
                Vec::new()
            }
        }
    }

    fn publish(&self, tenant: TenantId) {
        self.bus.publish(Topic::Money, tenant, Some(tenant));
    }

    /// `begun` is a step that was taken with others, and told.
    async fn run_tenant(&self, tenant: TenantId, mut begun: Option<Step>) -> Result<TenantRun> {
        let (mut run, mut untold) = (TenantRun::default(), false);
        for _ in 0..TICKS_MAX {
            let step = match begun.take() {
                Some(step) => Some(step),
                None => {
                    let step = self.step(&[tenant]).await?.pop();
                    untold |= step.as_ref().is_some_and(|step| step.posted().has_moved());
                    step
                }
            };
            match step {
                Some(Step::Ticked(posted)) => run.add(posted),
                Some(Step::Done(posted)) => {
                    run.add(posted);
                    run.done = true;
                    break;
                }
                None => break,
            }
        }
        if untold {
            self.publish(tenant);
        }
        Ok(run)
    }

    /// The outer error is that of saying when one is tried again.
    async fn rate(&self, tenants: Vec<TenantId>) -> Result<Vec<(TenantId, Result<TenantRun>)>> {
        let begun = match tenants.len() {
            1 => Vec::new(),
            _ => self.step_together(&tenants).await,
        };
        for (tenant, step) in tenants.iter().zip(&begun) {
            if step.posted().has_moved() {
                self.publish(*tenant);
            }
        }
        let mut begun = begun.into_iter();
        let mut all = Vec::with_capacity(tenants.len());
        for tenant in tenants {
            let rated = self.run_tenant(tenant, begun.next()).await;
            if !rated.as_ref().is_ok_and(|rated| rated.done) {
                self.try_again(tenant).await?;
            }
            all.push((tenant, rated));
        }
        Ok(all)
    }

    /// Who share a transaction. PostgreSQL's would wait for each other's accounts.
    fn together(&self, turn: &[TenantId]) -> Vec<Vec<TenantId>> {
        let most = match self.db.backend() {
            Backend::Sqlite => TOGETHER,
            Backend::Postgres => 1,
        };
        turn.chunks(most).map(<[_]>::to_vec).collect()
    }

    /// Whom to rate next: those whose tick has come, then those that were touched. Who is to be
    /// tried again waits for the next run, or those that fail would keep the others waiting.
    async fn turn(&self, again: &BTreeSet<TenantId>) -> Result<Vec<TenantId>> {
        let mut conn = self.db.read().await?;
        let mut turn = agenda::due(&mut conn, Queue::Rate, self.clock.now(), again).await?;
        if turn.is_empty() {
            turn = agenda::touched(&mut conn, Queue::Rate).await?;
        }
        Ok(turn)
    }

    async fn try_again(&self, tenant: TenantId) -> Result<()> {
        let mut tx = self.db.begin_write().await?;
        accounts::lock(&mut tx, tenant).await?;
        let at = self.clock.now().saturating_add_ms(agenda::AGAIN_MS);
        agenda::plan(&mut tx, Queue::Rate, tenant, at).await?;
        Ok(tx.commit().await?)
    }
}

#[derive(Default)]
struct TenantRun {
    lines: usize,
    parked: usize,
    /// Nothing is left that is due.
    done: bool,
}

impl TenantRun {
    fn add(&mut self, posted: Posted) {
        self.lines += posted.lines;
        self.parked += posted.parked;
    }
}

/// For the operator.
#[derive(Default, Serialize)]
struct Run {
    tenants: usize,
    lines: usize,
    parked: usize,
    failed: Vec<String>,
}

impl Run {
    fn add(&mut self, tenant: TenantId, rated: Result<TenantRun>) {
        self.tenants += 1;
        match rated {
            Ok(rated) => {
                self.lines += rated.lines;
                self.parked += rated.parked;
            }
            Err(error) => self.failed.push(format!("{tenant}: {}", error_chain(&error))),
        }
    }
}

enum Step {
    /// A tick was posted; there may be more.
    Ticked(Posted),
    /// All is posted that is due.
    Done(Posted),
}

impl Step {
    fn posted(&self) -> &Posted {
        match self {
            Self::Ticked(posted) | Self::Done(posted) => posted,
        }
    }
}

/// One transaction's worth: the next due tick, or else what changed.
async fn step(conn: &mut Conn, clock: &SharedClock, tenant: TenantId) -> Result<Step> {
    let account = accounts::lock(conn, tenant).await?;
    let now = clock.now();
    let zone = account.timezone;
    let settled = now.saturating_add_ms(-SETTLE_MS);
    let tick = next_tick(account.ticked, zone);
    let (mut account, ended) = over::end_before(conn, account, tick.min(now)).await?;
    if ended > 0 {
        return Ok(Step::Ticked(Posted { ended, ..Posted::default() }));
    }
    let usage = load::load(conn, &account).await?;
    // The last instant at which something changed that was not rated since.
    let dirty = usage.resources.iter().filter(|resource| resource.dirty.is_some());
    let changed = dirty.map(|resource| resource.changed).max();
    let known = changed.map_or(Timestamp::default(), |at| at.min(now));
    let is_counted = usage.resources.iter().any(|resource| resource.counted.dirty.is_some());
    // A tick is due when it has settled, or when a later change is about to be posted.
    if tick <= settled || tick <= known {
        if usage.resources.is_empty() {
            // Nothing runs: all ticks up to now are done with.
            set_ticked(conn, tenant, last_tick(settled, zone)).await?;
            return Ok(Step::Ticked(Posted::default()));
        }
        let posted = post_usage(conn, tick, &mut account, usage, Scope::All).await?;
        set_ticked(conn, tenant, tick).await?;
        let next = next_tick(tick, zone);
        if next <= settled || changed.is_some_and(|at| at > tick) || is_counted {
            return Ok(Step::Ticked(posted));
        }
        // Nothing is left that changed, or was read, since.
        plan_tick(conn, tenant, next).await?;
        return Ok(Step::Done(posted));
    }
    let posted = post_usage(conn, now, &mut account, usage, Scope::Changed).await?;
    plan_tick(conn, tenant, tick).await?;
    Ok(Step::Done(posted))
}

async fn plan_tick(conn: &mut Conn, tenant: TenantId, tick: Timestamp) -> Result<()> {
    agenda::plan(conn, Queue::Rate, tenant, tick.saturating_add_ms(SETTLE_MS)).await
}

/// Posts every tick up to `now`, settled or not, then all that is accrued since: for whoever wants
/// a bill of this instant. Where those are more than [`TICKS_MAX`], it is the reconciler's work.
pub async fn catch_up(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<()> {
    let account = accounts::lock(conn, tenant).await?;
    over::end_before(conn, account, now).await?;
    post_up_to(conn, now, tenant).await
}

/// As [`catch_up`], where nothing is over by then.
pub(crate) async fn post_up_to(conn: &mut Conn, now: Timestamp, tenant: TenantId) -> Result<()> {
    let mut account = accounts::lock(conn, tenant).await?;
    let mut tick = next_tick(account.ticked, account.timezone);
    for _ in 0..TICKS_MAX {
        if tick > now {
            return post_scope(conn, now, &mut account, Scope::All).await.map(|_| ());
        }
        if !in_use(conn, tenant).await? {
            return set_ticked(conn, tenant, last_tick(now, account.timezone)).await;
        }
        post_scope(conn, tick, &mut account, Scope::All).await?;
        set_ticked(conn, tenant, tick).await?;
        account = accounts::lock(conn, tenant).await?;
        tick = next_tick(tick, account.timezone);
    }
    Err(Error::unavailable("what the tenant used is not rated up to now yet")
        .remedy("try again when rating has caught up"))
}

async fn in_use(conn: &mut Conn, tenant: TenantId) -> Result<bool> {
    let any: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM rating_resources WHERE tenant_id = $1 \
         AND (dirty_ms IS NOT NULL OR ends_ms IS NULL OR ends_ms > rated_ms \
           OR counted_ms IS NOT NULL)",
    )
    .bind(tenant.to_string())
    .fetch_one(conn)
    .await?;
    Ok(any > 0)
}

async fn set_ticked(conn: &mut Conn, tenant: TenantId, tick: Timestamp) -> Result<()> {
    sqlx::query("UPDATE accounts SET ticked_ms = $2 WHERE tenant_id = $1 AND ticked_ms < $2")
        .bind(tenant.to_string())
        .bind(tick.ms())
        .execute(conn)
        .await?;
    Ok(())
}

#[async_trait]
impl Reconciler for RatingReconciler {
    fn name(&self) -> &'static str {
        "rating"
    }
    fn description(&self) -> &'static str {
        "Posts what tenants used: each hour, and each change of state."
    }
    fn period(&self) -> Duration {
        Duration::from_secs(3_600)
    }

    async fn run(&self) -> Result<Outcome> {
        let mut run = Run::default();
        let mut again = BTreeSet::new();
        loop {
            let turn = self.turn(&again).await?;
            if turn.is_empty() {
                break;
            }
            let mut rated = stream::iter(self.together(&turn))
                .map(|tenants| self.rate(tenants))
                .buffer_unordered(AT_ONCE);
            while let Some(rated) = rated.next().await {
                for (tenant, rated) in rated? {
                    if !rated.as_ref().is_ok_and(|rated| rated.done) {
                        again.insert(tenant);
                    }
                    run.add(tenant, rated);
                }
            }
        }
        let wake_at = agenda::next(&mut *self.db.read().await?, Queue::Rate).await?;
        Ok(Outcome { status: serde_json::json!(run), wake_at })
    }
}

#[cfg(test)]
mod tests;
