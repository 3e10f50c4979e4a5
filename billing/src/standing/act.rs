//! One look at one account: what its money says, and what follows from it. The account's lock is held
//! by the caller, and all of it is in the caller's transaction.

use base::{
    Result,
    db::Conn,
    id::{HostId, InstanceId, TenantId},
    money::Micros,
    outbox,
    time::Timestamp,
};
use identity::Actor;
use inventory::instances::{self, Hold};

use super::{
    Decision, Facts, Rules, Settings, Standing, cut, decide,
    exemptions::{self, Exempt},
    guard::{self, Word},
    notices::{About, notice, warning_notice},
    reclaim, steps,
    warnings::{Told, Warning, warn},
};
use crate::{
    accounts::Locked,
    agenda::{self, Assessment},
    balance::{Snapshot, snapshot_locked},
    settings::Mode,
};

/// Steps of one account in one look; more would be a loop.
const STEPS_MAX: usize = 8;

/// What a look did.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub steps: usize,
    /// Something was told.
    pub is_news: bool,
    /// A step waits until those that were touched are looked at.
    pub waits_for_others: bool,
    /// Whose effective state changed.
    pub touched: Vec<(HostId, InstanceId)>,
}

/// A standing that was reached, in the episode it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    standing: Standing,
    episode: i64,
}

/// What a look sees.
struct Look<'a> {
    now: Timestamp,
    settings: &'a Settings,
    rules: Rules,
    snapshot: Snapshot,
    facts: Facts,
    exempt: Exempt,
    name: String,
}

/// Where the steps lead.
struct Course {
    steps: Vec<Step>,
    standing: Standing,
    since: Timestamp,
    episode: i64,
    /// When there may be another step, if nothing changes.
    due: Option<Timestamp>,
    waits_for_others: bool,
}

pub(super) async fn look(
    conn: &mut Conn,
    now: Timestamp,
    settings: &Settings,
    account: &Locked,
) -> Result<Done> {
    let tenant = account.tenant_id;
    let snapshot = snapshot_locked(&mut *conn, now, account).await?;
    let look = Look {
        now,
        settings,
        rules: Rules::of(settings, snapshot.account.own_rules()),
        facts: Facts::of(&snapshot.position),
        exempt: exemptions::exempt(&mut *conn, now, tenant).await?,
        name: tenant_name(&mut *conn, tenant).await?,
        snapshot,
    };
    let course = look.course(&mut *conn).await?;
    look.record(&mut *conn, &course).await?;
    let warning = look.warn(&mut *conn, &course).await?;
    let touched = look.act(&mut *conn, &course).await?;
    agenda::assessed(conn, tenant, &look.assessment(&course, warning.next_at)?).await?;
    let is_news = !course.steps.is_empty() || warning.tell_ms.is_some();
    let Course { steps, waits_for_others, .. } = course;
    Ok(Done { steps: steps.len(), is_news, waits_for_others, touched })
}

