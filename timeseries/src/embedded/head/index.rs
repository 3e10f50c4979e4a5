//! The labels of a shard's series, and which series carry each of them. (A block's index is its own,
//! flat and unchanging.)
//!
//! ```text
//! texts     | pair 0 | pair 1 | ...     name and value, as in a key
//! labels    | 0 1 2 | 0 1 3 | ...       each series' pairs, in the order of its key
//! carriers  pair 0: series 0 1 ..       rising
//! names     "zone": pairs 1 7 ..        by value
//! ```
//!
//! A pair is there once, however many series carry it, so that a key takes four bytes a label. Its bytes
//! are put together when somebody asks.

use std::{collections::HashMap, hash::BuildHasher};

use hashbrown::HashTable;

use super::sought::{Pair, Sought};
use crate::{
    embedded::codec::{Reader, put_varint},
    matcher::Matcher,
};

pub(super) type State = foldhash::fast::FixedState;

/// Series are dense numbers, added in rising order, and so are pairs.
#[derive(Debug, Default)]
pub struct Index {
    texts: Vec<u8>,
    /// Of each pair in `texts`.
    text_ends: Vec<usize>,
    by_text: HashTable<u32>,
    carriers: Vec<Vec<u32>>,
    names: HashMap<Box<str>, Values, State>,
    labels: Vec<u32>,
    /// Of each series in `labels`.
    label_ends: Vec<u32>,
}

/// The pairs of one name.
#[derive(Debug, Default)]
struct Values {
    /// By value.
    sorted: Vec<u32>,
    /// Too few to sort them in.
    recent: Vec<u32>,
}

/// Of a name's values so many, and this share, may be unsorted.
const RECENT_MAX: usize = 32;
const RECENT_SHARE: usize = 8;

impl Index {
    pub fn len(&self) -> u32 {
        self.label_ends.len() as u32
    }

    /// Returns the series' number.
    pub fn add(&mut self, key: &[u8]) -> u32 {
        let series = self.len();
        let mut reader = Reader::new(key);
        let _ = reader.len();
        while !reader.is_empty() {
            let pair = self.pair_of(take_pair(&mut reader));
            self.labels.push(pair);
            self.carriers[pair as usize].push(series);
        }
        let end = u32::try_from(self.labels.len()).expect("series and their labels are limited");
        self.label_ends.push(end);
        series
    }

    fn pair_of(&mut self, text: &[u8]) -> u32 {
        let hash = hash_of(text);
        if let Some(found) = self.find_pair(text, hash) {
            return found;
        }
        let pair = self.text_ends.len() as u32;
        self.texts.extend_from_slice(text);
        self.text_ends.push(self.texts.len());
        self.carriers.push(Vec::new());
        let (texts, ends) = (&self.texts, &self.text_ends);
        let rehash = |pair: &u32| hash_of(text_at(texts, ends, *pair));
        self.by_text.insert_unique(hash, pair, rehash);
        let (name, _) = name_and_value(text);
        if !self.names.contains_key(name) {
            self.names.insert(name.into(), Values::default());
        }
        let values = self.names.get_mut(name).expect("just put there");
        values.recent.push(pair);
        if values.recent.len() > RECENT_MAX.max(values.sorted.len() / RECENT_SHARE) {
            values.sorted.append(&mut values.recent);
            // Two runs, one of them sorted: what the standard's stable sort is quick at.
            values.sorted.sort_by_key(|pair| name_and_value(text_at(texts, ends, *pair)).1);
        }
        pair
    }

    fn find_pair(&self, text: &[u8], hash: u64) -> Option<u32> {
        self.by_text.find(hash, |pair| self.text(*pair) == text).copied()
    }

    fn text(&self, pair: u32) -> &[u8] {
        text_at(&self.texts, &self.text_ends, pair)
    }
    fn value(&self, pair: u32) -> &str {
        name_and_value(self.text(pair)).1
    }

    fn labels_of(&self, series: u32) -> &[u32] {
        let at = series as usize;
        let begin = at.checked_sub(1).map_or(0, |before| self.label_ends[before]);
        &self.labels[begin as usize..self.label_ends[at] as usize]
    }

