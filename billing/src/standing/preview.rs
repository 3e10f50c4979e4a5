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

use super::{Rules, Settings, Standing, exemptions, steps};
use crate::{accounts, sql::parse};

/// Tenants in one preview.
pub const TENANTS_MAX: i64 = 1_000;
/// The furthest that a preview looks ahead.
pub const HOURS_MAX: i64 = 24 * 31;
const MS_PER_HOUR: i64 = 3_600_000;

/// What a shortage stops next of a tenant.
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
pub const INSTANCES_MAX: i64 = 100;

type Row = (String, String, String, String, i64, i64, i64, i64, i64, i64);

/// What stops within so many hours, the soonest first, at most [`TENANTS_MAX`] tenants: of all of
/// them or of one.
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
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT g.tenant_id, t.name, a.currency, a.standing, g.cut_ms, g.runs_out_ms, \
         g.balance_micros, g.assessed_ms, g.burn_nanos, a.episode FROM agenda g \
         JOIN accounts a ON a.tenant_id = g.tenant_id JOIN tenants t ON t.id = g.tenant_id \
         WHERE g.cut_ms <= $1 AND ($2 = '' OR g.tenant_id = $2) \
         ORDER BY g.cut_ms, g.tenant_id LIMIT $3",
    )
    .bind(now.saturating_add_ms(hours * MS_PER_HOUR).ms())
    .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
    .bind(TENANTS_MAX)
    .fetch_all(&mut *conn)
    .await?;
    let waiting = steps::open(&mut *conn, tenant).await?;
    let mut cuts = Vec::new();
    for (id, name, currency, standing, cut, runs_out, balance, at, burn, episode) in rows {
        let (id, standing): (TenantId, Standing) = (parse(&id)?, standing.parse()?);
        let account = accounts::get(&mut *conn, id).await?;
        let rules = Rules::of(settings, account.own_rules());
        let from = standing.max(Standing::Overdue);
        // Its rules may be others since it was looked at.
        let Some((_, next)) = rules.step_after(from) else { continue };
        let step =
            waiting.iter().find(|s| (s.tenant_id, s.episode, s.standing) == (id, episode, next));
        cuts.push(Cut {
            tenant_id: id,
            tenant: name,
            currency,
            standing,
            next,
            at: Timestamp::from_ms(cut),
            runs_out_at: (runs_out != i64::MAX).then(|| Timestamp::from_ms(runs_out)),
            balance: Micros(balance),
            balance_at: Timestamp::from_ms(at),
            burn_per_hour: Nanos(burn),
            step: step.map(|step| step.state.clone()),
            instances: instances_of(&mut *conn, now, id, next).await?,
        });
    }
    Ok(cuts)
}

async fn instances_of(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    next: Standing,
) -> Result<Vec<CutInstance>> {
    let exempt = exemptions::exempt(&mut *conn, now, tenant).await?;
    let all = instances::list(conn, Some(tenant), None, INSTANCES_MAX).await?;
    let concerned = |power: Power| match next {
        Standing::Suspended => power == Power::Running,
        Standing::Stopped => matches!(power, Power::Running | Power::Paused),
        Standing::ReclaimPending | Standing::Reclaimed => power != Power::Absent,
        Standing::Active | Standing::Warned | Standing::Overdue => false,
    };
    Ok(all
        .into_iter()
        .filter(|one| concerned(one.effective()) && !exempt.has(one.id))
        .map(|one| CutInstance { id: one.id, name: one.name })
        .collect())
}
