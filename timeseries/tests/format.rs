//! docs/formats/timeseries.md against a store that is checked in: this reads its files by the page
//! alone, and the engine must answer the same and still write the same block.
//!
//! `OPSHAWK_WRITE_GOLDEN=1` writes the store anew, for a new version of the format.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use base::{
    sample::{Labels, STALE_NAN_BITS, Sample, Series},
    time::{ManualClock, Timestamp},
};
use pco::wrapped::FileDecompressor;
use timeseries::{Embedded, Matcher, Options, Select, Store};

const GOLDEN: &str = "tests/golden";
const START_MS: i64 = 1_700_006_400_000;
const COUNT: i64 = 100;

/// By key, then instant: the value's bits.
type Content = BTreeMap<Vec<(String, String)>, BTreeMap<i64, u64>>;

fn series(name: &str, value: impl Fn(i64) -> f64, step: impl Fn(i64) -> i64, count: i64) -> Series {
    let samples = (0..count).map(|i| Sample { at_ms: START_MS + step(i), value: value(i) });
    Series { labels: Labels::metric(name, &[("job", "golden")]), samples: samples.collect() }
}

/// Each encoding of a chunk at least once, and of a column all but the wide one, which takes a
/// span of 49 days.
fn flushed() -> Vec<Series> {
    let jitter = |i: i64| i * 15_000 + i * i % 9;
    let regular = |i: i64| i * 15_000;
    let stale = |i: i64| if i == 50 { f64::from_bits(STALE_NAN_BITS) } else { (i * i) as f64 };
    vec![
        series("counter", |i| (i * 1000 + i % 7) as f64, jitter, COUNT),
        series("gauge", |i| (i * 37 % 101) as f64 / 100.0, jitter, COUNT),
        series("constant", |_| 1.0, regular, COUNT),
        series("stale", stale, regular, COUNT),
        series("float", |i| (i as f64).sin(), regular, COUNT),
        series("huge", |i| ((i * i) << 36) as f64, regular, COUNT),
        series("few", |i| i as f64 / 4.0, |i| i * i * 1000, 5),
        series("odd", |i| -0.0 / (i - 2) as f64, |i| i * i * 1000, 5),
    ]
}

fn logged() -> Vec<Series> {
    vec![series("late", |i| i as f64, |i| 3_600_000 + i * 15_000, 3)]
}

async fn write(dir: &Path) {
    let store = open(dir).await;
    assert_eq!(store.append(flushed()).await.expect("an append").rejected(), 0);
    store.flush().await.expect("a flush");
    assert_eq!(store.append(logged()).await.expect("an append").rejected(), 0);
    store.close().await.expect("a close");
}

async fn open(dir: &Path) -> Embedded {
    let clock = ManualClock::at(Timestamp::from_ms(START_MS + 7_200_000)).shared();
    Embedded::open(dir, Options::default(), clock).await.expect("a store")
}

struct Page<'a>(&'a [u8]);

impl<'a> Page<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }
    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().expect("four bytes"))
    }
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().expect("eight bytes"))
    }
    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }
    fn varint(&mut self) -> u64 {
        let byte = self.byte();
        let low = u64::from(byte & 0x7f);
        if byte < 0x80 { low } else { low | self.varint() << 7 }
    }
    fn count(&mut self) -> usize {
        usize::try_from(self.varint()).expect("a count")
    }
    fn zigzag(&mut self) -> i64 {
        let n = self.varint();
        (n >> 1) as i64 ^ -((n & 1) as i64)
    }
    fn text(&mut self) -> String {
        let length = self.count();
        String::from_utf8(self.take(length).to_vec()).expect("UTF-8")
    }
    fn key(&mut self) -> Vec<(String, String)> {
        (0..self.count()).map(|_| (self.text(), self.text())).collect()
    }
    /// Zigzag differences of differences.
    fn differences(&mut self, count: usize) -> Vec<i64> {
        let (mut number, mut delta) = (0, 0);
        let next = |_| {
            delta += self.zigzag();
            number += delta;
            number
        };
        (0..count).map(next).collect()
    }
    fn pco<T: pco::data_types::Number + Default>(&mut self, count: usize) -> Vec<T> {
        let (file, _) = FileDecompressor::new([4, 1].as_slice()).expect("a header");
        let (mut chunk, rest) = file.chunk_decompressor::<T, _>(self.0).expect("metadata");
        let mut numbers = vec![T::default(); count];
        let mut page = chunk.page_decompressor(rest, count).expect("a page");
        assert!(page.read(&mut numbers).expect("numbers").finished);
        numbers
    }
}

