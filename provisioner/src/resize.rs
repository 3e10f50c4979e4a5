//! An instance becomes another flavor: asked by its user, and billed from when its host has done it.

use agent::wire::{InstanceState as Seen, ObservedInstance, Report};
use base::{
    Error, Result,
    bus::{Changes, Topic},
    db::Conn,
    id::{FlavorId, HostId, InstanceId, OperationId},
    time::Timestamp,
};
use billing::{
    admission,
    meter::{self, ResourceState},
    usage::{self, Fact, Resource},
};
use inventory::{
    flavors,
    instances::{self, Instance, Resize},
};
use serde_json::json;

use crate::{
    instances::{Context, announce, locked, record},
    labels::{SOURCE, attributes},
};

/// Wants the instance to become that flavor, in the caller's transaction. It must be stopped, and there
/// must be money for it as it will run: otherwise its user would learn at its next start that there is
/// none.
pub async fn resize(
    conn: &mut Conn,
    ctx: Context<'_>,
    id: InstanceId,
    flavor_id: FlavorId,
    changes: &mut Changes,
) -> Result<(Instance, OperationId)> {
    let instance = locked(&mut *conn, ctx, id).await?;
    let tenant = instance.tenant_id;
    let flavor = flavors::get(&mut *conn, flavor_id).await.map_err(|e| e.in_field("flavor_id"))?;
    if instance.locked {
        return Err(Error::conflict(format!("instance '{}' is locked", instance.name))
            .remedy("ask an operator to unlock it"));
    }
    let amounts = flavor.amounts();
    instances::check_resize(&instance, flavor.id, amounts)?;
    admit(&mut *conn, ctx, &instance, &flavor).await?;
    let (now, actor) = (ctx.now, ctx.actor);
    let operation =
        instances::resize(&mut *conn, now, actor, &instance, flavor.id, amounts).await?;
    let was = flavors::get_any(&mut *conn, instance.flavor_id).await?.name;
    let detail = json!({ "name": instance.name, "flavor": flavor.name, "was": was });
    record(&mut *conn, ctx, &instance, "instance.resize", detail).await?;
    announce(changes, &instance, operation);
    changes.add(Topic::Quota, tenant, Some(tenant));
    Ok((instances::get(conn, id).await?, operation))
}

/// Admits all that burns plus the instance as it will run, in place of it as it is.
async fn admit(
    conn: &mut Conn,
    ctx: Context<'_>,
    instance: &Instance,
    flavor: &flavors::Flavor,
) -> Result<()> {
    let is = instance.amounts.disk_gib;
    let old = meter::components(ResourceState::Stopped, instance.flavor_id, is);
    let new = meter::components(ResourceState::Running, flavor.id, flavor.disk_gib);
    let selected_by = meter::selected_by(ctx.billing.region.as_deref(), &instance.labels);
    let ask = admission::Ask {
        instance: Some(instance.id),
        old: &old,
        new: &new,
        selected_by: Some(&selected_by),
    };
    admission::admit_change(conn, ctx.now, ctx.billing, instance.tenant_id, ask).await
}

/// Instances of which the report tells that they are what they were to become, and what billing is to
/// hear of that, after the facts of the report.
pub(crate) async fn finish(
    conn: &mut Conn,
    now: Timestamp,
    host: HostId,
    report: &Report,
    region: Option<&str>,
    changes: &mut Changes,
) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for instance in instances::resizing(&mut *conn, host).await? {
        let Some(resize) = instance.resize.clone() else { continue };
        let seen = report.instances.iter().find(|seen| seen.id == instance.id);
        if !seen.is_some_and(|seen| is_done(&instance, &resize, seen)) {
            continue;
        }
        let resource = Resource { kind: "instance".to_owned(), id: instance.id.to_string() };
        let told = usage::last_state(&mut *conn, &resource).await?;
        let state = ResourceState::Stopped.as_str().to_owned();
        // Its stop waits among events that this report had no room for.
        if told.is_some_and(|told| told != state) {
            continue;
        }
        let (instance, ended) = instances::finish_resize(&mut *conn, now, &instance).await?;
        let tenant = Some(instance.tenant_id);
        for operation in ended {
            changes.add(Topic::Operation, operation, tenant);
        }
        changes.add(Topic::HostDesired, host, None);
        changes.add(Topic::Instance, instance.id, tenant);
        changes.add(Topic::Quota, instance.tenant_id, tenant);
        facts.push(Fact {
            source: SOURCE.to_owned(),
            source_id: format!("resize:{}:{}", instance.id, resize.generation),
            tenant_id: instance.tenant_id,
            resource,
            resource_name: instance.name.clone(),
            state,
            attributes: attributes(&instance, region),
            // By the host's clock, where that is between the ask and now.
            at: report.at.min(now).max(resize.asked_at),
            ordinal: 0,
        });
    }
    Ok(facts)
}

/// The host answers to what was asked for, it is stopped, and its disk is as large as it is to be.
/// Processors and memory are of its next start, for which it waits until here.
fn is_done(instance: &Instance, resize: &Resize, seen: &ObservedInstance) -> bool {
    let wanted = resize.amounts.disk_gib;
    let has = seen.disk_gib.unwrap_or(instance.amounts.disk_gib);
    seen.state == Seen::Stopped && seen.generation >= resize.generation && has >= wanted
}
