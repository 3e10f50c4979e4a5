//! History on its way to an engine that runs elsewhere: in order of time as far as a batch goes, in
//! requests that any engine takes.

use std::time::{Duration, Instant};

use base::sample::Series;

use super::{Kind, Outside};
use crate::{
    error::{Error, Result},
    store::{Appended, Backfilled, Store},
};

/// Of one request.
const REQUEST_MAX_SAMPLES: usize = 20_000;
const REQUEST_MAX_LABEL_BYTES: usize = 8 << 20;
/// Prometheus takes nothing that is an hour behind its newest sample.
const SPAN_MS: i64 = 30 * 60 * 1000;
/// VictoriaMetrics counts what it drops at once, and shows the count up to a second later.
const DROPPED_SHOWN_AFTER: Duration = Duration::from_millis(1100);
/// Its retention moves on: what it kept a while ago says nothing any more.
const KEPT_FOR: Duration = Duration::from_secs(600);
const RETENTION: &str =
    "VictoriaMetrics drops what is beyond its -retentionPeriod (a month by default)";

impl Outside {
    pub(super) async fn write_history(&self, mut batch: Vec<Series>) -> Result<Backfilled> {
        let mut appended = Appended::default();
        let oldest_ms = first_ms(&batch).unwrap_or(i64::MAX);
        let in_question = self.may_drop(oldest_ms);
        let dropped_before = if in_question { self.dropped().await? } else { 0 };
        for series in &mut batch {
            series.samples.sort_by_key(|sample| sample.at_ms);
        }
        while let Some(first_ms) = first_ms(&batch) {
            for part in requests(&mut batch, first_ms.saturating_add(SPAN_MS)) {
                let its = self.append(part).await.map_err(|error| self.too_old(error))?;
                appended.written += its.written;
                appended.invalid += its.invalid;
                appended.first_error = appended.first_error.or(its.first_error);
            }
        }
        if in_question && appended.written > 0 {
            tokio::time::sleep(DROPPED_SHOWN_AFTER).await;
            // What others write meanwhile and is dropped as well counts here, too: that is rare, and
            // better than to call written what is not.
            let dropped = self.dropped().await?.saturating_sub(dropped_before);
            let dropped = usize::try_from(dropped).unwrap_or(usize::MAX).min(appended.written);
            if dropped == 0 {
                *self.kept.lock().expect("no panic while held") = Some((oldest_ms, Instant::now()));
            } else {
                appended.written -= dropped;
                appended.too_old += dropped;
                appended.first_error.get_or_insert_with(|| RETENTION.to_owned());
            }
        }
        Ok(Backfilled { appended, first_rejected: None })
    }

    /// VictoriaMetrics drops what is beyond its retention in silence. As history comes the oldest
    /// first, what follows on what it kept need not be looked after.
    fn may_drop(&self, oldest_ms: i64) -> bool {
        if self.address.kind != Kind::VictoriaMetrics {
            return false;
        }
        let mut kept = self.kept.lock().expect("no panic while held");
        match &mut *kept {
            Some((since_ms, seen)) if *since_ms <= oldest_ms && seen.elapsed() < KEPT_FOR => {
                *seen = Instant::now();
                false
            }
            _ => true,
        }
    }

    /// How many samples beyond its retention VictoriaMetrics has dropped since it started; it tells
    /// nobody else. (The entrance of a cluster doesn't know.)
    async fn dropped(&self) -> Result<u64> {
        match self.send(self.client.get(self.url("/metrics"))).await {
            Ok(answer) => Ok(ignored(&String::from_utf8_lossy(&self.body(answer, None).await?))),
            Err(Error::EngineRefused { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn too_old(&self, error: Error) -> Error {
        match error {
            Error::EngineRefused { reason, .. } if self.address.kind == Kind::Prometheus => {
                Error::BadData(format!(
                    "Prometheus refused history ({reason}): it takes no samples behind its newest \
                     ones; make blocks of the text with `promtool tsdb create-blocks-from \
                     openmetrics FILE DIR`, and move them into its data directory"
                ))
            }
            other => other,
        }
    }
}

/// Of VictoriaMetrics' own metrics.
fn ignored(metrics: &str) -> u64 {
    let count = |line: &str| line.rsplit(' ').next()?.parse::<u64>().ok();
    let of_age = metrics.lines().filter(|line| {
        line.starts_with("vm_rows_ignored_total{") && line.contains("\"small_timestamp\"")
    });
    of_age.filter_map(count).sum()
}

fn first_ms(batch: &[Series]) -> Option<i64> {
    batch.iter().filter_map(|series| series.samples.first()).map(|sample| sample.at_ms).min()
}

/// Takes the samples before `end_ms` out of the batch, in parts of a request's size.
fn requests(batch: &mut [Series], end_ms: i64) -> Vec<Vec<Series>> {
    let mut parts = Vec::new();
    let mut part: Vec<Series> = Vec::new();
    let (mut samples, mut label_bytes) = (0, 0);
    for series in batch {
        let bytes: usize = series.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        let inside = series.samples.partition_point(|sample| sample.at_ms < end_ms);
        let rest = series.samples.split_off(inside);
        let span = std::mem::replace(&mut series.samples, rest);
        for some in span.chunks(REQUEST_MAX_SAMPLES) {
            if samples + some.len() > REQUEST_MAX_SAMPLES
                || label_bytes + bytes > REQUEST_MAX_LABEL_BYTES
            {
                parts.push(std::mem::take(&mut part));
                (samples, label_bytes) = (0, 0);
            }
            part.push(Series { labels: series.labels.clone(), samples: some.to_vec() });
            samples += some.len();
            label_bytes += bytes;
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use base::sample::{Labels, Sample};

    use super::*;

    #[test]
    fn samples_dropped_for_their_age_are_counted() {
        let metrics = "vm_rows_ignored_total{reason=\"big_timestamp\"} 2\n\
                       vm_rows_ignored_total{reason=\"small_timestamp\"} 40\n\
                       vm_rows_ignored_total{reason=\"nan_value\"} 7\nvm_rows 5\n";
        assert_eq!(ignored(metrics), 40);
        assert_eq!(ignored(""), 0);
    }

    #[test]
    fn requests_hold_all_in_order_of_time_and_none_is_too_large() {
        let series = |name: &str, step_ms: i64, count: i64| Series {
            labels: Labels::metric(name, &[]),
            samples: (0..count).map(|i| Sample { at_ms: i * step_ms, value: i as f64 }).collect(),
        };
        let all = [series("a", 15_000, 500), series("b", 20, 100_000), series("c", SPAN_MS, 3)];
        let mut batch = all.to_vec();
        let mut found: Vec<Series> = Vec::new();
        let mut before_ms = i64::MIN;
        while let Some(first_ms) = first_ms(&batch) {
            assert!(first_ms > before_ms);
            for part in requests(&mut batch, first_ms + SPAN_MS) {
                let samples: usize = part.iter().map(|one| one.samples.len()).sum();
                assert!((1..=REQUEST_MAX_SAMPLES).contains(&samples));
                for one in part {
                    before_ms = before_ms.max(one.samples[0].at_ms);
                    assert!(one.samples.iter().all(|its| its.at_ms < first_ms + SPAN_MS));
                    match found.iter_mut().find(|its| its.labels == one.labels) {
                        Some(its) => its.samples.extend(one.samples),
                        None => found.push(one),
                    }
                }
            }
        }
        assert_eq!(found, all);
    }
}
