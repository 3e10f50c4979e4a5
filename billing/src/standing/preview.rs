//! What stops next, from what the agenda keeps: nobody's usage is read for it.

use base::{
    Error, Result,
    db::Conn,
    id::{InstanceId, TenantId},
    money::{Micros, Nanos},
    time::Timestamp,
};
use inventory::instances::{self, Power};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Rules, Settings, Standing, exemptions, guard, steps};
use crate::{accounts, settings::Mode, sql::parse};

/// Tenants in one preview.
pub const TENANTS_MAX: i64 = 1_000;
/// The furthest that a preview looks ahead.
pub const HOURS_MAX: i64 = 24 * 31;
const MS_PER_HOUR: i64 = 3_600_000;

/// A step of a tenant's that stops something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cut {
    pub tenant_id: TenantId,
    pub tenant: String,
    pub currency: String,
    pub standing: Standing,
    /// The standing that the step leads to.
    pub next: Standing,
    /// When; in the past where it waits.
    pub at: Timestamp,
    pub runs_out_at: Option<Timestamp>,
    /// When it was looked at last.
    pub balance: Micros,
    pub balance_at: Timestamp,
    pub burn_per_hour: Nanos,
    /// `awaiting`, `approved` or `dry_run`, where the step is due and did not simply happen.
    pub step: Option<String>,
    /// What it stops, pauses or deletes; exempt instances are not among them.
    pub instances: Vec<CutInstance>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CutInstance {
    pub id: InstanceId,
    pub name: String,
}

/// Instances that are named of one tenant.
pub const INSTANCES_MAX: usize = 100;

type Row = (String, String, String, String, i64, i64, i64, i64, i64, i64);

/// What stops within so many hours, the soonest first, of at most [`TENANTS_MAX`] tenants: of all of
/// them or of one. A tenant that goes two steps in that time stands there twice.
pub async fn preview(
    conn: &mut Conn,
    now: Timestamp,
    settings: &Settings,
    hours: i64,
    tenant: Option<TenantId>,
) -> Result<Vec<Cut>> {
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(Error::invalid(
            "hours",
            format!("a preview looks 1 to {HOURS_MAX} hours ahead"),
        ));
    }
    let until = now.saturating_add_ms(hours * MS_PER_HOUR);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT g.tenant_id, t.name, a.currency, a.standing, g.cut_ms, g.runs_out_ms, \
         g.balance_micros, g.assessed_ms, g.burn_nanos, a.episode FROM agenda g \
         JOIN accounts a ON a.tenant_id = g.tenant_id JOIN tenants t ON t.id = g.tenant_id \
         WHERE g.cut_ms <= $1 AND ($2 = '' OR g.tenant_id = $2) \
         ORDER BY g.cut_ms, g.tenant_id LIMIT $3",
    )
    .bind(until.ms())
    .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
    .bind(TENANTS_MAX)
    .fetch_all(&mut *conn)
    .await?;
    let waiting = steps::open(&mut *conn, tenant).await?;
    let waits = settings.mode != Mode::Enforce || guard::state(&mut *conn).await?.paused;
    let mut cuts = Vec::new();
    for (id, name, currency, standing, cut, runs_out, balance, at, burn, episode) in rows {
        let (id, standing): (TenantId, Standing) = (parse(&id)?, standing.parse()?);
        let account = accounts::get(&mut *conn, id).await?;
        let rules = Rules::of(settings, account.own_rules());
        let mut ahead = steps_until(&rules, standing, Timestamp::from_ms(cut), now, until);
        if waits {
            // The first one does, for an operator.
            ahead.truncate(1);
        }
        for (cut, next) in ahead {
            let step = waiting
                .iter()
                .find(|s| (s.tenant_id, s.episode, s.standing) == (id, episode, next));
            cuts.push(Cut {
                tenant_id: id,
                tenant: name.clone(),
                currency: currency.clone(),
                standing,
                next,
                at: cut,
                runs_out_at: (runs_out != i64::MAX).then(|| Timestamp::from_ms(runs_out)),
                balance: Micros(balance),
                balance_at: Timestamp::from_ms(at),
                burn_per_hour: Nanos(burn),
                step: step.map(|step| step.state.clone()),
                instances: instances_of(&mut *conn, cut.max(now), id, next).await?,
            });
        }
    }
    cuts.sort_by_key(|cut| cut.at);
    Ok(cuts)
}

/// The steps from the first one, which the agenda has, on: each after its delay, by the rules of now,
/// which may be others than when it was looked at.
fn steps_until(
    rules: &Rules,
    standing: Standing,
    first: Timestamp,
    now: Timestamp,
    until: Timestamp,
) -> Vec<(Timestamp, Standing)> {
    let mut steps = Vec::new();
    let mut next = rules.step_after(standing.max(Standing::Overdue)).map(|(_, to)| (first, to));
    while let Some((at, to)) = next.filter(|(at, _)| *at <= until) {
        steps.push((at, to));
        // What waits is done now at the earliest.
        let after = |(delay_ms, to)| (at.max(now).saturating_add_ms(delay_ms), to);
        next = rules.step_after(to).map(after);
    }
    steps
}

/// What the step stops, pauses or deletes at that instant, at most [`INSTANCES_MAX`]: exemptions count
/// as they stand then.
async fn instances_of(
    conn: &mut Conn,
    at: Timestamp,
    tenant: TenantId,
    next: Standing,
) -> Result<Vec<CutInstance>> {
    let exempt = exemptions::exempt(&mut *conn, at, tenant).await?;
    let concerned = |power: Power| match next {
        Standing::Suspended => power == Power::Running,
        Standing::Stopped => matches!(power, Power::Running | Power::Paused),
        Standing::ReclaimPending | Standing::Reclaimed => power != Power::Absent,
        Standing::Active | Standing::Warned | Standing::Overdue => false,
    };
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = instances::by_host(&mut *conn, tenant, after).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.host_id, last.id));
        let some = page.into_iter().filter(|i| concerned(i.effective()) && !exempt.has(i.id));
        found.extend(some.map(|one| CutInstance { id: one.id, name: one.name }));
        if found.len() >= INSTANCES_MAX {
            break;
        }
    }
    found.truncate(INSTANCES_MAX);
    found.sort_by_key(|one| one.id);
    Ok(found)
}
