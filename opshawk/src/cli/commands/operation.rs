//! `opshawk operation …`

use base::id::OperationId;
use serde_json::Value;

use super::{Column, Context, Failure, col, id_of, wide};
use crate::cli::{
    args::OperationCommand,
    output::{self, Format},
    wait,
};

const PATH: &str = "/v1/operations";

const COLUMNS: &[Column] = &[
    col("KIND", "/kind"),
    col("TARGET", "/target_name"),
    col("STATE", "/state"),
    col("BY", "/actor/name"),
    col("STARTED", "/started_at"),
    col("MS", "/duration_ms"),
    col("ERROR", "/error"),
    wide("PROGRESS", "/progress_pct"),
    wide("TENANT", "/tenant_id"),
    wide("TARGET ID", "/target_id"),
    wide("ID", "/id"),
];

pub fn show(format: Format, operation: &Value) -> Result<(), Failure> {
    output::show_one(format, COLUMNS, operation)
}

fn operation(id: &str) -> Result<OperationId, Failure> {
    id_of("operation", id, "list them with opshawk operation list")
}

pub async fn run(cx: &Context, command: OperationCommand) -> Result<(), Failure> {
    match command {
        OperationCommand::List { limit } => {
            cx.list(COLUMNS, &cx.client.list(PATH, &[], Some(limit)).await?)
        }
        OperationCommand::Show { id } => {
            let id = operation(&id)?;
            show(cx.connection.output, &cx.client.get(&format!("{PATH}/{id}")).await?)
        }
        OperationCommand::Wait { id } => {
            let timeout_s = cx.connection.wait_timeout_s;
            let id = operation(&id)?.to_string();
            let ended = wait::until_ended(&cx.client, &id, timeout_s).await?;
            show(cx.connection.output, &ended)?;
            match ended["state"].as_str() {
                Some("succeeded") => Ok(()),
                state => Err(Failure::failed(format!("it {}", state.unwrap_or("is unknown")))),
            }
        }
    }
}
