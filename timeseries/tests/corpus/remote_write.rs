//! What any bytes may be put through as a body of remote write: it is refused, or read as `prost`
//! reads it; and a store takes what it may of it, counts the rest, and answers what it took.

use std::sync::{Arc, Mutex, PoisonError};

use base::{
    sample::{Labels, NAME, Sample, Series},
    time::{ManualClock, Timestamp},
};
use prost::Message;
use timeseries::{
    Appended, Embedded, Error, Exemplar, Matcher, Metadata, Options, Select, Store, TENANT,
    remote_write::{Body, Label, Relabel},
    validate,
};
use tokio::runtime::Runtime;

const NOW_MS: i64 = 1_700_000_000_000;
/// The first byte of an input that is a body as it comes; with another one a snappy block is made
/// of the rest.
const COMPRESSED: u8 = b'z';
const ACTIVE_SERIES_MAX: usize = 100;
/// A store takes so many bodies before a new one takes its place.
const BODIES_PER_STORE: usize = 200;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    series: Vec<OneSeries>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Described>,
}

#[derive(Clone, PartialEq, Message)]
struct OneSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Pair>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Point>,
    #[prost(message, repeated, tag = "3")]
    exemplars: Vec<Example>,
    #[prost(bytes = "vec", repeated, tag = "4")]
    histograms: Vec<Vec<u8>>,
}

/// Bytes, so that it is not `prost` who judges whether they are UTF-8.
#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(bytes = "vec", tag = "1")]
    name: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Point {
    /// Encoded even where it is zero, or a negative one would lose its sign.
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
    #[prost(int64, tag = "2")]
    at_ms: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Example {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Pair>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
    #[prost(int64, tag = "3")]
    at_ms: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Described {
    #[prost(uint64, tag = "1")]
    kind: u64,
    #[prost(bytes = "vec", tag = "2")]
    metric: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    help: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    unit: Vec<u8>,
}

fn labels(pairs: &[Pair]) -> Labels {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a label is UTF-8");
    Labels::new(pairs.iter().map(|pair| (text(&pair.name), text(&pair.value))))
}

type Bits = (Labels, Vec<(i64, u64)>);

fn bits(series: &[Series]) -> Vec<Bits> {
    let of = |one: &Series| {
        let samples = one.samples.iter().map(|s| (s.at_ms, s.value.to_bits()));
        (one.labels.clone(), samples.collect())
    };
    series.iter().map(of).collect()
}

impl Request {
    fn bits(&self) -> Vec<Bits> {
        let of = |one: &OneSeries| {
            let samples = one.samples.iter().map(|s| (s.at_ms, s.value().to_bits()));
            (labels(&one.labels), samples.collect())
        };
        self.series.iter().map(of).collect()
    }

    fn exemplars(&self) -> Vec<(Labels, Labels, i64, u64)> {
        let of = |one: &OneSeries| {
            let its = labels(&one.labels);
            let each = |e: &Example| (its.clone(), labels(&e.labels), e.at_ms, e.value().to_bits());
            one.exemplars.iter().map(each).collect::<Vec<_>>()
        };
        self.series.iter().flat_map(of).collect()
    }

    fn metadata(&self) -> Vec<Metadata> {
        const KINDS: [&str; 8] = [
            "unknown",
            "counter",
            "gauge",
            "histogram",
            "gaugehistogram",
            "summary",
            "info",
            "stateset",
        ];
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let of = |one: &Described| Metadata {
            metric: text(&one.metric),
            kind: (*KINDS.get(one.kind as usize).unwrap_or(&KINDS[0])).to_owned(),
            help: text(&one.help),
            unit: text(&one.unit),
        };
        let named = self.metadata.iter().filter(|one| !one.metric.is_empty());
        named.map(of).collect()
    }
}

fn exemplars(body: &Body) -> Vec<(Labels, Labels, i64, u64)> {
    let of = |(series, exemplar): (timeseries::remote_write::Borrowed<'_>, &Exemplar)| {
        let its: Vec<Label<'_>> = series.labels().collect();
        let Sample { at_ms, value } = exemplar.sample;
        (timeseries::remote_write::owned(&its), exemplar.labels.clone(), at_ms, value.to_bits())
    };
    body.exemplars().map(of).collect()
}

fn squeezed(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).expect("a short input")
}

/// Panics where something is wrong.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let (body, plain) = if *kind == COMPRESSED {
        (rest.to_vec(), snap::raw::Decoder::new().decompress_vec(rest).ok())
    } else {
        (squeezed(rest), Some(rest.to_vec()))
    };
    let request = plain.and_then(|plain| Request::decode(plain.as_slice()).ok());
    match (Body::read(&body), request) {
        (Ok(read), Some(request)) => {
            same(&read, &request);
            append(&read);
        }
        (Ok(_), None) => panic!("read, though it is no request"),
        // Without the fields that nobody knows, and the groups that proto3 does not have.
        (Err(_), Some(request)) => match Body::read(&squeezed(&request.encode_to_vec())) {
            Ok(read) => same(&read, &request),
            Err(error) => refused(&request, &error),
        },
        (Err(_), None) => {}
    }
}

