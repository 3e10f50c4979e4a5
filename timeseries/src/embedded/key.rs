//! A series' key: its labels as bytes, the same for the same labels, wherever they come from.
//!
//! ```text
//! +--------------+-------------------------------------------------------------+
//! | count varint | by rising name: (name, value), each a varint length and bytes |
//! +--------------+-------------------------------------------------------------+
//! ```
//!
//! The head finds series by it, the log names them by it, and blocks sort them by it. No value in
//! it is empty, no name is there twice.

use base::sample::{Labels, NAME};

use super::codec::{Reader, put_bytes, put_varint};

/// Reads the (name, value) pairs of a key that was made here or stood under a checksum.
#[derive(Debug, Clone)]
pub struct Pairs<'a>(Reader<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.bytes()?, self.0.bytes()?))
    }
}

pub fn pairs(key: &[u8]) -> Pairs<'_> {
    let mut reader = Reader::new(key);
    // The count is for readers of the log, which have no length.
    let _ = reader.len();
    Pairs(reader)
}

/// How many labels it has.
pub fn count(key: &[u8]) -> usize {
    Reader::new(key).len().unwrap_or_default()
}

/// Pairs as text: keys are checked to be UTF-8 before they are taken in.
pub fn texts(key: &[u8]) -> impl Iterator<Item = (&str, &str)> + Clone {
    pairs(key).map(|(name, value)| {
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        (text(name), text(value))
    })
}

/// The pairs must rise by name and hold no empty value.
pub fn put<'a>(out: &mut Vec<u8>, pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>) {
    put_varint(out, pairs.len() as u64);
    for (name, value) in pairs {
        put_pair(out, name, value);
    }
}

pub fn put_pair(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    put_bytes(out, name);
    put_bytes(out, value);
}

pub fn of(labels: &Labels) -> Vec<u8> {
    let mut key = Vec::new();
    put(&mut key, labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    key
}

pub fn labels(key: &[u8]) -> Labels {
    Labels::from_sorted(texts(key))
}

/// What follows the metric's name, where that comes first; else all of it.
pub fn behind_name(key: &[u8]) -> &[u8] {
    let mut reader = Reader::new(key);
    let mut first = || {
        reader.len()?;
        Some((reader.bytes()?, reader.bytes()?))
    };
    match first() {
        Some((name, _)) if name == NAME.as_bytes() => reader.rest(),
        _ => key,
    }
}

/// The value of one label; empty where it is not there.
pub fn get<'a>(key: &'a [u8], name: &str) -> &'a str {
    texts(key).find(|(its, _)| *its == name).map_or("", |(_, value)| value)
}

/// Takes one key from the front; None where the bytes hold none, or one that is no set of labels.
pub fn read<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let begin = reader.rest();
    let count = reader.len()?;
    let mut last: &[u8] = b"";
    for _ in 0..count {
        let (name, value) = (reader.bytes()?, reader.bytes()?);
        std::str::from_utf8(name).ok()?;
        std::str::from_utf8(value).ok()?;
        if name <= last || value.is_empty() {
            return None;
        }
        last = name;
    }
    Some(&begin[..begin.len() - reader.rest().len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_back_and_garbage_does_not() {
        let labels = Labels::metric("up", &[("job", "é"), ("a", "\0")]);
        let key = of(&labels);
        assert_eq!(super::labels(&key), labels);
        assert_eq!((get(&key, "job"), get(&key, "nobody")), ("é", ""));
        // "Z" comes before the name, "a" and "job" behind it.
        let named = |name: &str, more| of(&Labels::metric(name, more));
        let behind = |key: &[u8]| behind_name(key).to_vec();
        let target = [("a", "\0"), ("job", "é")];
        assert_eq!(behind(&named("up", &target)), behind(&named("down", &target)));
        assert_ne!(behind(&named("up", &target)), behind(&named("up", &target[..1])));
        let late = named("up", &[("Z", "1")]);
        assert_eq!(behind_name(&late), late);
        let mut reader = Reader::new(&key);
        assert_eq!(read(&mut reader), Some(key.as_slice()));
        assert!(reader.is_empty());
        for cut in 0..key.len() {
            assert_eq!(read(&mut Reader::new(&key[..cut])), None, "{cut}");
        }
        assert_eq!(read(&mut Reader::new(b"\x01\x01a\x00")), None);
        assert_eq!(read(&mut Reader::new(b"\x02\x01b\x011\x01a\x011")), None);
        assert_eq!(read(&mut Reader::new(b"\x01\x01a\x01\xff")), None);
    }
}
