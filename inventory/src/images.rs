//! Images: a bootable disk, or a disk plus kernel and ramdisk, as in Glance.
//!
//! ```text
//!   queued --(every file is there)--> active --(deleted)--> deleted
//! ```
//!
//! The files are named by their SHA-256; where they lie is the program's affair.

use base::{
    Error, Result,
    db::{self, Conn},
    id::{ImageId, TenantId},
    time::Timestamp,
};
use identity::checked_name;
use sqlx::{Row, any::AnyRow};

pub const NAME_MAX_CHARS: usize = 64;
/// What Linux takes on x86 (`COMMAND_LINE_SIZE`).
pub const CMDLINE_MAX_BYTES: usize = 2048;

crate::text_enum! {
    ImageState { Queued = "queued", Active = "active", Deleted = "deleted" }
}
crate::text_enum! {
    DiskFormat { Qcow2 = "qcow2", Raw = "raw" }
}
crate::text_enum! {
    Part { Disk = "disk", Kernel = "kernel", Ramdisk = "ramdisk" }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub sha256: String,
    pub bytes: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub id: ImageId,
    pub name: String,
    /// None: everybody may use it.
    pub tenant_id: Option<TenantId>,
    pub state: ImageState,
    pub disk_format: DiskFormat,
    /// It boots by its own kernel and ramdisk.
    pub wants_kernel: bool,
    pub kernel_cmdline: String,
    pub disk: Option<File>,
    pub kernel: Option<File>,
    pub ramdisk: Option<File>,
    pub created_at: Timestamp,
}

impl Image {
    pub fn file(&self, part: Part) -> Option<&File> {
        match part {
            Part::Disk => self.disk.as_ref(),
            Part::Kernel => self.kernel.as_ref(),
            Part::Ramdisk => self.ramdisk.as_ref(),
        }
    }
}

fn file(row: &AnyRow, part: Part) -> Result<Option<File>> {
    let sha256 = row.try_get::<Option<String>, _>(format!("{}_sha256", part.as_str()).as_str())?;
    let bytes = row.try_get::<Option<i64>, _>(format!("{}_bytes", part.as_str()).as_str())?;
    Ok(sha256.zip(bytes).map(|(sha256, bytes)| File { sha256, bytes }))
}

pub(crate) fn from_row(row: &AnyRow) -> Result<Image> {
    Ok(Image {
        id: db::parsed(row, "id")?,
        name: row.try_get("name")?,
        tenant_id: db::parsed_opt(row, "tenant_id")?,
        state: db::parsed(row, "state")?,
        disk_format: db::parsed(row, "disk_format")?,
        wants_kernel: row.try_get::<i64, _>("wants_kernel")? != 0,
        kernel_cmdline: row.try_get("kernel_cmdline")?,
        disk: file(row, Part::Disk)?,
        kernel: file(row, Part::Kernel)?,
        ramdisk: file(row, Part::Ramdisk)?,
        created_at: Timestamp::from_ms(row.try_get("created_ms")?),
    })
}

#[derive(Debug, Clone)]
pub struct NewImage<'a> {
    pub name: &'a str,
    pub disk_format: DiskFormat,
    pub wants_kernel: bool,
    pub kernel_cmdline: &'a str,
}

pub async fn create(conn: &mut Conn, now: Timestamp, new: NewImage<'_>) -> Result<Image> {
    let name = checked_name("name", new.name, NAME_MAX_CHARS)?;
    if new.kernel_cmdline.len() > CMDLINE_MAX_BYTES
        || new.kernel_cmdline.contains(|c: char| c.is_control())
    {
        let message =
            format!("kernel_cmdline must be one line of at most {CMDLINE_MAX_BYTES} bytes");
        return Err(Error::invalid("kernel_cmdline", message));
    }
    if !new.wants_kernel && !new.kernel_cmdline.is_empty() {
        return Err(Error::invalid(
            "kernel_cmdline",
            "a command line needs a kernel: an image that boots by its disk has its own",
        ));
    }
    let id = ImageId::new();
    sqlx::query(
        "INSERT INTO images (id, name, state, disk_format, wants_kernel, kernel_cmdline, \
         created_ms) VALUES ($1, $2, 'queued', $3, $4, $5, $6)",
    )
    .bind(id.to_string())
    .bind(name)
    .bind(new.disk_format.as_str())
    .bind(i64::from(new.wants_kernel))
    .bind(new.kernel_cmdline)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    get(conn, id).await
}

pub async fn get(conn: &mut Conn, id: ImageId) -> Result<Image> {
    let row = sqlx::query("SELECT * FROM images WHERE id = $1 AND deleted_ms IS NULL")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    from_row(&db::found(row, format_args!("image {id}"))?)
}

/// The row of a deleted image too.
pub async fn get_any(conn: &mut Conn, id: ImageId) -> Result<Image> {
    let row = sqlx::query("SELECT * FROM images WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    from_row(&db::found(row, format_args!("image {id}"))?)
}

pub async fn list(conn: &mut Conn, cursor: Option<ImageId>, limit: i64) -> Result<Vec<Image>> {
    let rows = sqlx::query(
        "SELECT * FROM images WHERE deleted_ms IS NULL AND id > $1 ORDER BY id LIMIT $2",
    )
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

/// Whether the image still takes this file.
pub fn check_takes(image: &Image, part: Part) -> Result<()> {
    let id = image.id;
    if part != Part::Disk && !image.wants_kernel {
        return Err(Error::conflict(format!(
            "image {id} boots by its disk and takes no {}",
            part.as_str()
        )));
    }
    if image.state != ImageState::Queued {
        return Err(Error::conflict(format!("image {id} is active and can't be changed"))
            .remedy("make another image"));
    }
    Ok(())
}

/// A file of a queued image has arrived whole. The image becomes active with the last one.
pub async fn set_file(conn: &mut Conn, id: ImageId, part: Part, file: File) -> Result<Image> {
    check_takes(&get(&mut *conn, id).await?, part)?;
    let (sha256, bytes) = match part {
        Part::Disk => ("disk_sha256", "disk_bytes"),
        Part::Kernel => ("kernel_sha256", "kernel_bytes"),
        Part::Ramdisk => ("ramdisk_sha256", "ramdisk_bytes"),
    };
    let update = format!("UPDATE images SET {sha256} = $1, {bytes} = $2 WHERE id = $3");
    sqlx::query(sqlx::AssertSqlSafe(update))
        .bind(file.sha256)
        .bind(file.bytes)
        .bind(id.to_string())
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "UPDATE images SET state = 'active' WHERE id = $1 AND disk_sha256 IS NOT NULL \
         AND (wants_kernel = 0 OR (kernel_sha256 IS NOT NULL AND ramdisk_sha256 IS NOT NULL))",
    )
    .bind(id.to_string())
    .execute(&mut *conn)
    .await?;
    get(conn, id).await
}

/// Refused while an instance was made of it: its disk lies over the image's.
pub async fn delete(conn: &mut Conn, now: Timestamp, id: ImageId) -> Result<()> {
    get(&mut *conn, id).await?;
    let used = sqlx::query("SELECT 1 FROM instances WHERE image_id = $1 AND deleted_ms IS NULL")
        .bind(id.to_string())
        .fetch_optional(&mut *conn)
        .await?;
    if used.is_some() {
        return Err(Error::conflict(format!("image {id} is in use by instances"))
            .remedy("delete them first"));
    }
    sqlx::query("UPDATE images SET state = 'deleted', deleted_ms = $1 WHERE id = $2")
        .bind(now.ms())
        .bind(id.to_string())
        .execute(conn)
        .await?;
    Ok(())
}
