//! Operations: who asked for a change, the steps seen, how it ended and how long it took.
//!
//! An operation is a view over its target's generations. It does nothing itself: it is opened in
//! the transaction that raises the generation, and ends when the observed generation reached it.
//!
//! ```text
//!   running --(observed reached the generation)--> succeeded
//!      |-----(a step failed for good)------------> failed
//!      +-----(another change came after it)------> superseded
//! ```
//!
//! What is asked for while an instance is becoming another flavor waits for that, and does not supersede it.

use base::{
    Result,
    db::{self, Conn},
    id::{OperationId, TenantId},
    time::Timestamp,
};
use identity::Actor;
use sqlx::{Row, any::AnyRow};

crate::text_enum! {
    OperationState {
        Running = "running",
        Succeeded = "succeeded",
        Failed = "failed",
        Superseded = "superseded",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub id: OperationId,
    pub tenant_id: Option<TenantId>,
    pub actor_kind: String,
    pub actor_id: String,
    pub actor_name: String,
    /// `instance.create`, `server.power_on`.
    pub kind: String,
    pub target_kind: String,
    pub target_id: String,
    pub target_name: String,
    pub generation: i64,
    pub state: OperationState,
    pub progress_pct: i64,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub name: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

impl Operation {
    pub fn duration_ms(&self) -> Option<i64> {
        self.finished_at.map(|end| end.since_ms(self.started_at))
    }
}

/// What an operation is about.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    pub kind: &'a str,
    pub id: String,
    pub name: &'a str,
    pub tenant_id: Option<TenantId>,
    pub generation: i64,
    /// The generation of an earlier one that goes on beside it.
    pub beside: Option<i64>,
}

/// Opens one, and supersedes the target's earlier ones that have not ended and do not go on beside it.
pub async fn open(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    kind: &str,
    target: Target<'_>,
) -> Result<OperationId> {
    sqlx::query(
        "UPDATE operations SET state = 'superseded', finished_ms = $1 \
         WHERE target_id = $2 AND generation < $3 AND generation <> $4 AND state = 'running'",
    )
    .bind(now.ms())
    .bind(&target.id)
    .bind(target.generation)
    // The first generation is 1.
    .bind(target.beside.unwrap_or(0))
    .execute(&mut *conn)
    .await?;
    let id = OperationId::new();
    sqlx::query(
        "INSERT INTO operations (id, tenant_id, actor_kind, actor_id, actor_name, kind, \
         target_kind, target_id, target_name, generation, state, progress_pct, started_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'running', 0, $11)",
    )
    .bind(id.to_string())
    .bind(target.tenant_id.map(|id| id.to_string()))
    .bind(actor.kind.as_str())
    .bind(&actor.id)
    .bind(&actor.name)
    .bind(kind)
    .bind(target.kind)
    .bind(target.id)
    .bind(target.name)
    .bind(target.generation)
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(id)
}

/// How far the target has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Under way, in this step.
    Step { name: String, progress_pct: Option<i64> },
    /// What was wanted is so.
    Reached,
    /// It will not come to be.
    Failed { code: String, message: String },
}

/// Brings the target's running operations up to `generation` to where the target is. Returns those
/// that changed.
pub async fn observe(
    conn: &mut Conn,
    now: Timestamp,
    target_id: &str,
    generation: i64,
    progress: &Progress,
) -> Result<Vec<OperationId>> {
    let rows = sqlx::query(
        "SELECT id FROM operations WHERE target_id = $1 AND generation <= $2 \
         AND state = 'running'",
    )
    .bind(target_id)
    .bind(generation)
    .fetch_all(&mut *conn)
    .await?;
    let mut changed = vec![];
    for row in &rows {
        let id: OperationId = db::parsed(row, "id")?;
        let touched = match progress {
            Progress::Step { name, progress_pct } => {
                enter_step(&mut *conn, now, id, name, *progress_pct).await?
            }
            Progress::Reached => {
                finish(&mut *conn, now, id, OperationState::Succeeded, None).await?;
                true
            }
            Progress::Failed { code, message } => {
                let error = Some((code.as_str(), message.as_str()));
                finish(&mut *conn, now, id, OperationState::Failed, error).await?;
                true
            }
        };
        if touched {
            changed.push(id);
        }
    }
    Ok(changed)
}

