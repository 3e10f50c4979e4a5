//! `opshawk instance …`

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Column, Context, Failure, col, console, flavor, image, read_text, tenant, wide};
use crate::cli::{args::InstanceCommand, output};

const PATH: &str = "/v1/instances";

const COLUMNS: &[Column] = &[
    col("NAME", "/name"),
    col("STATE", "/state"),
    col("POWER", "/power"),
    col("HOLD", "/hold"),
    col("ADDRESSES", "/addresses"),
    col("SINCE", "/state_since"),
    col("LABELS", "/labels"),
    col("ERROR", "/error"),
    wide("STEP", "/step"),
    wide("LOCKED", "/locked"),
    wide("VCPUS", "/vcpus"),
    wide("MEMORY MIB", "/memory_mib"),
    wide("TENANT", "/tenant_id"),
    wide("HOST", "/host_id"),
    wide("ID", "/id"),
];

pub async fn run(cx: &Context, command: InstanceCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        InstanceCommand::List { tenant } => {
            let mut query = Vec::new();
            if let Some(tenant) = tenant {
                query.push(("tenant_id", client.id("tenant", tenant::PATH, &tenant).await?));
            }
            cx.list(COLUMNS, &client.list(PATH, &query, None).await?)
        }
        InstanceCommand::Show { instance } => {
            cx.one(COLUMNS, &client.find("instance", PATH, &instance).await?)
        }
        InstanceCommand::Create {
            name,
            flavor,
            image,
            ssh_key_file,
            user_data_file,
            labels,
            tenant,
        } => {
            let labels: BTreeMap<String, String> = labels.into_iter().collect();
            let mut body = json!({
                "name": name,
                "flavor_id": client.id("flavor", flavor::PATH, &flavor).await?,
                "image_id": client.id("image", image::PATH, &image).await?,
                "labels": labels,
            });
            if let Some(file) = ssh_key_file {
                body["ssh_key"] = Value::String(read_text(&file)?.trim().to_owned());
            }
            if let Some(file) = user_data_file {
                body["user_data"] = Value::String(read_text(&file)?);
            }
            if let Some(tenant) = tenant {
                let id = client.id("tenant", tenant::PATH, &tenant).await?;
                body["tenant_id"] = Value::String(id);
            }
            cx.finish(&client.post(PATH, &body).await?).await
        }
        InstanceCommand::Label { instance, changes } => label(cx, &instance, changes).await,
        InstanceCommand::Start { instance } => act(cx, &instance, "start").await,
        InstanceCommand::Stop { instance } => act(cx, &instance, "stop").await,
        InstanceCommand::Resize { instance, flavor } => {
            let id = client.id("instance", PATH, &instance).await?;
            let body = json!({ "flavor_id": client.id("flavor", flavor::PATH, &flavor).await? });
            cx.finish(&client.post(&format!("{PATH}/{id}/resize"), &body).await?).await
        }
        InstanceCommand::Lock { instance } => act(cx, &instance, "lock").await,
        InstanceCommand::Unlock { instance } => act(cx, &instance, "unlock").await,
        InstanceCommand::Delete { instance } => {
            let id = client.id("instance", PATH, &instance).await?;
            match client.delete(&format!("{PATH}/{id}")).await? {
                Some(operation) => cx.finish(&operation).await,
                None => Ok(()),
            }
        }
        InstanceCommand::Console { instance } => {
            let id = client.id("instance", PATH, &instance).await?;
            console::run(client.websocket(&format!("{PATH}/{id}/console/serial")).await?).await
        }
        InstanceCommand::ConsoleLog { instance } => {
            let id = client.id("instance", PATH, &instance).await?;
            let log = client.get(&format!("{PATH}/{id}/console-log")).await?;
            let tail = log["tail"].as_str().unwrap_or_default();
            // A guest must not drive the terminal.
            let plain: String =
                tail.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
            output::print(&plain)
        }
    }
}

async fn label(
    cx: &Context,
    instance: &str,
    changes: Vec<(String, Option<String>)>,
) -> Result<(), Failure> {
    let id = cx.client.id("instance", PATH, instance).await?;
    let labels: BTreeMap<String, Option<String>> = changes.into_iter().collect();
    let body = json!({ "labels": labels });
    cx.one(COLUMNS, &cx.client.patch(&format!("{PATH}/{id}"), &body).await?)
}

async fn act(cx: &Context, instance: &str, verb: &str) -> Result<(), Failure> {
    let id = cx.client.id("instance", PATH, instance).await?;
    let operation = cx.client.post(&format!("{PATH}/{id}/{verb}"), &json!({})).await?;
    cx.finish(&operation).await
}
