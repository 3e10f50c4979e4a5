//! How much a tenant may have. Checked and taken in one statement, so that no race overruns it.

use base::{Error, ErrorKind, Result, db::Conn, id::TenantId};
use sqlx::Row;

crate::text_enum! {
    Resource { Instances = "instances", Vcpus = "vcpus", MemoryMib = "memory_mib", DiskGib = "disk_gib" }
}

impl Resource {
    pub const ALL: [Self; 4] = [Self::Instances, Self::Vcpus, Self::MemoryMib, Self::DiskGib];

    /// For a new tenant: the figures that OpenStack begins with.
    pub const fn default_limit(self) -> i64 {
        match self {
            Self::Instances => 10,
            Self::Vcpus => 20,
            Self::MemoryMib => 50 * 1024,
            Self::DiskGib => 1000,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub resource: Resource,
    pub limit: i64,
    pub used: i64,
}

/// What one instance takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    pub vcpus: i64,
    pub memory_mib: i64,
    pub disk_gib: i64,
}

impl Amounts {
    fn each(self) -> [(Resource, i64); 4] {
        [
            (Resource::Instances, 1),
            (Resource::Vcpus, self.vcpus),
            (Resource::MemoryMib, self.memory_mib),
            (Resource::DiskGib, self.disk_gib),
        ]
    }
}

pub async fn create_defaults(conn: &mut Conn, tenant: TenantId) -> Result<()> {
    for resource in Resource::ALL {
        sqlx::query(
            "INSERT INTO quotas (tenant_id, resource, hard_limit, used) VALUES ($1, $2, $3, 0)",
        )
        .bind(tenant.to_string())
        .bind(resource.as_str())
        .bind(resource.default_limit())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
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

/// A limit below what is used is allowed: it only stops what is new.
pub async fn set_limit(
    conn: &mut Conn,
    tenant: TenantId,
    resource: Resource,
    limit: i64,
) -> Result<()> {
    if limit < 0 {
        return Err(Error::invalid("limit", format!("the limit must be 0 or more, not {limit}")));
    }
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

/// Takes all or, since the caller's transaction then fails, nothing.
pub async fn take(conn: &mut Conn, tenant: TenantId, amounts: Amounts) -> Result<()> {
    for (resource, amount) in amounts.each() {
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
    let quotas = list(conn, tenant).await?;
    let (used, limit) = quotas
        .iter()
        .find(|q| q.resource == resource)
        .map_or((0, 0), |quota| (quota.used, quota.limit));
    let name = resource.as_str();
    Ok(Error::new(
        ErrorKind::QuotaExceeded,
        format!("the quota for {name} is {used}/{limit} used, and this needs {amount} more"),
    )
    .remedy("delete what is not needed, or ask an operator to raise the quota"))
}

pub async fn release(conn: &mut Conn, tenant: TenantId, amounts: Amounts) -> Result<()> {
    for (resource, amount) in amounts.each() {
        sqlx::query("UPDATE quotas SET used = used - $1 WHERE tenant_id = $2 AND resource = $3")
            .bind(amount)
            .bind(tenant.to_string())
            .bind(resource.as_str())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
