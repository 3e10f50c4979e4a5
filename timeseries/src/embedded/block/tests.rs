use std::{fs, path::Path, sync::Arc};

use base::sample::{Labels, STALE_NAN_BITS, Sample};
use proptest::prelude::*;

use super::{write::Writer, *};
use crate::{
    Matcher,
    embedded::{codec::put_varint, key, tests::matching},
};

fn sample(at_ms: i64, value: f64) -> Sample {
    Sample { at_ms, value }
}

type Content = Vec<(Labels, Vec<Sample>)>;

fn write(path: &Path, all: &Content) -> bool {
    let mut sorted: Vec<_> = all.iter().map(|(l, s)| (key::of(l), s)).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut writer = Writer::create(path, FLUSHED_CHUNK_SAMPLES).unwrap();
    for (key, samples) in sorted {
        writer.add(&key, samples).unwrap();
    }
    writer.finish().unwrap()
}

fn written(path: &Path) -> Content {
    let long = (0..2000).map(|i| sample(i * 15_000 + i % 7, (i * i) as f64 / 3.0)).collect();
    let all = vec![
        (Labels::metric("a", &[("job", "x")]), long),
        (Labels::metric("a", &[("job", "y")]), vec![sample(-5, f64::NAN), sample(7, 1.0)]),
        (Labels::metric("b", &[]), vec![sample(3, f64::INFINITY)]),
    ];
    assert!(write(path, &all));
    all
}

fn bits(samples: &[Sample]) -> Vec<(i64, u64)> {
    samples.iter().map(|s| (s.at_ms, s.value.to_bits())).collect()
}

fn read(block: &Block, index: &Index, labels: &Labels) -> Result<Vec<Sample>> {
    let series = index.get(&key::of(labels)).expect("a series that was written");
    let mut reader = ChunkReader::new(block, index);
    let mut samples = Vec::new();
    for chunk in index.chunks(series) {
        reader.read(chunk, i64::MIN, i64::MAX, &mut samples)?;
    }
    Ok(samples)
}

#[test]
fn matchers_find_what_a_walk_over_all_labels_finds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000001.blk");
    let mut all = matching::all();
    assert!(write(&path, &all.iter().map(|its| (its.clone(), vec![sample(1, 1.0)])).collect()));
    // As a block has them.
    all.sort_by_key(key::of);
    let index = Block::open(path, 1, 0).unwrap().read_index().unwrap();
    for matchers in matching::cases() {
        let expected = matching::walk(&all, &matchers);
        assert_eq!(index.find(&matchers), expected, "{matchers:?}");
        let most = index.finds_at_most(&matchers);
        assert!(most.is_none_or(|most| most >= expected.len()), "{matchers:?}");
    }
}

#[test]
fn what_was_written_is_read_by_series_and_by_matcher() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000001.blk");
    let all = written(&path);
    let block = Block::open(path, 1, 0).unwrap();
    assert_eq!((block.first_ms, block.last_ms), (-5, 1999 * 15_000 + 1999 % 7));
    let index = block.read_index().unwrap();
    assert_eq!(index.series_count(), all.len());
    for (labels, samples) in &all {
        assert_eq!(bits(&read(&block, &index, labels).unwrap()), bits(samples));
    }
    let matchers = [Matcher::equal("__name__", "a"), Matcher::not_equal("job", "x")];
    let found = index.find(&matchers);
    let jobs: Vec<_> =
        found.iter().map(|s| index.labels(*s).get("job").unwrap().to_owned()).collect();
    assert_eq!(jobs, ["y"]);
    assert_eq!(index.get(&key::of(&Labels::metric("c", &[]))), None);
    let mut part = Vec::new();
    let long = index.get(&key::of(&all[0].0)).unwrap();
    let mut reader = ChunkReader::new(&block, &index);
    for chunk in index.chunks_in(long, 15_001, 45_003) {
        reader.read(chunk, 15_001, 45_003, &mut part).unwrap();
    }
    assert_eq!(bits(&part), bits(&all[0].1[1..4]));
}

#[test]
fn no_flipped_byte_gives_a_wrong_value() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000001.blk");
    let all = written(&path);
    let sound = fs::read(&path).unwrap();
    let footer = sound.len() - FOOTER_BYTES;
    let interesting = (0..sound.len()).filter(|at| *at > footer || at % 13 == 0);
    for at in interesting {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        let Ok(block) = Block::open(path.clone(), 1, 0) else { continue };
        let index = block.read_index().unwrap();
        let mut failed = 0;
        for (labels, samples) in &all {
            match read(&block, &index, labels) {
                Ok(read) => assert_eq!(bits(&read), bits(samples)),
                Err(error) => {
                    assert!(error.to_string().contains("checksum"), "{error}");
                    failed += 1;
                }
            }
        }
        assert_eq!(failed, 1, "byte {at}");
    }
    for length in [0, 7, 40, footer, sound.len() - 1] {
        fs::write(&path, &sound[..length]).unwrap();
        assert!(matches!(Block::open(path.clone(), 1, 0), Err(Error::Corrupt { .. })));
    }
}

