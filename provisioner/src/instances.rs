//! What a user asks of an instance.
//!
//! Each function here works in the caller's transaction: who asked is checked, billing admits,
//! quota and place are taken, what is wanted is written with its operation and audit row. If any of
//! them refuses, the transaction ends and nothing was taken.

use std::collections::BTreeSet;

use base::{
    Error, Result,
    bus::{Changes, Topic},
    db::Conn,
    id::{FlavorId, ImageId, InstanceId, OperationId, TenantId},
    time::Timestamp,
};
use billing::{accounts, admission, meter};
use identity::{Actor, audit, checked_name};
use inventory::{
    flavors, images,
    instances::{self, Change, Instance, Labels, NewInstance, Power, Wanted, effective},
};
use serde_json::json;

pub const SSH_KEY_MAX_BYTES: usize = 16 * 1024;
/// What OpenStack takes.
pub const USER_DATA_MAX_BYTES: usize = 64 * 1024;

/// A request to create an instance.
#[derive(Debug, Clone)]
pub struct Create {
    pub tenant_id: TenantId,
    pub name: String,
    pub flavor_id: FlavorId,
    pub image_id: ImageId,
    pub ssh_key: Option<String>,
    pub user_data: Option<String>,
    pub labels: Labels,
}

/// Who asks, when, and how billing is set: what every call here needs.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub actor: &'a Actor,
    pub now: Timestamp,
    pub billing: &'a billing::Settings,
}

pub async fn create(
    conn: &mut Conn,
    ctx: Context<'_>,
    request: Create,
    changes: &mut Changes,
) -> Result<(Instance, OperationId)> {
    let tenant = request.tenant_id;
    ctx.actor.require_sees(tenant, format_args!("tenant {tenant}"))?;
    let name = checked_name("name", &request.name, instances::NAME_MAX_CHARS)?;
    let ssh_key = request.ssh_key.as_deref().map(checked_ssh_key).transpose()?;
    if request.user_data.as_ref().is_some_and(|data| data.len() > USER_DATA_MAX_BYTES) {
        let message = format!("user_data must have at most {USER_DATA_MAX_BYTES} bytes");
        return Err(Error::invalid("user_data", message));
    }
    instances::check_labels(&request.labels)?;
    let flavor =
        flavors::get(&mut *conn, request.flavor_id).await.map_err(|e| e.in_field("flavor_id"))?;
    let image =
        images::get(&mut *conn, request.image_id).await.map_err(|e| e.in_field("image_id"))?;
    if image.tenant_id.is_some_and(|owner| owner != tenant) {
        let hidden = Error::not_found(format_args!("image {}", image.id));
        return Err(hidden.in_field("image_id"));
    }
    if image.state != images::ImageState::Active {
        return Err(Error::conflict(format!("image '{}' is not active yet", image.name))
            .field("image_id")
            .remedy("upload its files first"));
    }
    let needs = meter::components(meter::ResourceState::Running, flavor.id, flavor.disk_gib);
    let selected_by = meter::selected_by(ctx.billing.region.as_deref(), &request.labels);
    let ask =
        admission::Ask { instance: None, old: &[], new: &needs, selected_by: Some(&selected_by) };
    admission::admit_change(&mut *conn, ctx.now, ctx.billing, tenant, ask).await?;
    let new = NewInstance {
        tenant_id: tenant,
        name,
        flavor_id: flavor.id,
        amounts: flavor.amounts(),
        image_id: image.id,
        ssh_key,
        user_data: request.user_data,
        labels: request.labels,
    };
    let (instance, operation) = instances::create(&mut *conn, ctx.now, ctx.actor, new).await?;
    let detail = json!({
        "name": instance.name,
        "flavor": flavor.name,
        "image": image.name,
        "labels": instance.labels,
    });
    record(conn, ctx, &instance, "instance.create", detail).await?;
    announce(changes, &instance, operation);
    changes.add(Topic::Quota, tenant, Some(tenant));
    Ok((instance, operation))
}

/// What can be asked of an instance that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Start,
    Stop,
    Delete,
    /// Stopped until an operator unlocks it.
    Lock,
    Unlock,
}

impl Ask {
    fn kind(self) -> &'static str {
        match self {
            Self::Start => "instance.start",
            Self::Stop => "instance.stop",
            Self::Delete => "instance.delete",
            Self::Lock => "instance.lock",
            Self::Unlock => "instance.unlock",
        }
    }
    fn change(self) -> Change {
        match self {
            Self::Start => Change::Want(Wanted::Running),
            Self::Stop => Change::Want(Wanted::Stopped),
            Self::Delete => Change::Want(Wanted::Absent),
            Self::Lock => Change::Lock(true),
            Self::Unlock => Change::Lock(false),
        }
    }
}

