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
    let body = Body::read(&squeeze(&message(&sent))).unwrap();
    assert_eq!(body.to_series(&Unchanged), sent);
    assert_eq!((body.sample_count(), body.histograms_dropped()), (4, 0));
    let first = body.series().next().unwrap();
    assert_eq!((first.get("job"), first.get("nobody")), (Some("é"), None));
    assert_eq!(Body::read(&squeeze(&[])).unwrap().series().len(), 0);
}

#[derive(Debug)]
struct OwnJob(String);

impl Relabel for OwnJob {
    fn relabel<'a>(&'a self, labels: &mut Vec<Label<'a>>) {
        labels.push((b"job", self.0.as_bytes()));
        labels.retain(|(name, _)| *name != b"secret");
    }
}

#[test]
fn labels_are_rewritten_on_the_way_in() {
    let mut sent = series("a", 1);
    sent.labels = sent.labels.with("secret", "x");
    let body = Body::read(&squeeze(&message(&[sent.clone()]))).unwrap();
    let taken = body.to_series(&OwnJob("mine".to_owned())).remove(0);
    assert_eq!(taken.labels, sent.labels.without("secret").with("job", "mine"));
    assert_eq!(taken.samples, sent.samples);
}

/// A body with two samples, metadata, an exemplar and a histogram.
pub fn annotated(name: &str, at_ms: i64) -> Vec<u8> {
    let mut label = Vec::new();
    put_bytes(&mut label, 1, b"trace_id");
    put_bytes(&mut label, 2, b"abc");
    let mut exemplar = Vec::new();
    put_bytes(&mut exemplar, 1, &label);
    exemplar.push(2 << 3 | 1);
    exemplar.extend_from_slice(&2.5f64.to_le_bytes());
    exemplar.push(3 << 3);
    put_varint(&mut exemplar, at_ms as u64);
    let mut named = Vec::new();
    put_bytes(&mut named, 1, b"__name__");
    put_bytes(&mut named, 2, name.as_bytes());
    let mut one = Vec::new();
    put_bytes(&mut one, 1, &named);
    put_bytes(&mut one, 3, &exemplar);
    put_bytes(&mut one, 4, b"histogram");
    let mut metadata = vec![1 << 3, 1];
    put_bytes(&mut metadata, 2, name.as_bytes());
    put_bytes(&mut metadata, 4, b"what it is");
    put_bytes(&mut metadata, 5, b"bytes");
    let mut request = message(&[series(name, at_ms)]);
    put_bytes(&mut request, 1, &one);
    put_bytes(&mut request, 3, &metadata);
    squeeze(&request)
}

/// The body of these series.
pub fn encoded(series: &[Series]) -> Vec<u8> {
    squeeze(&message(series))
}

#[test]
fn metadata_and_exemplars_are_read_and_histograms_counted() {
    let body = Body::read(&annotated("a", 77)).unwrap();
    assert_eq!((body.series().len(), body.histograms_dropped()), (2, 1));
    let text = str::to_owned;
    let (metric, kind, help, unit) =
        (text("a"), text("counter"), text("what it is"), text("bytes"));
    assert_eq!(body.metadata(), [Metadata { metric, kind, help, unit }]);
    let (_, found) = body.exemplars().next().unwrap();
    assert_eq!(found.labels.get("trace_id"), Some("abc"));
    assert_eq!(found.sample, Sample { at_ms: 77, value: 2.5 });
}

#[test]
fn labels_in_any_order_and_of_any_length_are_read() {
    let long = "v".repeat(300);
    let mut request = Vec::new();
    let mut one = Vec::new();
    for (name, value) in [("b", long.as_str()), ("__name__", "m"), ("a", "")] {
        let mut label = Vec::new();
        // The value before the name.
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(&mut label, 1, name.as_bytes());
        put_bytes(&mut one, 1, &label);
    }
    put_bytes(&mut request, 1, &one);
    let body = Body::read(&squeeze(&request)).unwrap();
    let names: Vec<_> = body.series().next().unwrap().labels().map(|(name, _)| name).collect();
    assert_eq!(names, [&b"__name__"[..], b"a", b"b"]);
    assert_eq!(body.to_series(&Unchanged)[0].labels, Labels::metric("m", &[("b", &long)]));
}

#[test]
fn bad_bodies_are_refused_with_the_reason() {
    let refuse = |body: &[u8]| Body::read(body).unwrap_err().to_string();
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
    assert!(matches!(Body::read(&bomb), Err(Error::TooLarge { .. })));
    let many = vec![Series { samples: vec![], ..series("a", 1) }; SERIES_MAX + 1];
    assert!(refuse(&squeeze(&message(&many))).contains("more than"));
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Body::read(&bytes);
        let _ = Body::read(&squeeze(&bytes));
    }
}