/// An index of a few kilobytes in which each text and each series repeats the one before.
fn repeating(text_bytes: usize, labels: usize) -> Vec<u8> {
    const COUNT: usize = 1000;
    let mut index = Vec::new();
    put_varint(&mut index, COUNT as u64);
    let mut last = Vec::new();
    for number in 0..COUNT {
        let text = format!("{number:0text_bytes$}").into_bytes();
        index::put_text(&mut index, &last, &text);
        last = text;
    }
    // Each text is a name, and its own value; no columns.
    put_varint(&mut index, labels as u64);
    for pair in 0..labels {
        index.extend([u8::from(pair > 0), pair as u8]);
    }
    index.push(0);
    put_varint(&mut index, COUNT as u64);
    for series in 0..COUNT {
        let shared = if series == 0 { 0 } else { labels };
        index.extend([labels as u8, shared as u8]);
        (shared..labels).for_each(|pair| put_varint(&mut index, 2 * pair as u64));
        // No chunks.
        index.push(0);
    }
    index
}

#[test]
fn an_index_that_would_fill_the_memory_is_refused() {
    use crate::validate::{LABEL_VALUE_MAX_BYTES, LABELS_MAX};
    let large = Index::decode(&repeating(LABEL_VALUE_MAX_BYTES, LABELS_MAX)).unwrap();
    assert!(large.bytes() > 4_000_000, "{}", large.bytes());
    assert!(Index::decode(&repeating(LABEL_VALUE_MAX_BYTES + 1, 1)).is_none());
    assert!(Index::decode(&repeating(10, LABELS_MAX + 1)).is_none());
}

#[test]
fn a_block_of_nothing_is_no_block() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000001.blk");
    assert!(!write(&path, &Vec::new()));
    assert!(!path.exists());
}

/// Two hours of a target's series, as the measurements have them.
fn scraped(targets: i64, metrics: i64) -> Content {
    let mut all = Content::new();
    for target in 0..targets {
        for metric in 0..metrics {
            let name = format!("metric_{metric}_total");
            let labels = Labels::metric(&name, &[("instance", &format!("host-{target}:9100"))]);
            let samples = (0..480i64).map(|i| {
                let jitter = (i * 7919 + target * 104_729) % 9 - 4;
                let value = match metric % 3 {
                    0 => (i * 1000 + i * i * (metric + 1) % 61) as f64,
                    1 => (5000 + (i * i + metric) * 37 % 97) as f64 / 100.0,
                    _ => 1.0,
                };
                sample(1_700_000_000_000 + i * 15_000 + jitter, value)
            });
            all.push((labels, samples.collect()));
        }
    }
    all
}

#[test]
fn series_of_a_target_share_their_instants() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000001.blk");
    let all = scraped(3, 60);
    write(&path, &all);
    let bytes = fs::metadata(&path).unwrap().len() as f64;
    let block = Block::open(path.clone(), 1, 0).unwrap();
    let index = block.read_index().unwrap();
    let columns = (0..index.series_count() as u32).flat_map(|s| index.chunks(s)).map(|c| c.column);
    assert_eq!(columns.max(), Some(2));
    let per_sample = bytes / (all.len() * 480) as f64;
    assert!(per_sample < 0.9, "{per_sample} bytes a sample");
    for (labels, samples) in &all {
        assert_eq!(bits(&read(&block, &index, labels).unwrap()), bits(samples));
    }
}

fn labels() -> impl Strategy<Value = Labels> {
    let pair = ("[a-c]{1,2}", "[x-zé]{0,2}");
    (0..4, prop::collection::vec(pair, 0..4))
        .prop_map(|(name, pairs)| Labels::new(pairs).with("__name__", &format!("m{name}")))
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let value = prop_oneof![
        Just(1.0),
        (0i64..1000).prop_map(|n| n as f64 / 10.0),
        Just(f64::from_bits(STALE_NAN_BITS)),
        any::<u64>().prop_map(f64::from_bits),
    ];
    let step = prop_oneof![Just(15_000i64), 1i64..40_000];
    (any::<i32>(), prop::collection::vec((step, value), 1..1200)).prop_map(|(first, rows)| {
        let mut at_ms = i64::from(first);
        let next = |(step, value)| {
            at_ms += step;
            sample(at_ms, value)
        };
        rows.into_iter().map(next).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_block_comes_back(mut all in prop::collection::vec((labels(), samples()), 1..8), pattern in prop::sample::select(vec!["m[0-1]", ".*2", "", "m1|m3", "m.*"]), negate: bool) {
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.dedup_by(|a, b| a.0 == b.0);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("00000001.blk");
        prop_assert!(write(&path, &all));
        let block = Block::open(path, 1, 0).unwrap();
        let index = Arc::new(block.read_index().unwrap());
        prop_assert_eq!(index.series_count(), all.len());
        for (labels, samples) in &all {
            prop_assert_eq!(bits(&read(&block, &index, labels).unwrap()), bits(samples));
        }
        // The index finds what looking at all labels finds.
        let matchers = [
            Matcher::regex("__name__", pattern).unwrap(),
            if negate { Matcher::not_equal("a", "x") } else { Matcher::equal("a", "x") },
            Matcher::not_regex("b", "y.*").unwrap(),
        ];
        let mut found: Vec<_> = index.find(&matchers).iter().map(|s| index.labels(*s)).collect();
        found.sort();
        let all_hold = |labels: &Labels| matchers.iter().all(|m| m.matches_labels(labels));
        let expected: Vec<_> = all.iter().map(|(l, _)| l.clone()).filter(all_hold).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn garbage_is_no_index(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Index::decode(&bytes);
    }
}
