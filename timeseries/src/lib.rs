//! The time-series store, PromQL over it, and remote write's way in.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`Store`], [`Select`], [`Appended`] | the trait that every engine behind OpsHawk implements: append durably, select raw samples |
//! | [`embedded`] | the engine in one directory: log, head, blocks; their byte formats |
//! | [`outside`] | engines that run elsewhere: Prometheus, VictoriaMetrics |
//! | [`Engine`] (`promql`) | PromQL: parse, plan, read, evaluate; the same over every store |
//! | [`format`] | an expression in Prometheus' layout |
//! | [`selection`] | what was selected, read series by series when it is needed |
//! | [`Lost`] | what is damaged, so that answers lack it and say so |
//! | [`Scope`] | whose series a caller may see, enforced in the plan |
//! | [`Matcher`] | `=`, `!=`, `=~`, `!~` |
//! | [`history`] | all samples of some series, page by page, on their way out |
//! | [`value`] | results in the shapes of Prometheus' HTTP API |
//! | [`remote_write`] | bodies of remote write 1.0, walked without copying their labels |
//! | [`validate`] | which labels are taken, and their bounds |
//!
//! It serves no HTTP (and speaks it only to an engine that runs elsewhere), knows no tenant but as a label, and reads no wall clock: whoever opens a
//! store hands it one.

pub mod embedded;
mod error;
pub mod history;
mod lost;
mod matcher;
mod memory;
pub mod outside;
mod parallel;
mod promql;
pub mod remote_write;
mod scope;
pub mod selection;
mod store;
pub mod validate;
pub mod value;

pub use embedded::{Embedded, Options};
pub use error::{Error, ErrorType, Result};
pub use lost::Lost;
pub use matcher::Matcher;
pub use outside::Outside;
pub use promql::{
    Cardinality, DEPTH_MAX, EXPR_MAX_BYTES, Engine, EngineOptions, FUNCTIONS, LATER_FUNCTIONS,
    QueryStats, RANGE_POINTS_MAX, SELECTORS_MAX, format,
};
pub use scope::{Scope, TENANT};
pub use store::{
    Appended, Backfilled, Exemplar, Exemplars, Metadata, Noted, Select, Selected, Store,
};
pub use value::Value;