/// What `prost` reads and this does not is no set of series.
fn refused(request: &Request, error: &Error) {
    let no_labels = |pairs: &[Pair]| {
        let no_text = |pair: &Pair| {
            let utf8 = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok();
            pair.name.is_empty() || !utf8(&pair.name) || !utf8(&pair.value)
        };
        pairs.len() > 256 || pairs.iter().any(no_text)
    };
    let twice = |one: &OneSeries| {
        let mut names: Vec<_> = one.labels.iter().map(|pair| &pair.name).collect();
        names.sort();
        names.windows(2).any(|pair| pair[0] == pair[1])
    };
    let no_series = |one: &OneSeries| {
        let exemplars = || one.exemplars.iter().any(|exemplar| no_labels(&exemplar.labels));
        no_labels(&one.labels) || twice(one) || exemplars()
    };
    assert!(matches!(error, Error::BadData(_)), "{error}");
    assert!(request.series.iter().any(no_series), "{error}: {request:?}");
}

fn same(read: &Body, request: &Request) {
    let samples: usize = request.series.iter().map(|one| one.samples.len()).sum();
    assert_eq!(read.sample_count(), samples);
    assert_eq!(bits(&read.to_series(&timeseries::remote_write::Unchanged)), request.bits());
    assert_eq!(exemplars(read), request.exemplars());
    assert_eq!(read.metadata(), request.metadata());
    let histograms: usize = request.series.iter().map(|one| one.histograms.len()).sum();
    assert_eq!(read.histograms_dropped(), histograms);
}

/// As the program does it: the sender's word on this label counts for nothing.
#[derive(Debug)]
struct OfTenant;

const ITS_TENANT: &str = "fuzz";

impl Relabel for OfTenant {
    fn relabel<'a>(&'a self, labels: &mut Vec<Label<'a>>) {
        labels.push((TENANT.as_bytes(), ITS_TENANT.as_bytes()));
    }
}

struct Opened {
    runtime: Runtime,
    store: Option<(Embedded, tempfile::TempDir)>,
    bodies: usize,
}

impl Opened {
    fn store(&mut self) -> (&Runtime, &Embedded) {
        if self.bodies.is_multiple_of(BODIES_PER_STORE) {
            self.store = None;
        }
        self.bodies += 1;
        let open = || {
            let dir = tempfile::tempdir().expect("a directory");
            let clock = ManualClock::at(Timestamp::from_ms(NOW_MS)).shared();
            let options = Options { active_series_max: ACTIVE_SERIES_MAX, ..Options::default() };
            let path = dir.path().join("store");
            let store = Embedded::open(&path, options, clock);
            (self.runtime.block_on(store).expect("a new store"), dir)
        };
        (&self.runtime, &self.store.get_or_insert_with(open).0)
    }
}

fn append(body: &Body) {
    static OPENED: Mutex<Option<Opened>> = Mutex::new(None);
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let opened = opened.get_or_insert_with(|| Opened {
        runtime: Runtime::new().expect("a runtime"),
        store: None,
        bodies: 0,
    });
    let flush = opened.bodies % 10 == 9;
    let (runtime, store) = opened.store();
    let sent = || runtime.block_on(store.append_remote_write(body.clone(), Arc::new(OfTenant)));
    let first = sent().expect("an append");
    counted(body, &first);
    if flush {
        runtime.block_on(store.flush()).expect("a flush");
    }
    let again = sent().expect("an append");
    counted(body, &again);
    // A flush lets go of idle series, so that there is room for others.
    if !flush || first.over_limits() == 0 {
        assert_eq!(again.written, 0, "{first:?}, {again:?}");
    }
    assert_eq!(again.invalid, first.invalid);
    let series = body.to_series(&OfTenant);
    for one in series.iter().filter(|one| !one.samples.is_empty()).take(4) {
        if validate::check_labels(&one.labels).is_ok() {
            let found = runtime.block_on(store.select(exactly(&one.labels))).expect("an answer");
            answered(one, &again, &found);
        }
    }
}

