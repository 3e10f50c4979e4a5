//! A block's index: which series it holds, under which labels, and where their chunks are.
//!
//! ```text
//! texts     count varint, then by rising bytes: bytes shared with the one before varint,
//!             rest length varint, rest
//! pairs     count varint, then by rising (name, value): name's text, counted from the one before,
//!             varint; value's text, counted from the one before of the same name, varint
//! columns   count varint, then each: offset, counted from the one before, varint; bytes varint;
//!             first instant, counted from the one before, zigzag; last minus first varint;
//!             samples varint
//! series    count varint, then by rising key:
//!             labels varint; labels shared with the one before varint; each of the others: its
//!               pair, counted from that at the same place of the one before, zigzag
//!             chunks varint; each, in order of time: column, counted from the chunk before,
//!               zigzag; offset, counted from the end of the chunk before, varint; bytes varint
//! ```
//!
//! In memory it is a few flat arrays, about 100 bytes a series. Which series carry a label isn't
//! stored: counting it out again takes a few ns a label, and no bytes on disk; nor is where a pair
//! lies, by its hash.

use std::hash::BuildHasher;

use base::sample::Labels;
use hashbrown::HashTable;

use super::{CHUNK_MAX_SAMPLES, CRC_BYTES};
use crate::{
    embedded::{
        codec::{Reader, put_bytes, put_signed, put_varint},
        key,
    },
    matcher::Matcher,
    validate,
};

/// What an index says of no more bytes than its own could otherwise fill the memory: each text
/// begins with the one before, each series with the labels of the one before. No release may lower
/// them below what any took.
const TEXT_MAX_BYTES: usize = 4096;
const LABELS_MAX: usize = 64;

const _: () = assert!(TEXT_MAX_BYTES >= validate::LABEL_VALUE_MAX_BYTES);
const _: () = assert!(TEXT_MAX_BYTES >= validate::LABEL_NAME_MAX_BYTES);
const _: () = assert!(LABELS_MAX >= validate::LABELS_MAX);

#[derive(Debug, Clone, Copy)]
pub struct ChunkRef {
    pub offset: u64,
    pub bytes: u32,
    pub column: u32,
}

#[derive(Debug, Clone, Copy)]
pub struct ColumnRef {
    pub offset: u64,
    pub bytes: u32,
    pub samples: u32,
    pub first_ms: i64,
    pub last_ms: i64,
}

/// Lists of lists in two arrays.
#[derive(Debug)]
pub struct Rows<T> {
    ends: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { ends: Vec::new(), items: Vec::new() }
    }
}

impl<T> Rows<T> {
    pub fn count(&self) -> usize {
        self.ends.len()
    }
    pub fn row(&self, at: usize) -> &[T] {
        let begin = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.items[begin as usize..self.ends[at] as usize]
    }
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }
    /// Ends a row. None beyond 2^32 items.
    pub fn end(&mut self) -> Option<()> {
        self.ends.push(u32::try_from(self.items.len()).ok()?);
        Some(())
    }
    fn bytes(&self) -> usize {
        self.ends.len() * 4 + self.items.len() * size_of::<T>()
    }
}

#[derive(Debug, Default)]
pub struct Index {
    texts: Rows<u8>,
    /// Name and value, by text.
    pairs: Vec<(u32, u32)>,
    columns: Vec<ColumnRef>,
    /// Pairs, by series.
    labels: Rows<u32>,
    chunks: Rows<ChunkRef>,
    /// Series, by pair.
    carriers: Rows<u32>,
    /// Pairs, by what they say: one look, where halving the sorted ones takes a hundred cold ones.
    by_text: HashTable<u32>,
}

impl Index {
    pub fn series_count(&self) -> usize {
        self.labels.count()
    }
    pub fn bytes(&self) -> usize {
        self.texts.bytes()
            + self.pairs.len() * 8
            + self.columns.len() * size_of::<ColumnRef>()
            + self.labels.bytes()
            + self.chunks.bytes()
            + self.carriers.bytes()
            + self.by_text.allocation_size()
    }
    /// Of one series, in order of time.
    pub fn chunks(&self, series: u32) -> &[ChunkRef] {
        self.chunks.row(series as usize)
    }
    pub fn column(&self, column: u32) -> &ColumnRef {
        &self.columns[column as usize]
    }
    pub fn chunks_in(
        &self,
        series: u32,
        start_ms: i64,
        end_ms: i64,
    ) -> impl Iterator<Item = &ChunkRef> {
        self.chunks(series).iter().filter(move |chunk| {
            let column = self.column(chunk.column);
            column.first_ms <= end_ms && column.last_ms >= start_ms
        })
    }
    /// The newest instant.
    pub fn last_ms(&self, series: u32) -> i64 {
        self.chunks(series).last().map_or(i64::MIN, |chunk| self.column(chunk.column).last_ms)
    }

