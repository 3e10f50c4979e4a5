//! Which host takes an instance: the enabled one that answers and has the most memory left.

use base::{
    Error, Result,
    db::{self, Conn},
    id::HostId,
};

use crate::quotas::Amounts;

/// Instances of a host, those on their way out included: its agent is told and reports them all
/// at once.
pub const INSTANCES_PER_HOST_MAX: i64 = 2_000;

/// Chooses and takes in one statement. The condition stands twice, so that PostgreSQL checks it
/// again on the row as another transaction left it.
pub async fn place(conn: &mut Conn, amounts: Amounts) -> Result<HostId> {
    let fits = "state = 'enabled' AND deleted_ms IS NULL AND hypervisor_ok = 1 \
                AND (vcpus_placed + $1) * 100 <= cpus * cpu_ratio_pct \
                AND (memory_mib_placed + $2) * 100 <= memory_mib * memory_ratio_pct \
                AND (SELECT COUNT(*) FROM instances WHERE instances.host_id = hosts.id \
                     AND instances.deleted_ms IS NULL) < $3";
    let statement = format!(
        "UPDATE hosts SET vcpus_placed = vcpus_placed + $1, \
         memory_mib_placed = memory_mib_placed + $2 \
         WHERE id = (SELECT id FROM hosts WHERE {fits} \
         ORDER BY memory_mib * memory_ratio_pct - memory_mib_placed * 100 DESC, id LIMIT 1) \
         AND {fits} RETURNING id"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(amounts.vcpus)
        .bind(amounts.memory_mib)
        .bind(INSTANCES_PER_HOST_MAX)
        .fetch_optional(conn)
        .await?;
    match row {
        Some(row) => db::parsed(&row, "id"),
        None => Err(Error::conflict(format!(
            "no host has room for {} vCPUs and {} MiB of memory",
            amounts.vcpus, amounts.memory_mib
        ))
        .remedy("try a smaller flavor, or ask an operator to add or enable a host")),
    }
}

/// Takes so much more of the host that an instance is on: none if it has no room for it.
pub async fn take_more(conn: &mut Conn, host: HostId, more: Amounts) -> Result<()> {
    let done = sqlx::query(
        "UPDATE hosts SET vcpus_placed = vcpus_placed + $1, \
         memory_mib_placed = memory_mib_placed + $2 WHERE id = $3 \
         AND ($1 = 0 OR (vcpus_placed + $1) * 100 <= cpus * cpu_ratio_pct) \
         AND ($2 = 0 OR (memory_mib_placed + $2) * 100 <= memory_mib * memory_ratio_pct)",
    )
    .bind(more.vcpus)
    .bind(more.memory_mib)
    .bind(host.to_string())
    .execute(conn)
    .await?;
    if done.rows_affected() > 0 {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "its host has no room for {} more vCPUs and {} MiB more memory",
        more.vcpus, more.memory_mib
    ))
    .remedy("try a smaller flavor, or create another instance, which may get another host"))
}

pub async fn release(conn: &mut Conn, host: HostId, amounts: Amounts) -> Result<()> {
    sqlx::query(
        "UPDATE hosts SET vcpus_placed = vcpus_placed - $1, \
         memory_mib_placed = memory_mib_placed - $2 WHERE id = $3",
    )
    .bind(amounts.vcpus)
    .bind(amounts.memory_mib)
    .bind(host.to_string())
    .execute(conn)
    .await?;
    Ok(())
}
