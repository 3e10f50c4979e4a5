//! One file a noun: what it asks the server, and the columns it prints.

use std::str::FromStr;

use super::{
    args::{BillingCommand, Command, Connection, ListCommand, SystemCommand},
    client::Client,
    exit::Failure,
    output::{Column, col, show_list, show_one, wide},
};

pub mod bill;
pub mod billing;
pub mod bmc;
mod console;
mod findings;
mod flavor;
mod host;
mod image;
mod instance;
mod invoice;
mod ledger;
mod metrics;
pub mod operation;
mod package;
mod price;
mod price_book;
mod query;
mod quota;
mod rule;
mod server;
mod standing;
mod tenant;
mod token;
mod user;

/// What every client command works with.
pub struct Context {
    pub client: Client,
    pub connection: Connection,
}

impl Context {
    fn list(&self, columns: &[Column], items: &[serde_json::Value]) -> Result<(), Failure> {
        show_list(self.connection.output, columns, items)
    }
    fn one(&self, columns: &[Column], item: &serde_json::Value) -> Result<(), Failure> {
        show_one(self.connection.output, columns, item)
    }
    /// Waits for the operation that was answered.
    async fn finish(&self, operation: &serde_json::Value) -> Result<(), Failure> {
        super::wait::finish(&self.client, &self.connection, operation).await
    }
}

/// A command that asks the server.
pub async fn run(command: Command, mut connection: Connection) -> Result<(), Failure> {
    if let Command::Metrics { command } = &command
        && let Some(server) = command.server()
    {
        connection.url = server.to_owned();
    }
    let cx = Context { client: Client::new(&connection)?, connection };
    match command {
        Command::Host { command } => host::run(&cx, command).await,
        Command::Server { command: Some(command), .. } => server::run(&cx, command).await,
        Command::Tenant { command } => tenant::run(&cx, command).await,
        Command::User { command } => user::run(&cx, command).await,
        Command::Token { command } => token::run(&cx, command).await,
        Command::Flavor { command } => flavor::run(&cx, command).await,
        Command::Image { command } => image::run(&cx, command).await,
        Command::Price { command } => price::run(&cx, command).await,
        Command::Package { command } => package::run(&cx, command).await,
        Command::PriceBook { command } => price_book::run(&cx, command).await,
        Command::Quota { command } => quota::run(&cx, command).await,
        Command::Standing { command } => standing::run(&cx, command).await,
        Command::Instance { command } => instance::run(&cx, command).await,
        Command::Operation { command } => operation::run(&cx, command).await,
        Command::Rule { command } => rule::run(&cx, command).await,
        Command::Ledger { command } => ledger::run(&cx, command).await,
        Command::Voucher { command } => ledger::voucher(&cx, command).await,
        Command::Bill { command } => bill::run(&cx, command).await,
        Command::Invoice { command } => invoice::run(&cx, command).await,
        Command::Billing { command: BillingCommand::Close(close) } => {
            invoice::close(&cx, close).await
        }
        Command::Billing { command } => findings::run(&cx, command).await,
        Command::Query(args) => query::run(&cx, args).await,
        Command::Metrics { command } => metrics::run(&cx, command).await,
        Command::Alert { command } => plain_list(&cx, command, "/v1/alerts", ALERT).await,
        Command::Notice { command } => plain_list(&cx, command, "/v1/notices", NOTICE).await,
        Command::Audit { command } => plain_list(&cx, command, "/v1/audit", AUDIT).await,
        Command::System { command: SystemCommand::Reconcilers } => {
            let mut answer = cx.client.get("/v1/system/reconcilers").await?;
            let items = answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
            cx.list(RECONCILER, &items)
        }
        Command::System { command: SystemCommand::Info } => {
            cx.one(INFO, &cx.client.get("/v1/system/info").await?)
        }
        Command::Whoami => cx.one(ME, &cx.client.get("/v1/me").await?),
        Command::Backup(args) => super::local::backup_from_server(&cx.client, &args.file).await,
        // `cli::run` took these.
        Command::Server { command: None, .. }
        | Command::Agent(_)
        | Command::Doctor(_)
        | Command::Restore(_)
        | Command::Openapi
        | Command::Bmc { .. } => unreachable!("handled without a server"),
    }
}

/// Of what has no name. Whatever else is typed must not become another path.
fn id_of<T: FromStr>(what: &str, text: &str, way_out: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("'{text}' is no {what}'s id ({way_out})")))
}

async fn plain_list(
    cx: &Context,
    ListCommand::List { limit }: ListCommand,
    path: &str,
    columns: &[Column],
) -> Result<(), Failure> {
    cx.list(columns, &cx.client.list(path, &[], Some(limit)).await?)
}

const ALERT: &[Column] = &[
    col("NAME", "/name"),
    col("STATE", "/state"),
    col("ACTIVE SINCE", "/active_at"),
    col("VALUE", "/value"),
    col("SUMMARY", "/annotations/summary"),
    wide("RESOLVED", "/resolved_at"),
    wide("LABELS", "/labels"),
    wide("FINGERPRINT", "/fingerprint"),
];

const NOTICE: &[Column] = &[
    col("AT", "/created_at"),
    col("TOPIC", "/topic"),
    col("SUBJECT", "/subject"),
    wide("TENANT", "/tenant_id"),
    wide("DELIVERIES", "/deliveries"),
    wide("ID", "/id"),
];

const AUDIT: &[Column] = &[
    col("AT", "/at"),
    col("WHO", "/actor/name"),
    col("ACTION", "/action"),
    col("KIND", "/target_kind"),
    col("TARGET", "/target_id"),
    wide("DETAIL", "/detail"),
    wide("TENANT", "/tenant_id"),
];

const RECONCILER: &[Column] = &[
    col("NAME", "/name"),
    col("RUNS", "/runs"),
    col("FAILURES", "/failures"),
    col("LAST", "/last_finished_at"),
    col("MS", "/last_duration_ms"),
    col("ERROR", "/last_error"),
    wide("NEXT", "/next_run_at"),
    wide("STATUS", "/last_status"),
    wide("WHAT", "/description"),
];

const INFO: &[Column] = &[
    col("VERSION", "/version"),
    col("STARTED", "/started_at"),
    col("DATABASE", "/database"),
    col("DATA DIR", "/data_dir"),
    col("LISTEN", "/listen"),
    col("URL", "/public_url"),
    col("CONSOLE", "/console"),
];

const ME: &[Column] = &[
    col("KIND", "/kind"),
    col("NAME", "/name"),
    col("ROLE", "/role"),
    col("TENANT", "/tenant_name"),
    wide("TENANT ID", "/tenant_id"),
    wide("ID", "/id"),
];

/// A password, from stdin: its first line.
fn password_from_stdin() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|e| Failure::usage(format!("stdin can't be read: {e}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::usage("stdin has no password in its first line"));
    }
    Ok(password.to_owned())
}

/// A file's text.
fn read_text(path: &std::path::Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("{} can't be read: {e}", path.display())))
}
