//! What any bytes may be put through as a block: it is read as what was written, or called damaged.
//!
//! Random bytes would end at the first checksum, so the checksums are set here. An input is
//!
//! ```text
//! kind u8, and then
//!   w   a recipe: samples to write, read and merge
//!   p   index bytes u16 LE, index, body: a block is made of them
//!   s   the same, and a store serves it and merges it with itself
//!   r   a file, as it is
//! ```

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use base::{
    sample::{Labels, NAME, STALE_NAN_BITS, Sample},
    time::{ManualClock, Timestamp},
};
use tempfile::TempDir;
use timeseries::{
    Embedded, Error, Matcher, Options, Result, Select, Store,
    embedded::{
        block::{
            Block, CRC_BYTES, ChunkReader, END_MAGIC, FLUSHED_CHUNK_SAMPLES, FOOTER_BYTES, Index,
            MAGIC, MERGED_CHUNK_SAMPLES, write::Writer,
        },
        key,
        manifest::{Entry, Manifest},
    },
};
use tokio::runtime::Runtime;

const NOW_MS: i64 = 1_700_006_400_000;
const WRITTEN: u8 = b'w';
const PARTS: u8 = b'p';
const SERVED: u8 = b's';
const RAW: u8 = b'r';
/// What an index of so many bytes may take in memory, beside a little.
const INDEX_FACTOR_MAX: usize = 1500;

type Content = BTreeMap<Labels, Vec<(i64, u64)>>;

/// Panics where something is wrong.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let path = dir().path().join("one.blk");
    match *kind {
        WRITTEN => written(&mut Recipe(rest), &path),
        PARTS | SERVED => {
            let Some((length, rest)) = rest.split_first_chunk() else { return };
            let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
            let (index, body) = rest.split_at(length);
            let file = assembled(index, body);
            std::fs::write(&path, &file).expect("a file");
            let sound = read(&path, index.len());
            if *kind == SERVED && sound.is_ok() {
                served(&file);
            }
        }
        _ => {
            std::fs::write(&path, rest).expect("a file");
            let _ = read(&path, rest.len());
        }
    }
}

fn dir() -> &'static TempDir {
    static DIR: OnceLock<TempDir> = OnceLock::new();
    DIR.get_or_init(|| tempfile::tempdir().expect("a directory"))
}

/// A block with this index over this body: whatever the index says is a column or chunk gets the
/// right checksum.
fn assembled(index: &[u8], body: &[u8]) -> Vec<u8> {
    let mut file = [MAGIC, body].concat();
    let (mut first_ms, mut last_ms) = (NOW_MS, NOW_MS);
    if let Some(index) = Index::decode(index).filter(|its| its.ends_by(file.len() as u64)) {
        let mut frames = Vec::new();
        for series in 0..index.series_count() as u32 {
            for chunk in index.chunks(series) {
                let column = index.column(chunk.column);
                frames.push((column.offset, column.bytes));
                frames.push((chunk.offset, chunk.bytes));
                first_ms = first_ms.min(column.first_ms);
                last_ms = last_ms.max(column.last_ms);
            }
        }
        for (offset, bytes) in frames {
            let frame = &mut file[offset as usize..][..bytes as usize];
            let crc = crc32fast::hash(&frame[CRC_BYTES..]);
            frame[..CRC_BYTES].copy_from_slice(&crc.to_le_bytes());
        }
    }
    let mut footer = Vec::with_capacity(FOOTER_BYTES);
    for number in [file.len() as u64, index.len() as u64, first_ms as u64, last_ms as u64] {
        footer.extend_from_slice(&number.to_le_bytes());
    }
    footer.extend_from_slice(&crc32fast::hash(index).to_le_bytes());
    footer.extend_from_slice(&crc32fast::hash(&footer).to_le_bytes());
    footer.extend_from_slice(END_MAGIC);
    file.extend_from_slice(index);
    file.extend_from_slice(&footer);
    file
}

