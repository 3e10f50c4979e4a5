//! Labels of instances as billing hears of them: cost follows a label through time, so that another one
//! is a fact of its instant.

use base::{
    Error, Result,
    bus::{Changes, Topic},
    db::Conn,
    id::{InstanceId, UsageEventId},
    time::Timestamp,
};
use billing::{
    kinds::{ABSENT, Attributes, DELETED},
    meter, rating,
    usage::{self, Fact, Resource},
};
use inventory::{
    hosts,
    instances::{self, Instance, LabelChange, Wanted},
};
use serde_json::json;

use crate::{
    instances::{Context, locked, record},
    liveness::SILENCE_MAX,
};

/// Under which the server's own facts are known.
pub(crate) const SOURCE: &str = "server";

/// What facts say of an instance.
pub(crate) fn attributes(instance: &Instance, region: Option<&str>) -> Attributes {
    meter::attributes(instance.flavor_id, instance.amounts.disk_gib)
        .also(&meter::selected_by(region, &instance.labels))
}

/// Changes the instance's labels, in the caller's transaction. One that runs is billed with them from
/// now on.
pub async fn label(
    conn: &mut Conn,
    ctx: Context<'_>,
    id: InstanceId,
    change: &LabelChange,
    changes: &mut Changes,
) -> Result<Instance> {
    let instance = locked(&mut *conn, ctx, id).await?;
    let tenant = instance.tenant_id;
    if instance.wanted == Wanted::Absent {
        return Err(Error::conflict(format!("instance '{}' is being deleted", instance.name)));
    }
    let labels = instances::changed_labels(&instance.labels, change)?;
    if labels == instance.labels {
        return Ok(instance);
    }
    instances::set_labels(&mut *conn, id, &labels).await?;
    let detail = json!({"name": instance.name, "labels": labels, "was": instance.labels});
    let instance = Instance { labels, ..instance };
    if tell(&mut *conn, ctx, &instance).await? {
        rating::post_changed(&mut *conn, ctx.now, tenant).await?;
        changes.add(Topic::Money, tenant, Some(tenant));
    }
    record(conn, ctx, &instance, "instance.label", detail).await?;
    changes.add(Topic::Instance, id, Some(tenant));
    Ok(instance)
}

/// Tells billing, in the state that it was told last. One of which nothing was told yet, or that is
/// gone, is billed with its labels when a report tells of it.
async fn tell(conn: &mut Conn, ctx: Context<'_>, instance: &Instance) -> Result<bool> {
    let resource = Resource { kind: "instance".to_owned(), id: instance.id.to_string() };
    let state = match usage::last_state(&mut *conn, &resource).await? {
        Some(state) if state != ABSENT && state != DELETED => state,
        _ => return Ok(false),
    };
    let fact = Fact {
        source: SOURCE.to_owned(),
        source_id: format!("labels:{}", UsageEventId::new()),
        tenant_id: instance.tenant_id,
        resource,
        resource_name: instance.name.clone(),
        state,
        attributes: attributes(instance, ctx.billing.region.as_deref()),
        at: known_to(&mut *conn, ctx.now, instance).await?,
        ordinal: 0,
    };
    let recorded = usage::record(conn, ctx.now, &fact).await?;
    tracing::info!(resource = %fact.resource, at = %fact.at, ?recorded, "usage fact of labels");
    Ok(true)
}

/// Up to when the instance's state is known: now, or, where its host fell silent, its last report. A stop
/// since then that is told late must not count from the change only.
async fn known_to(conn: &mut Conn, now: Timestamp, instance: &Instance) -> Result<Timestamp> {
    let last = hosts::get(conn, instance.host_id).await?.last_report_at;
    Ok(last.filter(|last| *last < now - SILENCE_MAX).unwrap_or(now))
}
