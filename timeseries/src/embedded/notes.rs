//! What comes with samples: metadata of metric families, and exemplars.
//!
//! Metadata is kept in `METADATA` (a line of JSON and its CRC-32 in hexadecimal on the next, as the
//! manifest's), written with the next maintenance: senders say it again every minute. Exemplars are
//! kept in memory, the newest ones.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    files,
    options::{EXEMPLARS_MAX, METADATA_MAX},
};
use crate::{
    error::Result,
    remote_write::{Body, Label, Relabel, owned},
    store::{Exemplar, Exemplars, Metadata, Noted, Select},
};
use base::sample::{Labels, Sample};

pub const FILE: &str = "METADATA";

#[derive(Debug, Default)]
pub struct Notes {
    metadata: Mutex<BTreeMap<String, Metadata>>,
    changed: AtomicBool,
    exemplars: Mutex<VecDeque<(Arc<Labels>, Exemplar)>>,
    /// Held by whoever writes the file.
    writing: Mutex<()>,
}

impl Notes {
    /// What can't be read is forgotten: it comes again.
    pub fn load(dir: &Path) -> Self {
        let notes = Self::default();
        match read(&dir.join(FILE)) {
            Ok(list) => {
                let by_name = list.into_iter().map(|one| (one.metric.clone(), one));
                *notes.metadata.lock().expect("no panic while held") = by_name.collect();
            }
            Err(why) => tracing::warn!(why, "the metadata of metric families is forgotten"),
        }
        notes
    }

    pub fn take(&self, body: &Body, relabel: &dyn Relabel) {
        if !body.metadata().is_empty() {
            let mut known = self.metadata.lock().expect("no panic while held");
            for one in body.metadata() {
                if known.get(&one.metric) == Some(one)
                    || (known.len() >= METADATA_MAX && !known.contains_key(&one.metric))
                {
                    continue;
                }
                known.insert(one.metric.clone(), one.clone());
                self.changed.store(true, Relaxed);
            }
        }
        for (series, exemplar) in body.exemplars() {
            let mut labels: Vec<Label<'_>> = series.labels().collect();
            relabel.relabel(&mut labels);
            let labels = Arc::new(owned(&labels));
            let mut kept = self.exemplars.lock().expect("no panic while held");
            // A sender that sends again repeats them.
            if kept
                .iter()
                .rev()
                .take(EXEMPLARS_MAX / 10)
                .any(|(its, e)| *its == labels && e == exemplar)
            {
                continue;
            }
            if kept.len() == EXEMPLARS_MAX {
                kept.pop_front();
            }
            kept.push_back((labels, exemplar.clone()));
        }
    }

    /// From history: what is known of a family stays, and the newest exemplars.
    pub fn note(&self, metadata: Vec<Metadata>, exemplars: Vec<Exemplars>) -> Noted {
        let mut noted = Noted::default();
        let mut known = self.metadata.lock().expect("no panic while held");
        for one in metadata {
            if known.len() < METADATA_MAX && !known.contains_key(&one.metric) {
                known.insert(one.metric.clone(), one);
                noted.families += 1;
                self.changed.store(true, Relaxed);
            }
        }
        drop(known);
        let mut kept = self.exemplars.lock().expect("no panic while held");
        let mut all: BTreeSet<_> = kept.iter().map(|(labels, e)| identity(labels, e)).collect();
        for (labels, its) in exemplars.into_iter().map(|one| (one.labels, one.exemplars)) {
            for exemplar in its {
                if all.insert(identity(&labels, &exemplar)) {
                    kept.push_back((labels.clone(), exemplar));
                    noted.exemplars += 1;
                }
            }
        }
        if noted.exemplars > 0 {
            kept.make_contiguous().sort_by_key(|(_, exemplar)| exemplar.sample.at_ms);
            let surplus = kept.len().saturating_sub(EXEMPLARS_MAX);
            kept.drain(..surplus);
        }
        noted
    }

    pub fn metadata(&self) -> Vec<Metadata> {
        self.metadata.lock().expect("no panic while held").values().cloned().collect()
    }

    pub fn exemplars(&self, request: &Select) -> Vec<Exemplars> {
        let mut found: BTreeMap<Arc<Labels>, Vec<Exemplar>> = BTreeMap::new();
        let kept = self.exemplars.lock().expect("no panic while held");
        for (labels, exemplar) in kept.iter() {
            let inside = (request.start_ms..=request.end_ms).contains(&exemplar.sample.at_ms);
            if inside && request.matchers.iter().all(|m| m.matches_labels(labels)) {
                found.entry(labels.clone()).or_default().push(exemplar.clone());
            }
        }
        let by_time = |(labels, mut exemplars): (Arc<Labels>, Vec<Exemplar>)| {
            exemplars.sort_by_key(|exemplar| exemplar.sample.at_ms);
            Exemplars { labels, exemplars }
        };
        found.into_iter().map(by_time).collect()
    }

    /// Writes what changed.
    pub fn store(&self, dir: &Path) -> Result<()> {
        let _alone = self.writing.lock().expect("no panic while held");
        if self.changed.swap(false, Relaxed)
            && let Err(error) = self.store_to(dir)
        {
            self.changed.store(true, Relaxed);
            return Err(error);
        }
        Ok(())
    }

    pub fn store_to(&self, dir: &Path) -> Result<()> {
        let json = serde_json::to_string(&self.metadata()).expect("plain text serializes");
        let crc = crc32fast::hash(json.as_bytes());
        files::replace(&dir.join(FILE), format!("{json}\n{crc:08x}\n").as_bytes())
    }
}

/// Two exemplars with the same are one.
fn identity(labels: &Arc<Labels>, exemplar: &Exemplar) -> (Arc<Labels>, Labels, i64, u64) {
    let Sample { at_ms, value } = exemplar.sample;
    (labels.clone(), exemplar.labels.clone(), at_ms, value.to_bits())
}

fn read(path: &Path) -> Result<Vec<Metadata>, String> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| error.to_string())?,
    };
    let (json, crc) = text.split_once('\n').ok_or("it has no checksum")?;
    if crc.trim_end() != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
        return Err("its checksum is wrong".to_owned());
    }
    serde_json::from_str(json).map_err(|error| error.to_string())
}
