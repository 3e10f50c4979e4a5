//! What every other crate stands on, and nothing that knows a cloud.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`id`] | one id type an entity, all UUIDv7 |
//! | [`time`] | instants in milliseconds UTC, and the [`time::Clock`] that is handed to whatever bills, alerts or expires |
//! | [`money`] | amounts in micro-units, prices in nano-units, checked arithmetic, half-even rounding, currencies' digits |
//! | [`db`] | one handle for SQLite and PostgreSQL, write transactions, migrations |
//! | [`error`] | the kinds of failure that the edge maps to HTTP and exit codes |
//! | [`secret`] | random tokens, hashes, and sealing with the key file |
//! | [`reconcile`] | the driver that runs reconcilers by period, signal or instant |
//! | [`outbox`] | `enqueue(tx, notice)`: how a notice leaves in the transaction that causes it |
//! | [`bus`] | "this changed": wakes long polls, event streams and reconcilers |
//! | [`sample`] | labels and samples, as collectors make them and stores take them |
//!
//! Nothing here knows another crate of ours.

pub mod bus;
pub mod db;
pub mod error;
pub mod id;
pub mod money;
pub mod outbox;
pub mod reconcile;
pub mod sample;
pub mod secret;
pub mod time;

pub use error::{Error, ErrorKind, Result};
