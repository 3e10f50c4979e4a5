//! An append as flat arrays: keys, samples, and which belong together. Series of the log, of the
//! program and of remote write all come in as this.

use base::{
    sample::{Sample, Series},
    time::Timestamp,
};

use super::{
    head::Head,
    key,
    routes::{self, Place, Route, Routes, Stop, Walk},
};
use crate::remote_write::{Body, Label, Relabel};

#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub hash: u64,
    key: (u32, u32),
    samples: (u32, u32),
    /// Where it stood when it came before, or stands now.
    pub place: Option<Place>,
}

#[derive(Debug, Default)]
pub struct Batch {
    keys: Vec<u8>,
    samples: Vec<Sample>,
    entries: Vec<Entry>,
    /// Of a body: along the route of the one before it.
    walk: Option<Walk>,
    /// Series that stand elsewhere than they did, or were not there.
    moved: usize,
}

impl Batch {
    pub fn of_series(head: &Head, series: &[Series]) -> Self {
        let mut batch = Self::default();
        for one in series {
            let labels = one.labels.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes()));
            let hash = |key: &[u8], _: &mut Option<Walk>| (head.hash(key), None);
            batch.push(labels, &one.samples, hash);
        }
        batch
    }

    pub fn of_body(
        head: &Head,
        routes: &Routes,
        now: Timestamp,
        body: &Body,
        relabel: &dyn Relabel,
    ) -> Self {
        let find = |key: &[u8], walk: &mut Option<Walk>| {
            let walk = walk.get_or_insert_with(|| routes.walk(head.hash(key), now));
            walk.find(key).map_or_else(|| (head.hash(key), None), |stop| (stop.hash, stop.place))
        };
        let mut batch = Self::default();
        batch.samples.reserve(body.sample_count());
        let mut labels: Vec<Label<'_>> = Vec::new();
        for one in body.series() {
            labels.clear();
            labels.extend(one.labels());
            relabel.relabel(&mut labels);
            tidy(&mut labels);
            batch.push(labels.iter().copied(), one.samples(), find);
        }
        batch
    }

    /// `find` has the hash of a key, and its place where it is known.
    fn push<'a>(
        &mut self,
        labels: impl ExactSizeIterator<Item = Label<'a>>,
        samples: &[Sample],
        find: impl Fn(&[u8], &mut Option<Walk>) -> (u64, Option<Place>),
    ) {
        if samples.is_empty() {
            return;
        }
        let (key, first) = (self.keys.len(), self.samples.len());
        key::put(&mut self.keys, labels);
        self.samples.extend_from_slice(samples);
        let (hash, place) = find(&self.keys[key..], &mut self.walk);
        self.entries.push(Entry {
            hash,
            place,
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

    /// The numbers of the entries by shard, in each as they came.
    pub fn by_shard(&self) -> Vec<Vec<usize>> {
        let mut shards = vec![Vec::new(); Head::shards()];
        for (number, entry) in self.entries.iter().enumerate() {
            shards[Head::shard_of(entry.hash)].push(number);
        }
        shards
    }
    pub fn entry(&self, number: usize) -> Entry {
        self.entries[number]
    }
    pub fn found(&mut self, number: usize, place: Place) {
        self.entries[number].place = Some(place);
        self.moved += 1;
    }

    /// The way for the next body like this one, where it isn't that of the last.
    pub fn keep_route(self, routes: &Routes, now: Timestamp) {
        let (Some(first), Some(_)) = (self.entries.first(), &self.walk) else { return };
        if routes::is_outdated(self.entries.len(), self.moved) {
            let stop = |Entry { hash, key, place, .. }: &Entry| Stop {
                hash: *hash,
                place: *place,
                key_end: key.1,
            };
            let stops = self.entries.iter().map(stop).collect();
            routes.keep(first.hash, Route::new(self.keys, stops), now);
        }
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
