//! Labels and samples: what collectors make, remote write carries, and stores take.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

/// The label that carries the metric's name.
pub const NAME: &str = "__name__";

/// Sorted by name, names unique, no empty values (an empty value is an absent label). All texts lie
/// in one piece: a query makes label sets by the hundred thousand.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(String, String)>", into = "Vec<(String, String)>")]
pub struct Labels {
    /// Name, value, name, value …
    text: Box<str>,
    /// Where each of them ends.
    ends: Box<[u32]>,
}

impl Labels {
    /// Sorts; the last of two values for one name wins; empty values are dropped.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.reverse();
        pairs.dedup_by(|a, b| a.0 == b.0);
        pairs.reverse();
        pairs.retain(|(_, value)| !value.is_empty());
        Self::from_sorted(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
    /// Of pairs that rise by name and have no empty value.
    pub fn from_sorted<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let (count, bytes) = pairs.clone().fold((0, 0), |(count, bytes), (name, value)| {
            (count + 2, bytes + name.len() + value.len())
        });
        let (mut text, mut ends) = (String::with_capacity(bytes), Vec::with_capacity(count));
        for part in pairs.flat_map(|(name, value)| [name, value]) {
            text.push_str(part);
            ends.push(u32::try_from(text.len()).expect("labels are bounded far below 4 GiB"));
        }
        let labels = Self { text: text.into(), ends: ends.into() };
        debug_assert!(labels.iter().is_sorted_by(|a, b| a.0 < b.0), "{labels:?} rises");
        labels
    }
    pub fn metric(name: &str, labels: &[(&str, &str)]) -> Self {
        let own = |(k, v): (&str, &str)| (k.to_owned(), v.to_owned());
        Self::new(labels.iter().copied().chain([(NAME, name)]).map(own))
    }
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(its, _)| *its == name).map(|(_, value)| value)
    }
    pub fn name(&self) -> &str {
        self.get(NAME).unwrap_or_default()
    }
    /// An empty `value` removes the label.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        let more = (name.to_owned(), value.to_owned());
        Self::new(Vec::from(self).into_iter().chain([more]))
    }
    #[must_use]
    pub fn without(self, name: &str) -> Self {
        Self::from_sorted(self.iter().filter(|(its, _)| *its != name))
    }
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        (0..self.ends.len() / 2).map(|label| (self.part(2 * label), self.part(2 * label + 1)))
    }
    fn part(&self, at: usize) -> &str {
        let begin = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[begin as usize..self.ends[at] as usize]
    }
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl From<Vec<(String, String)>> for Labels {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self::new(pairs)
    }
}

impl From<Labels> for Vec<(String, String)> {
    fn from(labels: Labels) -> Self {
        labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub at_ms: i64,
    pub value: f64,
}

/// One series' samples, in order of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub labels: Labels,
    pub samples: Vec<Sample>,
}

/// The value that says "this series has ended", bit for bit as Prometheus writes it
/// (`StaleNaN` in prometheus/model/value).
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_unique_and_not_empty() {
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let labels = Labels::new([pair("b", "1"), pair("a", "2"), pair("b", "3"), pair("c", "")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
        assert_eq!(labels.clone().with("a", "").get("a"), None);
        assert_eq!(labels.clone().with("aa", "4").without("a").get("aa"), Some("4"));
        assert_eq!(format!("{labels:?}"), r#"{"a": "2", "b": "3"}"#);
    }

    #[test]
    fn labels_are_ordered_as_lists_of_pairs_and_read_from_them() {
        let of = |pairs: &[(&str, &str)]| Labels::from_sorted(pairs.iter().copied());
        let rising: [&[(&str, &str)]; 5] =
            [&[], &[("a", "1")], &[("a", "1"), ("b", "1")], &[("a", "11")], &[("aa", "0")]];
        assert!(rising.map(of).is_sorted());
        let json = serde_json::to_string(&of(rising[2])).unwrap();
        assert_eq!(json, r#"[["a","1"],["b","1"]]"#);
        assert_eq!(serde_json::from_str::<Labels>(&json).unwrap(), of(rising[2]));
        // The same texts, cut elsewhere.
        assert_ne!(of(&[("ab", "c")]), of(&[("a", "bc")]));
    }
}