/// What stands under a checksum.
fn framed(bytes: &[u8]) -> Page<'_> {
    let mut page = Page(bytes);
    assert_eq!(page.u32(), crc32fast::hash(page.0));
    page
}

fn column(bytes: &[u8], count: usize) -> Vec<i64> {
    let mut page = framed(bytes);
    match page.byte() {
        0 => page.differences(count),
        1 => {
            let (first, step) = (page.zigzag(), page.varint() as i64);
            (0..count as i64).map(|i| first + i * step).collect()
        }
        2 => {
            let first = page.zigzag();
            page.pco::<u32>(count).into_iter().map(|d| first + i64::from(d)).collect()
        }
        3 => page.pco::<i64>(count),
        other => panic!("column encoding {other}"),
    }
}

/// Bits of each value; and which encoding it was.
fn chunk(bytes: &[u8], count: usize) -> (u8, Vec<u64>) {
    let mut page = framed(bytes);
    let encoding = page.byte();
    let decimal =
        |scale: u8| move |integer: i64| (integer as f64 / 10f64.powi(i32::from(scale))).to_bits();
    let values = match encoding {
        0 => {
            let mut bits = 0;
            let next = |_| {
                bits ^= page.varint().reverse_bits();
                bits
            };
            (0..count).map(next).collect()
        }
        1 => {
            let scale = page.byte();
            page.differences(count).into_iter().map(decimal(scale)).collect()
        }
        2 => vec![page.u64(); count],
        3 | 4 => {
            let scale = page.byte();
            let exceptions: Vec<_> =
                (0..page.count()).map(|_| (page.count(), page.u64())).collect();
            let integers: Vec<i64> = if encoding == 3 {
                page.pco(count)
            } else {
                let least = page.zigzag();
                page.pco::<u32>(count).into_iter().map(|d| least + i64::from(d)).collect()
            };
            let mut values: Vec<u64> = integers.into_iter().map(decimal(scale)).collect();
            let mut place = 0;
            for (step, bits) in exceptions {
                place += step;
                values[place] = bits;
            }
            values
        }
        5 => page.pco::<f64>(count).into_iter().map(f64::to_bits).collect(),
        other => panic!("chunk encoding {other}"),
    };
    (encoding, values)
}

/// Adds a block's samples; returns the encodings that were met.
fn read_block(bytes: &[u8], content: &mut Content) -> Vec<u8> {
    assert_eq!(&bytes[..8], b"OHBLK\0\0\x02");
    let raw = &bytes[bytes.len() - 48..];
    let mut footer = Page(raw);
    let (offset, length) = (footer.u64() as usize, footer.u64() as usize);
    footer.take(16);
    let index = &bytes[offset..offset + length];
    assert_eq!(footer.u32(), crc32fast::hash(index));
    assert_eq!(footer.u32(), crc32fast::hash(&raw[..36]));
    assert_eq!(footer.0, b"OHBLKEND");

    let mut page = Page(index);
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for _ in 0..page.count() {
        let shared = page.count();
        let mut text = texts.last().map_or(&[][..], |last| &last[..shared]).to_vec();
        let rest = page.count();
        text.extend_from_slice(page.take(rest));
        texts.push(text);
    }
    let (mut pairs, mut name, mut value) = (Vec::new(), 0, 0);
    for at in 0..page.count() {
        let (name_step, value_step) = (page.count(), page.count());
        name += name_step;
        value = if at > 0 && name_step == 0 { value + value_step } else { value_step };
        let text = |at: usize| String::from_utf8(texts[at].clone()).expect("UTF-8");
        pairs.push((text(name), text(value)));
    }
    let (mut columns, mut at, mut first) = (Vec::new(), 0, 0);
    for _ in 0..page.count() {
        at += page.count();
        let length = page.count();
        first += page.zigzag();
        let last = first + page.varint() as i64;
        let instants = column(&bytes[at..at + length], page.count());
        assert_eq!((instants[0], *instants.last().expect("one")), (first, last));
        columns.push(instants);
    }
    let (mut before, mut end, mut met) = (Vec::new(), 0, Vec::new());
    for _ in 0..page.count() {
        let (labels, shared) = (page.count(), page.count());
        let mut own: Vec<i64> = before[..shared].to_vec();
        for place in shared..labels {
            own.push(before.get(place).copied().unwrap_or(0) + page.zigzag());
        }
        let key = own.iter().map(|pair| pairs[*pair as usize].clone()).collect();
        let samples = content.entry(key).or_default();
        let mut number = 0;
        for _ in 0..page.count() {
            number += page.zigzag();
            let instants = &columns[number as usize];
            let begin = end + page.count();
            end = begin + page.count();
            let (encoding, values) = chunk(&bytes[begin..end], instants.len());
            met.push(encoding);
            samples.extend(instants.iter().copied().zip(values));
        }
        before = own;
    }
    assert!(page.0.is_empty());
    met
}