impl Look<'_> {
    fn tenant(&self) -> TenantId {
        self.snapshot.account.tenant_id
    }

    /// Step by step as far as it goes.
    async fn course(&self, conn: &mut Conn) -> Result<Course> {
        let account = &self.snapshot.account;
        let mut course = Course {
            steps: Vec::new(),
            standing: account.standing,
            since: account.standing_since,
            episode: account.episode,
            due: Some(self.now.saturating_add_ms(agenda::AGAIN_MS)),
            waits_for_others: false,
        };
        while course.steps.len() < STEPS_MAX {
            let decision =
                decide(course.standing, course.since, &self.facts, self.now, &self.rules);
            let next = match decision {
                Decision::Stay(due) => {
                    course.due = due;
                    break;
                }
                Decision::Go(next) => next,
            };
            if next.stops_something() {
                match self.gate(&mut *conn, course.episode, next).await? {
                    Gate::Open => {}
                    Gate::Closed => {
                        course.due = None;
                        break;
                    }
                    Gate::Later => {
                        (course.due, course.waits_for_others) = (Some(self.now), true);
                        break;
                    }
                }
            }
            if course.standing == Standing::Active {
                course.episode += 1;
            }
            (course.standing, course.since) = (next, self.now);
            course.steps.push(Step { standing: next, episode: course.episode });
        }
        Ok(course)
    }

    /// Whether a step that stops something may be taken now.
    async fn gate(&self, conn: &mut Conn, episode: i64, next: Standing) -> Result<Gate> {
        if self.exempt.all {
            return Ok(Gate::Closed);
        }
        if steps::is_approved(&mut *conn, self.tenant(), episode, next).await? {
            return Ok(Gate::Open);
        }
        match self.settings.mode {
            Mode::Enforce => {}
            mode @ (Mode::DryRun | Mode::Approve) => {
                let waits = steps::Waiting {
                    tenant: self.tenant(),
                    name: &self.name,
                    episode,
                    standing: next,
                };
                steps::hold_back(conn, self.now, &waits, mode).await?;
                return Ok(Gate::Closed);
            }
        }
        Ok(match guard::ask(conn, self.now, &self.settings.guard).await? {
            Word::Go => Gate::Open,
            Word::Paused => Gate::Closed,
            Word::Later => Gate::Later,
        })
    }

    async fn record(&self, conn: &mut Conn, course: &Course) -> Result<()> {
        let Some(last) = course.steps.last() else { return Ok(()) };
        let balance = self.snapshot.balance()?;
        let instances = running(&self.snapshot);
        for (index, step) in course.steps.iter().enumerate() {
            log(&mut *conn, self.now, self.tenant(), step, balance.0).await?;
            // What is passed through in one look is told by where it ends, and a warning by itself.
            let passed =
                course.steps.get(index + 1).is_some_and(|next| next.standing > step.standing);
            if passed || step.standing == Standing::Warned {
                continue;
            }
            let about = self.about(step.episode, &instances)?;
            outbox::enqueue(&mut *conn, self.now, &notice(step.standing, &about, &self.rules))
                .await?;
        }
        sqlx::query(
            "UPDATE accounts SET standing = $2, standing_since_ms = $3, episode = $4 \
             WHERE tenant_id = $1",
        )
        .bind(self.tenant().to_string())
        .bind(last.standing.as_str())
        .bind(self.now.ms())
        .bind(last.episode)
        .execute(conn)
        .await?;
        Ok(())
    }

    fn about<'b>(&'b self, episode: i64, instances: &'b [(String, String)]) -> Result<About<'b>> {
        let account = &self.snapshot.account;
        Ok(About {
            tenant_id: account.tenant_id,
            tenant: &self.name,
            episode,
            balance: self.snapshot.balance()?,
            currency: &account.currency,
            runs_out_at: self.facts.runs_out_at,
            instances,
            zone: account.timezone,
            now: self.now,
        })
    }

    /// Tells the warning that is due, if one is.
    async fn warn(&self, conn: &mut Conn, course: &Course) -> Result<Warning> {
        let none = Warning { tell_ms: None, told: Told::default(), next_at: None };
        if course.standing != Standing::Warned {
            return Ok(none);
        }
        let tenant = self.tenant();
        let before = told(&mut *conn, tenant, course.episode).await?;
        let credit = self.snapshot.account.credit_limit;
        let paid = before.tightest_ms.is_some()
            && paid_since_last_look(&mut *conn, tenant, credit).await?;
        let thresholds = &self.rules.warnings_ms;
        let warning = warn(self.now, self.facts.runs_out_at, before, paid, thresholds);
        if warning.told != before {
            set_told(&mut *conn, tenant, course.episode, warning.told).await?;
        }
        if let Some(threshold_ms) = warning.tell_ms {
            let (now, arm) = (self.now, warning.told.arm);
            log_warning(&mut *conn, now, tenant, (course.episode, arm, threshold_ms)).await?;
            let instances = running(&self.snapshot);
            let about = self.about(course.episode, &instances)?;
            outbox::enqueue(conn, now, &warning_notice(threshold_ms, arm, &about)).await?;
        }
        Ok(warning)
    }

    /// Holds, lets go and deletes what the standing says.
    async fn act(&self, conn: &mut Conn, course: &Course) -> Result<Vec<(HostId, InstanceId)>> {
        let tenant = self.tenant();
        let hold = match self.exempt.all {
            true => Hold::None,
            false => course.standing.min(self.rules.furthest).hold(),
        };
        let mut touched = Vec::new();
        if !self.exempt.instances.is_empty() || !held(&mut *conn, tenant, hold).await? {
            let actor = Actor::system("standing");
            let exempt = &self.exempt.instances;
            touched =
                instances::set_hold(&mut *conn, self.now, &actor, tenant, hold, exempt).await?;
        }
        if self.may_claim(&mut *conn, course).await? {
            let taken = reclaim::claim_all(conn, self.now, tenant).await?;
            touched.extend(taken.into_iter().map(|(instance, host)| (host, instance)));
        }
        Ok(touched)
    }

    /// With the step that was let through, and later too: an exemption of one instance or an operator's
    /// lock ends some day. What kept the step back by then keeps those as well.
    async fn may_claim(&self, conn: &mut Conn, course: &Course) -> Result<bool> {
        let furthest = course.standing.min(self.rules.furthest);
        if furthest != Standing::Reclaimed || self.exempt.all {
            return Ok(false);
        }
        let is_taken_now = course.steps.last().is_some_and(|step| step.standing == furthest);
        if is_taken_now
            || steps::is_approved(&mut *conn, self.tenant(), course.episode, furthest).await?
        {
            return Ok(true);
        }
        Ok(self.settings.mode == Mode::Enforce && !guard::state(conn).await?.paused)
    }

    fn assessment(&self, course: &Course, warns_at: Option<Timestamp>) -> Result<Assessment> {
        let Snapshot { position, .. } = &self.snapshot;
        let next = [course.due, warns_at, position.burn_changes_at(), self.exempt.changes_at];
        let cut = cut(course.standing, course.since, &self.facts, &self.rules).map(|(at, _)| at);
        // Not before the tenant's exemption may end.
        let cut = match self.exempt.all {
            true => cut.zip(self.exempt.all_until).map(|(at, end)| at.max(end)),
            false => cut,
        };
        Ok(Assessment {
            at: self.now,
            balance: self.snapshot.balance()?,
            credit_limit: self.snapshot.account.credit_limit,
            burn_per_hour: position.burn_per_hour(),
            runs_out_at: self.facts.runs_out_at,
            cut_at: cut,
            due: next.into_iter().flatten().min(),
        })
    }
}

