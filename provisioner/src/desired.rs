//! What a host is to run, as its agent reads it.

use std::time::Duration;

use agent::wire::{self, Desired, DesiredImage, DesiredInstance, ImageFile};
use base::{
    Error, Result,
    bus::{Bus, Topic},
    db::{Conn, Db},
    id::HostId,
};
use inventory::{
    hosts, images,
    instances::{self, Instance, Power},
};
use tokio::sync::broadcast::error::RecvError;

/// The longest wait that an agent may ask for.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// A full snapshot, whatever its generation.
pub async fn snapshot(conn: &mut Conn, host: HostId, stop_grace_ms: i64) -> Result<Desired> {
    // The generation is read first: what is changed in between comes again with the next one.
    let generation = hosts::get(&mut *conn, host).await?.generation;
    let mut wanted = vec![];
    for instance in instances::of_host(&mut *conn, host).await? {
        wanted.push(desired_instance(&mut *conn, instance, stop_grace_ms).await?);
    }
    Ok(Desired { host_id: host, generation, instances: wanted })
}

/// The snapshot once its generation is above `after`; none if nothing newer came within `wait`.
pub async fn wait(
    db: &Db,
    bus: &Bus,
    host: HostId,
    after: i64,
    wait: Duration,
    stop_grace_ms: i64,
) -> Result<Option<Desired>> {
    let mut changes = bus.subscribe();
    // Read after subscribing, so that no change falls in between.
    if let Some(found) = newer(db, host, after, stop_grace_ms).await? {
        return Ok(Some(found));
    }
    let woken = async {
        loop {
            match changes.recv().await {
                Ok(c) if c.topic != Topic::HostDesired || c.id != host.to_string() => continue,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => {
                    return Err(Error::unavailable("the server is stopping"));
                }
            }
            if let Some(found) = newer(db, host, after, stop_grace_ms).await? {
                return Ok(found);
            }
        }
    };
    match tokio::time::timeout(wait.min(WAIT_MAX), woken).await {
        Ok(found) => found.map(Some),
        Err(_) => Ok(None),
    }
}

async fn newer(db: &Db, host: HostId, after: i64, stop_grace_ms: i64) -> Result<Option<Desired>> {
    let mut conn = db.read().await?;
    if hosts::get(&mut conn, host).await?.generation <= after {
        return Ok(None);
    }
    snapshot(&mut conn, host, stop_grace_ms).await.map(Some)
}

async fn desired_instance(
    conn: &mut Conn,
    instance: Instance,
    stop_grace_ms: i64,
) -> Result<DesiredInstance> {
    let image = image(conn, &instance).await?;
    let amounts = instance.wanted_amounts();
    Ok(DesiredInstance {
        id: instance.id,
        tenant_id: instance.tenant_id,
        power: match instance.effective() {
            Power::Running => wire::Power::Running,
            Power::Paused => wire::Power::Paused,
            Power::Stopped => wire::Power::Stopped,
            Power::Absent => wire::Power::Absent,
        },
        name: instance.name,
        generation: instance.generation,
        vcpus: amounts.vcpus,
        memory_mib: amounts.memory_mib,
        disk_gib: amounts.disk_gib,
        mac: instance.mac,
        image,
        ssh_key: instance.ssh_key,
        user_data: instance.user_data,
        stop_grace_ms,
    })
}

/// Read whatever its state: an image that was deleted since still lies under its instances.
async fn image(conn: &mut Conn, instance: &Instance) -> Result<DesiredImage> {
    let image = images::get_any(conn, instance.image_id).await?;
    let file = |file: &images::File| ImageFile { sha256: file.sha256.clone(), bytes: file.bytes };
    let disk = image.disk.as_ref().map(file).ok_or_else(|| {
        Error::internal(format!("image {} of instance {} has no disk", image.id, instance.id))
    })?;
    Ok(DesiredImage {
        id: image.id,
        disk,
        disk_format: match image.disk_format {
            images::DiskFormat::Qcow2 => wire::DiskFormat::Qcow2,
            images::DiskFormat::Raw => wire::DiskFormat::Raw,
        },
        kernel: image.kernel.as_ref().map(file),
        ramdisk: image.ramdisk.as_ref().map(file),
        kernel_cmdline: image.kernel_cmdline,
    })
}