fn matchers() -> Vec<Vec<Matcher>> {
    let regex = |operator, value| Matcher::of_operator("job", operator, value).expect("a pattern");
    vec![
        Vec::new(),
        vec![Matcher::equal(NAME, "counter")],
        vec![Matcher::equal("job", ""), regex("=~", ".*")],
        vec![Matcher::not_equal("job", "golden"), regex("!~", "a.+|")],
    ]
}

/// All that can be read of a block; what is damaged says so.
fn read(path: &Path, index_bytes: usize) -> Result<Content> {
    let corrupt = |error: Error| {
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        error
    };
    let block = Block::open(path.to_owned(), 1, 0).map_err(corrupt)?;
    let index = block.read_index().map_err(corrupt)?;
    let bytes = index.bytes();
    assert!(bytes <= 1024 + index_bytes * INDEX_FACTOR_MAX, "{bytes} of {index_bytes}");
    for matchers in matchers() {
        let found = index.find(&matchers);
        assert!(found.iter().all(|series| (*series as usize) < index.series_count()));
    }
    let mut content = Content::new();
    let mut reader = ChunkReader::new(&block, &index);
    let mut damage = None;
    for series in 0..index.series_count() as u32 {
        let labels = index.labels(series);
        let _ = index.get(&key::of(&labels));
        let mut samples = Vec::new();
        for chunk in index.chunks(series) {
            let begin = samples.len();
            let (column, read) =
                (index.column(chunk.column), reader.read(chunk, i64::MIN, i64::MAX, &mut samples));
            let its = &samples[begin..];
            match read {
                Ok(()) => {
                    assert_eq!(its.len(), column.samples as usize);
                    assert_eq!(its.first().map(|s| s.at_ms), Some(column.first_ms));
                    assert_eq!(its.last().map(|s| s.at_ms), Some(column.last_ms));
                    assert!(its.is_sorted_by(|a, b| a.at_ms < b.at_ms));
                }
                Err(error) => {
                    assert!(its.is_empty(), "{error}");
                    damage = Some(corrupt(error));
                }
            }
        }
        content.insert(labels, bits(&samples));
    }
    damage.map_or(Ok(content), Err)
}

fn bits(samples: &[Sample]) -> Vec<(i64, u64)> {
    samples.iter().map(|s| (s.at_ms, s.value.to_bits())).collect()
}

fn all() -> Select {
    Select {
        matchers: vec![Matcher::not_equal("", "x")],
        start_ms: i64::MIN,
        end_ms: i64::MAX,
        max_samples: usize::MAX,
        max_bytes: usize::MAX,
        newest_only: false,
    }
}

/// A store of these blocks, asked and then merged. Returns the answers before and after.
fn stored(blocks: &[Vec<u8>]) -> (Content, Content) {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"));
    let scratch = tempfile::tempdir_in(dir().path()).expect("a directory");
    let files = scratch.path().join("blocks");
    std::fs::create_dir(&files).expect("a directory");
    let mut manifest = Manifest { next_block: 1, ..Manifest::default() };
    for bytes in blocks {
        let number = manifest.next_block;
        std::fs::write(files.join(format!("{number:08}.blk")), bytes).expect("a file");
        manifest.blocks.push(Entry { number, level: 0 });
        manifest.next_block += 1;
    }
    manifest.store(scratch.path()).expect("a manifest");
    runtime.block_on(async {
        let clock = ManualClock::at(Timestamp::from_ms(NOW_MS)).shared();
        // Of any age, and merged only when this says so.
        let retention = std::time::Duration::MAX;
        let options = Options { retention, merge_fan_in: blocks.len(), ..Options::default() };
        let store = Embedded::open(scratch.path(), options, clock).await.expect("a store");
        let answers = async || {
            let names = store.label_names(all()).await.expect("names");
            let series = store.series(all()).await.expect("series");
            assert!(series.is_sorted() && names.is_sorted());
            let selected = store.select(all()).await.expect("samples").into_iter();
            selected.map(|one| ((*one.labels).clone(), bits(&one.samples))).collect::<Content>()
        };
        let before = answers().await;
        store.maintain().await.expect("a merge");
        let after = answers().await;
        store.close().await.expect("an end");
        (before, after)
    })
}

