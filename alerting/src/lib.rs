//! Alerts: rules and their states, who is told, and telling them until they took it.
//!
//! ```text
//!   store --query--> evaluation --states--> SQL --routing--> notices --delivery--> mail, webhooks
//!     ^------ALERTS-----+                      balance, host: ---^
//! ```
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`rules`] | rule groups in Prometheus's YAML: reading, checking, keeping |
//! | [`template`] | what labels and annotations may say |
//! | [`state`] | pending, firing, resolved: one pure function |
//! | [`evaluation`] | a group at an instant; reconciler `alert-evaluation` |
//! | [`routing`] | grouping, waiting, resending; reconciler `alert-routing` |
//! | [`delivery`] | mail and webhooks, at least once; reconciler `notice-delivery` |
//! | [`alerts`], [`notices`] | what the API lists |
//! | [`prometheus`] | the shapes of Prometheus's `/rules` and `/alerts` |
//! | [`samples`] | the store and PromQL, seen from here |
//! | [`settings`] | what an operator sets |
//!
//! State is in SQL, never only in memory: a restart loses no pending, firing or undelivered thing.
//! Time is an argument or a [`base::time::SharedClock`]; the wall clock is not read here (durations
//! of evaluations and network timeouts aside). Nothing here starts, stops or charges anything.

pub mod alerts;
pub mod delivery;
pub mod evaluation;
pub mod fingerprint;
pub mod notices;
pub mod prometheus;
pub mod routing;
pub mod rules;
pub mod samples;
pub mod settings;
pub mod state;
pub mod template;
#[cfg(test)]
mod testing;
mod wiring;

pub use settings::{Secret, Settings, Smtp, Tls};
pub use wiring::Alerting;
