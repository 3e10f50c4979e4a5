//! An append as flat arrays: keys, samples, and which belong together. Series of the log, of the
//! program and of remote write all come in as this.

use base::sample::{Sample, Series};

use super::{head::Head, key};
use crate::remote_write::{Body, Label, Relabel};

#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub hash: u64,
    key: (u32, u32),
    samples: (u32, u32),
}

#[derive(Debug, Default)]
pub struct Batch {
    keys: Vec<u8>,
    samples: Vec<Sample>,
    entries: Vec<Entry>,
}

impl Batch {
    pub fn of_series(head: &Head, series: &[Series]) -> Self {
        let mut batch = Self::default();
        for one in series {
            let labels = one.labels.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes()));
            batch.push(head, labels, &one.samples);
        }
        batch
    }

    pub fn of_body(head: &Head, body: &Body, relabel: &dyn Relabel) -> Self {
        let mut batch = Self::default();
        batch.samples.reserve(body.sample_count());
        let mut labels: Vec<Label<'_>> = Vec::new();
        for one in body.series() {
            labels.clear();
            labels.extend(one.labels());
            relabel.relabel(&mut labels);
            tidy(&mut labels);
            batch.push(head, labels.iter().copied(), one.samples());
        }
        batch
    }

    fn push<'a>(
        &mut self,
        head: &Head,
        labels: impl ExactSizeIterator<Item = Label<'a>>,
        samples: &[Sample],
    ) {
        if samples.is_empty() {
            return;
        }
        let (key, first) = (self.keys.len(), self.samples.len());
        key::put(&mut self.keys, labels);
        self.samples.extend_from_slice(samples);
        self.entries.push(Entry {
            hash: head.hash(&self.keys[key..]),
            key: (key as u32, self.keys.len() as u32),
            samples: (first as u32, self.samples.len() as u32),
        });
    }

    pub fn sample_count(&self) -> usize {
        self.samples.len()
    }
    pub fn key_bytes(&self) -> usize {
        self.keys.len()
    }
    pub fn key(&self, entry: &Entry) -> &[u8] {
        &self.keys[entry.key.0 as usize..entry.key.1 as usize]
    }
    pub fn samples(&self, entry: &Entry) -> &[Sample] {
        &self.samples[entry.samples.0 as usize..entry.samples.1 as usize]
    }

    /// The entries by shard, in each as they came.
    pub fn by_shard(&self) -> Vec<Vec<Entry>> {
        let mut shards = vec![Vec::new(); Head::shards()];
        for entry in &self.entries {
            shards[Head::shard_of(entry.hash)].push(*entry);
        }
        shards
    }
}

/// Rising by name, the last of two values for one name, no empty values.
fn tidy(labels: &mut Vec<Label<'_>>) {
    if !labels.windows(2).all(|pair| pair[0].0 < pair[1].0) {
        labels.sort_by(|a, b| a.0.cmp(b.0));
        labels.reverse();
        labels.dedup_by(|a, b| a.0 == b.0);
        labels.reverse();
    }
    labels.retain(|(_, value)| !value.is_empty());
}

#[cfg(test)]
mod tests {
    use base::sample::Labels;

    use super::*;

    #[test]
    fn tidy_labels_are_those_of_labels_new() {
        let cases: [&[(&str, &str)]; 4] = [
            &[("a", "1"), ("b", "2")],
            &[("b", "2"), ("a", "1"), ("b", "3")],
            &[("a", "1"), ("a", "")],
            &[("b", ""), ("a", "x"), ("c", "y"), ("a", "z")],
        ];
        for case in cases {
            let mut labels: Vec<_> =
                case.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
            tidy(&mut labels);
            let expected = Labels::new(case.iter().map(|(n, v)| (n.to_string(), v.to_string())));
            assert_eq!(crate::remote_write::owned(&labels), expected, "{case:?}");
            assert_eq!(labels.len(), expected.iter().len(), "{case:?}");
        }
    }
}
