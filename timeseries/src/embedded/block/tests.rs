use std::{fs, path::Path};

use super::{write::Writer, *};
use crate::Matcher;

fn sample(at_ms: i64, value: f64) -> Sample {
    Sample { at_ms, value }
}

fn written(path: &Path) -> Vec<(Labels, Vec<Sample>)> {
    let long = (0..2000).map(|i| sample(i * 15_000 + i % 7, (i * i) as f64 / 3.0)).collect();
    let all = vec![
        (Labels::metric("a", &[("job", "x")]), long),
        (Labels::metric("a", &[("job", "y")]), vec![sample(-5, f64::NAN), sample(7, 1.0)]),
        (Labels::metric("b", &[]), vec![sample(3, f64::INFINITY)]),
    ];
    let mut writer = Writer::create(path).unwrap();
    for (labels, samples) in &all {
        writer.add(labels, samples).unwrap();
    }
    assert!(writer.finish().unwrap());
    all
}

fn bits(samples: &[Sample]) -> Vec<(i64, u64)> {
    samples.iter().map(|s| (s.at_ms, s.value.to_bits())).collect()
}

#[test]
fn what_was_written_is_read_by_series_and_by_matcher() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000001.blk");
    let all = written(&path);
    let block = Block::open(path, 1, 0).unwrap();
    assert_eq!((block.first_ms, block.last_ms), (-5, 1999 * 15_000 + 1999 % 7));
    let index = block.read_index().unwrap();
    for (series, (labels, samples)) in index.series.iter().zip(&all) {
        assert_eq!(&*series.labels, labels);
        let mut read = Vec::new();
        for chunk in &series.chunks {
            block.read_chunk(chunk, &mut read).unwrap();
        }
        assert_eq!(bits(&read), bits(samples));
    }
    let matchers = [Matcher::equal("__name__", "a"), Matcher::not_equal("job", "x")];
    let found = index.find(&matchers);
    assert_eq!(found.map(|s| s.labels.get("job").unwrap()).collect::<Vec<_>>(), ["y"]);
    assert!(index.get(&all[2].0).is_some() && index.get(&Labels::metric("c", &[])).is_none());
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
        for (series, (_, samples)) in index.series.iter().zip(&all) {
            let mut read = Vec::new();
            match series.chunks.iter().try_for_each(|c| block.read_chunk(c, &mut read)) {
                Ok(()) => assert_eq!(bits(&read), bits(samples)),
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

#[test]
fn a_block_of_nothing_is_no_block() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000001.blk");
    assert!(!Writer::create(&path).unwrap().finish().unwrap());
    assert!(!path.exists());
}
