//! What is decided about usage, and how a line came to be: by the server, or on its machine.

use base::{
    id::{FindingId, UsageEventId, UsageGapId},
    time::Timestamp,
};
use billing::explain::LineId;
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
pub struct LinesArgs {
    /// Whose [default: your own]
    #[arg(long)]
    pub tenant: Option<String>,
    /// Of one resource only, by its id
    #[arg(long)]
    pub resource: Option<String>,
    /// Of one component only, such as instance.compute
    #[arg(long)]
    pub component: Option<String>,
    /// Those that rate something after this instant
    #[arg(long, value_name = "RFC3339")]
    pub from: Option<Timestamp>,
    /// Those that rate something before this instant
    #[arg(long, value_name = "RFC3339")]
    pub to: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The line's id, TENANT.CHARGE.PLACE, as `opshawk billing lines` lists it
    pub line: LineId,
    /// Show its facts after this sequence, where there are more than 1000
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    pub facts_after: i64,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// The finding's id
    pub finding: FindingId,
    /// Why, for those who ask later
    #[arg(long)]
    pub reason: String,
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

impl Ruling {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Take => "take",
            Self::Drop => "drop",
        }
    }
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
