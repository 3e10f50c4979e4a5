//! Making it so, seen from the server.
//!
//! | Module | Does |
//! | --- | --- |
//! | [`instances`] | what a user asks of an instance: admitted, taken, written as wanted, in one transaction |
//! | [`labels`] | what a tenant tells its instances apart by, as billing hears of it |
//! | [`resize`] | an instance becomes another flavor, and is billed as that once its host has done it |
//! | [`desired`] | what a host is to run, as its agent reads it |
//! | [`reports`] | what an agent saw: taken once, with the usage events, in one transaction |
//! | `readings` | the traffic that an agent read, as billing's counters |
//! | [`liveness`] | hosts that fell silent are unknown |
//! | [`servers`] | physical servers: wanted power is brought about through the BMC, sensors are read |
//!
//! It never moves money (billing does, from the facts recorded here), and never speaks to libvirt
//! (agents do). Functions take the caller's transaction and collect [`base::bus::Changes`], which
//! the caller publishes after its commit.

pub mod desired;
pub mod instances;
pub mod labels;
pub mod liveness;
mod readings;
pub mod reports;
pub mod resize;
pub mod servers;
