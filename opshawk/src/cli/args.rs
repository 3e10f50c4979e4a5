//! What can be typed.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use super::output::Format;
use crate::config::Flags;

mod billing;
mod invoice;
mod ledger;
mod metering;
mod nouns;
mod package;
mod price;
mod quota;
mod samples;
mod standing;

pub use billing::{BillingCommand, ReplayArgs};
pub use invoice::{CloseArgs, CostGroup, InvoiceCommand, InvoiceFormat};
pub use ledger::{LedgerCommand, VoucherCommand};
pub use metering::{
    AnswerArgs, ExplainArgs, FindingsArgs, GapsArgs, LinesArgs, RebuildArgs, ResolveArgs, RuleArgs,
    Ruling,
};
pub use nouns::*;
pub use package::PackageCommand;
pub use price::{DraftCommand, OverrideCommand, PriceCommand};
pub use quota::{Limits, QuotaCommand, RequestState};
pub use samples::{DeleteArgs, ExportArgs, ImportArgs, MetricsCommand, QueryArgs};
pub use standing::{ExemptArgs, SetArgs, StandingCommand};

/// Runs a private cloud's day: machines, measurement, alerts, money.
#[derive(Debug, Parser)]
#[command(name = "opshawk", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub connection: Connection,
}

/// How a client command reaches the server, and how it answers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Client options")]
pub struct Connection {
    /// The server
    #[arg(long, global = true, env = "OPSHAWK_URL", default_value = "http://127.0.0.1:8420")]
    pub url: String,
    /// An API token (better by OPSHAWK_TOKEN: other users see a command's arguments)
    #[arg(long, global = true, env = "OPSHAWK_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// A file that holds the API token
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// How to print
    #[arg(short, long, global = true, value_enum, default_value_t)]
    pub output: Format,
    /// Print the operation's id and don't wait for its end
    #[arg(long, global = true)]
    pub no_wait: bool,
    /// How long to wait for an operation, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 600)]
    pub wait_timeout_s: u64,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server; or see and power physical servers (opshawk server list …)
    #[command(args_conflicts_with_subcommands = true)]
    Server {
        #[command(flatten)]
        run: ServerArgs,
        #[command(subcommand)]
        command: Option<ServerCommand>,
    },
    /// Run the agent of this host
    Agent(AgentArgs),
    /// Check whether this machine is fit: KVM, libvirt, ports, clock, disk, qemu-img
    Doctor(DoctorArgs),
    /// Write a backup of everything: SQL, samples, keys, images' files
    Backup(BackupArgs),
    /// Make a data directory from a backup
    Restore(RestoreArgs),
    /// Print the OpenAPI description
    Openapi,
    /// Say who the token is
    Whoami,
    /// Hosts that run guests
    Host {
        #[command(subcommand)]
        command: HostCommand,
    },
    /// Tenants and their money
    Tenant {
        #[command(subcommand)]
        command: TenantCommand,
    },
    /// People who log in
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// API tokens
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Sizes of instances
    Flavor {
        #[command(subcommand)]
        command: FlavorCommand,
    },
    /// What instances boot from
    Image {
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Prices: drafts, versions, and tenants' own
    Price {
        #[command(subcommand)]
        command: PriceCommand,
    },
    /// What is bought by the month
    Package {
        #[command(subcommand)]
        command: PackageCommand,
    },
    /// Price books with standard prices, in one step
    PriceBook {
        #[command(subcommand)]
        command: PriceBookCommand,
    },
    /// Who may have how much
    Quota {
        #[command(subcommand)]
        command: QuotaCommand,
    },
    /// What a shortage of money stops, and what keeps it from that
    Standing {
        #[command(subcommand)]
        command: StandingCommand,
    },
    /// Virtual machines
    Instance {
        #[command(subcommand)]
        command: InstanceCommand,
    },
    /// What was asked for, and how it ended
    Operation {
        #[command(subcommand)]
        command: OperationCommand,
    },
    /// Pending, firing and lately resolved alerts
    Alert {
        #[command(subcommand)]
        command: ListCommand,
    },
    /// Alert rules
    Rule {
        #[command(subcommand)]
        command: RuleCommand,
    },
    /// What was told to people
    Notice {
        #[command(subcommand)]
        command: ListCommand,
    },
    /// What was posted, and what to post beside the charges
    Ledger {
        #[command(subcommand)]
        command: LedgerCommand,
    },
    /// Codes that become a bonus
    Voucher {
        #[command(subcommand)]
        command: VoucherCommand,
    },
    /// What a tenant pays for
    Bill {
        #[command(subcommand)]
        command: BillCommand,
    },
    /// What closed months came to
    Invoice {
        #[command(subcommand)]
        command: InvoiceCommand,
    },
    /// Close months; check how the product bills
    Billing {
        #[command(subcommand)]
        command: BillingCommand,
    },
    /// Ask the time-series store in PromQL
    Query(QueryArgs),
    /// Move the history of metrics from server to server
    Metrics {
        #[command(subcommand)]
        command: MetricsCommand,
    },
    /// Management controllers
    Bmc {
        #[command(subcommand)]
        command: BmcCommand,
    },
    /// Who did what to what
    Audit {
        #[command(subcommand)]
        command: ListCommand,
    },
    /// The server's own loops and facts
    System {
        #[command(subcommand)]
        command: SystemCommand,
    },
}

#[derive(Debug, Args)]
pub struct ServerArgs {
    /// The configuration file [default: /etc/opshawk/opshawk.toml where it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where everything is kept [default: /var/lib/opshawk]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8420]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Serve plain HTTP beyond loopback
    #[arg(long)]
    pub insecure: bool,
}

impl ServerArgs {
    pub fn flags(self) -> Flags {
        Flags {
            config: self.config,
            data_dir: self.data_dir,
            listen: self.listen,
            insecure: self.insecure,
        }
    }
}

#[derive(Debug, Args)]
pub struct AgentArgs {
    /// The server; the token comes from --token-file or OPSHAWK_TOKEN
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// Where the agent keeps its state
    #[arg(long, value_name = "DIR", default_value = "/var/lib/opshawk-agent")]
    pub data_dir: PathBuf,
    /// Where instances' disks are [default: instances in the data directory]
    #[arg(long, value_name = "DIR")]
    pub instances_dir: Option<PathBuf>,
    #[arg(long, value_name = "URI", default_value = "qemu:///system")]
    pub libvirt_uri: String,
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    pub collect_interval_s: u32,
    /// How often guests' traffic is told to billing
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub traffic_interval_s: u32,
    /// Give guests no screen
    #[arg(long)]
    pub no_screens: bool,
    /// Speak plain HTTP to a server beyond loopback
    #[arg(long)]
    pub insecure: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The data directory that the server is to use
    #[arg(long, value_name = "DIR", default_value = crate::config::DEFAULT_DATA_DIR)]
    pub data_dir: PathBuf,
    /// The address that the server is to listen on
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8420")]
    pub listen: SocketAddr,
    #[arg(long, value_name = "URI", default_value = "qemu:///system")]
    pub libvirt_uri: String,
}

/// A data directory on this machine, named by itself or by the server's configuration.
#[derive(Debug, Args)]
pub struct LocalArgs {
    /// Work on this data directory, without asking a server
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Work on the data directory and database of this configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The tar file to write; it must not exist
    pub file: PathBuf,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The tar file of a backup
    pub file: PathBuf,
    /// The data directory to make; it must be empty or not there
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// An empty PostgreSQL database to fill [default: SQLite in the data directory]
    #[arg(long, value_name = "URL", env = "OPSHAWK_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
}

#[cfg(test)]
mod tests;
