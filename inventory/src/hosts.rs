//! Machines that run guests, as wanted by operators and as their agents report them.

use base::{
    Error, Result,
    db::{self, Conn},
    id::{BootId, HostId},
    time::Timestamp,
};
use identity::checked_name;
use sqlx::{Row, any::AnyRow};

pub const NAME_MAX_CHARS: usize = 64;
/// CPU 4:1 and memory 1:1.
pub const CPU_RATIO_PCT: i64 = 400;
pub const MEMORY_RATIO_PCT: i64 = 100;

crate::text_enum! {
    HostState {
        Enabled = "enabled",
        /// Keeps what it runs and takes nothing new.
        Disabled = "disabled",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub id: HostId,
    pub name: String,
    pub state: HostState,
    pub cpu_ratio_pct: i64,
    pub memory_ratio_pct: i64,
    /// Of what it is to run.
    pub generation: i64,
    pub observed_generation: i64,
    pub last_report_at: Option<Timestamp>,
    pub hypervisor_ok: bool,
    pub reason: Option<String>,
    pub remedy: Option<String>,
    pub facts: HostFacts,
    pub vcpus_placed: i64,
    pub memory_mib_placed: i64,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostFacts {
    pub cpus: i64,
    pub memory_mib: i64,
    pub disk_gib: i64,
    pub domain_type: Option<String>,
    pub libvirt_version: Option<String>,
    pub hypervisor_version: Option<String>,
    pub agent_version: Option<String>,
}

fn from_row(row: &AnyRow) -> Result<Host> {
    Ok(Host {
        id: db::parsed(row, "id")?,
        name: row.try_get("name")?,
        state: db::parsed(row, "state")?,
        cpu_ratio_pct: row.try_get("cpu_ratio_pct")?,
        memory_ratio_pct: row.try_get("memory_ratio_pct")?,
        generation: row.try_get("generation")?,
        observed_generation: row.try_get("observed_generation")?,
        last_report_at: db::instant_opt(row, "last_report_ms")?,
        hypervisor_ok: row.try_get::<i64, _>("hypervisor_ok")? != 0,
        reason: row.try_get("reason")?,
        remedy: row.try_get("remedy")?,
        facts: HostFacts {
            cpus: row.try_get("cpus")?,
            memory_mib: row.try_get("memory_mib")?,
            disk_gib: row.try_get("disk_gib")?,
            domain_type: row.try_get("domain_type")?,
            libvirt_version: row.try_get("libvirt_version")?,
            hypervisor_version: row.try_get("hypervisor_version")?,
            agent_version: row.try_get("agent_version")?,
        },
        vcpus_placed: row.try_get("vcpus_placed")?,
        memory_mib_placed: row.try_get("memory_mib_placed")?,
        created_at: Timestamp::from_ms(row.try_get("created_ms")?),
    })
}

pub async fn create(conn: &mut Conn, now: Timestamp, name: &str) -> Result<Host> {
    let name = checked_name("name", name, NAME_MAX_CHARS)?;
    if by_name(&mut *conn, &name).await?.is_some() {
        return Err(Error::conflict(format!("a host is called '{name}' already")));
    }
    let id = HostId::new();
    sqlx::query(
        "INSERT INTO hosts (id, name, state, cpu_ratio_pct, memory_ratio_pct, generation, \
         observed_generation, agent_sequence, hypervisor_ok, reason, remedy, cpus, memory_mib, \
         disk_gib, vcpus_placed, memory_mib_placed, created_ms) \
         VALUES ($1, $2, 'enabled', $3, $4, 1, 0, 0, 0, $5, $6, 0, 0, 0, 0, 0, $7)",
    )
    .bind(id.to_string())
    .bind(name)
    .bind(CPU_RATIO_PCT)
    .bind(MEMORY_RATIO_PCT)
    .bind("its agent has not reported yet")
    .bind("start `opshawk agent` on it with its token")
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    get(conn, id).await
}

pub async fn get(conn: &mut Conn, id: HostId) -> Result<Host> {
    let row = sqlx::query("SELECT * FROM hosts WHERE id = $1 AND deleted_ms IS NULL")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    from_row(&db::found(row, format_args!("host {id}"))?)
}

pub async fn by_name(conn: &mut Conn, name: &str) -> Result<Option<Host>> {
    let row = sqlx::query("SELECT * FROM hosts WHERE name = $1 AND deleted_ms IS NULL")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(from_row).transpose()
}

pub async fn list(conn: &mut Conn, cursor: Option<HostId>, limit: i64) -> Result<Vec<Host>> {
    let rows = sqlx::query(
        "SELECT * FROM hosts WHERE deleted_ms IS NULL AND id > $1 ORDER BY id LIMIT $2",
    )
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

pub async fn set_state(conn: &mut Conn, id: HostId, state: HostState) -> Result<Host> {
    sqlx::query("UPDATE hosts SET state = $1 WHERE id = $2")
        .bind(state.as_str())
        .bind(id.to_string())
        .execute(&mut *conn)
        .await?;
    get(conn, id).await
}

/// Takes the host's row until the end of the transaction, and changes nothing.
pub(crate) async fn lock(conn: &mut Conn, id: HostId) -> Result<()> {
    sqlx::query("UPDATE hosts SET generation = generation WHERE id = $1")
        .bind(id.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

/// What the host is to run has changed.
pub async fn raise_generation(conn: &mut Conn, id: HostId) -> Result<()> {
    sqlx::query("UPDATE hosts SET generation = generation + 1 WHERE id = $1")
        .bind(id.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes the report's sequence; false where this or a later one of the same boot was taken before.
pub async fn take_sequence(
    conn: &mut Conn,
    id: HostId,
    boot: BootId,
    sequence: i64,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE hosts SET agent_boot_id = $1, agent_sequence = $2 WHERE id = $3 \
         AND (agent_boot_id IS NULL OR agent_boot_id <> $1 OR agent_sequence < $2)",
    )
    .bind(boot.to_string())
    .bind(sequence)
    .bind(id.to_string())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A journal that began where another one was known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewJournal {
    pub since: Timestamp,
    /// The last report of before it. Later facts of before `since` are lost.
    pub lost_from: Timestamp,
}

/// Takes down when the journal of the host's agent began; before the report that says so is observed.
/// The first one that is known has lost nothing.
pub async fn take_journal(
    conn: &mut Conn,
    id: HostId,
    since: Timestamp,
) -> Result<Option<NewJournal>> {
    let known: Option<(i64, i64)> =
        sqlx::query_as("SELECT since_ms, lost_from_ms FROM host_journals WHERE host_id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut *conn)
            .await?;
    let journal = |lost_ms: i64| {
        (lost_ms > 0).then(|| NewJournal { since, lost_from: Timestamp::from_ms(lost_ms) })
    };
    if let Some((_, lost_ms)) = known.filter(|(known, _)| *known == since.ms()) {
        return Ok(journal(lost_ms));
    }
    let reported: Option<i64> =
        sqlx::query_scalar("SELECT last_report_ms FROM hosts WHERE id = $1")
            .bind(id.to_string())
            .fetch_one(&mut *conn)
            .await?;
    let lost_ms = reported.filter(|_| known.is_some()).unwrap_or(0);
    sqlx::query(
        "INSERT INTO host_journals (host_id, since_ms, lost_from_ms) VALUES ($1, $2, $3) \
         ON CONFLICT (host_id) DO UPDATE SET since_ms = $2, lost_from_ms = $3",
    )
    .bind(id.to_string())
    .bind(since.ms())
    .bind(lost_ms)
    .execute(conn)
    .await?;
    Ok(journal(lost_ms))
}

#[derive(Debug, Clone)]
pub struct Observation {
    pub generation: i64,
    pub hypervisor_ok: bool,
    pub reason: Option<String>,
    pub remedy: Option<String>,
    pub facts: HostFacts,
}

/// The figures of a hypervisor that does not answer stay as they were.
pub async fn observe(
    conn: &mut Conn,
    now: Timestamp,
    id: HostId,
    seen: &Observation,
) -> Result<()> {
    sqlx::query(
        "UPDATE hosts SET observed_generation = $1, hypervisor_ok = $2, reason = $3, remedy = $4, \
         last_report_ms = $5, agent_version = $6 WHERE id = $7",
    )
    .bind(seen.generation)
    .bind(i64::from(seen.hypervisor_ok))
    .bind(seen.reason.clone())
    .bind(seen.remedy.clone())
    .bind(now.ms())
    .bind(seen.facts.agent_version.clone())
    .bind(id.to_string())
    .execute(&mut *conn)
    .await?;
    if !seen.hypervisor_ok {
        return Ok(());
    }
    let facts = &seen.facts;
    sqlx::query(
        "UPDATE hosts SET cpus = $1, memory_mib = $2, disk_gib = $3, domain_type = $4, \
         libvirt_version = $5, hypervisor_version = $6 WHERE id = $7",
    )
    .bind(facts.cpus)
    .bind(facts.memory_mib)
    .bind(facts.disk_gib)
    .bind(facts.domain_type.clone())
    .bind(facts.libvirt_version.clone())
    .bind(facts.hypervisor_version.clone())
    .bind(id.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks the hosts whose agent has been silent since before `since` as not answering, and what runs
/// on them as unknown. Returns those that it marked now.
pub async fn mark_silent(conn: &mut Conn, since: Timestamp) -> Result<Vec<HostId>> {
    let rows = sqlx::query(
        "UPDATE hosts SET hypervisor_ok = 0, reason = $1, remedy = $2 \
         WHERE deleted_ms IS NULL AND hypervisor_ok = 1 AND last_report_ms < $3 RETURNING id",
    )
    .bind("its agent does not report")
    .bind("look whether `opshawk agent` runs on it and reaches this server")
    .bind(since.ms())
    .fetch_all(&mut *conn)
    .await?;
    let hosts: Vec<HostId> = rows.iter().map(|row| db::parsed(row, "id")).collect::<Result<_>>()?;
    for host in &hosts {
        sqlx::query(
            "UPDATE instances SET observed = 'unknown' WHERE host_id = $1 \
             AND observed IN ('building', 'running', 'paused', 'stopped')",
        )
        .bind(host.to_string())
        .execute(&mut *conn)
        .await?;
    }
    Ok(hosts)
}