pub async fn ask(
    conn: &mut Conn,
    ctx: Context<'_>,
    id: InstanceId,
    ask: Ask,
    changes: &mut Changes,
) -> Result<(Instance, OperationId)> {
    let instance = instances::get(&mut *conn, id).await?;
    ctx.actor.require_sees(instance.tenant_id, format_args!("instance {id}"))?;
    match ask {
        Ask::Lock | Ask::Unlock => ctx.actor.require_operator()?,
        Ask::Start if instance.locked => {
            return Err(Error::conflict(format!("instance '{}' is locked", instance.name))
                .remedy("ask an operator to unlock it"));
        }
        Ask::Start | Ask::Stop | Ask::Delete => {}
    }
    // Whatever makes it run asks billing, an unlock too.
    let after = match ask.change() {
        Change::Want(wanted) => effective(wanted, instance.hold, instance.locked),
        Change::Lock(locked) => effective(instance.wanted, instance.hold, locked),
        Change::Hold(_) => instance.effective(),
    };
    let starts = matches!(ask, Ask::Start | Ask::Unlock)
        && (after == Power::Running || ask == Ask::Start)
        && instance.effective() != Power::Running;
    if starts {
        let needs = meter::components(
            meter::ResourceState::Running,
            instance.wanted_flavor(),
            // Its disk burns already.
            0,
        );
        let selected_by = meter::selected_by(ctx.billing.region.as_deref(), &instance.labels);
        let selected_by = Some(&selected_by);
        let ask = admission::Ask { instance: Some(id), old: &[], new: &needs, selected_by };
        admission::admit_change(&mut *conn, ctx.now, ctx.billing, instance.tenant_id, ask).await?;
    }
    let operation =
        instances::change(&mut *conn, ctx.now, ctx.actor, &instance, ask.kind(), ask.change())
            .await?;
    record(&mut *conn, ctx, &instance, ask.kind(), json!({"name": instance.name})).await?;
    announce(changes, &instance, operation);
    Ok((instances::get(conn, id).await?, operation))
}

/// The instance as it stands, to whoever may see it, and until the end of the transaction nobody changes
/// it. First the account, then the host with its instances, as reports do: one that tells of this instance
/// comes before the change or after it.
pub(crate) async fn locked(conn: &mut Conn, ctx: Context<'_>, id: InstanceId) -> Result<Instance> {
    let instance = instances::get(&mut *conn, id).await?;
    ctx.actor.require_sees(instance.tenant_id, format_args!("instance {id}"))?;
    accounts::lock_all(&mut *conn, &BTreeSet::from([instance.tenant_id])).await?;
    let instance = instances::lock(&mut *conn, &instance).await?;
    instance.ok_or_else(|| Error::not_found(format_args!("instance {id}")))
}

pub(crate) async fn record(
    conn: &mut Conn,
    ctx: Context<'_>,
    instance: &Instance,
    action: &str,
    detail: serde_json::Value,
) -> Result<()> {
    let act = audit::Act {
        action,
        target_kind: "instance",
        target_id: instance.id.to_string(),
        tenant_id: Some(instance.tenant_id),
        detail,
    };
    audit::record(conn, ctx.now, ctx.actor, act).await
}

pub(crate) fn announce(changes: &mut Changes, instance: &Instance, operation: OperationId) {
    let tenant = Some(instance.tenant_id);
    changes.add(Topic::HostDesired, instance.host_id, None);
    changes.add(Topic::Instance, instance.id, tenant);
    changes.add(Topic::Operation, operation, tenant);
}

fn checked_ssh_key(key: &str) -> Result<String> {
    let key = key.trim();
    let wrong = |message: &str| Error::invalid("ssh_key", message);
    if key.len() > SSH_KEY_MAX_BYTES {
        return Err(wrong("the SSH key is too long"));
    }
    let known = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];
    let parts: Vec<&str> = key.split_whitespace().collect();
    if key.contains('\n') || parts.len() < 2 || !known.iter().any(|k| key.starts_with(k)) {
        return Err(wrong("this is no OpenSSH public key")
            .remedy("give one line such as the content of ~/.ssh/id_ed25519.pub"));
    }
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests;
