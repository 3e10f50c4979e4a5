//! Flavors: sizes that tenants choose from. A flavor is never changed, since instances are billed
//! by it; it is retired and another one made.

use base::{
    Error, Result,
    db::{self, Conn},
    id::FlavorId,
    time::Timestamp,
};
use identity::checked_name;
use sqlx::{Row, any::AnyRow};

use crate::quotas::Amounts;

pub const NAME_MAX_CHARS: usize = 64;
pub const VCPUS_MAX: i64 = 256;
pub const MEMORY_MIB_MAX: i64 = 4 * 1024 * 1024;
pub const DISK_GIB_MAX: i64 = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flavor {
    pub id: FlavorId,
    pub name: String,
    pub vcpus: i64,
    pub memory_mib: i64,
    pub disk_gib: i64,
    pub created_at: Timestamp,
}

impl Flavor {
    /// What an instance of it takes.
    pub fn amounts(&self) -> Amounts {
        Amounts { vcpus: self.vcpus, memory_mib: self.memory_mib, disk_gib: self.disk_gib }
    }
}

fn from_row(row: &AnyRow) -> Result<Flavor> {
    Ok(Flavor {
        id: db::parsed(row, "id")?,
        name: row.try_get("name")?,
        vcpus: row.try_get("vcpus")?,
        memory_mib: row.try_get("memory_mib")?,
        disk_gib: row.try_get("disk_gib")?,
        created_at: Timestamp::from_ms(row.try_get("created_ms")?),
    })
}

fn in_range(field: &str, value: i64, max: i64) -> Result<()> {
    if (1..=max).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("{field} must be from 1 to {max}, not {value}")))
}

pub async fn create(
    conn: &mut Conn,
    now: Timestamp,
    name: &str,
    vcpus: i64,
    memory_mib: i64,
    disk_gib: i64,
) -> Result<Flavor> {
    let name = checked_name("name", name, NAME_MAX_CHARS)?;
    in_range("vcpus", vcpus, VCPUS_MAX)?;
    in_range("memory_mib", memory_mib, MEMORY_MIB_MAX)?;
    in_range("disk_gib", disk_gib, DISK_GIB_MAX)?;
    let flavor = Flavor { id: FlavorId::new(), name, vcpus, memory_mib, disk_gib, created_at: now };
    sqlx::query(
        "INSERT INTO flavors (id, name, vcpus, memory_mib, disk_gib, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(flavor.id.to_string())
    .bind(&flavor.name)
    .bind(vcpus)
    .bind(memory_mib)
    .bind(disk_gib)
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(flavor)
}

pub async fn get(conn: &mut Conn, id: FlavorId) -> Result<Flavor> {
    let row = sqlx::query("SELECT * FROM flavors WHERE id = $1 AND deleted_ms IS NULL")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    from_row(&db::found(row, format_args!("flavor {id}"))?)
}

/// Whether it is retired or not: what has it keeps it.
pub async fn get_any(conn: &mut Conn, id: FlavorId) -> Result<Flavor> {
    let row = sqlx::query("SELECT * FROM flavors WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    from_row(&db::found(row, format_args!("flavor {id}"))?)
}

pub async fn list(conn: &mut Conn, cursor: Option<FlavorId>, limit: i64) -> Result<Vec<Flavor>> {
    let rows = sqlx::query(
        "SELECT * FROM flavors WHERE deleted_ms IS NULL AND id > $1 ORDER BY id LIMIT $2",
    )
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

/// Instances of it keep their figures and their price.
pub async fn retire(conn: &mut Conn, now: Timestamp, id: FlavorId) -> Result<()> {
    get(&mut *conn, id).await?;
    sqlx::query("UPDATE flavors SET deleted_ms = $1 WHERE id = $2")
        .bind(now.ms())
        .bind(id.to_string())
        .execute(conn)
        .await?;
    Ok(())
}
