//! What is decided about usage, on the server's machine.

use base::{
    id::{UsageEventId, UsageGapId},
    time::Timestamp,
};
use clap::{Args, ValueEnum};

use super::LocalArgs;

#[derive(Debug, Args)]
#[group(id = "mode", required = true, multiple = false, args = ["check", "write"])]
pub struct RebuildArgs {
    /// Change nothing; exit 1 where something differs
    #[arg(long)]
    pub check: bool,
    /// Write what differs, and have it rated again
    #[arg(long)]
    pub write: bool,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, Args)]
pub struct FindingsArgs {
    /// Those that are resolved, too
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, Args)]
pub struct RuleArgs {
    /// The fact's id, as its finding names it
    pub fact: UsageEventId,
    pub ruling: Ruling,
    /// As of when it counts [default: the instant that it tells]
    #[arg(long, value_name = "RFC3339")]
    pub at: Option<Timestamp>,
    /// Why, for those who ask later
    #[arg(long)]
    pub reason: String,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ruling {
    /// It counts
    Take,
    /// It never counts
    Drop,
}

#[derive(Debug, Args)]
pub struct GapsArgs {
    /// Those that are answered, too
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The gap's id
    pub gap: UsageGapId,
    /// The instant of the gap at which it changed; until then it was as before
    #[arg(long, value_name = "RFC3339")]
    pub changed: Timestamp,
    /// What it was from there on, such as running
    #[arg(long)]
    pub state: String,
    /// Its attributes then, as JSON [default: as it was seen at the gap's end]
    #[arg(long, value_name = "JSON")]
    pub attributes: Option<String>,
    /// Why, for those who ask later
    #[arg(long)]
    pub reason: String,
    #[command(flatten)]
    pub local: LocalArgs,
}
