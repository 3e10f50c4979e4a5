//! Money: what things cost, what was used, what is owed, and what follows from owing.
//!
//! ```text
//! usage facts --projection--> spans --rating--> lines, ledger --> balance --> standing
//!                 price books ----------^                                        |
//!                                notices (outbox), holds on instances (inventory) <
//! ```
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`settings`] | what an operator may set |
//! | [`meter`] | what is counted, and how a bill words it |
//! | [`kinds`] | kinds of resources as data: states, attributes, components |
//! | [`usage`] | facts, and the spans that follow from them |
//! | [`counters`] | readings of counters, and what was counted between them |
//! | [`findings`] | what somebody should look at, until it is resolved |
//! | [`leaks`] | what there is, what is metered and what is billed, held beside each other each day |
//! | [`prices`] | price books, immutable versions with effective dates; models, selectors, tax, timelines are pure |
//! | [`rating`] | spans and prices to lines and ledger; `plan` and all under it is pure |
//! | [`calendar`] | months, days, ticks and anniversaries in an account's time zone |
//! | [`packages`] | monthly packages: ordered, charged in advance, renewed on their day |
//! | [`ledger`] | double entry, append-only |
//! | [`agenda`] | when each account is due for rating and standing, and what was found last |
//! | [`accounts`] | a tenant's account: its lock, its top-ups, its balance |
//! | [`forecast`] | when the money runs out, to the millisecond |
//! | [`admission`] | whether something may start |
//! | [`standing`] | active, warned, overdue, suspended, stopped |
//! | [`bill`] | the lines of a period that is open still, and as CSV |
//! | [`close`] | closing months, when their grace for late facts is over |
//! | [`invoice`] | what a closed month comes to: numbered, frozen, as HTML, PDF, FOCUS CSV, JSON |
//! | [`reports`] | use and cost by resource, component, day, tenant and label |
//! | [`explain`] | one rated line, down to the facts and the price that made it, computed again |
//! | [`simulate`] | what the past would have cost under a draft |
//! | `text` | what people write beside figures, within bounds |
//! | [`replay`] | playing a file of all of this over a simulated clock |
//!
//! Billing never calls a hypervisor or a BMC: standing changes what is wanted, in the transaction
//! that records it, and agents converge. It never reads the wall clock, never changes a row of the
//! ledger, and never rounds but once: half-even, telescoping, when it posts.

pub mod accounts;
pub mod admission;
pub mod agenda;
mod balance;
pub mod bill;
pub mod calendar;
pub mod close;
pub mod counters;
pub mod explain;
pub mod findings;
pub mod forecast;
pub mod invoice;
pub mod kinds;
pub mod leaks;
pub mod ledger;
pub mod meter;
pub mod packages;
pub mod prices;
pub mod rating;
pub mod replay;
pub mod reports;
pub mod settings;
pub mod simulate;
mod sql;
pub mod standing;
mod text;
pub mod usage;

pub use settings::Settings;

#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod testing;