    fn text(&self, text: u32) -> &[u8] {
        self.texts.row(text as usize)
    }
    /// Puts a series' key into `out`.
    pub fn key(&self, series: u32, out: &mut Vec<u8>) {
        out.clear();
        let pairs = self.labels.row(series as usize).iter().map(|pair| self.texts_of(*pair));
        key::put(out, pairs);
    }
    pub fn labels(&self, series: u32) -> Labels {
        let mut key = Vec::new();
        self.key(series, &mut key);
        key::labels(&key)
    }

    pub fn get(&self, wanted: &[u8]) -> Option<u32> {
        let mut key = Vec::new();
        let (mut low, mut high) = (0, self.series_count() as u32);
        while low < high {
            let middle = low + (high - low) / 2;
            self.key(middle, &mut key);
            match key.as_slice().cmp(wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    fn find_text(&self, wanted: &[u8]) -> Option<u32> {
        let (mut low, mut high) = (0, self.texts.count());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.texts.row(middle).cmp(wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return u32::try_from(middle).ok(),
            }
        }
        None
    }

    /// The pairs of one label name.
    fn pairs_of(&self, name: &str) -> std::ops::Range<usize> {
        let Some(name) = self.find_text(name.as_bytes()) else { return 0..0 };
        let begin = self.pairs.partition_point(|pair| pair.0 < name);
        let end = self.pairs.partition_point(|pair| pair.0 <= name);
        begin..end
    }

    /// The pairs of the matcher's label whose values begin as those do that it accepts.
    fn candidates(&self, matcher: &Matcher) -> std::ops::Range<usize> {
        let pairs = self.pairs_of(matcher.name());
        let prefix = matcher.prefix().as_bytes();
        let of_name = &self.pairs[pairs.clone()];
        let begin = of_name.partition_point(|pair| self.text(pair.1) < prefix);
        let begun = of_name[begin..].partition_point(|pair| self.text(pair.1).starts_with(prefix));
        pairs.start + begin..pairs.start + begin + begun
    }

    fn value(&self, pair: usize) -> &str {
        std::str::from_utf8(self.text(self.pairs[pair].1)).unwrap_or_default()
    }

    /// At most so many series can be found, where that can be told without a look at each value of a
    /// label.
    pub fn finds_at_most(&self, matchers: &[Matcher]) -> Option<usize> {
        let by_value = matchers.iter().filter(|m| m.is_equal() && !m.matches(""));
        by_value.map(|m| self.equal_carriers(m).len()).min()
    }

    /// The series that all matchers hold for, in order.
    pub fn find(&self, matchers: &[Matcher]) -> Vec<u32> {
        let (equal, others): (Vec<_>, Vec<_>) =
            matchers.iter().partition(|m| m.is_equal() && !m.matches(""));
        let mut lists: Vec<&[u32]> = equal.into_iter().map(|m| self.equal_carriers(m)).collect();
        // The shortest says how much there is to look at.
        lists.sort_by_key(|list| list.len());
        let mut found: Option<Vec<u32>> = None;
        for list in lists {
            found = Some(match found {
                Some(found) => intersect(&found, list),
                None => list.to_vec(),
            });
        }
        let (by_absence, scanned): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|m| m.matches(""));
        for matcher in scanned {
            found = Some(match found {
                // The carriers of all values that match may be many.
                Some(found)
                    if found.len() < JUDGED_MAX || found.len() < self.candidates(matcher).len() =>
                {
                    self.retain(found, matcher)
                }
                Some(found) => intersect(&found, &self.carriers(matcher)),
                None => self.carriers(matcher),
            });
        }
        let all = || (0..self.series_count() as u32).collect();
        let found = found.unwrap_or_else(all);
        by_absence.into_iter().fold(found, |found, matcher| self.retain(found, matcher))
    }

    /// Those of some series that a matcher holds for.
    fn retain(&self, mut found: Vec<u32>, matcher: &Matcher) -> Vec<u32> {
        let pairs = self.pairs_of(matcher.name());
        let pair_of = |series: u32| {
            let own = self.labels.row(series as usize).iter().map(|pair| *pair as usize);
            own.into_iter().find(|pair| pairs.contains(pair))
        };
        let absent = matcher.matches("");
        let holds = |pair: usize| matcher.matches(self.value(pair));
        if found.len() < pairs.len() {
            found.retain(|series| pair_of(*series).map_or(absent, holds));
        } else {
            // Each value is judged once, however many series carry it.
            let judged: Vec<bool> = pairs.clone().map(holds).collect();
            found.retain(|series| {
                pair_of(*series).map_or(absent, |pair| judged[pair - pairs.start])
            });
        }
        found
    }

    /// The series with a value of the matcher's label that it accepts.
    fn carriers(&self, matcher: &Matcher) -> Vec<u32> {
        if matcher.is_equal() {
            return self.equal_carriers(matcher).to_vec();
        }
        let judged = self.candidates(matcher).filter(|pair| matcher.matches(self.value(*pair)));
        let accepted: Vec<usize> = judged.collect();
        let mut all: Vec<u32> =
            accepted.iter().flat_map(|pair| self.carriers.row(*pair)).copied().collect();
        if accepted.len() > 1 {
            all.sort_unstable();
        }
        all
    }

    fn equal_carriers(&self, matcher: &Matcher) -> &[u32] {
        let wanted = (matcher.name().as_bytes(), matcher.value().as_bytes());
        let same = |pair: &u32| self.texts_of(*pair) == wanted;
        let found = self.by_text.find(hash(wanted), same);
        found.map_or(&[], |pair| self.carriers.row(*pair as usize))
    }

    /// What a pair says.
    fn texts_of(&self, pair: u32) -> (&[u8], &[u8]) {
        let (name, value) = self.pairs[pair as usize];
        (self.text(name), self.text(value))
    }

    /// All that it names lies before `end`, so that reading stays within the file.
    pub fn ends_by(&self, end: u64) -> bool {
        let before = |offset: u64, bytes: u32| {
            bytes as usize > CRC_BYTES && offset.checked_add(bytes.into()).is_some_and(|e| e <= end)
        };
        self.columns.iter().all(|c| before(c.offset, c.bytes))
            && self.chunks.items.iter().all(|c| before(c.offset, c.bytes))
    }
}

fn hash((name, value): (&[u8], &[u8])) -> u64 {
    foldhash::fast::FixedState::default().hash_one((name, value))
}

/// So few series are each judged by their value, however few values their label has.
const JUDGED_MAX: usize = 1000;

fn intersect(few: &[u32], many: &[u32]) -> Vec<u32> {
    let mut rest = many;
    let mut both = Vec::with_capacity(few.len());
    for series in few {
        // Galloping: where one list is short the other one is skipped through.
        let mut step = 1;
        while step < rest.len() && rest[step] < *series {
            step *= 2;
        }
        let upto = (step + 1).min(rest.len());
        let begin = rest[..upto].partition_point(|other| other < series);
        rest = &rest[begin..];
        if rest.first() == Some(series) {
            both.push(*series);
        }
    }
    both
}

// ---- bytes ----

impl Index {
    /// None where the bytes are not what [`Builder::finish`] makes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let mut index = Self::default();
        index.decode_texts(&mut reader)?;
        index.decode_pairs(&mut reader)?;
        index.hash_pairs();
        index.decode_columns(&mut reader)?;
        for _ in 0..reader.len()? {
            index.decode_series(&mut reader)?;
        }
        reader.is_empty().then_some(())?;
        index.count_carriers()?;
        Some(index)
    }

