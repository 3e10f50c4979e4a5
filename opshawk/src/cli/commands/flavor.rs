//! `opshawk flavor …`

use serde_json::json;

use super::{Column, Context, Failure, col, wide};
use crate::cli::args::FlavorCommand;

pub const PATH: &str = "/v1/flavors";

const COLUMNS: &[Column] = &[
    col("NAME", "/name"),
    col("VCPUS", "/vcpus"),
    col("MEMORY MIB", "/memory_mib"),
    col("DISK GIB", "/disk_gib"),
    wide("CREATED", "/created_at"),
    wide("ID", "/id"),
];

pub async fn run(cx: &Context, command: FlavorCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        FlavorCommand::List => cx.list(COLUMNS, &client.list(PATH, &[], None).await?),
        FlavorCommand::Show { flavor } => {
            cx.one(COLUMNS, &client.find("flavor", PATH, &flavor).await?)
        }
        FlavorCommand::Create { name, vcpus, memory_mib, disk_gib } => {
            let body = json!({
                "name": name, "vcpus": vcpus, "memory_mib": memory_mib, "disk_gib": disk_gib,
            });
            cx.one(COLUMNS, &client.post(PATH, &body).await?)
        }
        FlavorCommand::Delete { flavor } => {
            let id = client.id("flavor", PATH, &flavor).await?;
            client.delete(&format!("{PATH}/{id}")).await.map(drop)
        }
    }
}