fn counted(body: &Body, appended: &Appended) {
    let taken = appended.written + appended.duplicates;
    assert_eq!(taken + appended.rejected(), body.sample_count(), "{appended:?}");
    assert_eq!(appended.first_error.is_some(), appended.rejected() > 0, "{appended:?}");
}

fn exactly(labels: &Labels) -> Select {
    let equal = |(name, value)| Matcher::equal(name, value);
    Select {
        matchers: labels.iter().map(equal).collect(),
        start_ms: i64::MIN,
        end_ms: i64::MAX,
        max_samples: usize::MAX,
        max_bytes: usize::MAX,
        newest_only: false,
    }
}

fn answered(sent: &Series, appended: &Appended, found: &[timeseries::Selected]) {
    for one in found {
        assert_eq!(one.labels.get(TENANT), Some(ITS_TENANT));
        assert!(validate::check_labels(&one.labels).is_ok(), "{one:?}");
        assert!(one.samples.is_sorted_by(|a, b| a.at_ms < b.at_ms), "{one:?}");
    }
    if appended.rejected() > 0 {
        return;
    }
    let found =
        found.iter().find(|one| *one.labels == sent.labels).expect("a series that was taken");
    for sample in &sent.samples {
        let at = found.samples.binary_search_by_key(&sample.at_ms, |its| its.at_ms);
        let at = at.unwrap_or_else(|_| panic!("{sample:?} was taken"));
        assert_eq!(found.samples[at].value.to_bits(), sample.value.to_bits());
    }
}

/// Bodies as senders make them, as inputs.
#[allow(dead_code)]
pub fn seeds() -> Vec<Vec<u8>> {
    let pair = |(name, value): (&str, &str)| Pair {
        name: name.as_bytes().to_vec(),
        value: value.as_bytes().to_vec(),
    };
    let series = |labels: &[(&str, &str)], samples: &[(i64, f64)]| OneSeries {
        labels: labels.iter().copied().map(pair).collect(),
        samples: samples
            .iter()
            .map(|(at, value)| Point { at_ms: NOW_MS + at, value: Some(*value) })
            .collect(),
        ..OneSeries::default()
    };
    let metadata = |kind, metric: &str, help: &str| Described {
        kind,
        metric: metric.as_bytes().to_vec(),
        help: help.as_bytes().to_vec(),
        unit: Vec::new(),
    };
    let stale = f64::from_bits(base::sample::STALE_NAN_BITS);
    let node = [(NAME, "node_cpu_seconds_total"), ("cpu", "0"), ("instance", "host-1:9100")];
    let bucket = [(NAME, "http_seconds_bucket"), ("le", "0.5"), (TENANT, "somebody")];
    let mut traced = series(&bucket, &[(0, 3.0), (15_000, 4.0)]);
    traced.exemplars.push(Example {
        labels: vec![pair(("trace_id", "4bf92f35"))],
        value: Some(0.31),
        at_ms: NOW_MS - 20,
    });
    let mut native = series(&[(NAME, "h")], &[]);
    native.histograms.push(vec![8, 1, 16, 2]);
    let of_series = |series| Request { series, ..Request::default() };
    let requests = [
        Request::default(),
        of_series(vec![series(&node, &[(-15_000, 1203.25), (0, 1218.2)])]),
        of_series(vec![traced, native]),
        of_series(vec![series(&[(NAME, "up"), ("job", "größe")], &[(0, 1.0), (15_000, stale)])]),
        // In no order, twice, late, in the future, without a name, over the limit.
        of_series(vec![
            series(&[("job", "b"), (NAME, "a")], &[(0, 1.0), (0, 2.0), (-1, f64::NAN), (0, 1.0)]),
            series(&[(NAME, "a"), ("job", "b")], &[(-7_200_000, 1.0), (3_600_000, 1.0)]),
            series(&[("job", "b")], &[(0, 1.0)]),
            series(&[(NAME, "1a")], &[(0, 1.0)]),
        ]),
        of_series(
            (0..120)
                .map(|i| series(&[(NAME, "many"), ("i", &i.to_string())], &[(0, 0.5)]))
                .collect(),
        ),
        Request {
            series: Vec::new(),
            metadata: vec![
                metadata(1, "node_cpu_seconds_total", "Seconds."),
                metadata(99, "x", ""),
            ],
        },
    ];
    let kind = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
    let mut inputs: Vec<_> =
        requests.iter().map(|request| kind(b'p', &request.encode_to_vec())).collect();
    inputs.push(kind(COMPRESSED, &squeezed(&requests[1].encode_to_vec())));
    // It says that it is 4 GiB.
    inputs.push(kind(COMPRESSED, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]));
    inputs
}