fn served(file: &[u8]) {
    stored(&[file.to_vec(), file.to_vec()]);
}

/// Bytes that say what to write; at their end all is zero.
struct Recipe<'a>(&'a [u8]);

impl Recipe<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }
    fn number(&mut self, bytes: usize) -> u64 {
        (0..bytes).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }
    fn text(&mut self) -> String {
        let length = usize::from(self.byte() % 16).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    /// Rising, all of one day.
    fn instants(&mut self) -> Vec<i64> {
        const DAY_MS: i64 = 24 * 3600 * 1000;
        let first = NOW_MS - NOW_MS % DAY_MS + self.number(3) as i64;
        let (count, kind) = (self.number(2), self.byte());
        // Few, mostly: many take their time.
        let count = 1 + count % if kind < 128 { 100 } else { 4000 };
        let step = 1 + self.number(2) as i64 % 20_000;
        let mut at = first;
        let mut next = |i: u64| {
            at += match kind % 3 {
                0 => step,
                1 => step + (i * i % 9) as i64,
                _ => 1 + i64::from(self.byte()) * step,
            };
            at
        };
        let instants = (0..count).map(&mut next);
        let day = first - first.rem_euclid(DAY_MS);
        instants.take_while(|at| *at < day + DAY_MS).collect()
    }

    fn value(&mut self, kind: u8, scale: f64, i: usize) -> f64 {
        let odd = [f64::NAN, f64::INFINITY, -0.0, f64::from_bits(STALE_NAN_BITS), 5e-324];
        match kind % 6 {
            0 => scale,
            1 => (i * 1000 + i * i % 61) as f64 / scale,
            2 => (i as f64).sin() * scale,
            3 => f64::from(self.byte()) / scale,
            4 if i % 20 == 7 => odd[usize::from(self.byte()) % odd.len()],
            4 => i as f64,
            _ => f64::from_bits(self.number(8)),
        }
    }

    fn series(&mut self) -> (Labels, Vec<Sample>) {
        let name = ["counter", "gauge", "c"][usize::from(self.byte() % 3)];
        let labels = Labels::metric(name, &[("job", &self.text()), ("größe", &self.text())]);
        let instants = self.instants();
        let kind = self.byte();
        let scale = 10f64.powi(i32::from(self.byte() % 16) - 2);
        let one = |(i, at_ms)| Sample { at_ms, value: self.value(kind, scale, i) };
        (labels, instants.into_iter().enumerate().map(one).collect())
    }
}

fn write(path: &Path, chunk_samples: usize, all: &BTreeMap<Labels, Vec<Sample>>) -> bool {
    let mut sorted: Vec<_> = all.iter().map(|(labels, its)| (key::of(labels), its)).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut writer = Writer::create(path, chunk_samples).expect("a file");
    for (key, samples) in sorted {
        writer.add(&key, samples).expect("room");
    }
    writer.finish().expect("a file")
}

