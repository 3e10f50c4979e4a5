//! Where samples go.

use async_trait::async_trait;
use base::sample::Series;

#[async_trait]
pub trait Sink: Send + Sync {
    /// Returns once the samples are durable there. May be called twice with the same samples,
    /// after a crash or a lost answer: a store takes the second without harm.
    async fn send(&self, batch: &[Series]) -> Result<(), SinkError>;
}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SinkError {
    /// The same samples may be taken later. Otherwise they never will be.
    pub retry: bool,
    pub message: String,
}

impl SinkError {
    pub fn later(message: impl Into<String>) -> Self {
        Self { retry: true, message: message.into() }
    }
    pub fn never(message: impl Into<String>) -> Self {
        Self { retry: false, message: message.into() }
    }
}
