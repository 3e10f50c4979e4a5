//! `opshawk standing …`

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum StandingCommand {
    /// What is paused, stopped or deleted next for want of money, if nobody pays
    Preview {
        /// How far to look ahead
        #[arg(long, default_value_t = 24)]
        hours: u32,
        /// For operators: one tenant's only
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Whether automatic stops are paused
    Guard,
    /// Let automatic stops go on
    Resume {
        #[arg(long)]
        reason: String,
    },
    /// Exemptions that have not ended
    Exemptions {
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Keep a shortage from stopping a tenant's instances, or one of them
    Exempt(ExemptArgs),
    /// End an exemption now
    EndExemption {
        /// Its id
        exemption: String,
    },
    /// Steps that wait for an approval, or are only written down
    Steps {
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Let the step that is due for a tenant happen
    Approve {
        tenant: String,
        #[arg(long)]
        reason: String,
    },
    /// What is set for a tenant's standing alone
    Settings {
        /// Your own where not given
        tenant: Option<String>,
    },
    /// Set delays, warnings and the ladder's end for one tenant; what is not named is as the product has it
    Set(SetArgs),
}

#[derive(Debug, Args)]
pub struct ExemptArgs {
    pub tenant: String,
    /// One instance's id; all of the tenant's where not given
    #[arg(long)]
    pub instance: Option<String>,
    /// From when, RFC 3339; now where not given
    #[arg(long)]
    pub from: Option<String>,
    /// Until when, RFC 3339; without an end where not given
    #[arg(long)]
    pub to: Option<String>,
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct SetArgs {
    pub tenant: String,
    /// From running out of balance to being suspended
    #[arg(long)]
    pub grace_s: Option<u32>,
    #[arg(long)]
    pub suspend_to_stop_s: Option<u32>,
    #[arg(long)]
    pub stop_to_notice_s: Option<u32>,
    #[arg(long)]
    pub notice_to_reclaim_s: Option<u32>,
    /// overdue (nothing stops), suspended, stopped, reclaim_pending or reclaimed
    #[arg(long)]
    pub furthest: Option<String>,
    /// How long before the balance runs out; several with commas
    #[arg(long, value_delimiter = ',')]
    pub warnings_s: Option<Vec<u32>>,
    #[arg(long, default_value = "")]
    pub reason: String,
}
