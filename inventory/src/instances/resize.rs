//! Becoming another flavor.
//!
//! ```text
//!   is A ──resize──> is A, becoming B ──its host has B's disk──> is B
//!                          └──its host gives up───────> is A
//! ```
//!
//! Only what is stopped is resized, and it stays so until it is B, though it was started meanwhile: a
//! guest never runs as anything else than what it is billed as. While it is becoming B, of quota and of
//! its host the larger of both is taken, so that neither way can fail for want of room.

use base::{
    Error, Result,
    db::{self, Conn},
    id::{FlavorId, HostId, OperationId},
    time::Timestamp,
};
use identity::Actor;
use sqlx::{Row, any::AnyRow};

use super::{Instance, InstanceState, Power, get};
use crate::{
    hosts,
    operations::{self, Progress},
    placement,
    quotas::{self, Amounts},
};

/// What an instance is becoming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resize {
    pub flavor_id: FlavorId,
    pub amounts: Amounts,
    /// The instance's generation that asks for it.
    pub generation: i64,
    pub asked_at: Timestamp,
}

pub(super) fn from_row(row: &AnyRow) -> Result<Option<Resize>> {
    let Some(flavor_id) = db::parsed_opt(row, "resize_flavor_id")? else { return Ok(None) };
    Ok(Some(Resize {
        flavor_id,
        amounts: Amounts {
            vcpus: row.try_get("resize_vcpus")?,
            memory_mib: row.try_get("resize_memory_mib")?,
            disk_gib: row.try_get("resize_disk_gib")?,
        },
        generation: row.try_get("resize_generation")?,
        asked_at: Timestamp::from_ms(row.try_get("resize_ms")?),
    }))
}

/// Takes what it needs more, and wants it to become that flavor. The caller has locked the instance
/// ([`super::lock`]), checked it ([`check_resize`]), admitted it with billing, and writes the audit row.
pub async fn resize(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    instance: &Instance,
    flavor_id: FlavorId,
    amounts: Amounts,
) -> Result<OperationId> {
    let more = amounts.above(instance.amounts);
    // The host before the quota, as a create takes them. Where both refuse, the quota is what the
    // tenant can do something about.
    let place = placement::take_more(&mut *conn, instance.host_id, more).await;
    quotas::take_more(&mut *conn, instance.tenant_id, more).await?;
    place.map_err(|e| e.in_field("flavor_id"))?;
    hosts::raise_generation(&mut *conn, instance.host_id).await?;
    let mut next = instance.clone();
    next.generation += 1;
    sqlx::query(
        "UPDATE instances SET resize_flavor_id = $1, resize_vcpus = $2, resize_memory_mib = $3, \
         resize_disk_gib = $4, resize_generation = $5, resize_ms = $6, generation = $5 \
         WHERE id = $7",
    )
    .bind(flavor_id.to_string())
    .bind(amounts.vcpus)
    .bind(amounts.memory_mib)
    .bind(amounts.disk_gib)
    .bind(next.generation)
    .bind(now.ms())
    .bind(instance.id.to_string())
    .execute(&mut *conn)
    .await?;
    operations::open(conn, now, actor, "instance.resize", next.target()).await
}

