//! Collects samples from hosts, guests and BMCs, and brings them to a sink without losing any to
//! an outage.
//!
//! It knows no SQL and no HTTP server: its targets are handed to it, and its samples go to a
//! [`Sink`]. It never waits for a slow source with another's samples, never grows without bound
//! (the queue drops its oldest, and counts), and never lets a series end in silence: what
//! disappears gets a stale marker.
//!
//! ```text
//! source ─ schedule ─ identity labels ─ stale markers ─ queue (disk) ─ delivery ─ sink
//! ```
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`source`] | the [`Source`] trait, failures, and the builder of samples |
//! | [`host`] | this machine, under node_exporter's names |
//! | [`guest`] | libvirt's guests, under prometheus-libvirt-exporter's names |
//! | [`server`] | physical servers through their BMCs, under ipmi_exporter's names |
//! | [`runner`] | [`Collector`]: one task a source, self-metrics |
//! | [`schedule`] | when a source's turn is: interval and stable offset |
//! | [`stale`] | which series have ended |
//! | [`queue`] | the durable, bounded queue |
//! | [`delivery`] | from the queue to the sink: batches, retries |
//! | [`sink`] | the [`Sink`] trait |
//! | [`remote_write`] | the wire format, and [`RemoteWriteSink`] |
//! | [`exposition`] | samples as text: the Prometheus format and OpenMetrics |
//! | [`own`] | what the collector tells about itself |
//!
//! Two sources have their place beside `host`, `guest` and `server` and are not built yet:
//! `scrape` (a Prometheus target) and `probe` (does an address answer?).

pub mod delivery;
pub mod exposition;
pub mod guest;
pub mod host;
pub mod own;
pub mod queue;
pub mod remote_write;
pub mod runner;
pub mod schedule;
pub mod server;
pub mod sink;
pub mod source;
pub mod stale;
#[cfg(test)]
mod testing;

pub use guest::{GuestSource, InstanceTarget};
pub use host::HostSource;
pub use remote_write::RemoteWriteSink;
pub use runner::{Collector, Settings};
pub use schedule::Schedule;
pub use server::{BmcTarget, ServerSource};
pub use sink::{Sink, SinkError};
pub use source::{FailureReason, Samples, Source, SourceError};
