//! Where samples come from.

use async_trait::async_trait;
use base::{
    sample::{Labels, Sample, Series},
    time::Timestamp,
};

/// One thing that is looked at, again and again. It needs no schedule, timeout or retry inside:
/// the runner has them.
#[async_trait]
pub trait Source: Send + Sync {
    /// Unique in a collector: `host`, `guest`, `server/<id>`.
    fn name(&self) -> &str;
    /// The `job` label, as the exporter's usual configuration has it: `node`, `libvirt`, `ipmi`.
    fn job(&self) -> &'static str;
    /// Put on every series of this source, over whatever it says itself.
    fn labels(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    /// One look, stamped `now`.
    async fn collect(&self, now: Timestamp) -> Result<Vec<Series>, SourceError>;
}

/// Why a look failed, for a label: few, and stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureReason {
    /// It took longer than the schedule allows.
    Timeout,
    /// Nobody answers there.
    Unreachable,
    /// We are not allowed.
    Denied,
    /// It answered that it can't.
    Refused,
    /// It answered what nobody understands.
    Malformed,
    /// This machine is at fault.
    Internal,
}

impl FailureReason {
    pub const ALL: [Self; 6] = [
        Self::Timeout,
        Self::Unreachable,
        Self::Denied,
        Self::Refused,
        Self::Malformed,
        Self::Internal,
    ];
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::Internal => "internal",
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    pub reason: FailureReason,
    pub message: String,
    /// What was learned all the same, such as "it is down".
    pub partial: Vec<Series>,
}

impl SourceError {
    pub fn new(reason: FailureReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), partial: Vec::new() }
    }
    #[must_use]
    pub fn with(mut self, partial: Vec<Series>) -> Self {
        self.partial = partial;
        self
    }
}

/// Gathers samples of one instant.
#[derive(Debug)]
pub struct Samples {
    at_ms: i64,
    series: Vec<Series>,
}

impl Samples {
    pub fn at(now: Timestamp) -> Self {
        Self { at_ms: now.ms(), series: Vec::new() }
    }
    pub fn add(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.series.push(Series {
            labels: Labels::metric(name, labels),
            samples: vec![Sample { at_ms: self.at_ms, value }],
        });
    }
    /// Nothing where there is no value.
    pub fn maybe(&mut self, name: &str, labels: &[(&str, &str)], value: Option<f64>) {
        if let Some(value) = value {
            self.add(name, labels, value);
        }
    }
    pub fn extend(&mut self, other: Self) {
        self.series.extend(other.series);
    }
    pub fn into_series(self) -> Vec<Series> {
        self.series
    }
}

/// A counter as a sample's value; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "samples are f64 everywhere in the ecosystem")]
pub const fn float(count: u64) -> f64 {
    count as f64
}
