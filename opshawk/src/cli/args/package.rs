//! `opshawk package …`

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum PackageCommand {
    /// Buy a month, now and each month from now on, until it is cancelled
    Order {
        /// The id of its rate in the tenant's prices
        rate: String,
        /// What to call it, on invoices, too [default: the rate's id]
        #[arg(long)]
        name: Option<String>,
        /// For operators: for whom
        #[arg(long)]
        tenant: Option<String>,
    },
    /// What was ordered, with what ended
    List {
        /// Your own where not given
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Let it end with the month that is paid
    Cancel {
        /// Its id
        package: String,
        /// For operators: whose
        #[arg(long)]
        tenant: Option<String>,
    },
}
