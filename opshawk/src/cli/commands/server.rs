//! `opshawk server list …`: physical servers.

use serde_json::json;

use super::{Column, Context, Failure, col, password_from_stdin, wide};
use crate::cli::args::{OnOff, ServerCommand};

const PATH: &str = "/v1/servers";

const COLUMNS: &[Column] = &[
    col("NAME", "/name"),
    col("POWER", "/power"),
    col("BMC", "/bmc_address"),
    col("MANUFACTURER", "/device/manufacturer"),
    col("SEEN", "/observed_at"),
    col("REASON", "/reason"),
    wide("REMEDY", "/remedy"),
    wide("FIRMWARE", "/device/firmware"),
    wide("IPMI", "/device/ipmi_version"),
    wide("CIPHER SUITE", "/device/cipher_suite"),
    wide("ID", "/id"),
];

pub const SENSOR: &[Column] = &[
    col("SENSOR", "/name"),
    col("TYPE", "/type"),
    col("VALUE", "/value"),
    col("UNIT", "/unit"),
    col("STATE", "/state"),
    wide("ID", "/id"),
];

pub async fn run(cx: &Context, command: ServerCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        ServerCommand::List => cx.list(COLUMNS, &client.list(PATH, &[], None).await?),
        ServerCommand::Show { server } => {
            cx.one(COLUMNS, &client.find("server", PATH, &server).await?)
        }
        ServerCommand::Create { name, bmc, user, password_stdin: _ } => {
            let password = password_from_stdin()?;
            let body = json!({
                "name": name, "bmc_address": bmc, "bmc_user": user, "bmc_password": password,
            });
            cx.one(COLUMNS, &client.post(PATH, &body).await?)
        }
        ServerCommand::Delete { server } => {
            let id = client.id("server", PATH, &server).await?;
            client.delete(&format!("{PATH}/{id}")).await.map(drop)
        }
        ServerCommand::Power { server, action } => {
            let id = client.id("server", PATH, &server).await?;
            let action = match action {
                OnOff::On => "on",
                OnOff::Off => "off",
            };
            let path = format!("{PATH}/{id}/power");
            cx.finish(&client.post(&path, &json!({ "action": action })).await?).await
        }
        ServerCommand::Sensors { server } => {
            let found = client.find("server", PATH, &server).await?;
            cx.list(SENSOR, found["sensors"].as_array().map_or(&[], Vec::as_slice))
        }
    }
}
