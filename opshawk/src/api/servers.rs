//! Servers: physical machines behind a BMC.

use axum::{extract::State, response::Response};
use base::{bus::Topic, id::ServerId, time::Timestamp};
use http::StatusCode;
use inventory::{
    operations,
    servers::{self, NewServer, ObservedPower, WantedPower},
};
use provisioner::servers::ask_power;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path, Query},
    operations::Operation,
    page::{Page, PageQuery},
    problem::Result,
    state::App,
    unit,
};

/// IPMI's port, where an address has none.
const BMC_PORT: u16 = 623;

#[derive(Debug, Serialize, ToSchema)]
pub struct Server {
    pub id: ServerId,
    pub name: String,
    /// `address:port`.
    pub bmc_address: String,
    pub bmc_user: String,
    /// `unknown` where the BMC does not answer; this is never taken for off.
    pub power: ObservedPower,
    /// Null leaves the power as it is.
    pub wanted_power: Option<WantedPower>,
    /// When its BMC was last asked.
    pub observed_at: Option<Timestamp>,
    /// Why the power is unknown.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
    pub device: Option<Device>,
    pub sensors: Vec<Sensor>,
    pub sensors_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// What the BMC says that it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Device {
    pub manufacturer: Option<String>,
    /// IANA enterprise number.
    pub manufacturer_id: Option<i64>,
    pub product_id: Option<i64>,
    pub firmware: Option<String>,
    pub ipmi_version: Option<String>,
    /// The cipher suite of the session in use.
    pub cipher_suite: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Sensor {
    pub id: i64,
    pub name: String,
    /// `Temperature`, `Voltage`, `Fan`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Null where the sensor gives no reading.
    pub value: Option<f64>,
    pub unit: String,
    /// `nominal`, `warning`, `critical`, `non_recoverable` or `unknown`, by its own thresholds.
    pub state: String,
}

impl Device {
    /// From what the provisioner keeps: the device's own words, and our session with it.
    fn from_kept(kept: &Value) -> Self {
        let (device, session) = (&kept["device"], &kept["session"]);
        let text = |field: &str| device[field].as_str().map(str::to_owned);
        Self {
            manufacturer: text("manufacturer"),
            manufacturer_id: device["manufacturer_id"].as_i64(),
            product_id: device["product_id"].as_i64(),
            firmware: text("firmware"),
            ipmi_version: text("ipmi_version"),
            cipher_suite: session["cipher_suite"].as_i64(),
        }
    }
}

impl From<bmc::SensorReading> for Sensor {
    fn from(reading: bmc::SensorReading) -> Self {
        let state = json!(reading.state);
        Self {
            id: i64::from(reading.record_id),
            name: reading.name,
            kind: reading.kind,
            value: reading.value,
            unit: reading.unit,
            state: state.as_str().unwrap_or("unknown").to_owned(),
        }
    }
}

impl From<servers::Server> for Server {
    fn from(server: servers::Server) -> Self {
        let sensors = server
            .sensors
            .and_then(|kept| serde_json::from_value::<Vec<bmc::SensorReading>>(kept).ok());
        Self {
            id: server.id,
            name: server.name,
            bmc_address: server.bmc_address,
            bmc_user: server.bmc_user,
            power: server.observed_power,
            wanted_power: server.wanted_power,
            observed_at: server.observed_at,
            reason: server.reason,
            remedy: server.remedy,
            device: server.device.as_ref().map(Device::from_kept),
            sensors: sensors.unwrap_or_default().into_iter().map(Sensor::from).collect(),
            sensors_at: server.sensors_at,
            created_at: server.created_at,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateServer {
    pub name: String,
    /// `address:port`; the port is 623 where not given.
    pub bmc_address: String,
    pub bmc_user: String,
    #[schema(format = Password)]
    pub bmc_password: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPower {
    pub action: WantedPower,
}

#[utoipa::path(get, path = "/v1/servers", tag = "servers", params(PageQuery),
    responses((status = 200, body = Page<Server>)))]
pub async fn list_servers(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Server>>> {
    let span = query.span::<ServerId>()?;
    let rows = servers::list(&mut *app.read().await?, span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |s| s.id.to_string(), Server::from)))
}

#[utoipa::path(post, path = "/v1/servers", tag = "servers", request_body = CreateServer,
    responses((status = 201, body = Server)))]
pub async fn create_server(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreateServer>,
) -> unit::Result<Response> {
    let id = ServerId::new();
    let address = match body.bmc_address.parse::<std::net::IpAddr>() {
        Ok(ip) => std::net::SocketAddr::new(ip, BMC_PORT).to_string(),
        Err(_) => body.bmc_address,
    };
    let sealed = app.sealer.seal(&servers::password_context(id), &body.bmc_password);
    let mut unit = app.begin(&caller, key).await?;
    let now = unit.now;
    let new = NewServer {
        id,
        name: &body.name,
        bmc_address: &address,
        bmc_user: &body.bmc_user,
        bmc_password: sealed,
    };
    let server = Server::from(servers::create(&mut unit.tx, now, new).await?);
    let detail = json!({ "name": server.name, "bmc_address": server.bmc_address });
    unit.audit("server.create", ("server", id), None, detail).await?;
    unit.changes.add(Topic::Server, id, None);
    let response = unit.finish(StatusCode::CREATED, &server).await?;
    app.servers_changed.wake();
    Ok(response)
}

#[utoipa::path(get, path = "/v1/servers/{id}", tag = "servers",
    params(("id" = ServerId, Path)), responses((status = 200, body = Server)))]
pub async fn get_server(State(app): State<App>, Path(id): Path<ServerId>) -> Result<Json<Server>> {
    Ok(Json(servers::get(&mut *app.read().await?, id).await?.into()))
}

/// Forgets the server; its power stays as it is.
#[utoipa::path(delete, path = "/v1/servers/{id}", tag = "servers",
    params(("id" = ServerId, Path)), responses((status = 204)))]
pub async fn delete_server(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ServerId>,
) -> unit::Result<StatusCode> {
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    servers::delete(&mut unit.tx, now, id).await?;
    unit.audit("server.delete", ("server", id), None, json!({})).await?;
    unit.changes.add(Topic::Server, id, None);
    unit.commit().await?;
    app.servers_changed.wake();
    Ok(StatusCode::NO_CONTENT)
}

/// Wants its power on or off.
#[utoipa::path(post, path = "/v1/servers/{id}/power", tag = "servers",
    params(("id" = ServerId, Path)), request_body = SetPower,
    responses((status = 202, body = Operation)))]
pub async fn set_server_power(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ServerId>,
    Json(body): Json<SetPower>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    let (_, operation) =
        ask_power(&mut unit.tx, now, &caller, id, body.action, &mut unit.changes).await?;
    let operation = Operation::from(operations::get(&mut unit.tx, operation).await?);
    let response = unit.finish(StatusCode::ACCEPTED, &operation).await?;
    app.servers_changed.wake();
    Ok(response)
}
