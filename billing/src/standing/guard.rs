//! The blast-radius guard: when many tenants are about to be stopped at once, automatic stops pause
//! and an operator is called. A wrong price and a jumped clock look like that; the tenants' own
//! shortage hardly does.

use base::{
    Error, Result,
    db::Conn,
    outbox::{self, Notice},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{accounts, agenda, settings::Guard, text};

/// About to be stopped: within so long. Stopped lately: since as long. After an operator let the stops
/// go on, the guard looks away for as long.
pub const WINDOW_MS: i64 = 3_600_000;
/// How many are at risk, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Risk {
    pub tenants: i64,
    pub of_tenants: i64,
}

/// Whether so many are too many to be their own fault.
pub fn is_too_much(risk: Risk, limits: &Guard) -> bool {
    risk.tenants > limits.tenants
        && i128::from(risk.tenants) * 100 > i128::from(risk.of_tenants) * i128::from(limits.percent)
}

/// How the guard stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StandingGuard)]
pub struct State {
    /// Automatic stops wait for an operator.
    pub paused: bool,
    /// Since when; none where it never paused.
    pub since: Option<Timestamp>,
    /// At risk when it paused last, and how many had something running then.
    pub tenants: i64,
    pub of_tenants: i64,
    /// Who brought it there: `guard` itself, or an operator.
    pub actor: String,
    pub reason: String,
}

/// What a step that is due and would stop something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Go,
    /// Until an operator resumes.
    Paused,
    /// Until those that were touched are looked at: they may be at risk as well.
    Later,
}

pub async fn state(conn: &mut Conn) -> Result<State> {
    type Row = (i64, String, i64, i64, String, String);
    let row: Option<Row> = sqlx::query_as(
        "SELECT at_ms, state, tenants, of_tenants, actor, reason FROM standing_guard \
         ORDER BY number DESC LIMIT 1",
    )
    .fetch_optional(conn)
    .await?;
    Ok(match row {
        Some((at, state, tenants, of_tenants, actor, reason)) => State {
            paused: state == "paused",
            since: Some(Timestamp::from_ms(at)),
            tenants,
            of_tenants,
            actor,
            reason,
        },
        None => State {
            paused: false,
            since: None,
            tenants: 0,
            of_tenants: 0,
            actor: String::new(),
            reason: String::new(),
        },
    })
}

/// Asked before each step that would stop something. Trips where too many are at risk, in the
/// caller's transaction.
pub(crate) async fn ask(conn: &mut Conn, now: Timestamp, limits: &Guard) -> Result<Word> {
    let state = state(&mut *conn).await?;
    if state.paused {
        return Ok(Word::Paused);
    }
    let looks_away = state.since.is_some_and(|at| now.since_ms(at).abs() < WINDOW_MS);
    if looks_away {
        return Ok(Word::Go);
    }
    let (tenants, touched) =
        (at_risk(&mut *conn, now).await?, agenda::count_touched(&mut *conn).await?);
    if tenants + touched <= limits.tenants {
        return Ok(Word::Go);
    }
    let of_tenants = of_tenants(&mut *conn, now).await?;
    if !is_too_much(Risk { tenants: tenants + touched, of_tenants }, limits) {
        return Ok(Word::Go);
    }
    if touched > 0 {
        return Ok(Word::Later);
    }
    let risk = Risk { tenants, of_tenants };
    trip(conn, now, risk).await?;
    Ok(Word::Paused)
}

/// Those whose first stop or whose deletion comes within the hour, and those whose came in the last
/// one. The steps between take nothing that the first stop had left.
async fn at_risk(conn: &mut Conn, now: Timestamp) -> Result<i64> {
    let (from, to) = (now.saturating_add_ms(-WINDOW_MS), now.saturating_add_ms(WINDOW_MS));
    // Who is stopped and deleted within the hour counts once.
    Ok(sqlx::query_scalar(
        "SELECT COUNT(*) FROM (SELECT g.tenant_id FROM agenda g \
         JOIN accounts a ON a.tenant_id = g.tenant_id \
         WHERE g.cut_ms <= $1 AND a.standing IN ('active', 'warned', 'overdue', 'reclaim_pending') \
         UNION SELECT tenant_id FROM standing_log \
         WHERE at_ms > $2 AND standing IN ('suspended', 'reclaimed')) AS r",
    )
    .bind(to.ms())
    .bind(from.ms())
    .fetch_one(conn)
    .await?)
}

