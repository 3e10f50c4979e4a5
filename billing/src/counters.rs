//! Counters: what only ever rises, such as a port's bytes, read now and then. Between two readings
//! lies what was used.
//!
//! ```text
//! readings (as read, append-only) --delta--> what was counted between two of them
//!                                 --split--> cut where the owner or his billing month changes
//!                                            usage_deltas (projection) --> rating
//!                                                ^-- rebuild proves it
//! ```
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`delta`] | readings to deltas, with epochs, resets and drops; exact splits. Pure |
//! | `ahead` | where readings of a clock that is far ahead belong. Pure |
//! | [`readings`] | taking readings; what rating reads |
//! | `project` | the deltas as rows, made anew where readings or owners changed |
//! | [`rebuild`] | all deltas made again, to compare or to write |
//!
//! An **epoch** is a counter's life: a guest's port counts from zero each time it is started. All is
//! in integers, and the sum of a counter's deltas is what it counted, however it was read and
//! however its deltas are cut.

mod ahead;
pub mod delta;
mod project;
pub mod readings;
pub mod rebuild;

pub use delta::{Delta, Reading};
pub(crate) use project::moved;
pub use readings::{READINGS_MAX, Series, Taken, read, refused};
