//! What standing holds of a tenant's instances, all of them at once.

use std::collections::BTreeSet;

use base::{
    ErrorKind, Result,
    db::Conn,
    id::{HostId, InstanceId, TenantId},
    time::Timestamp,
};
use identity::Actor;

use super::{Change, Hold, Instance, Power, Wanted, change, effective, from_row, get};
use crate::hosts;

/// Sets the hold on all instances of the tenant, and takes it from those that are exempt. An
/// operation is opened for each whose effective power changes; the others only remember the hold.
/// Returns those whose power changes.
pub async fn set_hold(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    tenant: TenantId,
    hold: Hold,
    exempt: &BTreeSet<InstanceId>,
) -> Result<Vec<(HostId, InstanceId)>> {
    let mut changed = vec![];
    let mut after = None;
    loop {
        let page = by_host(&mut *conn, tenant, after).await?;
        let Some(last) = page.last() else { return Ok(changed) };
        after = Some((last.host_id, last.id));
        for instance in page {
            let hold = if exempt.contains(&instance.id) { Hold::None } else { hold };
            if hold_one(&mut *conn, now, actor, &instance, hold).await? {
                changed.push((instance.host_id, instance.id));
            }
        }
    }
}

/// Instances that a hold reads at once.
pub(super) const HOLD_PAGE_ROWS: i64 = 200;

/// A page of the tenant's instances after this one, by host: hosts are locked in one order, whoever's
/// instances they run.
pub async fn by_host(
    conn: &mut Conn,
    tenant: TenantId,
    after: Option<(HostId, InstanceId)>,
) -> Result<Vec<Instance>> {
    let (host, id) =
        after.map_or_else(Default::default, |(host, id)| (host.to_string(), id.to_string()));
    let rows = sqlx::query(
        "SELECT * FROM instances WHERE deleted_ms IS NULL AND tenant_id = $1 \
         AND (host_id, id) > ($2, $3) ORDER BY host_id, id LIMIT $4",
    )
    .bind(tenant.to_string())
    .bind(host)
    .bind(id)
    .bind(HOLD_PAGE_ROWS)
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

/// The instance as it stands, and until the end of the transaction nobody changes it: whoever does
/// takes its host's row first, as reports do. None where it is gone.
pub async fn lock(conn: &mut Conn, instance: &Instance) -> Result<Option<Instance>> {
    hosts::lock(&mut *conn, instance.host_id).await?;
    match get(conn, instance.id).await {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Whether its effective power changes with this.
async fn hold_one(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    instance: &Instance,
    hold: Hold,
) -> Result<bool> {
    let is_over =
        |instance: &Instance| instance.wanted == Wanted::Absent || instance.build_failed();
    if instance.hold == hold || is_over(instance) {
        return Ok(false);
    }
    // Its page was read without a lock: its user may have started, stopped or deleted it since.
    let Some(instance) = lock(&mut *conn, instance).await? else { return Ok(false) };
    if is_over(&instance) {
        return Ok(false);
    }
    // As it is to be once it is what it is becoming.
    let before = effective(instance.wanted, instance.hold, instance.locked);
    let after = effective(instance.wanted, hold, instance.locked);
    if after == before {
        sqlx::query("UPDATE instances SET hold = $1 WHERE id = $2")
            .bind(hold.as_str())
            .bind(instance.id.to_string())
            .execute(conn)
            .await?;
        return Ok(false);
    }
    let kind = match (before, after) {
        (Power::Paused, Power::Running) => "instance.resume",
        (_, Power::Running) => "instance.start",
        (_, Power::Paused) => "instance.pause",
        (_, Power::Stopped | Power::Absent) => "instance.stop",
    };
    change(conn, now, actor, &instance, kind, Change::Hold(hold)).await?;
    Ok(true)
}
