//! `opshawk token …`

use serde_json::json;

use super::{Column, Context, Failure, col, tenant, wide};
use crate::cli::{args::TokenCommand, output};

const PATH: &str = "/v1/tokens";

const COLUMNS: &[Column] = &[
    col("NAME", "/name"),
    col("ROLE", "/role"),
    col("TENANT", "/tenant_id"),
    col("CREATED", "/created_at"),
    wide("HOST", "/host_id"),
    wide("ID", "/id"),
];

pub async fn run(cx: &Context, command: TokenCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        TokenCommand::List => cx.list(COLUMNS, &client.list(PATH, &[], None).await?),
        TokenCommand::Create(create) => {
            let tenant = match &create.tenant {
                Some(name) => Some(client.id("tenant", tenant::PATH, name).await?),
                None => None,
            };
            // A member makes its own tenant's.
            let me = client.get("/v1/me").await?;
            let member = tenant.is_some() || me["role"] == "member";
            let role = if member { "member" } else { "operator" };
            let body = json!({ "name": create.name, "role": role, "tenant_id": tenant });
            let created = client.post(PATH, &body).await?;
            // Alone on its line, so that a script can take it.
            output::print(&format!("{}\n", created["token"].as_str().unwrap_or_default()))
        }
        TokenCommand::Revoke { token } => {
            let id = client.id("token", PATH, &token).await?;
            client.delete(&format!("{PATH}/{id}")).await.map(drop)
        }
    }
}
