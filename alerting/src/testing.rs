//! What the tests share.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Mutex,
    time::Duration,
};

use async_trait::async_trait;
use base::{
    Error, Result,
    db::Db,
    sample::{Labels, Series},
    time::Timestamp,
};
use identity::Actor;

use crate::{rules, samples::Samples};

pub fn at(s: i64) -> Timestamp {
    Timestamp::from_ms(s * 1_000)
}

/// Waits for a condition, bounded.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found)
        .await
        .unwrap_or_else(|_| panic!("never happened: {what}"))
}

/// Answers what a test told it to, and keeps what was appended.
#[derive(Default)]
pub struct Told {
    pub answers: Mutex<BTreeMap<String, Vec<(Labels, f64)>>>,
    pub down: Mutex<bool>,
    pub written: Mutex<Vec<Series>>,
}

impl Told {
    pub fn answer(&self, expr: &str, vector: &[(&[(&str, &str)], f64)]) {
        let vector =
            vector.iter().map(|(labels, value)| (Labels::metric("m", labels), *value)).collect();
        self.answers.lock().unwrap().insert(expr.to_owned(), vector);
    }
    pub fn down(&self, down: bool) {
        *self.down.lock().unwrap() = down;
    }
    /// What was written since the last call, as text.
    pub fn take(&self) -> BTreeSet<String> {
        let written = std::mem::take(&mut *self.written.lock().unwrap());
        written.iter().map(show).collect()
    }
}

fn show(series: &Series) -> String {
    let labels: Vec<String> = series
        .labels
        .iter()
        .filter(|(name, _)| *name != base::sample::NAME)
        .map(|(n, v)| format!("{n}={v}"))
        .collect();
    let sample = series.samples[0];
    let value = match base::sample::is_stale(sample.value) {
        true => "stale".to_owned(),
        false => sample.value.to_string(),
    };
    format!("{}{{{}}} {value} @{}", series.labels.name(), labels.join(","), sample.at_ms / 1_000)
}

#[async_trait]
impl Samples for Told {
    async fn instant(&self, expr: &str, _at: Timestamp) -> Result<Vec<(Labels, f64)>> {
        if *self.down.lock().unwrap() {
            return Err(Error::unavailable("the store is away"));
        }
        Ok(self.answers.lock().unwrap().get(expr).cloned().unwrap_or_default())
    }
    async fn append(&self, series: &[Series]) -> Result<()> {
        self.written.lock().unwrap().extend_from_slice(series);
        Ok(())
    }
}

/// Puts a group through the API's way.
pub async fn put(db: &Db, now: Timestamp, name: &str, yaml: &str) {
    let mut tx = db.begin_write().await.unwrap();
    let actor = Actor::system("test");
    rules::store::put(&mut tx, now, &actor, name, yaml).await.unwrap();
    tx.commit().await.unwrap();
}
