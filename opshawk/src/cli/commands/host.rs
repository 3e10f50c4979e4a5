//! `opshawk host …`

use serde_json::json;

use super::{Column, Context, Failure, col, wide};
use crate::cli::args::HostCommand;

pub const PATH: &str = "/v1/hosts";

const COLUMNS: &[Column] = &[
    col("NAME", "/name"),
    col("STATUS", "/status"),
    col("STATE", "/state"),
    col("CPUS", "/cpus"),
    col("PLACED", "/vcpus_placed"),
    col("MEMORY MIB", "/memory_mib"),
    col("TYPE", "/domain_type"),
    col("LAST REPORT", "/last_report_at"),
    col("REASON", "/reason"),
    wide("REMEDY", "/remedy"),
    wide("LIBVIRT", "/libvirt_version"),
    wide("QEMU", "/hypervisor_version"),
    wide("AGENT", "/agent_version"),
    wide("ID", "/id"),
];

const CREATED: &[Column] = &[col("NAME", "/name"), col("ID", "/id"), col("AGENT TOKEN", "/token")];

pub async fn run(cx: &Context, command: HostCommand) -> Result<(), Failure> {
    match command {
        HostCommand::List => cx.list(COLUMNS, &cx.client.list(PATH, &[], None).await?),
        HostCommand::Show { host } => cx.one(COLUMNS, &cx.client.find("host", PATH, &host).await?),
        HostCommand::Create { name } => {
            cx.one(CREATED, &cx.client.post(PATH, &json!({ "name": name })).await?)
        }
        HostCommand::Enable { host } => set_state(cx, &host, "enabled").await,
        HostCommand::Disable { host } => set_state(cx, &host, "disabled").await,
    }
}

async fn set_state(cx: &Context, host: &str, state: &str) -> Result<(), Failure> {
    let id = cx.client.id("host", PATH, host).await?;
    let body = json!({ "state": state });
    cx.one(COLUMNS, &cx.client.patch(&format!("{PATH}/{id}"), &body).await?)
}