    fn decode_texts(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let mut last: Vec<u8> = Vec::new();
        for _ in 0..reader.len()? {
            let shared = reader.len().filter(|shared| *shared <= last.len())?;
            let before = last.clone();
            last.truncate(shared);
            last.extend_from_slice(reader.bytes()?);
            if last.len() > TEXT_MAX_BYTES {
                return None;
            }
            std::str::from_utf8(&last).ok()?;
            if self.texts.count() > 0 && last <= before {
                return None;
            }
            self.texts.items.extend_from_slice(&last);
            self.texts.end()?;
        }
        Some(())
    }

    fn decode_pairs(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (mut name, mut value) = (0u64, 0u64);
        for at in 0..reader.len()? {
            let step = reader.varint()?;
            name = name.checked_add(step)?;
            let same = at > 0 && step == 0;
            let step = reader.varint()?;
            value = if same { value.checked_add(step)? } else { step };
            let known =
                |text: u64| u32::try_from(text).ok().filter(|t| (*t as usize) < self.texts.count());
            self.pairs.push((known(name)?, known(value)?));
        }
        self.pairs.is_sorted().then_some(())
    }

    fn hash_pairs(&mut self) {
        let mut by_text = HashTable::with_capacity(self.pairs.len());
        let hash_of = |pair: &u32| hash(self.texts_of(*pair));
        for pair in 0..self.pairs.len() as u32 {
            by_text.insert_unique(hash_of(&pair), pair, hash_of);
        }
        self.by_text = by_text;
    }

