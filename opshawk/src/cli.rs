//! The command line: the two processes, what works on the machine itself, and a client for all
//! that the API does, in noun-verb form.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`args`] | what can be typed |
//! | [`client`] | speaking to the server's API; names or ids |
//! | [`output`] | table, wide, JSON, YAML, CSV |
//! | [`exit`] | what the exit code says |
//! | [`wait`] | waiting for operations |
//! | [`commands`] | one file a noun |
//! | [`local`] | what needs no server: tokens, backup and restore of a data directory |
//! | [`doctor`] | is this machine fit |

pub mod args;
pub mod client;
pub mod commands;
pub mod doctor;
pub mod exit;
pub mod local;
mod metering;
pub mod output;
pub mod wait;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::Failure;

/// Runs what was typed.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // A provider is chosen once a process; a second choice would be refused, and is not made.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::failed(format!("no threads: {error}")).report(),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { command, connection } = cli;
    match command {
        Command::Server { run, command: None } => crate::server::run(run.flags()).await,
        Command::Agent(run) => crate::server::agent::run(run, &connection).await,
        Command::Openapi => output::print(&crate::api::spec::to_text(&crate::api::openapi())),
        Command::Doctor(run) => doctor::run(&run, connection.output).await,
        Command::Restore(run) => local::restore(run).await,
        Command::Backup(run) if run.local.is_given() => local::backup(run).await,
        Command::Token { command: args::TokenCommand::Create(create) }
            if create.local.is_given() =>
        {
            local::create_token(create).await
        }
        Command::Billing { command } => billing(command, connection).await,
        Command::Bmc { command: args::BmcCommand::Probe(probe) } => {
            commands::bmc::probe(&probe, connection.output).await
        }
        other => commands::run(other, connection).await,
    }
}

/// Those that work on the database, without a server, do so where it is named.
async fn billing(
    command: args::BillingCommand,
    connection: args::Connection,
) -> Result<(), Failure> {
    use args::BillingCommand;
    match command {
        BillingCommand::Replay(run) => commands::billing::replay(run).await,
        BillingCommand::Rebuild(run) => metering::rebuild(run).await,
        BillingCommand::Explain(run) if run.local.is_given() => metering::explain(run).await,
        BillingCommand::Findings(run) if run.local.is_given() => metering::findings(run).await,
        BillingCommand::Rule(run) if run.local.is_given() => metering::rule(run).await,
        BillingCommand::Gaps(run) if run.local.is_given() => metering::gaps(run).await,
        BillingCommand::Answer(run) if run.local.is_given() => metering::answer(run).await,
        other => commands::run(Command::Billing { command: other }, connection).await,
    }
}

#[cfg(test)]
mod tests;