fn read_log(bytes: &[u8], number: u64, content: &mut Content) {
    let mut page = Page(bytes);
    assert_eq!(page.take(8), b"OHWAL\0\0\x01");
    assert_eq!(page.u64(), number);
    let mut names = BTreeMap::new();
    while !page.0.is_empty() {
        assert_eq!(page.take(4), [0xf7, 0xa3, 0xe1, 0x9c]);
        let length = page.u32();
        let crc = page.u32();
        let records = page.take(length as usize);
        assert_eq!(crc, crc32fast::hash(&[&length.to_le_bytes(), records].concat()));
        let mut records = Page(records);
        while !records.0.is_empty() {
            if records.byte() == 1 {
                names.insert(records.varint(), records.key());
                continue;
            }
            let mut at_ms = 0;
            for _ in 0..records.count() {
                let id = records.varint();
                at_ms += records.zigzag();
                content.entry(names[&id].clone()).or_default().insert(at_ms, records.u64());
            }
        }
    }
}

fn read_manifest(dir: &Path) -> serde_json::Value {
    let text = fs::read_to_string(dir.join("MANIFEST")).expect("a manifest");
    let (json, crc) = text.split_once('\n').expect("two lines");
    assert_eq!(crc.trim_end(), format!("{:08x}", crc32fast::hash(json.as_bytes())));
    serde_json::from_str(json).expect("JSON")
}

/// A copy that may be written to.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("the golden store").map(|e| e.expect("an entry")) {
        let name = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &name);
        } else {
            fs::copy(entry.path(), name).expect("a copy");
        }
    }
}

async fn answered(dir: &Path) -> Content {
    let request = Select {
        matchers: vec![Matcher::equal("job", "golden")],
        start_ms: i64::MIN,
        end_ms: i64::MAX,
        max_samples: usize::MAX,
        max_bytes: usize::MAX,
        newest_only: false,
    };
    let store = open(dir).await;
    let selected = store.select(request).await.expect("a selection").into_iter().map(|one| {
        let key = one.labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        (key, one.samples.iter().map(|s| (s.at_ms, s.value.to_bits())).collect())
    });
    selected.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_reads_the_golden_store_and_the_engine_writes_it() {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    if std::env::var_os("OPSHAWK_WRITE_GOLDEN").is_some() {
        write(&golden).await;
    }
    let manifest = read_manifest(&golden);
    assert_eq!(manifest["version"], 2);
    let mut by_page = Content::new();
    let mut met = Vec::new();
    for block in manifest["blocks"].as_array().expect("blocks") {
        let path = golden.join(format!("blocks/{:08}.blk", block["number"].as_u64().expect("one")));
        met.extend(read_block(&fs::read(path).expect("a block"), &mut by_page));
    }
    met.sort_unstable();
    met.dedup();
    assert_eq!(met, [0, 1, 2, 3, 4, 5]);
    let first = manifest["first_segment"].as_u64().expect("a number");
    let log = fs::read(golden.join(format!("wal/{first:08}.wal"))).expect("a segment");
    read_log(&log, first, &mut by_page);

    let sent = flushed().into_iter().chain(logged()).map(|one| {
        let key = one.labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        (key, one.samples.iter().map(|s| (s.at_ms, s.value.to_bits())).collect())
    });
    assert_eq!(by_page, sent.collect());
    let scratch = tempfile::tempdir().expect("a directory");
    copy(&golden, &scratch.path().join("copy"));
    assert_eq!(answered(&scratch.path().join("copy")).await, by_page);
    write(&scratch.path().join("new")).await;
    let block = |dir: &Path| fs::read(dir.join("blocks/00000001.blk")).expect("a block");
    assert!(block(&scratch.path().join("new")) == block(&golden), "the format changed");
}