fn written(recipe: &mut Recipe<'_>, path: &Path) {
    let chunk_samples =
        [1, 7, FLUSHED_CHUNK_SAMPLES, MERGED_CHUNK_SAMPLES][usize::from(recipe.byte() % 4)];
    let all: BTreeMap<_, _> = (0..1 + recipe.byte() % 6).map(|_| recipe.series()).collect();
    if !write(path, chunk_samples, &all) {
        assert!(all.values().all(Vec::is_empty));
        return;
    }
    let expected: Content = all
        .iter()
        .filter(|(_, samples)| !samples.is_empty())
        .map(|(labels, samples)| (labels.clone(), bits(samples)))
        .collect();
    assert_eq!(read(path, usize::MAX / INDEX_FACTOR_MAX / 2).expect("a sound block"), expected);
    let block = Block::open(path.to_owned(), 1, 0).expect("a sound block");
    let index = block.read_index().expect("a sound index");
    for matchers in matchers() {
        let found = index.find(&matchers).into_iter().map(|series| index.labels(series));
        let matching = expected.keys().filter(|its| matchers.iter().all(|m| m.matches_labels(its)));
        assert_eq!(found.collect::<std::collections::BTreeSet<_>>(), matching.cloned().collect());
    }
    for labels in expected.keys() {
        assert_eq!(index.get(&key::of(labels)).map(|its| index.labels(its)).as_ref(), Some(labels));
    }
    if recipe.byte() % 16 == 1 {
        merged(recipe, path, &all, &expected);
    }
}

/// Halves of the samples in a block each, and some in both, are the whole to a store.
fn merged(
    recipe: &mut Recipe<'_>,
    path: &Path,
    all: &BTreeMap<Labels, Vec<Sample>>,
    expected: &Content,
) {
    let mut halves = [BTreeMap::new(), BTreeMap::new()];
    for (labels, samples) in all {
        let mut parts = [Vec::new(), Vec::new()];
        for sample in samples {
            let to = recipe.byte() % 3;
            parts.iter_mut().enumerate().for_each(|(its, part)| {
                if to == 2 || usize::from(to) == its {
                    part.push(*sample);
                }
            });
        }
        let [first, second] = parts;
        halves[0].insert(labels.clone(), first);
        halves[1].insert(labels.clone(), second);
    }
    let mut blocks = Vec::new();
    for half in &halves {
        if write(path, FLUSHED_CHUNK_SAMPLES, half) {
            blocks.push(std::fs::read(path).expect("a file"));
        }
    }
    let (before, after) = stored(&blocks);
    assert_eq!(&before, expected);
    assert_eq!(&after, expected);
}

/// A block's file as an input of this kind.
#[allow(dead_code)]
pub fn parts(kind: u8, file: &[u8]) -> Vec<u8> {
    let footer = file.len() - FOOTER_BYTES;
    let at: [u8; 8] = file[footer..][..8].try_into().expect("eight bytes");
    let (body, index) = file[..footer].split_at(u64::from_le_bytes(at) as usize);
    let length = u16::try_from(index.len()).expect("a short index");
    [&[kind], &length.to_le_bytes()[..], index, &body[MAGIC.len()..]].concat()
}

/// The golden store's block and small ones, in parts and as files, and recipes.
#[allow(dead_code)]
pub fn seeds(golden: &Path) -> Vec<Vec<u8>> {
    let golden = std::fs::read(golden).expect("the golden block");
    let raw = [&[RAW], &golden[..]].concat();
    let mut seeds = vec![raw, parts(PARTS, &golden), parts(SERVED, &golden)];
    let path: PathBuf = dir().path().join("seed.blk");
    for kind in 0..6u8 {
        for (count, steps) in [(5u8, 0u8), (40, 1), (40, 2)] {
            // One series of a few samples.
            let recipe = [2, 0, 0, 2, b'j', b'b', 0, 0, 0, 9, 0, count, steps, 0x3a, 0x98, kind, 4];
            let mut it = Recipe(&recipe[2..]);
            let all = BTreeMap::from([it.series()]);
            assert!(write(&path, FLUSHED_CHUNK_SAMPLES, &all));
            let file = std::fs::read(&path).expect("a file");
            seeds.push(parts(if steps == 1 { SERVED } else { PARTS }, &file));
            seeds.push([&[WRITTEN], &recipe[..]].concat());
        }
    }
    // Two series, merged of two blocks.
    let two = [1, 1, 0, 1, b'a', 0, 0, 0, 0, 0, 50, 1, 0, 9, 3, 5, 1, 1, 2, 3, 4, 5, 6, 7];
    seeds.push([&[WRITTEN], &two[..]].concat());
    seeds
}