async fn enter_step(
    conn: &mut Conn,
    now: Timestamp,
    id: OperationId,
    name: &str,
    progress_pct: Option<i64>,
) -> Result<bool> {
    if let Some(progress_pct) = progress_pct {
        sqlx::query("UPDATE operations SET progress_pct = $1 WHERE id = $2")
            .bind(progress_pct.clamp(0, 100))
            .bind(id.to_string())
            .execute(&mut *conn)
            .await?;
    }
    let steps = steps(&mut *conn, id).await?;
    if steps.last().is_some_and(|step| step.name == name) {
        return Ok(progress_pct.is_some());
    }
    end_steps(&mut *conn, now, id).await?;
    sqlx::query(
        "INSERT INTO operation_steps (operation_id, position, name, started_ms) \
         VALUES ($1, $2, $3, $4)",
    )
    .bind(id.to_string())
    .bind(i64::try_from(steps.len()).unwrap_or(i64::MAX))
    .bind(name)
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(true)
}

async fn end_steps(conn: &mut Conn, now: Timestamp, id: OperationId) -> Result<()> {
    sqlx::query(
        "UPDATE operation_steps SET finished_ms = $1 \
         WHERE operation_id = $2 AND finished_ms IS NULL",
    )
    .bind(now.ms())
    .bind(id.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

async fn finish(
    conn: &mut Conn,
    now: Timestamp,
    id: OperationId,
    state: OperationState,
    error: Option<(&str, &str)>,
) -> Result<()> {
    end_steps(&mut *conn, now, id).await?;
    let succeeded = i64::from(state == OperationState::Succeeded);
    sqlx::query(
        "UPDATE operations SET state = $1, finished_ms = $2, error_code = $3, error = $4, \
         progress_pct = CASE WHEN $5 = 1 THEN 100 ELSE progress_pct END WHERE id = $6",
    )
    .bind(state.as_str())
    .bind(now.ms())
    .bind(error.map(|(code, _)| code))
    .bind(error.map(|(_, message)| message))
    .bind(succeeded)
    .bind(id.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

async fn steps(conn: &mut Conn, id: OperationId) -> Result<Vec<Step>> {
    let rows =
        sqlx::query("SELECT * FROM operation_steps WHERE operation_id = $1 ORDER BY position")
            .bind(id.to_string())
            .fetch_all(conn)
            .await?;
    rows.iter()
        .map(|row| {
            Ok(Step {
                name: row.try_get("name")?,
                started_at: Timestamp::from_ms(row.try_get("started_ms")?),
                finished_at: db::instant_opt(row, "finished_ms")?,
            })
        })
        .collect()
}

fn from_row(row: &AnyRow, steps: Vec<Step>) -> Result<Operation> {
    Ok(Operation {
        id: db::parsed(row, "id")?,
        tenant_id: db::parsed_opt(row, "tenant_id")?,
        actor_kind: row.try_get("actor_kind")?,
        actor_id: row.try_get("actor_id")?,
        actor_name: row.try_get("actor_name")?,
        kind: row.try_get("kind")?,
        target_kind: row.try_get("target_kind")?,
        target_id: row.try_get("target_id")?,
        target_name: row.try_get("target_name")?,
        generation: row.try_get("generation")?,
        state: db::parsed(row, "state")?,
        progress_pct: row.try_get("progress_pct")?,
        error_code: row.try_get("error_code")?,
        error: row.try_get("error")?,
        started_at: Timestamp::from_ms(row.try_get("started_ms")?),
        finished_at: db::instant_opt(row, "finished_ms")?,
        steps,
    })
}

pub async fn get(conn: &mut Conn, id: OperationId) -> Result<Operation> {
    let row = sqlx::query("SELECT * FROM operations WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&mut *conn)
        .await?;
    let row = db::found(row, format_args!("operation {id}"))?;
    from_row(&row, steps(conn, id).await?)
}

/// Which operations to list; newest first, before `cursor`.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub tenant_id: Option<TenantId>,
    pub target_id: Option<String>,
    pub cursor: Option<OperationId>,
    pub limit: i64,
}

pub async fn list(conn: &mut Conn, filter: &Filter) -> Result<Vec<Operation>> {
    let rows = sqlx::query(
        "SELECT * FROM operations WHERE ($1 = '' OR tenant_id = $1) \
         AND ($2 = '' OR target_id = $2) AND ($3 = '' OR id < $3) ORDER BY id DESC LIMIT $4",
    )
    .bind(filter.tenant_id.map(|id| id.to_string()).unwrap_or_default())
    .bind(filter.target_id.clone().unwrap_or_default())
    .bind(filter.cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(filter.limit)
    .fetch_all(&mut *conn)
    .await?;
    let mut operations = vec![];
    for row in &rows {
        let steps = steps(&mut *conn, db::parsed(row, "id")?).await?;
        operations.push(from_row(row, steps)?);
    }
    Ok(operations)
}
