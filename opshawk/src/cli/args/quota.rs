//! `opshawk quota …`

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum QuotaCommand {
    Show {
        /// Your own where not given
        tenant: Option<String>,
    },
    /// Set the limits that are named
    Set {
        tenant: String,
        #[command(flatten)]
        limits: Limits,
    },
    /// Ask for higher limits of the kinds that are named; an operator answers
    Request {
        /// What it is needed for
        #[arg(long)]
        reason: String,
        /// For operators: for whom
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        limits: Limits,
    },
    /// Requests for higher limits and their answers, newest first
    Requests {
        /// For operators: one tenant's only
        #[arg(long)]
        tenant: Option<String>,
        #[arg(long)]
        state: Option<RequestState>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Set the limits that a request asks for, or others for the kinds that are named
    Approve {
        /// Its id
        request: String,
        /// What the tenant is told
        #[arg(long)]
        answer: Option<String>,
        #[command(flatten)]
        limits: Limits,
    },
    /// Leave the limits as they are
    Refuse {
        /// Its id
        request: String,
        /// What the tenant is told
        #[arg(long)]
        answer: String,
    },
    /// Take back a request that waits for an answer
    Withdraw {
        /// Its id
        request: String,
    },
    /// Set what is used to what there is, where the daily check says that they differ
    Recount { tenant: String },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RequestState {
    Pending,
    Approved,
    Refused,
    Withdrawn,
}

impl RequestState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A limit a kind.
#[derive(Debug, Args)]
pub struct Limits {
    #[arg(long)]
    pub instances: Option<i64>,
    #[arg(long)]
    pub vcpus: Option<i64>,
    #[arg(long)]
    pub memory_mib: Option<i64>,
    #[arg(long)]
    pub disk_gib: Option<i64>,
    #[arg(long)]
    pub public_ips: Option<i64>,
    #[arg(long)]
    pub volumes: Option<i64>,
    #[arg(long)]
    pub snapshots: Option<i64>,
    #[arg(long)]
    pub routers: Option<i64>,
    #[arg(long)]
    pub networks: Option<i64>,
    #[arg(long)]
    pub security_groups: Option<i64>,
    #[arg(long)]
    pub key_pairs: Option<i64>,
}
