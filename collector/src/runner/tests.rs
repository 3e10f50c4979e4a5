use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use base::{sample::is_stale, time::ManualClock};

use super::*;
use crate::testing::{Kept, NOW, find};

/// Two guests; the second goes when it is told to. Fails, hangs when told to.
#[derive(Default)]
struct Guests {
    second_gone: AtomicBool,
    down: AtomicBool,
    hangs: AtomicBool,
}

#[async_trait]
impl Source for Guests {
    fn name(&self) -> &'static str {
        "guests"
    }
    fn job(&self) -> &'static str {
        "libvirt"
    }
    fn labels(&self) -> Vec<(String, String)> {
        vec![("tenant".into(), "acme".into())]
    }
    async fn collect(&self, now: Timestamp) -> Result<Vec<Series>, SourceError> {
        let mut samples = Samples::at(now);
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.down.load(Ordering::Relaxed) {
            samples.add("libvirt_up", &[], 0.0);
            let error = SourceError::new(FailureReason::Unreachable, "libvirtd does not answer");
            return Err(error.with(samples.into_series()));
        }
        samples.add("cpu", &[("domain", "a"), ("tenant", "forged")], 1.0);
        if !self.second_gone.load(Ordering::Relaxed) {
            samples.add("cpu", &[("domain", "b")], 1.0);
        }
        Ok(samples.into_series())
    }
}

struct Bench {
    clock: ManualClock,
    sink: Arc<Kept>,
    collector: Collector,
    source: Arc<Guests>,
    _dir: tempfile::TempDir,
}

const SCHEDULE: Schedule = Schedule { interval_ms: 15_000, timeout_ms: 30 };

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(NOW);
    let sink = Arc::new(Kept::default());
    let mut settings = Settings::new(dir.path(), "host-1");
    settings.labels = vec![("host_id".into(), "h1".into())];
    let collector = Collector::start(settings, clock.shared(), sink.clone()).unwrap();
    let source = Arc::new(Guests::default());
    collector.add(source.clone(), SCHEDULE);
    Bench { clock, sink, collector, source, _dir: dir }
}

/// What the source's last look brought.
fn newest(series: &[Series]) -> Vec<Series> {
    let ours: Vec<_> =
        series.iter().filter(|s| s.labels.get("job") == Some("libvirt")).cloned().collect();
    let looks = ours.iter().filter(|s| s.labels.name() == "up").flat_map(|s| &s.samples);
    let Some(last_ms) = looks.map(|sample| sample.at_ms).max() else { return Vec::new() };
    let of_look = |s: Series| Series {
        samples: s.samples.into_iter().filter(|sample| sample.at_ms == last_ms).collect(),
        ..s
    };
    ours.into_iter().map(of_look).filter(|s| !s.samples.is_empty()).collect()
}

impl Bench {
    /// The source's last look, once it is `done`.
    async fn until(&self, what: &str, done: impl Fn(&[Series]) -> bool) -> Vec<Series> {
        newest(&self.sink.until(what, |series| done(&newest(series))).await)
    }

    /// The same, with turn after turn: the source may not have gone to wait for its next one yet
    /// when the clock moves.
    async fn turn_until(&self, what: &str, done: impl Fn(&[Series]) -> bool) -> Vec<Series> {
        for _ in 0..100 {
            self.clock.advance(Duration::from_millis(15_000));
            let seen = tokio::time::timeout(Duration::from_millis(100), self.until(what, &done));
            if let Ok(series) = seen.await {
                return series;
            }
        }
        panic!("never: {what}");
    }
}

#[tokio::test]
async fn samples_carry_their_identity_and_the_looks_own_figures() {
    let bench = bench();
    let series = bench.until("the first look", |s| find(s, "up", &[]).is_some()).await;
    let who = [("job", "libvirt"), ("instance", "host-1"), ("host_id", "h1"), ("tenant", "acme")];
    assert_eq!(find(&series, "up", &who), Some(1.0));
    assert_eq!(find(&series, "scrape_samples_scraped", &who), Some(2.0));
    assert!(find(&series, "scrape_duration_seconds", &who).unwrap() >= 0.0);
    assert_eq!(find(&series, "cpu", &[("domain", "a"), ("tenant", "acme")]), Some(1.0));
    assert_eq!(find(&series, "cpu", &[("tenant", "forged")]), None, "the source's label holds");
}

#[tokio::test]
async fn a_guest_that_is_gone_gets_a_stale_marker() {
    let bench = bench();
    bench.until("the first look", |s| find(s, "up", &[]).is_some()).await;
    bench.source.second_gone.store(true, Ordering::Relaxed);
    let marked = |s: &[Series]| find(s, "cpu", &[("domain", "b")]).is_some_and(is_stale);
    let series = bench.turn_until("the marker", marked).await;
    assert_eq!(find(&series, "cpu", &[("domain", "a")]), Some(1.0));
    bench.collector.remove("guests");
    let gone = |series: &[Series]| find(series, "up", &[]).is_some_and(is_stale);
    let series = bench.until("the source's end", gone).await;
    assert!(is_stale(find(&series, "cpu", &[("domain", "a")]).unwrap()));
}

#[tokio::test]
async fn a_source_that_fails_is_down_and_says_why() {
    let bench = bench();
    bench.until("the first look", |s| find(s, "up", &[]).is_some()).await;
    bench.source.down.store(true, Ordering::Relaxed);
    let series = bench.turn_until("the failed look", |s| find(s, "up", &[]) == Some(0.0)).await;
    assert_eq!(find(&series, "libvirt_up", &[("host_id", "h1")]), Some(0.0), "partial is kept");
    assert!(is_stale(find(&series, "cpu", &[("domain", "a")]).unwrap()), "unknown, not old");
    let failures = [("source", "libvirt"), ("reason", "unreachable")];
    let told = |_: &[Series]| {
        let all = bench.sink.series();
        find(&all, "opshawk_collector_failures_total", &failures).is_some_and(|n| n >= 1.0)
    };
    bench.turn_until("the collector tells", told).await;
}

#[tokio::test]
async fn a_source_that_hangs_is_given_up_and_tried_again() {
    let bench = bench();
    bench.until("the first look", |s| find(s, "up", &[]).is_some()).await;
    bench.source.hangs.store(true, Ordering::Relaxed);
    bench.turn_until("the timeout", |s| find(s, "up", &[]) == Some(0.0)).await;
    bench.source.hangs.store(false, Ordering::Relaxed);
    bench.turn_until("it is back", |s| find(s, "up", &[]) == Some(1.0)).await;
}

#[tokio::test]
async fn stopping_marks_nothing_and_keeps_the_queue() {
    let bench = bench();
    bench.until("the first look", |s| find(s, "up", &[]).is_some()).await;
    bench.collector.stop().await;
    let stale = |s: &Series| s.samples.iter().any(|sample| is_stale(sample.value));
    assert!(!bench.sink.series().iter().any(stale));
}