    /// Replaces what `out` holds.
    pub fn key(&self, series: u32, out: &mut Vec<u8>) {
        out.clear();
        let labels = self.labels_of(series);
        put_varint(out, labels.len() as u64);
        for pair in labels {
            out.extend_from_slice(self.text(*pair));
        }
    }

    pub fn is_key(&self, series: u32, key: &[u8]) -> bool {
        let labels = self.labels_of(series);
        let mut reader = Reader::new(key);
        if reader.len() != Some(labels.len()) {
            return false;
        }
        let mut rest = reader.rest();
        labels.iter().all(|pair| {
            let behind = rest.strip_prefix(self.text(*pair));
            rest = behind.unwrap_or_default();
            behind.is_some()
        })
    }

    /// The value of one label; empty where the series does not have it.
    fn get(&self, series: u32, name: &str) -> &str {
        let pairs = self.labels_of(series).iter().map(|pair| name_and_value(self.text(*pair)));
        pairs.into_iter().find(|(its, _)| *its == name).map_or("", |(_, value)| value)
    }

    /// A bound from a look at the lists' lengths alone.
    pub fn finds_at_most(&self, sought: &Sought<'_>) -> usize {
        let lists = self.carriers_of_each(sought);
        lists.map_or(0, |lists| lists.first().map_or(self.len() as usize, |list| list.len()))
    }

    /// The series that all matchers hold for, in order.
    pub fn find(&self, sought: &Sought<'_>) -> Vec<u32> {
        self.carriers_of_each(sought).map_or_else(Vec::new, |lists| self.among(&lists, sought))
    }

    /// The same, but None where more than `most` would have to be looked at, or each value of a label.
    pub fn find_few(&self, sought: &Sought<'_>, most: usize) -> Option<Vec<u32>> {
        let Some(lists) = self.carriers_of_each(sought) else { return Some(Vec::new()) };
        let few = lists.first().is_some_and(|list| list.len() <= most);
        few.then(|| self.among(&lists, sought))
    }

    /// The carriers of each pair that a series must have, the shortest list first: it says how much
    /// there is to look at. None where nobody has one of them.
    fn carriers_of_each(&self, sought: &Sought<'_>) -> Option<Vec<&[u32]>> {
        let carriers = |pair: &Pair| {
            let pair = self.find_pair(&pair.text, pair.hash)?;
            Some(self.carriers[pair as usize].as_slice())
        };
        let mut lists = sought.pairs.iter().map(carriers).collect::<Option<Vec<_>>>()?;
        lists.sort_unstable_by_key(|list| list.len());
        Some(lists)
    }

    fn among(&self, lists: &[&[u32]], sought: &Sought<'_>) -> Vec<u32> {
        let mut found: Option<Vec<u32>> = None;
        for list in lists {
            match &mut found {
                Some(found) => retain_common(found, list),
                None => found = Some(list.to_vec()),
            }
        }
        let holds = |series: u32, m: &Matcher| m.matches(self.get(series, m.name()));
        for matcher in &sought.any {
            match &mut found {
                Some(found)
                    if found.len() < JUDGED_MAX
                        || found.len() < self.candidates(matcher).count() =>
                {
                    found.retain(|series| holds(*series, matcher));
                }
                Some(found) => retain_common(found, &self.carriers_of_any(matcher)),
                None => found = Some(self.carriers_of_any(matcher)),
            }
        }
        let mut found = found.unwrap_or_else(|| (0..self.len()).collect());
        found.retain(|series| sought.absent.iter().all(|m| holds(*series, m)));
        found
    }

    /// The pairs of the matcher's label whose values begin as those do that it accepts.
    fn candidates(&self, matcher: &Matcher) -> impl Iterator<Item = u32> {
        let prefix = matcher.prefix();
        let begins = move |pair: &u32| self.value(*pair).starts_with(prefix);
        let (mut sorted, mut recent): (&[u32], &[u32]) = (&[], &[]);
        if let Some(values) = self.names.get(matcher.name()) {
            let begin = values.sorted.partition_point(|pair| self.value(*pair) < prefix);
            let behind = &values.sorted[begin..];
            (sorted, recent) = (&behind[..behind.partition_point(begins)], &values.recent);
        }
        sorted.iter().copied().chain(recent.iter().copied().filter(begins))
    }

