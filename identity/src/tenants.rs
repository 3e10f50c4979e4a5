//! Tenants: who owns, uses and pays.

use std::collections::HashSet;

use base::{
    Error, Result,
    db::{self, Conn, found},
    id::TenantId,
    time::Timestamp,
};
use sqlx::{Row, any::AnyRow};

pub const NAME_MAX_CHARS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub created_at: Timestamp,
}

fn from_row(row: &AnyRow) -> Result<Tenant> {
    Ok(Tenant {
        id: db::parsed(row, "id")?,
        name: row.try_get("name")?,
        created_at: Timestamp::from_ms(row.try_get("created_ms")?),
    })
}

pub async fn create(conn: &mut Conn, now: Timestamp, name: &str) -> Result<Tenant> {
    let name = free_name(conn, name).await?;
    let tenant = Tenant { id: TenantId::new(), name, created_at: now };
    sqlx::query("INSERT INTO tenants (id, name, created_ms) VALUES ($1, $2, $3)")
        .bind(tenant.id.to_string())
        .bind(&tenant.name)
        .bind(now.ms())
        .execute(conn)
        .await?;
    Ok(tenant)
}

/// A name that no tenant has.
async fn free_name(conn: &mut Conn, name: &str) -> Result<String> {
    let name = crate::checked_name("name", name, NAME_MAX_CHARS)?;
    let taken = sqlx::query("SELECT 1 FROM tenants WHERE name = $1 AND deleted_ms IS NULL")
        .bind(&name)
        .fetch_optional(conn)
        .await?;
    match taken {
        None => Ok(name),
        Some(_) => Err(Error::conflict(format!("a tenant is called '{name}' already"))
            .remedy("choose another name")),
    }
}

/// Gives it another name. What was issued under the old one stays as it is.
pub async fn rename(conn: &mut Conn, id: TenantId, name: &str) -> Result<Tenant> {
    let tenant = get(conn, id).await?;
    if tenant.name == name {
        return Ok(tenant);
    }
    let name = free_name(conn, name).await?;
    sqlx::query("UPDATE tenants SET name = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(&name)
        .execute(conn)
        .await?;
    Ok(Tenant { name, ..tenant })
}

pub async fn get(conn: &mut Conn, id: TenantId) -> Result<Tenant> {
    let row = sqlx::query("SELECT * FROM tenants WHERE id = $1 AND deleted_ms IS NULL")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    from_row(&found(row, format_args!("tenant {id}"))?)
}

/// By creation, after `cursor` (the last id of the page before).
/// Ids of whoever acts or acted for the tenant: its users and its API tokens.
pub async fn actors(conn: &mut Conn, id: TenantId) -> Result<HashSet<String>> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM users WHERE tenant_id = $1 \
         UNION ALL SELECT id FROM api_tokens WHERE tenant_id = $1",
    )
    .bind(id.to_string())
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().collect())
}

pub async fn list(conn: &mut Conn, cursor: Option<TenantId>, limit: i64) -> Result<Vec<Tenant>> {
    let rows = sqlx::query(
        "SELECT * FROM tenants WHERE deleted_ms IS NULL AND id > $1 ORDER BY id LIMIT $2",
    )
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}
