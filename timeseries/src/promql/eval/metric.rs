//! A series' labels, with or without the metric's name: most functions take it away, and nothing
//! is copied for that.

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
    sync::Arc,
};

use base::sample::{Labels, NAME};

#[derive(Debug, Clone, Default)]
pub struct Metric {
    labels: Arc<Labels>,
    nameless: bool,
}

impl Metric {
    #[must_use]
    pub fn without_name(&self) -> Self {
        Self { labels: self.labels.clone(), nameless: true }
    }
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().filter(|(name, _)| !self.nameless || *name != NAME)
    }
    pub fn get(&self, name: &str) -> Option<&str> {
        if self.nameless && name == NAME { None } else { self.labels.get(name) }
    }
    pub fn to_labels(&self) -> Labels {
        let labels = Labels::clone(&self.labels);
        if self.nameless { labels.without(NAME) } else { labels }
    }
}

impl From<Labels> for Metric {
    fn from(labels: Labels) -> Self {
        Arc::new(labels).into()
    }
}

impl From<Arc<Labels>> for Metric {
    fn from(labels: Arc<Labels>) -> Self {
        Self { labels, nameless: false }
    }
}

impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        let same = self.nameless == other.nameless && Arc::ptr_eq(&self.labels, &other.labels);
        same || self.iter().eq(other.iter())
    }
}

impl Eq for Metric {}

impl Hash for Metric {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|label| label.hash(state));
    }
}

impl PartialOrd for Metric {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Metric {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}
