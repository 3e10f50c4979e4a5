//! Steps that would stop something and wait for an operator, or are only written down (dry run).

use base::{
    Error, Result,
    db::Conn,
    id::TenantId,
    outbox::{self, Notice},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Rules, Settings, Standing};
use crate::{
    accounts,
    agenda::{self, Due},
    settings::Mode,
    sql::parse,
    text,
};

/// In one listing.
pub const STEPS_MAX: i64 = 1_000;

/// A step that did not simply happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StandingStep)]
pub struct Step {
    pub tenant_id: TenantId,
    pub episode: i64,
    /// Where it leads.
    pub standing: Standing,
    /// `awaiting` an operator, `approved`, or `dry_run`.
    pub state: String,
    /// When it was due.
    pub at: Timestamp,
    pub decided_at: Option<Timestamp>,
    /// Who approved it, and why.
    pub actor: String,
    pub reason: String,
}

type Row = (String, i64, String, String, i64, i64, String, String);
const COLUMNS: &str = "SELECT s.tenant_id, s.episode, s.standing, s.state, s.at_ms, s.decided_ms, \
                       s.actor, s.reason FROM standing_steps s ";

fn from_row((tenant, episode, standing, state, at, decided, actor, reason): Row) -> Result<Step> {
    Ok(Step {
        tenant_id: parse(&tenant)?,
        episode,
        standing: standing.parse()?,
        state,
        at: Timestamp::from_ms(at),
        decided_at: (decided > 0).then(|| Timestamp::from_ms(decided)),
        actor,
        reason,
    })
}

/// Those of episodes that go on and that have not been taken, the oldest first, at most
/// [`STEPS_MAX`].
pub async fn open(conn: &mut Conn, tenant: Option<TenantId>) -> Result<Vec<Step>> {
    let sql = format!(
        "{COLUMNS} JOIN accounts a ON a.tenant_id = s.tenant_id AND a.episode = s.episode \
         AND a.standing <> 'active' \
         WHERE ($1 = '' OR s.tenant_id = $1) AND NOT EXISTS (SELECT 1 FROM standing_log l \
         WHERE l.tenant_id = s.tenant_id AND l.episode = s.episode AND l.standing = s.standing) \
         ORDER BY s.at_ms, s.tenant_id LIMIT $2"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
        .bind(STEPS_MAX)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(from_row).collect()
}

pub(crate) async fn is_approved(
    conn: &mut Conn,
    tenant: TenantId,
    episode: i64,
    standing: Standing,
) -> Result<bool> {
    let state: Option<String> = sqlx::query_scalar(
        "SELECT state FROM standing_steps WHERE tenant_id = $1 AND episode = $2 AND standing = $3",
    )
    .bind(tenant.to_string())
    .bind(episode)
    .bind(standing.as_str())
    .fetch_optional(conn)
    .await?;
    Ok(state.as_deref() == Some("approved"))
}

/// A step that is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting<'a> {
    pub tenant: TenantId,
    pub name: &'a str,
    pub episode: i64,
    pub standing: Standing,
}

/// Writes down, once, that a step is due and does not happen by itself, and tells operators.
pub(crate) async fn hold_back(
    conn: &mut Conn,
    now: Timestamp,
    waiting: &Waiting<'_>,
    mode: Mode,
) -> Result<()> {
    let Waiting { tenant, name, episode, standing } = *waiting;
    let state = if mode == Mode::DryRun { "dry_run" } else { "awaiting" };
    let done = sqlx::query(
        "INSERT INTO standing_steps (tenant_id, episode, standing, state, at_ms, decided_ms, \
         actor, reason) VALUES ($1, $2, $3, $4, $5, 0, '', '') \
         ON CONFLICT (tenant_id, episode, standing) DO NOTHING",
    )
    .bind(tenant.to_string())
    .bind(episode)
    .bind(standing.as_str())
    .bind(state)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(());
    }
    let (subject, body) = match mode {
        Mode::DryRun => (
            format!("tenant {name} would be {standing} now (dry run)"),
            format!(
                "Tenant {name} is out of balance and would be {standing} now. Cut-offs are on a dry \
                 run, so that nothing is stopped."
            ),
        ),
        Mode::Approve | Mode::Enforce => (
            format!("tenant {name} is to be {standing}: an operator must approve it"),
            format!(
                "Tenant {name} is out of balance and is to be {standing}. Nothing is stopped before \
                 an operator approves it: opshawk standing approve {tenant}."
            ),
        ),
    };
    let notice = Notice {
        key: format!("standing:step:{tenant}:{episode}:{standing}"),
        topic: "balance".to_owned(),
        tenant_id: None,
        subject,
        body,
        data: serde_json::json!({
            "tenant_id": tenant, "tenant": name, "standing": standing, "state": state,
        }),
    };
    outbox::enqueue(conn, now, &notice).await.map(|_| ())
}

/// An operator lets the tenant's next step happen, whatever the mode and the guard say; a step after
/// that waits again.
pub async fn approve(
    conn: &mut Conn,
    now: Timestamp,
    settings: &Settings,
    tenant: TenantId,
    actor: &str,
    reason: &str,
) -> Result<Step> {
    let reason = text::reason(reason)?;
    accounts::lock(&mut *conn, tenant).await?;
    let account = accounts::get(&mut *conn, tenant).await?;
    let rules = Rules::of(settings, account.own_rules());
    let due = rules
        .step_after(account.standing)
        .filter(|(delay_ms, _)| account.standing_since.saturating_add_ms(*delay_ms) <= now);
    let Some((_, standing)) = due else {
        return Err(Error::conflict("no step of the tenant's standing waits for an approval"));
    };
    sqlx::query(
        "INSERT INTO standing_steps (tenant_id, episode, standing, state, at_ms, decided_ms, \
         actor, reason) VALUES ($1, $2, $3, 'approved', $4, $4, $5, $6) \
         ON CONFLICT (tenant_id, episode, standing) DO UPDATE SET state = 'approved', \
         decided_ms = $4, actor = $5, reason = $6",
    )
    .bind(tenant.to_string())
    .bind(account.episode)
    .bind(standing.as_str())
    .bind(now.ms())
    .bind(actor)
    .bind(reason)
    .execute(&mut *conn)
    .await?;
    agenda::touch(&mut *conn, tenant, Due::Stand).await?;
    let sql = format!("{COLUMNS} WHERE s.tenant_id = $1 AND s.episode = $2 AND s.standing = $3");
    let row: Row = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.to_string())
        .bind(account.episode)
        .bind(standing.as_str())
        .fetch_one(conn)
        .await?;
    from_row(row)
}
