//! What is the operators' alone: which of them did something, and why they did.
//!
//! A member is answered the same things without it: a name or a reason that is text is empty, one that
//! may be absent is absent. What is written to the tenant stays: memo and reason of a transaction of
//! its ledger, the reason of a credit note, the answer to a request. `docs/ledger.md` says so to
//! whoever writes them.

use billing::{
    accounts::SettingsChange,
    explain::Explanation,
    ledger::list::Transaction,
    prices::{PriceBook, overrides::PriceOverride},
};
use inventory::quotas::requests::Request;

use super::auth::Caller;

/// What holds something of the operators'.
pub trait Internal {
    fn withhold(&mut self);
}

/// The thing as the caller may see it.
pub fn shown<T: Internal>(caller: &Caller, mut thing: T) -> T {
    if !caller.is_operator() {
        thing.withhold();
    }
    thing
}

impl<T: Internal> Internal for Vec<T> {
    fn withhold(&mut self) {
        self.iter_mut().for_each(T::withhold);
    }
}

impl Internal for Transaction {
    fn withhold(&mut self) {
        self.actor.clear();
    }
}

impl Internal for SettingsChange {
    fn withhold(&mut self) {
        self.actor.clear();
        self.reason.clear();
    }
}

impl Internal for PriceBook {
    fn withhold(&mut self) {
        self.versions.iter_mut().for_each(|version| version.reason.clear());
    }
}

impl Internal for PriceOverride {
    fn withhold(&mut self) {
        self.actor.clear();
        self.reason.clear();
    }
}

impl Internal for Explanation {
    fn withhold(&mut self) {
        self.price.reason.clear();
        for fact in &mut self.usage.facts {
            fact.ruled_by = None;
            fact.ruled_why = None;
        }
    }
}

impl Internal for Request {
    fn withhold(&mut self) {
        self.decided_by = None;
    }
}
