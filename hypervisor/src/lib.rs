//! Speaking libvirt: connections, domains, networks, events, statistics, consoles.
//!
//! It knows machines, not tenants. It never changes a domain or a network that OpsHawk did not
//! make: every change goes through [`Claim`], which looks for our mark first. It never guesses: a
//! libvirtd that does not answer is an [`Error`] with a reason and a remedy, and heals by itself.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`connection`] | [`Hypervisor`]: one reconnecting connection; each call on a thread, bounded in number and time |
//! | [`claim`] | [`Claim`]: the only way to change a domain |
//! | [`domain`] | what a domain is seen to be: [`Domain`], [`DomainState`], [`Mark`] |
//! | [`console`] | a guest's serial port and screen, as bytes both ways |
//! | [`xml`] | [`DomainSpec`] → libvirt's XML, a pure function |
//! | [`network`] | our own NAT network |
//! | [`host`] | facts about the host, and whether KVM truly works |
//! | [`events`] | lifecycle events: a hint to look again, never the truth |
//! | [`stats`] | bulk statistics as plain structs |
//! | [`ports`] | what guests' interfaces have counted, by the guest's life |
//! | [`addresses`] | which addresses a guest has |
//! | `raw` | the few calls where the `virt` crate falls short |

pub mod addresses;
pub mod claim;
pub mod connection;
pub mod console;
pub mod domain;
pub mod error;
pub mod events;
pub mod host;
pub mod network;
pub mod ports;
mod raw;
pub mod stats;
pub mod xml;

pub use claim::Claim;
pub use connection::{Hypervisor, Settings};
pub use domain::{Domain, DomainState, Mark};
pub use error::{Error, Result};
pub use events::Event;
pub use host::{DomainType, HostInfo};
pub use network::{NatNetwork, Network};
pub use ports::{GuestPorts, Port};
pub use stats::DomainStatistics;
pub use xml::{Attach, Boot, DomainSpec, Nic};

#[cfg(test)]
mod tests;
