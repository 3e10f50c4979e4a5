//! `opshawk metrics` and `opshawk query`: samples, as they are asked for, moved and deleted.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum MetricsCommand {
    /// Write samples of any age as OpenMetrics text
    ///
    /// Without --match all that the token sees. A file is complete or not there; one that exists is
    /// not replaced.
    Export(ExportArgs),
    /// Take in OpenMetrics text with timestamps, of any age within the retention
    ///
    /// An operator's command: a tenant label stays as it is in the text. A text with a bad line
    /// changes nothing. Days are written one after another, each durable on its own: where an import
    /// breaks off (a kill, a full disk), run it again. What is there already stays, counts as
    /// duplicates and is never doubled. Exit code 1 where samples were rejected; the others are written.
    Import(ImportArgs),
    /// Delete the samples of series, for good
    ///
    /// An operator's command: of every tenant's series that a selector finds. Says how many series that
    /// is, and asks. At once from every answer; from the disk when their blocks are next rewritten.
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Where to write, - for stdout
    #[arg(value_name = "FILE|-", default_value = "-")]
    pub file: PathBuf,
    /// Series to write, as a PromQL selector; may be repeated
    #[arg(long = "match", value_name = "SELECTOR")]
    pub matches: Vec<String>,
    /// From this instant (RFC 3339 or Unix seconds)
    #[arg(long)]
    pub start: Option<String>,
    /// To this instant
    #[arg(long)]
    pub end: Option<String>,
    /// Leave out stale markers, which other programs read as a NaN
    #[arg(long)]
    pub no_stale: bool,
    /// The server, as --url
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What to read, plain or packed by gzip; - for stdin
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// The server, as --url
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Series whose samples go, as PromQL selectors
    #[arg(value_name = "SELECTOR", required = true)]
    pub selectors: Vec<String>,
    /// From this instant (RFC 3339 or Unix seconds); from the first where not given
    #[arg(long)]
    pub start: Option<String>,
    /// To this instant; both ends belong to the range
    #[arg(long)]
    pub end: Option<String>,
    /// Delete without asking
    #[arg(long, short)]
    pub yes: bool,
    /// The server, as --url
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
}

impl MetricsCommand {
    pub fn server(&self) -> Option<&str> {
        match self {
            Self::Export(args) => args.server.as_deref(),
            Self::Import(args) => args.server.as_deref(),
            Self::Delete(args) => args.server.as_deref(),
        }
    }
}

#[derive(Debug, Args)]
pub struct QueryArgs {
    /// PromQL
    pub expression: String,
    /// At this instant (RFC 3339 or Unix seconds)
    #[arg(long, conflicts_with_all = ["start", "end", "step"])]
    pub time: Option<String>,
    /// A range: from …
    #[arg(long, requires_all = ["end", "step"])]
    pub start: Option<String>,
    /// … to …
    #[arg(long, requires = "start")]
    pub end: Option<String>,
    /// … each so many seconds
    #[arg(long, requires = "start")]
    pub step: Option<String>,
}
