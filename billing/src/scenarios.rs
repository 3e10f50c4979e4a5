//! The billing scenarios, by their numbers, on each database with a simulated clock.

mod admission;
mod ahead;
mod any_order;
mod counted;
mod crashes;
mod gates;
mod ladder;
mod ledger;
mod metering;
mod money;
mod once;
mod races;
mod random;
mod script;
mod standing;
mod tables;
mod whole_ledger;
