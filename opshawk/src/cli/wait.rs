//! Waiting for operations: a command ends when what it asked for is done, unless it was told not
//! to wait.

use std::time::Duration;

use serde_json::Value;

use super::{
    args::Connection,
    client::Client,
    commands::operation,
    exit::{Code, Failure},
    output,
};

const POLL: Duration = Duration::from_millis(250);

/// Prints the operation when it has ended, or its id at once with `--no-wait`.
pub async fn finish(
    client: &Client,
    connection: &Connection,
    started: &Value,
) -> Result<(), Failure> {
    let id = started["id"].as_str().unwrap_or_default();
    if connection.no_wait {
        return output::print(&format!("{id}\n"));
    }
    let ended = until_ended(client, id, connection.wait_timeout_s).await?;
    operation::show(connection.output, &ended)?;
    match ended["state"].as_str() {
        Some("succeeded") => Ok(()),
        state => Err(Failure::failed(format!(
            "{} {}: {}",
            ended["kind"].as_str().unwrap_or("the operation"),
            state.unwrap_or("unknown"),
            ended["error"].as_str().unwrap_or("something else was wanted meanwhile"),
        ))),
    }
}

pub async fn until_ended(client: &Client, id: &str, timeout_s: u64) -> Result<Value, Failure> {
    let limit = Duration::from_secs(timeout_s);
    let path = format!("/v1/operations/{id}");
    let ended = async {
        loop {
            let now = client.get(&path).await?;
            if now["state"] != "running" {
                return Ok(now);
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(limit, ended).await.unwrap_or_else(|_| {
        Err(Failure::new(
            Code::Timeout,
            format!("operation {id} still runs after {timeout_s} s (opshawk operation wait {id})"),
        ))
    })
}
