//! What rules read and write: the time-series store, seen from here.

use async_trait::async_trait;
use base::{
    Error, Result,
    sample::{Labels, Series},
    time::Timestamp,
};
use timeseries::{Engine, Scope, Value};

#[async_trait]
pub trait Samples: Send + Sync + 'static {
    /// The value of the expression at an instant, over all tenants' series. A scalar is one value
    /// without labels.
    async fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>>;
    /// Durable when it returns.
    async fn append(&self, series: &[Series]) -> Result<()>;
}

/// Through PromQL, into the store under it.
#[async_trait]
impl Samples for Engine {
    async fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>> {
        match self.query(&Scope::ALL, expr, at.ms()).await? {
            Value::Vector(series) => {
                Ok(series.into_iter().map(|one| (one.metric, one.value.value)).collect())
            }
            Value::Scalar(point) => Ok(vec![(Labels::default(), point.value)]),
            Value::Matrix(_) | Value::String(_) => {
                Err(Error::invalid("expr", "the result is neither a vector nor a scalar"))
            }
        }
    }

    async fn append(&self, series: &[Series]) -> Result<()> {
        if series.is_empty() {
            return Ok(());
        }
        let appended = self.store().append(series.to_vec()).await?;
        // A tick that was evaluated before a crash and again after it may see other values: the
        // first ones stay.
        let lost = appended.rejected() - appended.conflicts;
        if lost > 0 {
            let why = appended.first_error.unwrap_or_default();
            return Err(Error::internal(format!("the store refused {lost} samples: {why}")));
        }
        Ok(())
    }
}
