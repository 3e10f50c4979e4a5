//! `opshawk user …`

use serde_json::json;

use super::{Column, Context, Failure, col, password_from_stdin, tenant, wide};
use crate::cli::args::UserCommand;

const PATH: &str = "/v1/users";

const COLUMNS: &[Column] = &[
    col("LOGIN", "/login"),
    col("ROLE", "/role"),
    col("TENANT", "/tenant_id"),
    wide("PASSWORD SET", "/has_password"),
    wide("CREATED", "/created_at"),
    wide("ID", "/id"),
];

const CREATED: &[Column] = &[
    col("LOGIN", "/login"),
    col("ROLE", "/role"),
    col("SET PASSWORD AT", "/setup_url"),
    wide("ID", "/id"),
];

pub async fn run(cx: &Context, command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::List => cx.list(COLUMNS, &cx.client.list(PATH, &[], None).await?),
        UserCommand::Create { login, tenant, password_stdin } => {
            let tenant = match tenant {
                Some(name) => Some(cx.client.id("tenant", tenant::PATH, &name).await?),
                None => None,
            };
            let role = if tenant.is_some() { "member" } else { "operator" };
            let password = if password_stdin { Some(password_from_stdin()?) } else { None };
            let body = json!({
                "login": login, "role": role, "tenant_id": tenant, "password": password,
            });
            cx.one(CREATED, &cx.client.post(PATH, &body).await?)
        }
    }
}