    fn decode_columns(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (mut offset, mut first_ms) = (0u64, 0i64);
        for _ in 0..reader.len()? {
            offset = offset.checked_add(reader.varint()?)?;
            let bytes = u32::try_from(reader.varint()?).ok()?;
            first_ms = first_ms.checked_add(reader.signed()?)?;
            let last_ms = first_ms.checked_add_unsigned(reader.varint()?)?;
            let samples = u32::try_from(reader.varint()?).ok()?;
            if samples == 0 || samples as usize > CHUNK_MAX_SAMPLES {
                return None;
            }
            self.columns.push(ColumnRef { offset, bytes, samples, first_ms, last_ms });
        }
        Some(())
    }

    fn decode_series(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let count = reader.len().filter(|count| *count <= LABELS_MAX)?;
        let shared = reader.len().filter(|shared| *shared <= count)?;
        let series = self.labels.count();
        let mut last_name = None;
        for at in 0..count {
            let before = series.checked_sub(1).and_then(|s| self.labels.row(s).get(at).copied());
            let pair = match before {
                Some(pair) if at < shared => i64::from(pair),
                _ if at < shared => return None,
                before => i64::from(before.unwrap_or(0)).checked_add(reader.signed()?)?,
            };
            let pair = u32::try_from(pair).ok().filter(|p| (*p as usize) < self.pairs.len())?;
            // As in a key: by rising name, none of them twice, no empty value.
            let (name, value) = self.pairs[pair as usize];
            if last_name.is_some_and(|last| name <= last) || self.text(value).is_empty() {
                return None;
            }
            last_name = Some(name);
            self.labels.push(pair);
        }
        self.labels.end()?;
        let (mut column, mut end) =
            (0i64, self.chunks.items.last().map_or(0, |c| c.offset + u64::from(c.bytes)));
        for _ in 0..reader.len()? {
            column = column.checked_add(reader.signed()?)?;
            let known =
                u32::try_from(column).ok().filter(|c| (*c as usize) < self.columns.len())?;
            let offset = end.checked_add(reader.varint()?)?;
            let bytes = u32::try_from(reader.varint()?).ok()?;
            end = offset.checked_add(bytes.into())?;
            self.chunks.push(ChunkRef { offset, bytes, column: known });
        }
        self.chunks.end()
    }

    /// Counting sort of the series by pair.
    fn count_carriers(&mut self) -> Option<()> {
        let mut ends = vec![0u32; self.pairs.len()];
        for pair in &self.labels.items {
            ends[*pair as usize] += 1;
        }
        let mut sum = 0u32;
        for count in &mut ends {
            let begin = sum;
            sum = sum.checked_add(*count)?;
            *count = begin;
        }
        let mut items = vec![0u32; self.labels.items.len()];
        for series in 0..self.labels.count() {
            for pair in self.labels.row(series) {
                let place = &mut ends[*pair as usize];
                items[*place as usize] = series as u32;
                *place += 1;
            }
        }
        self.carriers = Rows { ends, items };
        Some(())
    }
}

pub fn put_text(out: &mut Vec<u8>, last: &[u8], text: &[u8]) {
    let shared = last.iter().zip(text).take_while(|(a, b)| a == b).count();
    put_varint(out, shared as u64);
    put_bytes(out, &text[shared..]);
}

pub fn put_columns(out: &mut Vec<u8>, columns: &[ColumnRef]) {
    put_varint(out, columns.len() as u64);
    let (mut offset, mut first_ms) = (0, 0);
    for column in columns {
        put_varint(out, column.offset - offset);
        put_varint(out, column.bytes.into());
        put_signed(out, column.first_ms.wrapping_sub(first_ms));
        put_varint(out, column.last_ms.abs_diff(column.first_ms));
        put_varint(out, column.samples.into());
        (offset, first_ms) = (column.offset, column.first_ms);
    }
}
