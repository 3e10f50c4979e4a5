//! Physical machines behind a BMC: wanted and observed power, what it is, its sensors.

use base::{
    Error, Result,
    db::{self, Conn},
    id::ServerId,
    time::Timestamp,
};
use identity::checked_name;
use serde_json::Value;
use sqlx::{Row, any::AnyRow};

pub const NAME_MAX_CHARS: usize = 64;

crate::text_enum! {
    WantedPower { On = "on", Off = "off" }
}
crate::text_enum! {
    ObservedPower {
        On = "on",
        Off = "off",
        /// The BMC does not answer; see the reason.
        Unknown = "unknown",
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    pub id: ServerId,
    pub name: String,
    /// `address:port` of the BMC.
    pub bmc_address: String,
    pub bmc_user: String,
    /// Sealed; its context is [`password_context`].
    pub bmc_password: String,
    /// None: the power is left as it is.
    pub wanted_power: Option<WantedPower>,
    pub generation: i64,
    pub observed_generation: i64,
    pub observed_power: ObservedPower,
    pub observed_at: Option<Timestamp>,
    pub reason: Option<String>,
    pub remedy: Option<String>,
    /// Manufacturer, product, firmware, IPMI version, cipher suite.
    pub device: Option<Value>,
    /// The last reading of each sensor.
    pub sensors: Option<Value>,
    pub sensors_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// What binds a sealed BMC password to its row.
pub fn password_context(id: ServerId) -> String {
    format!("server:{id}:bmc_password")
}

fn json(row: &AnyRow, column: &str) -> Result<Option<Value>> {
    let text: Option<String> = row.try_get(column)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn from_row(row: &AnyRow) -> Result<Server> {
    Ok(Server {
        id: db::parsed(row, "id")?,
        name: row.try_get("name")?,
        bmc_address: row.try_get("bmc_address")?,
        bmc_user: row.try_get("bmc_user")?,
        bmc_password: row.try_get("bmc_password")?,
        wanted_power: db::parsed_opt(row, "wanted_power")?,
        generation: row.try_get("generation")?,
        observed_generation: row.try_get("observed_generation")?,
        observed_power: db::parsed(row, "observed_power")?,
        observed_at: db::instant_opt(row, "observed_ms")?,
        reason: row.try_get("reason")?,
        remedy: row.try_get("remedy")?,
        device: json(row, "device")?,
        sensors: json(row, "sensors")?,
        sensors_at: db::instant_opt(row, "sensors_ms")?,
        created_at: Timestamp::from_ms(row.try_get("created_ms")?),
    })
}

#[derive(Debug, Clone)]
pub struct NewServer<'a> {
    pub id: ServerId,
    pub name: &'a str,
    pub bmc_address: &'a str,
    pub bmc_user: &'a str,
    /// Sealed for `id`.
    pub bmc_password: String,
}

pub async fn create(conn: &mut Conn, now: Timestamp, new: NewServer<'_>) -> Result<Server> {
    let name = checked_name("name", new.name, NAME_MAX_CHARS)?;
    if new.bmc_address.parse::<std::net::SocketAddr>().is_err() {
        return Err(Error::invalid(
            "bmc_address",
            format!("'{}' is no address with a port", new.bmc_address),
        )
        .remedy("write it as 192.0.2.10:623 or [2001:db8::10]:623"));
    }
    let known = sqlx::query(
        "SELECT 1 FROM servers WHERE (name = $1 OR bmc_address = $2) AND deleted_ms IS NULL",
    )
    .bind(&name)
    .bind(new.bmc_address)
    .fetch_optional(&mut *conn)
    .await?;
    if known.is_some() {
        return Err(Error::conflict("a server with this name or BMC address is registered"));
    }
    sqlx::query(
        "INSERT INTO servers (id, name, bmc_address, bmc_user, bmc_password, generation, \
         observed_generation, observed_power, reason, remedy, created_ms) \
         VALUES ($1, $2, $3, $4, $5, 1, 0, 'unknown', $6, $7, $8)",
    )
    .bind(new.id.to_string())
    .bind(name)
    .bind(new.bmc_address)
    .bind(new.bmc_user)
    .bind(new.bmc_password)
    .bind("its BMC has not been asked yet")
    .bind("wait a moment")
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    get(conn, new.id).await
}

pub async fn get(conn: &mut Conn, id: ServerId) -> Result<Server> {
    let row = sqlx::query("SELECT * FROM servers WHERE id = $1 AND deleted_ms IS NULL")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    from_row(&db::found(row, format_args!("server {id}"))?)
}

pub async fn list(conn: &mut Conn, cursor: Option<ServerId>, limit: i64) -> Result<Vec<Server>> {
    let rows = sqlx::query(
        "SELECT * FROM servers WHERE deleted_ms IS NULL AND id > $1 ORDER BY id LIMIT $2",
    )
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

/// Forgets the server; its power stays as it is.
pub async fn delete(conn: &mut Conn, now: Timestamp, id: ServerId) -> Result<()> {
    get(&mut *conn, id).await?;
    sqlx::query("UPDATE servers SET deleted_ms = $1, bmc_password = '' WHERE id = $2")
        .bind(now.ms())
        .bind(id.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn want_power(conn: &mut Conn, id: ServerId, power: WantedPower) -> Result<Server> {
    sqlx::query("UPDATE servers SET wanted_power = $1, generation = generation + 1 WHERE id = $2")
        .bind(power.as_str())
        .bind(id.to_string())
        .execute(&mut *conn)
        .await?;
    get(conn, id).await
}

/// The BMC answered.
#[derive(Debug, Clone)]
pub struct Observation {
    pub generation: i64,
    pub power: ObservedPower,
    pub device: Option<Value>,
    pub sensors: Option<Value>,
}

pub async fn observe(
    conn: &mut Conn,
    now: Timestamp,
    id: ServerId,
    seen: Observation,
) -> Result<()> {
    let sensors_ms = seen.sensors.as_ref().map(|_| now.ms());
    sqlx::query(
        "UPDATE servers SET observed_generation = $1, observed_power = $2, observed_ms = $3, \
         reason = NULL, remedy = NULL, device = COALESCE($4, device), \
         sensors = COALESCE($5, sensors), sensors_ms = COALESCE($6, sensors_ms) WHERE id = $7",
    )
    .bind(seen.generation)
    .bind(seen.power.as_str())
    .bind(now.ms())
    .bind(seen.device.map(|v| v.to_string()))
    .bind(seen.sensors.map(|v| v.to_string()))
    .bind(sensors_ms)
    .bind(id.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// The BMC did not answer: the power is unknown, never off.
pub async fn observe_failure(
    conn: &mut Conn,
    now: Timestamp,
    id: ServerId,
    reason: &str,
    remedy: &str,
) -> Result<()> {
    sqlx::query(
        "UPDATE servers SET observed_power = 'unknown', observed_ms = $1, reason = $2, \
         remedy = $3 WHERE id = $4",
    )
    .bind(now.ms())
    .bind(reason)
    .bind(remedy)
    .bind(id.to_string())
    .execute(conn)
    .await?;
    Ok(())
}
