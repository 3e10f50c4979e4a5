//! What is decided about usage, and how a line came to be: by the server, or on its machine.

use base::{
    id::{FindingId, UsageEventId, UsageGapId},
    time::Timestamp,
};
use billing::explain::LineId;
use clap::{Args, ValueEnum};

use super::LocalArgs;

fn finding(text: &str) -> Result<FindingId, String> {
    text.parse()
        .map_err(|_| "it is no finding's id; opshawk billing findings lists them".to_owned())
}

/// A finding's subject is `fact/ID`, and may be given as it stands there.
fn fact(text: &str) -> Result<UsageEventId, String> {
    let id = text.strip_prefix("fact/").unwrap_or(text);
    id.parse()
        .map_err(|_| "it is no fact's id; opshawk billing findings names it as fact/ID".to_owned())
}

fn gap(text: &str) -> Result<UsageGapId, String> {
    let id = text.strip_prefix("gap/").unwrap_or(text);
    id.parse().map_err(|_| "it is no gap's id; opshawk billing gaps lists them".to_owned())
}

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
    /// Those behind this line, where there are more than 1000
    #[arg(long, value_name = "LINE")]
    pub after: Option<LineId>,
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
    /// Its id, as `opshawk billing findings` lists it
    #[arg(value_parser = finding)]
    pub finding: FindingId,
    /// Why, for those who ask later
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct RuleArgs {
    /// The fact's id, as its finding names it
    #[arg(value_parser = fact)]
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
    /// Its id, as `opshawk billing gaps` lists it
    #[arg(value_parser = gap)]
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
