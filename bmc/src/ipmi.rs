//! IPMI 2.0 over LAN (RMCP+), our own client.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`suite`] | cipher suites as data |
//! | `crypto` | session keys, encryption of payloads |
//! | `wire` | packets: RMCP, both session headers, signatures |
//! | `message` | IPMI messages inside packets |
//! | `rakp` | the login's messages and proofs |
//! | `session` | an open session: sequence numbers, window, matching of answers |
//! | `status` | names of refusals |
//! | `link` | the UDP socket, resends and waits |
//! | `login`, `command` | the login and a command over a link |
//! | `client` | [`Ipmi`]: sessions opened when needed, opened again when lost |
//! | `chassis`, `sdr`, `sensor`, `tables` | commands, the sensor repository, readings, names |
//!
//! All but `link`, `login`, `command` and `client` is pure. Section numbers are those of the
//! Intelligent Platform Management Interface Specification, second generation, v2.0 rev. 1.1.

mod chassis;
mod client;
mod command;
mod crypto;
mod link;
mod login;
mod message;
mod rakp;
mod sdr;
mod sensor;
mod session;
mod status;
pub mod suite;
mod tables;
#[cfg(test)]
mod testing;
mod wire;

pub use client::{Ipmi, Options};
pub use link::Timing;
pub use rakp::Privilege;

pub(crate) use client::Survey;
