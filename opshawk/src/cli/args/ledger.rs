//! `opshawk ledger …` and `opshawk voucher …`

use base::{money::Micros, time::Timestamp};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// A tenant's transactions with their entries, the newest first
    Show {
        /// Your own where not given
        tenant: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Check every invariant of all tenants; exit code 1 where one is broken
    Verify,
    /// Put money on an account that a provider took, once for each of its ids
    Recharge {
        tenant: String,
        amount: Micros,
        /// Who took it, such as bank
        #[arg(long)]
        provider: String,
        /// The payment, as the provider calls it
        #[arg(long)]
        id: String,
        /// Given with it, and taken back with it
        #[arg(long)]
        bonus: Option<Micros>,
        /// When the bonus ends (RFC 3339)
        #[arg(long, requires = "bonus")]
        bonus_expires_at: Option<Timestamp>,
        #[arg(long, default_value = "")]
        memo: String,
    },
    /// What was paid, and how much of it can be refunded
    Recharges {
        /// Your own where not given
        tenant: Option<String>,
    },
    /// Give a bonus
    Bonus {
        tenant: String,
        amount: Micros,
        /// When what is left of it ends (RFC 3339)
        #[arg(long)]
        expires_at: Option<Timestamp>,
        #[arg(long, default_value = "")]
        memo: String,
    },
    /// Give back what is left of a recharge; sending the money is yours
    Refund {
        tenant: String,
        /// The recharge's transaction
        recharge: String,
        amount: Micros,
        #[arg(long)]
        reason: String,
    },
    /// Post entries by hand, such as debit:revenue:2.50 credit:cash:2.50
    Correct {
        tenant: String,
        #[arg(required = true)]
        entries: Vec<String>,
        #[arg(long)]
        reason: String,
    },
    /// Put money aside
    Hold {
        tenant: String,
        amount: Micros,
        #[arg(long)]
        purpose: String,
        /// When it is given back by itself (RFC 3339)
        #[arg(long)]
        expires_at: Timestamp,
    },
    /// A tenant's holds, the newest first
    Holds {
        /// Your own where not given
        tenant: Option<String>,
    },
    /// Earn a part of a hold, and give the rest back
    PostHold {
        hold: String,
        net: Micros,
        #[arg(long)]
        tax: Option<Micros>,
    },
    /// Give a hold back
    VoidHold { hold: String },
    /// Set how far below zero a tenant may go
    CreditLimit {
        tenant: String,
        limit: Micros,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum VoucherCommand {
    /// The newest first, with who redeemed them
    List,
    /// Make a voucher; its code is shown once
    Create {
        amount: Micros,
        #[arg(long, default_value = "CNY")]
        currency: String,
        /// Who may redeem it; anybody where not given
        #[arg(long)]
        tenant: Option<String>,
        /// RFC 3339; now where not given
        #[arg(long)]
        valid_from: Option<Timestamp>,
        /// RFC 3339; for ever where not given
        #[arg(long)]
        valid_to: Option<Timestamp>,
        /// When the bonus that it becomes ends (RFC 3339)
        #[arg(long)]
        bonus_expires_at: Option<Timestamp>,
        #[arg(long, default_value = "")]
        memo: String,
    },
    /// Turn a voucher into a bonus
    Redeem {
        code: String,
        /// Your own where not given
        #[arg(long)]
        tenant: Option<String>,
    },
}
