//! Which series of the head carry a label. (A block's index has its own, flat and unchanging.)

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

use super::key;
use crate::matcher::Matcher;

/// Series are dense numbers, added in rising order, so each list is sorted.
#[derive(Debug, Default)]
pub struct Postings {
    by_name: HashMap<Box<str>, BTreeMap<Box<str>, Vec<u32>>, foldhash::fast::FixedState>,
    count: u32,
}

impl Postings {
    pub fn add(&mut self, series: u32, key: &[u8]) {
        debug_assert_eq!(series, self.count, "series are added in order");
        self.count = series + 1;
        for (name, value) in key::texts(key) {
            if !self.by_name.contains_key(name) {
                self.by_name.insert(name.into(), BTreeMap::new());
            }
            let values = self.by_name.get_mut(name).expect("just put there");
            match values.get_mut(value) {
                Some(list) => list.push(series),
                None => {
                    values.insert(value.into(), vec![series]);
                }
            }
        }
    }

    /// The series that all matchers hold for, in order.
    pub fn find<'a>(&self, matchers: &[Matcher], key: impl Fn(u32) -> &'a [u8]) -> Vec<u32> {
        let (by_absence, by_list): (Vec<_>, Vec<_>) = matchers.iter().partition(|m| m.matches(""));
        let mut found: Option<Vec<u32>> = None;
        for matcher in by_list {
            let list = self.carriers(matcher);
            found = Some(match found {
                Some(before) => intersect(&before, &list),
                None => list,
            });
        }
        let mut found = found.unwrap_or_else(|| (0..self.count).collect());
        if !by_absence.is_empty() {
            let holds = |id: u32, m: &Matcher| m.matches(key::get(key(id), m.name()));
            found.retain(|id| by_absence.iter().all(|m| holds(*id, m)));
        }
        found
    }

    /// The series with a value of the matcher's label that it accepts.
    fn carriers(&self, matcher: &Matcher) -> Vec<u32> {
        let Some(values) = self.by_name.get(matcher.name()) else { return Vec::new() };
        if matcher.is_equal() {
            return values.get(matcher.value()).cloned().unwrap_or_default();
        }
        let prefix = matcher.prefix();
        let accepted = values
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(value, _)| value.starts_with(prefix))
            .filter(|(value, _)| matcher.matches(value));
        let mut all: Vec<u32> = accepted.flat_map(|(_, list)| list.iter().copied()).collect();
        all.sort_unstable();
        all
    }
}

fn intersect(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (mut i, mut j) = (0, 0);
    let mut both = Vec::with_capacity(a.len().min(b.len()));
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                both.push(*x);
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    both
}
