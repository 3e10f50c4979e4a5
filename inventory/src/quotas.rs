//! How much a tenant may have. Checked and taken in one statement, so that no race overruns it.
//!
//! | Module | Holds |
//! | --- | --- |
//! | this | kinds, limits, taking and giving back |
//! | [`requests`] | a tenant asks for more, an operator decides |
//! | [`drift`] | whether what is taken is what there is |
//!
//! Kinds whose resources this program does not have yet have their limits already, with nothing
//! used. Rows are locked in the order of [`Resource::ALL`], whoever writes them.

use base::{Error, ErrorKind, Result, db::Conn, id::TenantId};
use serde::{Deserialize, Serialize};
use sqlx::Row;

pub mod drift;
pub mod requests;

crate::text_enum! {
    Resource {
        Instances = "instances",
        Vcpus = "vcpus",
        MemoryMib = "memory_mib",
        DiskGib = "disk_gib",
        PublicIps = "public_ips",
        Volumes = "volumes",
        Snapshots = "snapshots",
        Routers = "routers",
        Networks = "networks",
        SecurityGroups = "security_groups",
        KeyPairs = "key_pairs",
    }
}

impl Resource {
    pub const ALL: [Self; 11] = [
        Self::Instances,
        Self::Vcpus,
        Self::MemoryMib,
        Self::DiskGib,
        Self::PublicIps,
        Self::Volumes,
        Self::Snapshots,
        Self::Routers,
        Self::Networks,
        Self::SecurityGroups,
        Self::KeyPairs,
    ];

    /// For a new tenant, where no setting says otherwise. Those of instances are the figures that
    /// OpenStack begins with.
    pub const fn default_limit(self) -> i64 {
        match self {
            Self::Instances
            | Self::Volumes
            | Self::Snapshots
            | Self::Routers
            | Self::Networks
            | Self::SecurityGroups => 10,
            Self::Vcpus => 20,
            Self::MemoryMib => 50 * 1024,
            Self::DiskGib => 1000,
            Self::PublicIps => 50,
            Self::KeyPairs => 100,
        }
    }
}

/// No limit is above it: what every reader of JSON counts exactly.
pub const LIMIT_MAX: i64 = (1 << 53) - 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub resource: Resource,
    pub limit: i64,
    pub used: i64,
}

/// A limit by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub resource: Resource,
    pub limit: i64,
}

/// What one instance takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    pub vcpus: i64,
    pub memory_mib: i64,
    pub disk_gib: i64,
}

impl Amounts {
    fn each(self, instances: i64) -> [(Resource, i64); 4] {
        [
            (Resource::Instances, instances),
            (Resource::Vcpus, self.vcpus),
            (Resource::MemoryMib, self.memory_mib),
            (Resource::DiskGib, self.disk_gib),
        ]
    }
    /// Of each, the larger one.
    pub fn max(self, other: Self) -> Self {
        Self {
            vcpus: self.vcpus.max(other.vcpus),
            memory_mib: self.memory_mib.max(other.memory_mib),
            disk_gib: self.disk_gib.max(other.disk_gib),
        }
    }
    /// Of each, what it is above the other one.
    pub fn above(self, other: Self) -> Self {
        Self {
            vcpus: (self.vcpus - other.vcpus).max(0),
            memory_mib: (self.memory_mib - other.memory_mib).max(0),
            disk_gib: (self.disk_gib - other.disk_gib).max(0),
        }
    }
}

/// A new tenant's limits, as the program has them where no setting says otherwise.
pub async fn create_defaults(conn: &mut Conn, tenant: TenantId) -> Result<()> {
    create(conn, tenant, Resource::default_limit).await
}

/// A new tenant's limits.
pub async fn create(
    conn: &mut Conn,
    tenant: TenantId,
    limit_of: impl Fn(Resource) -> i64,
) -> Result<()> {
    for resource in Resource::ALL {
        sqlx::query(
            "INSERT INTO quotas (tenant_id, resource, hard_limit, used) VALUES ($1, $2, $3, 0)",
        )
        .bind(tenant.to_string())
        .bind(resource.as_str())
        .bind(limit_of(resource))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Everybody's, in no order.
pub async fn all(conn: &mut Conn) -> Result<Vec<(TenantId, Quota)>> {
    let rows = sqlx::query("SELECT tenant_id, resource, hard_limit, used FROM quotas")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let quota = Quota {
                resource: base::db::parsed(row, "resource")?,
                limit: row.try_get("hard_limit")?,
                used: row.try_get("used")?,
            };
            Ok((base::db::parsed(row, "tenant_id")?, quota))
        })
        .collect()
}

