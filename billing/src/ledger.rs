//! The ledger: double entry, append-only, in micro-units of the account's currency.
//!
//! ```text
//!            recharge               charge (spend order: bonus, cash, then owing)
//!  payments ----------> cash    -------------------+--> revenue
//!                       bonus   -------------------+--> tax
//!  promotions --------> (bonus)  receivable -------+
//!            bonus, voucher      cash, bonus <--> holds      cash --> refunds (money out)
//! ```
//!
//! A transaction is written whole, by its one writer [`store::append`], which wants the account's
//! lock ([`crate::accounts::Locked`]) to compile, and balanced entries to go on. Its key names the
//! fact, and is kept with a hash of the request: the same request again is answered as the first
//! time, another one is a conflict. Every entry carries its account's running balance, so that what
//! a tenant has is the newest entries, and no column is a balance that somebody updates.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`chart`] | the accounts, the kinds of transactions, a tenant's wallet |
//! | [`spend`] | which pocket pays, and which gets what comes in: pure |
//! | [`store`] | writing a transaction |
//! | [`recharge`] | money that comes in |
//! | [`bonus`], [`grants`] | money that is given; what is left of each gift |
//! | [`vouchers`] | codes that become a bonus, once |
//! | [`holds`] | money that is put aside |
//! | `over` | ending bonuses and holds in their instants, however late |
//! | [`refunds`] | money that goes back, and how much can |
//! | [`corrections`] | entries by hand, with a reason |
//! | [`list`] | reading the journal |
//! | [`verify`] | every invariant, on a live system |
//! | [`reconciler`] | ends what is over, verifies each hour |

pub mod bonus;
pub mod chart;
pub mod corrections;
pub mod grants;
pub mod holds;
pub mod list;
pub(crate) mod over;
pub mod recharge;
pub mod reconciler;
pub mod refunds;
pub mod spend;
pub mod store;
pub mod verify;
pub mod vouchers;

pub use bonus::{Bonus, bonus};
pub use chart::{Account, Direction, Entry, Kind, Wallet};
pub use corrections::{Correction, correct};
pub use recharge::{Recharge, recharge};
pub use reconciler::LedgerReconciler;
pub use refunds::{Refund, refund};
pub use spend::SpendOrder;
pub(crate) use store::{Posting, append};
pub use store::{Repeated, Written, is_about_a_repetition, report_conflict};
