//! Instances: what their tenant wants, what holds them, what was observed.
//!
//! Three have a say in an instance's power, and [`effective`] makes one answer of it:
//!
//! | wanted (tenant) | hold (standing) | locked (operator) | effective |
//! | --- | --- | --- | --- |
//! | absent | any | any | absent |
//! | stopped | any | any | stopped |
//! | running | stopped, or any with a lock | | stopped |
//! | running | paused | no | paused |
//! | running | none | no | running |
//!
//! So a top-up, which lifts the hold, starts only what the cut-off had stopped: what the tenant
//! had stopped stays stopped, what an operator had locked stays locked. What is becoming another
//! flavor ([`Resize`]) is stopped until it is that.

use base::{
    Error, Result,
    db::{self, Conn},
    id::{FlavorId, HostId, ImageId, InstanceId, OperationId, TenantId},
    time::Timestamp,
};
use identity::Actor;
use sqlx::{Row, any::AnyRow};

use crate::{
    hosts,
    operations::{self, Target},
    placement, quotas,
    quotas::Amounts,
};

mod hold;
mod labels;
mod observe;
mod resize;

pub use hold::{by_host, lock, set_hold};
pub use labels::{LabelChange, Labels, changed_labels, check_labels, parsed_labels, set_labels};
pub use observe::{Observation, Observed, observe, save_console};
pub use resize::{Resize, check_resize, finish_resize, resize, resizing};

pub const NAME_MAX_CHARS: usize = 64;