    /// The series with a value of the matcher's label that it accepts.
    fn carriers_of_any(&self, matcher: &Matcher) -> Vec<u32> {
        let accepted = self.candidates(matcher).filter(|pair| matcher.matches(self.value(*pair)));
        let carriers = accepted.flat_map(|pair| &self.carriers[pair as usize]);
        let mut all: Vec<u32> = carriers.copied().collect();
        all.sort_unstable();
        all
    }
}

fn hash_of(text: &[u8]) -> u64 {
    State::default().hash_one(text)
}

fn text_at<'a>(texts: &'a [u8], ends: &[usize], pair: u32) -> &'a [u8] {
    let at = pair as usize;
    let begin = at.checked_sub(1).map_or(0, |before| ends[before]);
    &texts[begin..ends[at]]
}

/// The next pair's bytes; of bytes that are no key, the rest.
fn take_pair<'a>(reader: &mut Reader<'a>) -> &'a [u8] {
    let begin = reader.rest();
    if reader.bytes().and_then(|_| reader.bytes()).is_none() {
        *reader = Reader::new(&[]);
    }
    &begin[..begin.len() - reader.rest().len()]
}

fn name_and_value(text: &[u8]) -> (&str, &str) {
    let mut reader = Reader::new(text);
    let mut next = || std::str::from_utf8(reader.bytes().unwrap_or_default()).unwrap_or_default();
    (next(), next())
}

/// So few series are each judged by their value; the carriers of all values that match may be many.
const JUDGED_MAX: usize = 1000;

/// How much longer a list is of which looking up costs less than walking along.
const LOOK_UP_FACTOR: usize = 16;

/// Keeps of a sorted list what another sorted one has.
fn retain_common(found: &mut Vec<u32>, list: &[u32]) {
    if list.len() / LOOK_UP_FACTOR > found.len() {
        found.retain(|series| list.binary_search(series).is_ok());
        return;
    }
    let mut rest = list.iter().copied().peekable();
    found.retain(|series| {
        while rest.next_if(|other| other < series).is_some() {}
        rest.peek() == Some(series)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::{key, tests::matching};

    #[test]
    fn keys_come_back_and_are_told_apart() {
        let all = matching::all();
        let mut index = Index::default();
        let mut key = Vec::new();
        for (series, labels) in (0..).zip(&all) {
            assert_eq!(index.add(&key::of(labels)), series);
        }
        for (series, labels) in (0..).zip(&all) {
            index.key(series, &mut key);
            assert_eq!(key, key::of(labels));
            assert!(index.is_key(series, &key));
            assert!(!index.is_key((series + 1) % index.len(), &key));
            assert!(!index.is_key(series, &key[..key.len() - 1]));
            assert!(!index.is_key(series, &key::of(&labels.clone().with("x", "1"))));
        }
        // Two names, three thirds, and each instance once.
        assert_eq!(index.text_ends.len(), 2 + 3 + all.len() / 2);
    }

    #[test]
    fn matchers_find_what_a_walk_over_all_labels_finds() {
        let all = matching::all();
        let mut index = Index::default();
        all.iter().for_each(|labels| {
            index.add(&key::of(labels));
        });
        for matchers in matching::cases() {
            let expected = matching::walk(&all, &matchers);
            let sought = Sought::of(&matchers);
            assert_eq!(index.find(&sought), expected, "{matchers:?}");
            assert!(index.finds_at_most(&sought) >= expected.len(), "{matchers:?}");
            let few = index.find_few(&sought, 2);
            assert_eq!(few.clone().unwrap_or(expected.clone()), expected, "{matchers:?}");
            // Where a value is named that few have.
            let named = matchers.iter().any(|m| m.is_equal() && m.value().contains("guest"));
            assert!(few.is_some() || !named, "{matchers:?}");
        }
    }
}
