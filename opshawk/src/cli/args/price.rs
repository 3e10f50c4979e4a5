//! `opshawk price …`

use std::path::PathBuf;

use base::time::Timestamp;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum PriceCommand {
    /// Price books, and what is in force
    List,
    /// The rates of a book's versions
    Show { price_book: String },
    /// Drafts of new versions
    Draft {
        #[command(subcommand)]
        command: DraftCommand,
    },
    /// Look for errors and warnings in a draft
    Check {
        /// The draft's id
        draft: String,
    },
    /// Publish a draft that was checked; it can't be changed afterwards
    Publish {
        /// The draft's id
        draft: String,
        /// From when on; now where not given
        #[arg(long, value_name = "RFC3339")]
        effective_at: Option<Timestamp>,
        /// Change the past, for this reason; what was posted is rated again and adjusted
        #[arg(long, value_name = "REASON", requires = "effective_at")]
        correction: Option<String>,
    },
    /// What a past period would have cost under a draft, by tenant; nothing is posted
    Simulate {
        /// The draft's id
        draft: String,
        #[arg(long, value_name = "RFC3339")]
        from: Timestamp,
        /// At most 366 days later; now where not given
        #[arg(long, value_name = "RFC3339")]
        until: Option<Timestamp>,
        /// From when on the draft would count; from --from where not given
        #[arg(long, value_name = "RFC3339")]
        effective_at: Option<Timestamp>,
        /// These only, as if they paid by the draft's book; all that do where not given
        #[arg(long = "tenant", value_name = "TENANT")]
        tenants: Vec<String>,
    },
    /// Prices of one tenant that go before its book's
    Override {
        #[command(subcommand)]
        command: OverrideCommand,
    },
}

#[derive(Debug, Subcommand)]
pub enum DraftCommand {
    /// Those of a book
    List { price_book: String },
    /// The document, as YAML to be edited
    Show {
        /// The draft's id
        draft: String,
    },
    /// Begin one: from a file, or as a copy of what is in force
    Create {
        price_book: String,
        /// YAML or JSON: tax and rates, flavors by name or id
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Replace what it says
    Edit {
        /// The draft's id
        draft: String,
        /// YAML or JSON: tax and rates, flavors by name or id
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// The revision that the change was made on; the newest where not given
        #[arg(long)]
        revision: Option<i64>,
    },
    Discard {
        /// The draft's id
        draft: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum OverrideCommand {
    List {
        /// Your own where not given
        tenant: Option<String>,
    },
    Create {
        tenant: String,
        /// YAML or JSON: rates, and tax unless it is the book's
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        #[arg(long)]
        reason: String,
        /// From when on; now where not given
        #[arg(long, value_name = "RFC3339")]
        from: Option<Timestamp>,
        /// Until when; for good where not given
        #[arg(long, value_name = "RFC3339")]
        to: Option<Timestamp>,
        /// It may begin in the past; what was posted is rated again and adjusted
        #[arg(long)]
        correction: bool,
    },
    /// End it early
    End {
        tenant: String,
        number: i64,
        #[arg(long)]
        reason: String,
        /// When; now where not given
        #[arg(long, value_name = "RFC3339")]
        at: Option<Timestamp>,
    },
}