/// Those with something that costs, or with something that did until lately.
async fn of_tenants(conn: &mut Conn, now: Timestamp) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT COUNT(*) FROM agenda g WHERE g.burn_nanos > 0 OR EXISTS (SELECT 1 \
         FROM standing_log l WHERE l.tenant_id = g.tenant_id AND l.at_ms > $1 \
         AND l.standing IN ('suspended', 'reclaimed'))",
    )
    .bind(now.saturating_add_ms(-WINDOW_MS).ms())
    .fetch_one(conn)
    .await?)
}

async fn trip(conn: &mut Conn, now: Timestamp, risk: Risk) -> Result<()> {
    let Risk { tenants, of_tenants } = risk;
    let reason = format!("{tenants} of {of_tenants} tenants would be stopped within an hour");
    // Another look may have done it at the same moment.
    let Some(number) = append(&mut *conn, now, "paused", risk, "guard", &reason).await? else {
        return Ok(());
    };
    tracing::warn!(tenants, of_tenants, "automatic stops are paused");
    let notice = Notice {
        key: format!("standing:guard:{number}"),
        topic: outbox::PAGE.to_owned(),
        tenant_id: None,
        subject: format!("automatic stops are paused: {reason}"),
        body: format!(
            "{tenants} of {of_tenants} tenants with something running would be stopped, or lose what \
             was stopped, for want of money within an hour. That is more than the guard lets \
             through, so that nobody is stopped by itself. Look at prices and at the server's \
             clock; see who is concerned with 'opshawk standing preview', then let the stops go on \
             with 'opshawk standing resume'."
        ),
        data: serde_json::json!({"tenants": tenants, "of_tenants": of_tenants}),
    };
    outbox::enqueue(conn, now, &notice).await.map(|_| ())
}

async fn append(
    conn: &mut Conn,
    now: Timestamp,
    state: &str,
    risk: Risk,
    actor: &str,
    reason: &str,
) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar(
        "INSERT INTO standing_guard (number, at_ms, state, tenants, of_tenants, actor, reason) \
         SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6 FROM standing_guard \
         HAVING COALESCE((SELECT state FROM standing_guard ORDER BY number DESC LIMIT 1), \
         'running') <> $2 ON CONFLICT (number) DO NOTHING RETURNING number",
    )
    .bind(now.ms())
    .bind(state)
    .bind(risk.tenants)
    .bind(risk.of_tenants)
    .bind(actor)
    .bind(reason)
    .fetch_optional(conn)
    .await?)
}

/// Lets automatic stops go on: those that wait are done, and the guard does not look for an hour.
pub async fn resume(conn: &mut Conn, now: Timestamp, actor: &str, reason: &str) -> Result<State> {
    let reason = text::reason(reason)?;
    accounts::lock_every(&mut *conn).await?;
    let before = state(&mut *conn).await?;
    if !before.paused {
        return Err(Error::conflict("automatic stops are not paused"));
    }
    let risk = Risk { tenants: before.tenants, of_tenants: before.of_tenants };
    append(&mut *conn, now, "running", risk, actor, reason).await?;
    agenda::wake_cut(&mut *conn, now).await?;
    state(conn).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_must_be_passed() {
        let limits = Guard::default();
        for (tenants, of_tenants, too_much) in [
            (10, 10, false),
            (11, 11, true),
            (11, 219, true),
            (11, 220, false),
            (250, 5_000, false),
            (251, 5_000, true),
            (5_000, 5_000, true),
        ] {
            assert_eq!(is_too_much(Risk { tenants, of_tenants }, &limits), too_much, "{tenants}");
        }
        let off = Guard { tenants: i64::MAX, percent: 100 };
        assert!(!is_too_much(Risk { tenants: 5_000, of_tenants: 5_000 }, &off));
    }
}
