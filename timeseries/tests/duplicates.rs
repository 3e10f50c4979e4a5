//! Which samples of a series are taken: as the real Prometheus decides, sample by sample.

use base::{
    sample::{Labels, STALE_NAN_BITS, Sample, Series},
    time::{ManualClock, Timestamp},
};
use timeseries::{Embedded, Error, Matcher, Options, Outside, Select, Store};

#[path = "reference/data.rs"]
// Shared with other tests, which use the rest.
#[allow(dead_code)]
mod data;
#[path = "engines/process.rs"]
// Shared with other tests, which use the rest.
#[allow(dead_code)]
mod process;

use data::Random;
use process::{Process, Product};

const START_MS: i64 = 1_700_000_000_000;
const STEP_MS: i64 = 1000;
const SERIES: u64 = 3;
const SAMPLES: usize = 400;
const SEED: u64 = 7;

/// Mostly forward, often once more at the newest instant, sometimes behind it; few values, so that
/// a repetition is as likely the same as another one.
fn sent() -> Vec<Series> {
    let values = [1.0, 2.0, 0.0, -0.0, f64::NAN, f64::from_bits(STALE_NAN_BITS), f64::INFINITY];
    let mut random = Random(SEED);
    let mut newest = [START_MS; SERIES as usize];
    let one = |_| {
        let series = random.below(SERIES) as usize;
        let at_ms = newest[series] + STEP_MS * [1, 1, 0, 0, 0, -1, -3][random.below(7) as usize];
        newest[series] = newest[series].max(at_ms);
        let value = values[random.below(values.len() as u64) as usize];
        let labels = Labels::metric("judged", &[("series", &series.to_string())]);
        Series { labels, samples: vec![Sample { at_ms, value }] }
    };
    (0..SAMPLES).map(one).collect()
}

type Content = Vec<(Labels, Vec<(i64, u64)>)>;

/// Whether each was taken, and what is there in the end.
async fn judged(store: &dyn Store, sent: &[Series]) -> (Vec<bool>, Content) {
    let mut taken = Vec::new();
    for one in sent {
        taken.push(match store.append(vec![one.clone()]).await {
            Ok(appended) => appended.rejected() == 0,
            Err(Error::EngineRefused { .. }) => false,
            Err(error) => panic!("{error}"),
        });
    }
    let all = Select {
        matchers: vec![Matcher::equal("__name__", "judged")],
        start_ms: START_MS - STEP_MS * 10,
        end_ms: START_MS + STEP_MS * SAMPLES as i64,
        max_samples: usize::MAX,
        max_bytes: usize::MAX,
        newest_only: false,
    };
    let selected = store.select(all).await.expect("samples").into_iter().map(|one| {
        // Prometheus' remote read leaves out a zero, and with it its sign.
        let bits = |value: f64| if value == 0.0 { 0 } else { value.to_bits() };
        let samples = one.samples.iter().map(|s| (s.at_ms, bits(s.value)));
        ((*one.labels).clone(), samples.collect())
    });
    (taken, selected.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_samples_at_one_instant_the_one_that_prometheus_takes_is_taken() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let process = Process::start(Product::Prometheus, scratch.path());
    let reference = Outside::open(process.address().parse().expect("an address")).expect("a store");
    let sent = sent();
    let expected = judged(&reference, &sent).await;
    let refused = expected.0.iter().filter(|taken| !**taken).count();
    assert!(refused > SAMPLES / 5 && refused < SAMPLES * 4 / 5, "{refused}");

    // As Prometheus' own default, nothing behind a series' newest sample.
    let options =
        || Options { out_of_order_window: std::time::Duration::ZERO, ..Options::default() };
    let clock = || ManualClock::at(Timestamp::from_ms(START_MS + 3_600_000)).shared();
    let dir = scratch.path().join("embedded");
    let store = Embedded::open(&dir, options(), clock()).await.expect("a store");
    let (taken, content) = judged(&store, &sent).await;
    for (number, (ours, theirs)) in taken.iter().zip(&expected.0).enumerate() {
        let its = |(one, _): &(&Series, &bool)| one.labels == sent[number].labels;
        let before: Vec<_> = sent.iter().zip(&expected.0).take(number).filter(its).collect();
        assert_eq!(ours, theirs, "{:?} after {before:?}", sent[number]);
    }
    assert_eq!(content, expected.1);
    store.close().await.expect("a close");

    // The same where a block holds what came before, and where the log does.
    for flush in [false, true] {
        let dir = scratch.path().join(format!("flushed-{flush}"));
        let mut taken = Vec::new();
        for part in sent.chunks(SAMPLES / 4) {
            let store = Embedded::open(&dir, options(), clock()).await.expect("a store");
            let (its, _) = judged(&store, part).await;
            taken.extend(its);
            if flush {
                store.flush().await.expect("a flush");
            }
            store.close().await.expect("a close");
        }
        let store = Embedded::open(&dir, options(), clock()).await.expect("a store");
        assert_eq!((taken, judged(&store, &[]).await.1), expected, "{flush}");
        store.close().await.expect("a close");
    }
}