pub async fn list(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Quota>> {
    let rows = sqlx::query("SELECT resource, hard_limit, used FROM quotas WHERE tenant_id = $1")
        .bind(tenant.to_string())
        .fetch_all(conn)
        .await?;
    let mut quotas = rows
        .iter()
        .map(|row| {
            Ok(Quota {
                resource: base::db::parsed(row, "resource")?,
                limit: row.try_get("hard_limit")?,
                used: row.try_get("used")?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    quotas.sort_by_key(|q| Resource::ALL.iter().position(|r| *r == q.resource));
    Ok(quotas)
}

/// One kind's; nothing is allowed where none was ever set.
async fn one(conn: &mut Conn, tenant: TenantId, resource: Resource) -> Result<Quota> {
    let quotas = list(conn, tenant).await?;
    let found = quotas.into_iter().find(|q| q.resource == resource);
    Ok(found.unwrap_or(Quota { resource, limit: 0, used: 0 }))
}

/// Keeps others from taking, giving back, asking and deciding for this tenant until the end of the
/// transaction: all of them write the first kind's row before any other.
async fn lock(conn: &mut Conn, tenant: TenantId) -> Result<()> {
    sqlx::query("UPDATE quotas SET used = used WHERE tenant_id = $1 AND resource = $2")
        .bind(tenant.to_string())
        .bind(Resource::ALL[0].as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// A limit below what is used is allowed: it only stops what is new.
pub async fn set_limit(
    conn: &mut Conn,
    tenant: TenantId,
    resource: Resource,
    limit: i64,
) -> Result<()> {
    check_limit(limit)?;
    lock(&mut *conn, tenant).await?;
    sqlx::query(
        "INSERT INTO quotas (tenant_id, resource, hard_limit, used) VALUES ($1, $2, $3, 0) \
         ON CONFLICT (tenant_id, resource) DO UPDATE SET hard_limit = excluded.hard_limit",
    )
    .bind(tenant.to_string())
    .bind(resource.as_str())
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(())
}

fn check_limit(limit: i64) -> Result<()> {
    if (0..=LIMIT_MAX).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid("limit", format!("the limit must be from 0 to {LIMIT_MAX}, not {limit}")))
}

/// Takes one more instance of these amounts, all of it or, since the caller's transaction then fails,
/// nothing.
pub async fn take(conn: &mut Conn, tenant: TenantId, amounts: Amounts) -> Result<()> {
    take_each(conn, tenant, &amounts.each(1)).await
}

/// Takes so much more for an instance that is there, like [`take`]. A kind of which nothing more is
/// taken refuses nothing, though its limit was lowered since.
pub async fn take_more(conn: &mut Conn, tenant: TenantId, more: Amounts) -> Result<()> {
    lock(&mut *conn, tenant).await?;
    let each: Vec<_> = more.each(0).into_iter().filter(|(_, amount)| *amount > 0).collect();
    take_each(conn, tenant, &each).await
}

async fn take_each(conn: &mut Conn, tenant: TenantId, each: &[(Resource, i64)]) -> Result<()> {
    for &(resource, amount) in each {
        let done = sqlx::query(
            "UPDATE quotas SET used = used + $1 \
             WHERE tenant_id = $2 AND resource = $3 AND used + $1 <= hard_limit",
        )
        .bind(amount)
        .bind(tenant.to_string())
        .bind(resource.as_str())
        .execute(&mut *conn)
        .await?;
        if done.rows_affected() == 0 {
            return Err(exceeded(conn, tenant, resource, amount).await?);
        }
    }
    Ok(())
}

async fn exceeded(
    conn: &mut Conn,
    tenant: TenantId,
    resource: Resource,
    amount: i64,
) -> Result<Error> {
    let Quota { used, limit, .. } = one(conn, tenant, resource).await?;
    let name = resource.as_str();
    Ok(Error::new(
        ErrorKind::QuotaExceeded,
        format!("the quota for {name} is {used}/{limit} used, and this needs {amount} more"),
    )
    .remedy(
        "delete what is not needed, or ask for more: in the console's overview, or with \
         opshawk quota request",
    ))
}

/// Gives back what one instance of these amounts had taken.
pub async fn release(conn: &mut Conn, tenant: TenantId, amounts: Amounts) -> Result<()> {
    release_each(conn, tenant, amounts.each(1)).await
}

/// Gives back what an instance that stays no longer takes.
pub async fn release_some(conn: &mut Conn, tenant: TenantId, less: Amounts) -> Result<()> {
    release_each(conn, tenant, less.each(0)).await
}

async fn release_each(conn: &mut Conn, tenant: TenantId, each: [(Resource, i64); 4]) -> Result<()> {
    for (resource, amount) in each {
        sqlx::query("UPDATE quotas SET used = used - $1 WHERE tenant_id = $2 AND resource = $3")
            .bind(amount)
            .bind(tenant.to_string())
            .bind(resource.as_str())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
