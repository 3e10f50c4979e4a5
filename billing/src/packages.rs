//! Monthly packages: what is ordered by name, charged a month in advance, and renewed on the day of
//! the order until it is cancelled.
//!
//! ```text
//! order 31 Jan 10:00     28 Feb 10:00     31 Mar 10:00     30 Apr 10:00
//!   |------ 1st month ------|--- 2nd month ---|--- 3rd month ---|
//!   charged now             charged           charged           cancelled in the 3rd: ends here
//! ```
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`months`] | the months of an order: pure |
//! | [`orders`] | ordering, cancelling, listing |
//! | [`renew`] | charging what has begun, once |
//! | `bought` | months that were bought, to be priced again |
//! | `reconciler` | renews each at its instant |
//!
//! A month is counted from the original day, in the account's time zone: what was ordered on a 31st
//! is renewed on a short month's last day, and on a 31st again. Its whole price is charged at its
//! first instant, at the price that is in force then, in the billing month of that instant. Nothing
//! of it is given back when the package is cancelled: it ends with the month that is paid. Where the
//! tenant's prices name the package no longer, it ends when its month does.

pub(crate) mod bought;
pub mod months;
pub mod orders;
mod reconciler;
pub mod renew;

pub use orders::{NewOrder, Package, cancel, list, order};
pub use reconciler::PackageReconciler;
pub use renew::renew;

/// What prices a package.
pub const COMPONENT: &str = "package.package";
/// Of the resources that lines are of.
pub const KIND: &str = "package";
/// Renewals that nothing is left of.
pub(crate) const NEVER_MS: i64 = i64::MAX;

#[cfg(test)]
mod tests;
