//! What a host's agent saw becomes the row's observed state.

use base::{
    Result,
    db::Conn,
    id::{InstanceId, OperationId},
    time::Timestamp,
};

use super::{Instance, InstanceState, Power, Wanted, placement, quotas, resize};
use crate::operations::{self, Progress};

/// One look at one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The instance's generation that the look answers to.
    pub generation: i64,
    pub state: InstanceState,
    pub since: Timestamp,
    pub step: Option<String>,
    pub progress_pct: Option<i64>,
    /// Code, message, and whether trying again can't help.
    pub failure: Option<(String, String, bool)>,
    pub addresses: Vec<String>,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The row differs in something that a reader would see.
    pub changed: bool,
    pub operations: Vec<OperationId>,
    /// Nothing of it is left: quota and place are free again.
    pub gone: bool,
}

/// Takes the look into the row, brings its operations along, and frees what a deletion or a build
/// that failed for good no longer needs.
pub async fn observe(
    conn: &mut Conn,
    now: Timestamp,
    instance: &Instance,
    seen: &Observation,
) -> Result<Observed> {
    if instance.build_failed() && instance.wanted != Wanted::Absent {
        // Its error stays to be read; the host only clears away what is left.
        return Ok(Observed::default());
    }
    let failed_for_good = seen.failure.as_ref().is_some_and(|(_, _, for_good)| *for_good);
    // It never ran: nothing of a tenant's is lost by clearing it away.
    let build_failed = failed_for_good && instance.since.is_none();
    let state = if failed_for_good { InstanceState::Failed } else { seen.state };
    let settled =
        matches!(state, InstanceState::Running | InstanceState::Paused | InstanceState::Stopped);
    let gone = seen.state == InstanceState::Absent && instance.wanted == Wanted::Absent;

    let next = Instance {
        state,
        observed_generation: seen.generation.max(instance.observed_generation),
        observed_at: Some(now),
        since: if settled { Some(seen.since) } else { instance.since },
        step: seen.step.clone(),
        progress_pct: seen.progress_pct,
        error_code: seen.failure.as_ref().map(|(code, _, _)| code.clone()),
        error: seen.failure.as_ref().map(|(_, message, _)| message.clone()),
        addresses: if settled { seen.addresses.clone() } else { instance.addresses.clone() },
        holds_quota: instance.holds_quota && !build_failed && !gone,
        ..instance.clone()
    };
    if instance.holds_quota && !next.holds_quota {
        quotas::release(&mut *conn, instance.tenant_id, instance.taken()).await?;
        placement::release(&mut *conn, instance.host_id, instance.taken()).await?;
    }
    write(&mut *conn, now, &next, gone).await?;
    if failed_for_good && instance.resize.is_some() && is_current(instance, seen) {
        resize::give_up(&mut *conn, &next).await?;
    }
    if build_failed {
        crate::hosts::raise_generation(&mut *conn, instance.host_id).await?;
    }

    let about = tells_of(instance, seen, failed_for_good);
    let operations = match about.zip(progress(instance, seen, failed_for_good)) {
        Some((generation, progress)) => {
            let id = instance.id.to_string();
            operations::observe(conn, now, &id, generation, &progress).await?
        }
        None => vec![],
    };
    let changed = Instance { observed_at: instance.observed_at, ..next } != *instance;
    Ok(Observed { changed, operations, gone })
}

/// Whoever speaks of an older generation has heard of another since, and tries again.
fn is_current(instance: &Instance, seen: &Observation) -> bool {
    seen.generation >= instance.generation
}

/// Up to which generation the look tells of operations; none: of none.
fn tells_of(instance: &Instance, seen: &Observation, failed_for_good: bool) -> Option<i64> {
    match &instance.resize {
        _ if !failed_for_good => Some(seen.generation),
        // It never ran: whatever else was asked of it comes to nothing as well, but its deletion.
        _ if instance.since.is_none() && instance.wanted != Wanted::Absent => {
            Some(instance.generation)
        }
        // Said again of a resize that was given up, say.
        _ if !is_current(instance, seen) => None,
        // What was asked for meanwhile goes on with what the instance is.
        Some(resize) => Some(resize.generation),
        None => Some(seen.generation),
    }
}

/// How far what is wanted has come, where the look answers to it.
fn progress(instance: &Instance, seen: &Observation, failed_for_good: bool) -> Option<Progress> {
    if let (true, Some((code, message, _))) = (failed_for_good, &seen.failure) {
        return Some(Progress::Failed { code: code.clone(), message: message.clone() });
    }
    let reached = matches!(
        (instance.effective(), seen.state),
        (Power::Running, InstanceState::Running)
            // What does not run is not started for it.
            | (Power::Paused, InstanceState::Paused | InstanceState::Stopped)
            | (Power::Stopped, InstanceState::Stopped)
            | (Power::Absent, InstanceState::Absent)
    );
    // What it is becoming is told apart from its power: it may be stopped before and after.
    let reached = reached && (instance.resize.is_none() || instance.wanted == Wanted::Absent);
    if reached && is_current(instance, seen) {
        return Some(Progress::Reached);
    }
    let name = seen.step.clone()?;
    Some(Progress::Step { name, progress_pct: seen.progress_pct })
}

async fn write(conn: &mut Conn, now: Timestamp, next: &Instance, gone: bool) -> Result<()> {
    sqlx::query(
        "UPDATE instances SET observed = $1, observed_generation = $2, observed_ms = $3, \
         event_ms = $4, step = $5, progress_pct = $6, error_code = $7, error = $8, \
         addresses = $9, holds_quota = $10, deleted_ms = $11 WHERE id = $12",
    )
    .bind(next.state.as_str())
    .bind(next.observed_generation)
    .bind(now.ms())
    .bind(next.since.map(Timestamp::ms))
    .bind(next.step.clone())
    .bind(next.progress_pct)
    .bind(next.error_code.clone())
    .bind(next.error.clone())
    .bind(serde_json::json!(next.addresses).to_string())
    .bind(i64::from(next.holds_quota))
    .bind(gone.then(|| now.ms()))
    .bind(next.id.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps the last of what the serial port printed.
pub async fn save_console(
    conn: &mut Conn,
    now: Timestamp,
    id: InstanceId,
    tail: &str,
) -> Result<()> {
    // PostgreSQL takes no NUL in text.
    let tail = tail.replace('\0', "");
    sqlx::query(
        "INSERT INTO instance_consoles (instance_id, tail, at_ms) VALUES ($1, $2, $3) \
         ON CONFLICT (instance_id) DO UPDATE SET tail = excluded.tail, at_ms = excluded.at_ms",
    )
    .bind(id.to_string())
    .bind(tail)
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(())
}
