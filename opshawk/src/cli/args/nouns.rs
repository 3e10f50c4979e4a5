//! The nouns of the client: what can be asked of each.

use std::path::PathBuf;

use base::{
    money::{Micros, Nanos},
    time::Timestamp,
};
use clap::{Args, Subcommand, ValueEnum};

use super::LocalArgs;

#[derive(Debug, Subcommand)]
pub enum ListCommand {
    List {
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
}

#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    List,
    Show {
        server: String,
    },
    /// Register the server behind a BMC; the password is read from stdin
    Create {
        name: String,
        #[arg(long, value_name = "ADDR:PORT")]
        bmc: String,
        #[arg(long)]
        user: String,
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Forget the server; its power stays as it is
    Delete {
        server: String,
    },
    /// Want its power on or off
    Power {
        server: String,
        action: OnOff,
    },
    /// The last readings
    Sensors {
        server: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OnOff {
    On,
    Off,
}

#[derive(Debug, Subcommand)]
pub enum HostCommand {
    List,
    Show {
        host: String,
    },
    /// Register a host and print its agent's token, once
    Create {
        name: String,
    },
    /// Let it take new instances
    Enable {
        host: String,
    },
    /// Keep new instances away
    Disable {
        host: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    List,
    Show {
        tenant: String,
    },
    Create {
        name: String,
        #[arg(long, default_value = "CNY")]
        currency: String,
        /// What it pays by
        #[arg(long)]
        price_book: Option<String>,
        /// Whose calendar makes its billing months, such as Asia/Shanghai [default: the server's]
        #[arg(long)]
        timezone: Option<String>,
    },
    /// Give it another name; invoices that were issued keep the old one
    Rename {
        tenant: String,
        name: String,
    },
    /// Change what it pays by, from now or later on
    SetPriceBook {
        tenant: String,
        price_book: String,
        /// From when on; now where not given
        #[arg(long, value_name = "RFC3339")]
        effective_at: Option<Timestamp>,
    },
    /// Put money on its account
    Topup {
        tenant: String,
        amount: Micros,
        #[arg(long, default_value = "")]
        memo: String,
    },
    /// What is left, and until when
    Balance {
        /// Your own where not given
        tenant: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    List,
    /// Make a user; without a password, a one-time link to set one is printed
    Create {
        login: String,
        /// A member's tenant; without one, an operator is made
        #[arg(long)]
        tenant: Option<String>,
        /// Read the password from stdin
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    List,
    /// Make a token and print it, once
    Create(TokenCreate),
    Revoke {
        token: String,
    },
}

#[derive(Debug, Args)]
pub struct TokenCreate {
    #[arg(long, default_value = "cli")]
    pub name: String,
    /// A member's tenant; without one, an operator's token is made
    #[arg(long, conflicts_with_all = ["data_dir", "config"])]
    pub tenant: Option<String>,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, Subcommand)]
pub enum FlavorCommand {
    List,
    Show {
        flavor: String,
    },
    Create {
        name: String,
        #[arg(long)]
        vcpus: i64,
        #[arg(long)]
        memory_mib: i64,
        #[arg(long)]
        disk_gib: i64,
    },
    /// Retire it: what was made from it stays
    Delete {
        flavor: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    List,
    Show {
        image: String,
    },
    /// Register an image and send its files
    Create {
        name: String,
        #[arg(long, value_name = "FILE")]
        disk: PathBuf,
        #[arg(long, value_enum, default_value_t)]
        format: DiskFormat,
        /// Boot by this kernel, as in Glance
        #[arg(long, value_name = "FILE")]
        kernel: Option<PathBuf>,
        #[arg(long, value_name = "FILE", requires = "kernel")]
        ramdisk: Option<PathBuf>,
        #[arg(long, requires = "kernel", default_value = "")]
        cmdline: String,
    },
    /// Send one file of an image that still wants it
    Upload {
        image: String,
        part: ImagePart,
        file: PathBuf,
    },
    /// Retire it: what was made from it stays
    Delete {
        image: String,
    },
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum DiskFormat {
    #[default]
    Qcow2,
    Raw,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ImagePart {
    Disk,
    Kernel,
    Ramdisk,
}

#[derive(Debug, Subcommand)]
pub enum PriceBookCommand {
    List,
    Show {
        price_book: String,
    },
    Create {
        name: String,
        #[arg(long, default_value = "CNY")]
        currency: String,
        /// Whose alone it is
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        prices: FirstPrices,
    },
    /// Publish a new version with all its prices
    Publish {
        price_book: String,
        #[command(flatten)]
        prices: Prices,
    },
}

#[derive(Debug, Args)]
pub struct Prices {
    /// Per unit and hour: instance:FLAVOR=PRICE, instance-paused:FLAVOR=PRICE, disk_gib=PRICE
    #[arg(long = "price", value_name = "METER=PRICE", value_parser = parse_price, required = true)]
    pub prices: Vec<(String, Nanos)>,
    /// From when on; now where not given
    #[arg(long, value_name = "RFC3339")]
    pub effective_at: Option<Timestamp>,
}

/// As [`Prices`], where there may be none yet.
#[derive(Debug, Args)]
pub struct FirstPrices {
    /// Per unit and hour: instance:FLAVOR=PRICE, instance-paused:FLAVOR=PRICE, disk_gib=PRICE.
    /// Without any, the book begins empty, to be filled by opshawk price draft
    #[arg(long = "price", value_name = "METER=PRICE", value_parser = parse_price)]
    pub prices: Vec<(String, Nanos)>,
    /// From when on; now where not given
    #[arg(long, value_name = "RFC3339", requires = "prices")]
    pub effective_at: Option<Timestamp>,
}

fn parse_price(text: &str) -> Result<(String, Nanos), String> {
    let (meter, price) = text.rsplit_once('=').ok_or("write it as METER=PRICE")?;
    Ok((meter.to_owned(), price.parse()?))
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// No key ends with a hyphen.
fn parse_label_change(text: &str) -> Result<(String, Option<String>), String> {
    match (text.split_once('='), text.strip_suffix('-')) {
        (Some((key, value)), _) => Ok((key.to_owned(), Some(value.to_owned()))),
        (None, Some(key)) => Ok((key.to_owned(), None)),
        (None, None) => Err("write it as KEY=VALUE, or as KEY- to take it out".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub enum InstanceCommand {
    List {
        /// For operators: one tenant's only
        #[arg(long)]
        tenant: Option<String>,
    },
    Show {
        instance: String,
    },
    Create {
        name: String,
        #[arg(long)]
        flavor: String,
        #[arg(long)]
        image: String,
        /// An OpenSSH public key file for the guest's first user
        #[arg(long, value_name = "FILE")]
        ssh_key_file: Option<PathBuf>,
        /// cloud-init user data
        #[arg(long, value_name = "FILE")]
        user_data_file: Option<PathBuf>,
        /// What you tell it apart by, such as team=web; costs are summed by it
        #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
        labels: Vec<(String, String)>,
        /// For operators: whose it is
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Set labels (KEY=VALUE) and take labels out (KEY-); the others stay
    Label {
        instance: String,
        #[arg(required = true, value_name = "KEY=VALUE|KEY-", value_parser = parse_label_change)]
        changes: Vec<(String, Option<String>)>,
    },
    Start {
        instance: String,
    },
    Stop {
        instance: String,
    },
    /// Make it another flavor, while it is stopped
    ///
    /// Its disk never shrinks. The guest sees the other machine at its next start, and makes use of a
    /// larger disk by its own means.
    Resize {
        instance: String,
        #[arg(long)]
        flavor: String,
    },
    /// Delete it and its disk
    Delete {
        instance: String,
    },
    /// Keep it stopped, whatever its tenant wants
    Lock {
        instance: String,
    },
    Unlock {
        instance: String,
    },
    /// The tail of what its serial port printed
    ConsoleLog {
        instance: String,
    },
    /// Its serial port, live; Ctrl-] leaves it
    ///
    /// At a terminal every key goes to the guest but Ctrl-]. Piped input is typed as it is, and what
    /// the guest prints is shown until the guest stops or this is interrupted.
    Console {
        instance: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum OperationCommand {
    List {
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    Show {
        id: String,
    },
    /// Wait for its end
    Wait {
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum RuleCommand {
    List,
    /// Set each group of a Prometheus rules file
    Apply {
        file: PathBuf,
    },
    /// Remove a group
    Delete {
        group: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum BillCommand {
    /// The lines of a period; `-o csv` is the bill as a sheet
    Show {
        /// Your own where not given
        #[arg(long)]
        tenant: Option<String>,
        /// The beginning of this month where not given
        #[arg(long, value_name = "RFC3339")]
        from: Option<Timestamp>,
        /// Now where not given
        #[arg(long, value_name = "RFC3339")]
        to: Option<Timestamp>,
    },
    /// What was used and what it cost, in groups; `-o csv` is a sheet
    Cost {
        /// Your own where not given
        #[arg(long)]
        tenant: Option<String>,
        /// What makes a row; by tenant, an operator sees all of them
        #[arg(long, value_enum, default_value_t = super::CostGroup::Resource)]
        by: super::CostGroup,
        /// By the values of this label
        #[arg(long, conflicts_with = "by")]
        label: Option<String>,
        /// The beginning of this month where not given
        #[arg(long, value_name = "RFC3339")]
        from: Option<Timestamp>,
        /// Now where not given
        #[arg(long, value_name = "RFC3339")]
        to: Option<Timestamp>,
    },
}

#[derive(Debug, Subcommand)]
pub enum BmcCommand {
    /// Look at a BMC without a server: device, power, sensors, cipher suite in use
    Probe(ProbeArgs),
}

#[derive(Debug, Args)]
pub struct ProbeArgs {
    #[arg(value_name = "ADDR:PORT")]
    pub address: String,
    #[arg(long)]
    pub user: String,
    /// Read the password from stdin
    #[arg(long, required = true)]
    pub password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub enum SystemCommand {
    /// The loops that make it so, with their last runs
    Reconcilers,
    Info,
}
