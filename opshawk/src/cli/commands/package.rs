//! `opshawk package …`

use base::id::PackageOrderId;
use serde_json::json;

use super::{Column, Context, Failure, col, id_of, tenant, wide};
use crate::cli::args::PackageCommand;

const PACKAGE: &[Column] = &[
    col("ID", "/id"),
    col("NAME", "/name"),
    col("RATE", "/rate"),
    col("ORDERED", "/ordered_at"),
    col("RENEWS", "/renews_at"),
    col("PRICE", "/price"),
    col("ENDS", "/ends_at"),
    wide("REASON", "/reason"),
    wide("TENANT", "/tenant_id"),
];

pub async fn run(cx: &Context, command: PackageCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        PackageCommand::Order { rate, name, tenant } => {
            let path = path(cx, tenant).await?;
            let body = json!({ "rate": rate, "name": name.unwrap_or_default() });
            cx.one(PACKAGE, &client.post(&path, &body).await?)
        }
        PackageCommand::List { tenant } => {
            cx.list(PACKAGE, &client.list(&path(cx, tenant).await?, &[], None).await?)
        }
        PackageCommand::Cancel { package, tenant } => {
            let list = "list them with opshawk package list";
            let id: PackageOrderId = id_of("package", &package, list)?;
            let path = path(cx, tenant).await?;
            cx.one(PACKAGE, &client.post(&format!("{path}/{id}/cancel"), &json!({})).await?)
        }
    }
}

async fn path(cx: &Context, tenant: Option<String>) -> Result<String, Failure> {
    let id = cx.client.tenant(tenant.as_deref()).await?;
    Ok(format!("{}/{id}/packages", tenant::PATH))
}
