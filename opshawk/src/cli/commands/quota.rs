//! `opshawk quota …`

use serde_json::{Value, json};

use super::{Column, Context, Failure, col, tenant};
use crate::cli::args::QuotaCommand;

const COLUMNS: &[Column] =
    &[col("RESOURCE", "/resource"), col("USED", "/used"), col("LIMIT", "/limit")];

pub async fn run(cx: &Context, command: QuotaCommand) -> Result<(), Failure> {
    let quota = match command {
        QuotaCommand::Show { tenant } => {
            let id = cx.client.tenant(tenant.as_deref()).await?;
            cx.client.get(&format!("{}/{id}/quota", tenant::PATH)).await?
        }
        QuotaCommand::Set { tenant, instances, vcpus, memory_mib, disk_gib } => {
            let id = cx.client.id("tenant", tenant::PATH, &tenant).await?;
            let limits = [
                ("instances", instances),
                ("vcpus", vcpus),
                ("memory_mib", memory_mib),
                ("disk_gib", disk_gib),
            ];
            let items: Vec<Value> = limits
                .into_iter()
                .filter_map(|(r, limit)| limit.map(|n| json!({ "resource": r, "limit": n })))
                .collect();
            let body = json!({ "items": items });
            cx.client.put(&format!("{}/{id}/quota", tenant::PATH), &body).await?
        }
    };
    cx.list(COLUMNS, quota["items"].as_array().map_or(&[], Vec::as_slice))
}
