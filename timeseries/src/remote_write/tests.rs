use proptest::prelude::*;

use super::*;

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_bytes(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn message(series: &[Series]) -> Vec<u8> {
    let mut request = Vec::new();
    for one in series {
        let mut message = Vec::new();
        for (name, value) in one.labels.iter() {
            let mut label = Vec::new();
            put_bytes(&mut label, 1, name.as_bytes());
            put_bytes(&mut label, 2, value.as_bytes());
            put_bytes(&mut message, 1, &label);
        }
        for sample in &one.samples {
            let mut bytes = vec![1 << 3 | 1];
            bytes.extend_from_slice(&sample.value.to_le_bytes());
            bytes.push(2 << 3);
            put_varint(&mut bytes, sample.at_ms as u64);
            put_bytes(&mut message, 2, &bytes);
        }
        put_bytes(&mut request, 1, &message);
    }
    request
}

fn squeeze(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

fn series(name: &str, at_ms: i64) -> Series {
    let samples = vec![Sample { at_ms, value: 1.5 }, Sample { at_ms: at_ms + 1, value: -0.0 }];
    Series { labels: Labels::metric(name, &[("job", "é")]), samples }
}

#[test]
fn what_was_encoded_comes_back() {
    let sent = vec![series("a", -5), series("b", 1_700_000_000_000)];
    let decoded = decode(&squeeze(&message(&sent))).unwrap();
    assert_eq!((decoded.series, decoded.samples, decoded.histograms_dropped), (sent, 4, 0));
    assert_eq!(decode(&squeeze(&[])).unwrap(), Decoded::default());
}

#[test]
fn metadata_and_exemplars_are_skipped_and_histograms_counted() {
    let mut one = Vec::new();
    put_bytes(&mut one, 3, b"exemplar");
    put_bytes(&mut one, 4, b"histogram");
    let mut request = message(&[series("a", 1)]);
    put_bytes(&mut request, 1, &one);
    put_bytes(&mut request, 3, b"metadata");
    let decoded = decode(&squeeze(&request)).unwrap();
    assert_eq!((decoded.series.len(), decoded.histograms_dropped), (2, 1));
}

#[test]
fn bad_bodies_are_refused_with_the_reason() {
    let refuse = |body: &[u8]| decode(body).unwrap_err().to_string();
    assert!(refuse(b"not snappy at all").contains("snappy"));
    let cut = message(&[series("a", 1)]);
    assert!(refuse(&squeeze(&cut[..cut.len() - 3])).contains("cut short"));
    let mut twice = Vec::new();
    for value in ["1", "2"] {
        let mut label = Vec::new();
        put_bytes(&mut label, 1, b"a");
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(&mut twice, 1, &label);
    }
    let mut request = Vec::new();
    put_bytes(&mut request, 1, &twice);
    assert!(refuse(&squeeze(&request)).contains("twice"));
    // A body of a few bytes that claims to be enormous.
    let mut bomb = Vec::new();
    put_varint(&mut bomb, (DECODED_MAX_BYTES + 1) as u64);
    bomb.push(0);
    assert!(matches!(decode(&bomb), Err(Error::TooLarge { .. })));
    let many = vec![Series { samples: vec![], ..series("a", 1) }; SERIES_MAX + 1];
    assert!(refuse(&squeeze(&message(&many))).contains("more than"));
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
        let _ = decode(&squeeze(&bytes));
    }
}