/// Whether it may become that flavor, as it is.
pub fn check_resize(instance: &Instance, flavor_id: FlavorId, amounts: Amounts) -> Result<()> {
    let name = &instance.name;
    if instance.effective() == Power::Absent {
        return Err(Error::conflict(format!("instance '{name}' is being deleted")));
    }
    if instance.resize.is_some() {
        return Err(Error::conflict(format!("instance '{name}' is being resized already"))
            .remedy("wait until it is done"));
    }
    if instance.effective() != Power::Stopped {
        return Err(Error::conflict(format!("instance '{name}' is not stopped"))
            .remedy("stop it first: a guest sees another machine at its next start"));
    }
    // A look that answers to an older generation may be of before a start that is under way.
    let is_seen = instance.observed_generation >= instance.generation;
    if instance.state != InstanceState::Stopped || !is_seen {
        let state = instance.state.as_str();
        let when = if is_seen { "" } else { " before that" };
        let message =
            format!("instance '{name}' is to be stopped, and was last seen {state}{when}");
        return Err(Error::conflict(message).remedy("wait until its host says that it is stopped"));
    }
    if instance.flavor_id == flavor_id {
        let message = format!("instance '{name}' has this flavor already");
        return Err(Error::invalid("flavor_id", message));
    }
    let (has, wanted) = (instance.amounts.disk_gib, amounts.disk_gib);
    if wanted < has {
        let message =
            format!("the disk of instance '{name}' has {has} GiB, this flavor's {wanted}");
        return Err(Error::invalid("flavor_id", message).remedy(format!(
            "a disk only grows: choose a flavor with at least {has} GiB of disk"
        )));
    }
    Ok(())
}

/// What the host is making into another flavor right now.
pub async fn resizing(conn: &mut Conn, host: HostId) -> Result<Vec<Instance>> {
    let rows = sqlx::query(
        "SELECT * FROM instances WHERE host_id = $1 AND resize_flavor_id IS NOT NULL \
         AND deleted_ms IS NULL ORDER BY id",
    )
    .bind(host.to_string())
    .fetch_all(conn)
    .await?;
    rows.iter().map(super::from_row).collect()
}

/// It is what it was to become: what it had more before is free again. It may run now, which its host
/// is to hear of. Returns the operations that end with it, too.
pub async fn finish_resize(
    conn: &mut Conn,
    now: Timestamp,
    instance: &Instance,
) -> Result<(Instance, Vec<OperationId>)> {
    let Some(resize) = &instance.resize else { return Ok((instance.clone(), vec![])) };
    free(&mut *conn, instance, instance.amounts.above(resize.amounts)).await?;
    sqlx::query(
        "UPDATE instances SET flavor_id = resize_flavor_id, vcpus = resize_vcpus, \
         memory_mib = resize_memory_mib, disk_gib = resize_disk_gib WHERE id = $1",
    )
    .bind(instance.id.to_string())
    .execute(&mut *conn)
    .await?;
    clear(&mut *conn, instance).await?;
    hosts::raise_generation(&mut *conn, instance.host_id).await?;
    // What was asked for meanwhile begins now.
    let (id, reached) = (instance.id.to_string(), Progress::Reached);
    let ended = operations::observe(&mut *conn, now, &id, resize.generation, &reached).await?;
    Ok((get(conn, instance.id).await?, ended))
}

/// It stays what it is: what it would have had more is free again. That is another question to its
/// host, which has nothing more to try, and goes on from there.
pub(super) async fn give_up(conn: &mut Conn, instance: &Instance) -> Result<()> {
    let Some(resize) = &instance.resize else { return Ok(()) };
    free(&mut *conn, instance, resize.amounts.above(instance.amounts)).await?;
    clear(&mut *conn, instance).await?;
    sqlx::query("UPDATE instances SET generation = generation + 1 WHERE id = $1")
        .bind(instance.id.to_string())
        .execute(&mut *conn)
        .await?;
    hosts::raise_generation(conn, instance.host_id).await
}

/// What an instance that holds its quota no longer takes.
async fn free(conn: &mut Conn, instance: &Instance, less: Amounts) -> Result<()> {
    if !instance.holds_quota {
        return Ok(());
    }
    quotas::release_some(&mut *conn, instance.tenant_id, less).await?;
    placement::release(conn, instance.host_id, less).await
}

async fn clear(conn: &mut Conn, instance: &Instance) -> Result<()> {
    sqlx::query(
        "UPDATE instances SET resize_flavor_id = NULL, resize_vcpus = NULL, \
         resize_memory_mib = NULL, resize_disk_gib = NULL, resize_generation = NULL, \
         resize_ms = NULL WHERE id = $1",
    )
    .bind(instance.id.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