crate::text_enum! {
    Wanted { Running = "running", Stopped = "stopped", Absent = "absent" }
}
crate::text_enum! {
    /// What the tenant's standing does to it.
    Hold { None = "none", Paused = "paused", Stopped = "stopped" }
}
crate::text_enum! {
    InstanceState {
        /// No host has taken it up yet.
        Pending = "pending",
        Building = "building",
        Running = "running",
        Paused = "paused",
        Stopped = "stopped",
        Absent = "absent",
        /// A step failed for good.
        Failed = "failed",
        /// Its hypervisor does not answer.
        Unknown = "unknown",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    Running,
    Paused,
    Stopped,
    Absent,
}

pub const fn effective(wanted: Wanted, hold: Hold, locked: bool) -> Power {
    match (wanted, hold, locked) {
        (Wanted::Absent, _, _) => Power::Absent,
        (Wanted::Stopped, _, _) | (_, Hold::Stopped, _) | (_, _, true) => Power::Stopped,
        (Wanted::Running, Hold::Paused, false) => Power::Paused,
        (Wanted::Running, Hold::None, false) => Power::Running,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub id: InstanceId,
    pub tenant_id: TenantId,
    pub name: String,
    pub flavor_id: FlavorId,
    pub amounts: Amounts,
    /// What it is becoming; until it is that, the two above say what it is.
    pub resize: Option<Resize>,
    pub image_id: ImageId,
    pub host_id: HostId,
    pub mac: String,
    pub ssh_key: Option<String>,
    pub user_data: Option<String>,
    pub labels: Labels,
    pub wanted: Wanted,
    pub hold: Hold,
    pub locked: bool,
    pub generation: i64,
    pub state: InstanceState,
    pub observed_generation: i64,
    pub observed_at: Option<Timestamp>,
    /// Since when it has been in its state; none before its first one.
    pub since: Option<Timestamp>,
    pub step: Option<String>,
    pub progress_pct: Option<i64>,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub addresses: Vec<String>,
    pub holds_quota: bool,
    pub created_at: Timestamp,
}

impl Instance {
    /// An instance whose build failed is cleared from its host, and its row stays readable. What is
    /// becoming another flavor runs when it is that, and not as something in between.
    pub fn effective(&self) -> Power {
        if self.build_failed() {
            return Power::Absent;
        }
        match effective(self.wanted, self.hold, self.locked) {
            Power::Running | Power::Paused if self.resize.is_some() => Power::Stopped,
            power => power,
        }
    }
    pub fn build_failed(&self) -> bool {
        self.state == InstanceState::Failed && !self.holds_quota
    }
    /// The flavor that it is to be.
    pub fn wanted_flavor(&self) -> FlavorId {
        self.resize.as_ref().map_or(self.flavor_id, |resize| resize.flavor_id)
    }
    /// What it is to have, on its host.
    pub fn wanted_amounts(&self) -> Amounts {
        self.resize.as_ref().map_or(self.amounts, |resize| resize.amounts)
    }
    /// What it takes of quota and host while it holds them.
    fn taken(&self) -> Amounts {
        self.amounts.max(self.wanted_amounts())
    }
    fn target(&self) -> Target<'_> {
        Target {
            kind: "instance",
            id: self.id.to_string(),
            name: &self.name,
            tenant_id: Some(self.tenant_id),
            generation: self.generation,
            // What is deleted becomes nothing else.
            beside: match self.wanted {
                Wanted::Absent => None,
                _ => self.resize.as_ref().map(|resize| resize.generation),
            },
        }
    }
}

pub(crate) fn from_row(row: &AnyRow) -> Result<Instance> {
    let addresses: String = row.try_get("addresses")?;
    let labels: String = row.try_get("labels")?;
    Ok(Instance {
        id: db::parsed(row, "id")?,
        tenant_id: db::parsed(row, "tenant_id")?,
        name: row.try_get("name")?,
        flavor_id: db::parsed(row, "flavor_id")?,
        amounts: Amounts {
            vcpus: row.try_get("vcpus")?,
            memory_mib: row.try_get("memory_mib")?,
            disk_gib: row.try_get("disk_gib")?,
        },
        resize: resize::from_row(row)?,
        image_id: db::parsed(row, "image_id")?,
        host_id: db::parsed(row, "host_id")?,
        mac: row.try_get("mac")?,
        ssh_key: row.try_get("ssh_key")?,
        user_data: row.try_get("user_data")?,
        labels: parsed_labels(&labels)?,
        wanted: db::parsed(row, "wanted")?,
        hold: db::parsed(row, "hold")?,
        locked: row.try_get::<i64, _>("locked")? != 0,
        generation: row.try_get("generation")?,
        state: db::parsed(row, "observed")?,
        observed_generation: row.try_get("observed_generation")?,
        observed_at: db::instant_opt(row, "observed_ms")?,
        since: db::instant_opt(row, "event_ms")?,
        step: row.try_get("step")?,
        progress_pct: row.try_get("progress_pct")?,
        error_code: row.try_get("error_code")?,
        error: row.try_get("error")?,
        addresses: serde_json::from_str(&addresses).unwrap_or_default(),
        holds_quota: row.try_get::<i64, _>("holds_quota")? != 0,
        created_at: Timestamp::from_ms(row.try_get("created_ms")?),
    })
}

#[derive(Debug, Clone)]
pub struct NewInstance {
    pub tenant_id: TenantId,
    pub name: String,
    pub flavor_id: FlavorId,
    pub amounts: Amounts,
    pub image_id: ImageId,
    pub ssh_key: Option<String>,
    pub user_data: Option<String>,
    pub labels: Labels,
}

/// Takes quota and a place, and writes what is wanted with its operation. The caller has checked
/// the fields, admitted it with billing, and writes the audit row.
pub async fn create(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    new: NewInstance,
) -> Result<(Instance, OperationId)> {
    // The host's row is locked before the quota's, as a report that frees both does it. Where both
    // refuse, the quota is what the tenant can do something about.
    let place = placement::place(&mut *conn, new.amounts).await;
    quotas::take(&mut *conn, new.tenant_id, new.amounts).await?;
    let host_id = place?;
    let id = free_id(&mut *conn).await?;
    sqlx::query(
        "INSERT INTO instances (id, tenant_id, name, flavor_id, vcpus, memory_mib, disk_gib, \
         image_id, host_id, mac, ssh_key, user_data, wanted, hold, locked, generation, observed, \
         observed_generation, addresses, holds_quota, created_ms, labels) VALUES ($1, $2, $3, $4, \
         $5, $6, $7, $8, $9, $10, $11, $12, 'running', 'none', 0, 1, 'pending', 0, '[]', 1, $13, \
         $14)",
    )
    .bind(id.to_string())
    .bind(new.tenant_id.to_string())
    .bind(&new.name)
    .bind(new.flavor_id.to_string())
    .bind(new.amounts.vcpus)
    .bind(new.amounts.memory_mib)
    .bind(new.amounts.disk_gib)
    .bind(new.image_id.to_string())
    .bind(host_id.to_string())
    .bind(mac(id))
    .bind(new.ssh_key)
    .bind(new.user_data)
    .bind(now.ms())
    .bind(labels::written(&new.labels))
    .execute(&mut *conn)
    .await?;
    hosts::raise_generation(&mut *conn, host_id).await?;
    let instance = get(&mut *conn, id).await?;
    let operation =
        operations::open(conn, now, actor, "instance.create", instance.target()).await?;
    Ok((instance, operation))
}

/// An id whose MAC address nobody had: three bytes are not many for thousands of instances.
async fn free_id(conn: &mut Conn) -> Result<InstanceId> {
    /// Each is taken with a chance of one in a thousand where there are 16,000 instances.
    const TRIES_MAX: usize = 16;
    for _ in 0..TRIES_MAX {
        let id = InstanceId::new();
        let taken: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM instances WHERE mac = $1")
            .bind(mac(id))
            .fetch_one(&mut *conn)
            .await?;
        if taken == 0 {
            return Ok(id);
        }
    }
    Err(Error::unavailable("no MAC address was found that is free").remedy("try again"))
}

/// QEMU's locally administered prefix, and the id's last three random bytes; the column is unique.
fn mac(id: InstanceId) -> String {
    let bytes = id.0.as_bytes();
    format!("52:54:00:{:02x}:{:02x}:{:02x}", bytes[13], bytes[14], bytes[15])
}

pub async fn get(conn: &mut Conn, id: InstanceId) -> Result<Instance> {
    let row = sqlx::query("SELECT * FROM instances WHERE id = $1 AND deleted_ms IS NULL")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    from_row(&db::found(row, format_args!("instance {id}"))?)
}

/// So many ids are asked for in one statement.
const OWNERS_PAGE: usize = 500;

/// Whose some instances are, and where they run; those that don't exist are left out.
pub async fn owners(
    conn: &mut Conn,
    ids: &[InstanceId],
) -> Result<Vec<(InstanceId, TenantId, HostId)>> {
    let mut found = Vec::new();
    for page in ids.chunks(OWNERS_PAGE) {
        let places = db::placeholders(1, page.len());
        let sql = format!(
            "SELECT id, tenant_id, host_id FROM instances \
             WHERE deleted_ms IS NULL AND id IN ({places})"
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for id in page {
            query = query.bind(id.to_string());
        }
        for row in query.fetch_all(&mut *conn).await? {
            let (id, tenant) = (db::parsed(&row, "id")?, db::parsed(&row, "tenant_id")?);
            found.push((id, tenant, db::parsed(&row, "host_id")?));
        }
    }
    Ok(found)
}

pub async fn list(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    cursor: Option<InstanceId>,
    limit: i64,
) -> Result<Vec<Instance>> {
    let rows = sqlx::query(
        "SELECT * FROM instances WHERE deleted_ms IS NULL AND id > $1 \
         AND ($2 = '' OR tenant_id = $2) ORDER BY id LIMIT $3",
    )
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

/// All that a host is to run or to clear away; [`crate::placement::INSTANCES_PER_HOST_MAX`] bounds
/// it.
pub async fn of_host(conn: &mut Conn, host: HostId) -> Result<Vec<Instance>> {
    let rows = sqlx::query(
        "SELECT * FROM instances WHERE host_id = $1 AND deleted_ms IS NULL ORDER BY id",
    )
    .bind(host.to_string())
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

/// How many there are in each state, of all tenants or of one.
pub async fn count_by_state(
    conn: &mut Conn,
    tenant: Option<TenantId>,
) -> Result<Vec<(InstanceState, i64)>> {
    let rows = sqlx::query(
        "SELECT observed, COUNT(*) AS n FROM instances WHERE deleted_ms IS NULL \
         AND ($1 = '' OR tenant_id = $1) GROUP BY observed",
    )
    .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((db::parsed(row, "observed")?, row.try_get("n")?))).collect()
}

/// How many each tenant has in each state.
pub async fn count_by_tenant(conn: &mut Conn) -> Result<Vec<(TenantId, InstanceState, i64)>> {
    let rows = sqlx::query(
        "SELECT tenant_id, observed, COUNT(*) AS n FROM instances WHERE deleted_ms IS NULL \
         GROUP BY tenant_id, observed",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok((db::parsed(row, "tenant_id")?, db::parsed(row, "observed")?, row.try_get("n")?))
        })
        .collect()
}

/// What one of the three who have a say now says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Want(Wanted),
    Lock(bool),
    Hold(Hold),
}

/// Applies the change; opens an operation called `kind` even where nothing is left to do (it then
/// succeeds with the next report).
pub async fn change(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    instance: &Instance,
    kind: &str,
    change: Change,
) -> Result<OperationId> {
    if instance.wanted == Wanted::Absent && change != Change::Want(Wanted::Absent) {
        return Err(Error::conflict(format!("instance '{}' is being deleted", instance.name)));
    }
    if instance.build_failed() && change != Change::Want(Wanted::Absent) {
        return Err(Error::conflict(format!("the build of instance '{}' failed", instance.name))
            .remedy("delete it and create another one"));
    }
    let mut next = instance.clone();
    next.generation += 1;
    match change {
        Change::Want(wanted) => next.wanted = wanted,
        Change::Lock(locked) => next.locked = locked,
        Change::Hold(hold) => next.hold = hold,
    }
    // The host's row first, as reports lock it.
    hosts::raise_generation(&mut *conn, instance.host_id).await?;
    let done = sqlx::query(
        "UPDATE instances SET wanted = $1, hold = $2, locked = $3, generation = $4 \
         WHERE id = $5 AND generation = $6",
    )
    .bind(next.wanted.as_str())
    .bind(next.hold.as_str())
    .bind(i64::from(next.locked))
    .bind(next.generation)
    .bind(next.id.to_string())
    .bind(instance.generation)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::conflict(format!("instance '{}' was changed just now", instance.name))
            .remedy("try again"));
    }
    operations::open(conn, now, actor, kind, next.target()).await
}

pub async fn console(conn: &mut Conn, id: InstanceId) -> Result<Option<(String, Timestamp)>> {
    let row = sqlx::query("SELECT tail, at_ms FROM instance_consoles WHERE instance_id = $1")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    row.map(|row| Ok((row.try_get("tail")?, Timestamp::from_ms(row.try_get("at_ms")?)))).transpose()
}

#[cfg(test)]
mod tests;