enum Gate {
    Open,
    /// Until somebody opens it, or an exemption ends.
    Closed,
    /// Until those that were touched are looked at.
    Later,
}

async fn told(conn: &mut Conn, tenant: TenantId, episode: i64) -> Result<Told> {
    let row: Option<(i64, i64)> = sqlx::query_as(
        "SELECT arm, tightest_ms FROM standing_told WHERE tenant_id = $1 AND episode = $2",
    )
    .bind(tenant.to_string())
    .bind(episode)
    .fetch_optional(conn)
    .await?;
    Ok(row.map_or_else(Told::default, |(arm, tightest_ms)| Told {
        tightest_ms: (tightest_ms > 0).then_some(tightest_ms),
        arm,
    }))
}

async fn set_told(conn: &mut Conn, tenant: TenantId, episode: i64, told: Told) -> Result<()> {
    sqlx::query(
        "INSERT INTO standing_told (tenant_id, episode, arm, tightest_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant_id) DO UPDATE SET episode = $2, arm = $3, tightest_ms = $4",
    )
    .bind(tenant.to_string())
    .bind(episode)
    .bind(told.arm)
    .bind(told.tightest_ms.unwrap_or(0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether money came since the last look, which is still in the agenda: was paid, given or given
/// back, or may be owed now.
async fn paid_since_last_look(conn: &mut Conn, tenant: TenantId, credit: Micros) -> Result<bool> {
    let (number, before): (i64, i64) = sqlx::query_as(
        "SELECT looked_number, looked_credit_micros FROM agenda WHERE tenant_id = $1",
    )
    .bind(tenant.to_string())
    .fetch_one(&mut *conn)
    .await?;
    let came: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM journal WHERE tenant_id = $1 AND number > $2 AND kind IN \
         ('recharge', 'bonus', 'voucher', 'credit_note', 'correction', 'hold_end')",
    )
    .bind(tenant.to_string())
    .bind(number)
    .fetch_one(conn)
    .await?;
    Ok(came > 0 || credit.0 > before)
}

async fn log_warning(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    (episode, arm, threshold_ms): (i64, i64, i64),
) -> Result<()> {
    sqlx::query(
        "INSERT INTO standing_warnings (tenant_id, episode, arm, threshold_ms, at_ms) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.to_string())
    .bind(episode)
    .bind(arm)
    .bind(threshold_ms)
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(())
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
            let open = resource.spans.iter().find(|span| span.computes())?;
            Some((snapshot.usage.id(resource).id.clone(), open.name.to_string()))
        })
        .collect()
}
