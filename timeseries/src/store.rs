//! What a store is: it takes samples and selects raw ones. PromQL stands above it.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use base::sample::{Labels, Sample, Series};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    lost::Lost,
    matcher::Matcher,
    remote_write::{Body, Relabel},
    selection::{Loaded, Selection},
};

/// Which series, and when: both ends belong to it, in milliseconds since the epoch.
#[derive(Debug, Clone)]
pub struct Select {
    /// All must hold.
    pub matchers: Vec<Matcher>,
    pub start_ms: i64,
    pub end_ms: i64,
    /// More than this is [`crate::Error::TooManySamples`].
    pub max_samples: usize,
    /// What is found may take about so much memory, its labels included; more is
    /// [`crate::Error::TooMuchMemory`].
    pub max_bytes: usize,
    /// Only the newest sample of each series counts, as where an instant vector is looked up: a store
    /// may leave out the others, and need not read them.
    pub newest_only: bool,
}

/// One series' samples in a range, in order of time, stale markers included.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    pub labels: Arc<Labels>,
    pub samples: Vec<Sample>,
}

/// What became of a batch. What is written or a duplicate is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    pub written: usize,
    /// The same instant with the same value: already there.
    pub duplicates: usize,
    /// The same instant with another value: the first one stays.
    pub conflicts: usize,
    /// Older than its series' newest sample by more than the window, or beyond retention.
    pub too_old: usize,
    /// Further ahead of the clock than a clock may err.
    pub too_new: usize,
    /// Samples of series with bad labels.
    pub invalid: usize,
    /// Samples of new series over the limit of active ones.
    pub over_limit: usize,
    /// Samples of new series over their tenant's limit of active ones.
    pub over_tenant_limit: usize,
    /// One example, for whoever sent it.
    pub first_error: Option<String>,
}

impl Appended {
    pub fn rejected(&self) -> usize {
        self.conflicts + self.too_old + self.too_new + self.invalid + self.over_limits()
    }
    /// What there may be room for when other series have ended.
    pub fn over_limits(&self) -> usize {
        self.over_limit + self.over_tenant_limit
    }
}

/// What became of a batch of history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backfilled {
    pub appended: Appended,
    /// The first of the batch that was rejected, where the engine tells: its series, and its
    /// sample there. `appended.first_error` says why.
    pub first_rejected: Option<(usize, usize)>,
}

/// A sample with a pointer to an example of what it counts, such as a trace's id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exemplar {
    /// Its own, beside its series'.
    pub labels: Labels,
    pub sample: Sample,
}

/// The exemplars of one series, in order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplars {
    pub labels: Arc<Labels>,
    pub exemplars: Vec<Exemplar>,
}

/// What a metric family is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The family's name.
    pub metric: String,
    /// `counter`, `gauge`, `histogram`, `gaugehistogram`, `summary`, `info`, `stateset` or
    /// `unknown`.
    pub kind: String,
    pub help: String,
    pub unit: String,
}

/// How much of what was noted is new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Noted {
    pub families: usize,
    pub exemplars: usize,
}

#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Returns after what it counts as written is on disk. Bad samples are counted, the rest of
    /// the batch is written.
    async fn append(&self, batch: Vec<Series>) -> Result<Appended>;
    /// The same for a body of remote write, whose labels `relabel` rewrites on the way in. Its
    /// metadata and exemplars are kept where the engine can.
    async fn append_remote_write(&self, body: Body, relabel: Arc<dyn Relabel>) -> Result<Appended> {
        self.append(body.to_series(&*relabel)).await
    }
    /// Takes history: samples of any age within the retention, in any order, however new those are
    /// that their series has. What is there already stays. At most
    /// [`crate::embedded::BACKFILL_MAX_SAMPLES`] at once.
    async fn backfill(&self, batch: Vec<Series>) -> Result<Backfilled> {
        Ok(Backfilled { appended: self.append(batch).await?, first_rejected: None })
    }
    /// Sorted by labels; series without a sample in the range are left out.
    async fn select(&self, request: Select) -> Result<Vec<Selected>>;
    /// The same series, perhaps with some that turn out to have no sample, to be read one after
    /// another. Only what is in memory counts as found.
    async fn find(&self, request: Select) -> Result<Arc<dyn Selection>> {
        Ok(Arc::new(Loaded::from(self.select(request).await?)))
    }
    /// Label sets that may have a sample in the range, sorted. (`max_samples` bounds their number.)
    async fn series(&self, request: Select) -> Result<Vec<Arc<Labels>>>;
    /// Sorted names of the labels of [`Store::series`].
    async fn label_names(&self, request: Select) -> Result<Vec<String>>;
    /// Sorted values of one label of [`Store::series`].
    async fn label_values(&self, name: &str, request: Select) -> Result<Vec<String>>;
    /// Removes the samples in the range, both ends included, of series that all matchers hold for:
    /// at once from every answer, from the disk when their blocks are next rewritten.
    async fn delete(&self, _matchers: Vec<Matcher>, _start_ms: i64, _end_ms: i64) -> Result<()> {
        Err(Error::Unsupported("deleting samples from this engine".to_owned()))
    }
    /// What is damaged, so that answers about the range may lack it. Both ends belong to it. To be
    /// asked after reading, which is what meets damage.
    fn lost(&self, _start_ms: i64, _end_ms: i64) -> Vec<Lost> {
        Vec::new()
    }
    /// What senders said about metric families, sorted by name; the newest word of each.
    async fn metadata(&self) -> Result<Vec<Metadata>> {
        Ok(Vec::new())
    }
    /// Takes what history says of families and exemplars, where the engine keeps them: what a sender
    /// said of a family stays, and so do newer exemplars where there is no room for all.
    async fn note(&self, _metadata: Vec<Metadata>, _exemplars: Vec<Exemplars>) -> Result<Noted> {
        Ok(Noted::default())
    }
    /// Recent exemplars of matching series, sorted by labels.
    async fn exemplars(&self, _request: Select) -> Result<Vec<Exemplars>> {
        Ok(Vec::new())
    }
    /// Figures of the embedded engine; another one has metrics of its own.
    fn stats(&self) -> Option<crate::embedded::Stats> {
        None
    }
    /// A copy in the new directory `dir` of all that was acknowledged before the call; a store can
    /// be opened on it.
    async fn snapshot(&self, dir: &Path) -> Result<()>;
    /// Ends background work and lets go of the files; what is called later answers `Closed`.
    async fn close(&self) -> Result<()>;
}
