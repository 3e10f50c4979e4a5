//! For this crate's tests.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use base::{sample::Series, time::Timestamp};

use crate::{
    sink::{Sink, SinkError},
    source::Samples,
};

pub const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);

pub fn one(name: &str, value: f64, at: Timestamp) -> Vec<Series> {
    let mut samples = Samples::at(at);
    samples.add(name, &[], value);
    samples.into_series()
}

/// The first sample of `name` whose labels have all of `labels`.
pub fn find(series: &[Series], name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let has = |one: &&Series| labels.iter().all(|(k, v)| one.labels.get(k) == Some(*v));
    let found = series.iter().filter(|one| one.labels.name() == name).find(has)?;
    Some(found.samples[0].value)
}

/// Keeps what it takes; refuses as it is told.
#[derive(Default)]
pub struct Kept {
    series: Mutex<Vec<Series>>,
    answers: Mutex<Vec<SinkError>>,
    changed: tokio::sync::Notify,
}

impl Kept {
    /// Answers the next sends with `errors`, the last first.
    pub fn failing(errors: Vec<SinkError>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(errors), ..Self::default() })
    }
    pub fn series(&self) -> Vec<Series> {
        self.series.lock().unwrap().clone()
    }
    pub async fn until(&self, what: &str, done: impl Fn(&[Series]) -> bool) -> Vec<Series> {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                let series = self.series();
                if done(&series) {
                    return series;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(10), wait).await {
            Ok(series) => series,
            Err(_) => panic!("never: {what}"),
        }
    }
}

#[async_trait]
impl Sink for Kept {
    async fn send(&self, batch: &[Series]) -> Result<(), SinkError> {
        if let Some(error) = self.answers.lock().unwrap().pop() {
            return Err(error);
        }
        self.series.lock().unwrap().extend_from_slice(batch);
        self.changed.notify_one();
        Ok(())
    }
}
