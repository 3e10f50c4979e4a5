//! What rules read and write: the time-series store, seen from here.

use async_trait::async_trait;
use base::{
    Result,
    sample::{Labels, Series},
    time::Timestamp,
};

#[async_trait]
pub trait Samples: Send + Sync + 'static {
    /// The value of the expression at an instant, over all tenants' series. A scalar is one value
    /// without labels.
    async fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>>;
    /// Durable when it returns.
    async fn append(&self, series: &[Series]) -> Result<()>;
}
