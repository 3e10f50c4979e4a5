//! `opshawk billing`: months, usage and replays.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum BillingCommand {
    /// Play a file of prices, facts and payments over a simulated clock, without a server
    ///
    /// What came out is printed as JSON. Exit code 1: something is otherwise than the file expects;
    /// 2: the file can't be read. docs/billing-replay.md describes it.
    Replay(ReplayArgs),
    /// Close a tenant's month that has ended, without waiting for its grace, and issue its invoice
    Close(super::CloseArgs),
    /// Make the spans of usage again from the facts, and compare or write them
    ///
    /// Works on the database, without a server (which may run). Exit code 1 with --check: some spans
    /// are not those that follow from the facts, or some deltas of counters not those that follow from
    /// the readings. docs/metering.md says what they are.
    Rebuild(super::RebuildArgs),
    /// The rated lines of a tenant's charges, with their ids
    Lines(super::LinesArgs),
    /// Compute a rated line again, from its facts, readings and price
    ///
    /// Exit code 1: it does not come to what was posted. With --data-dir or --config it works on the
    /// database, without a server.
    Explain(super::ExplainArgs),
    /// What somebody should look at: facts put aside, parked resources, gaps, drops, leaks
    ///
    /// This and what follows ask the server; with --data-dir or --config they work on the database.
    Findings(super::FindingsArgs),
    /// Resolve a finding by hand; where its cause is still there, it is found again
    Resolve(super::ResolveArgs),
    /// What was decided about facts
    Rulings,
    /// Decide about a fact that was put aside or contradicts
    ///
    /// For good, and with a reason. The resource is rated by it, from the fact's instant on.
    Rule(super::RuleArgs),
    /// Times of which facts were lost
    Gaps(super::GapsArgs),
    /// Say what was in a gap
    ///
    /// For good, and with a reason: as before up to an instant, and so from there on.
    Answer(super::AnswerArgs),
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The YAML file
    pub file: PathBuf,
    /// An empty database to play in, such as postgres://… [default: a temporary SQLite]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}
