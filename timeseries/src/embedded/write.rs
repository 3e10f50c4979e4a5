//! The way in: judge each sample, stage the log's records, put them into the head; and the same
//! from the log after a start.

use std::{collections::HashMap, path::Path};

use base::{
    sample::{Labels, Sample, Series},
    time::Timestamp,
};

use super::{
    Inner, State,
    head::{Head, Verdict},
    options::{APPEND_MAX_SAMPLES, FUTURE_MAX_MS, SEGMENT_MAX_BYTES, UNFLUSHED_MAX_FACTOR, millis},
    wal::{
        self,
        replay::{Record, Replayed},
    },
};
use crate::{
    error::{Error, Result},
    store::Appended,
    validate,
};

/// Samples outside of it are refused, whatever their series.
struct Bounds {
    first_ms: i64,
    last_ms: i64,
    window_ms: i64,
}

/// The log's records of one append.
#[derive(Default)]
struct Records {
    bytes: Vec<u8>,
    samples: Vec<(u64, Sample)>,
}

impl Inner {
    /// Judges and stages a batch; it is durable once the log has reached the ticket.
    pub(super) fn stage(&self, batch: Vec<Series>) -> Result<(Appended, u64)> {
        if batch.iter().map(|series| series.samples.len()).sum::<usize>() > APPEND_MAX_SAMPLES {
            return Err(Error::BadData(format!(
                "one append takes at most {APPEND_MAX_SAMPLES} samples"
            )));
        }
        let now = self.clock.now();
        let bounds = Bounds {
            first_ms: now.ms().saturating_sub(millis(self.options.retention)),
            last_ms: now.ms().saturating_add(FUTURE_MAX_MS),
            window_ms: millis(self.options.out_of_order_window),
        };
        let mut appended = Appended::default();
        let mut valid = Vec::with_capacity(batch.len());
        for mut series in batch {
            if let Err(why) = validate::check_labels(&series.labels) {
                appended.invalid += series.samples.len();
                appended.first_error.get_or_insert(why);
                continue;
            }
            keep_within(&mut series, &bounds, &mut appended);
            if !series.samples.is_empty() {
                valid.push(series);
            }
        }
        let mut state = self.write()?;
        self.wal.check()?;
        let unflushed_max = self.options.flush_samples.saturating_mul(UNFLUSHED_MAX_FACTOR);
        if state.head.unflushed() >= unflushed_max {
            self.due.notify_one();
            return Err(Error::Busy("flushes do not keep up"));
        }
        let mut records = Records::default();
        let judged = valid.into_iter().try_for_each(|series| {
            self.judge(&mut state, series, &bounds, &mut appended, &mut records)
        });
        // Also after a failure: what is in the head must be in the log.
        self.stage_records(&mut state, records, now);
        judged?;
        Ok((appended, state.ticket))
    }

    fn judge(
        &self,
        state: &mut State,
        series: Series,
        bounds: &Bounds,
        appended: &mut Appended,
        records: &mut Records,
    ) -> Result<()> {
        let id = match state.head.get(&series.labels) {
            Some(id) => id,
            None if state.head.series_count() >= self.options.active_series_max => {
                appended.over_limit += series.samples.len();
                appended.first_error.get_or_insert_with(|| {
                    format!(
                        "{} would be one more than the {} active series allowed",
                        series.labels.name(),
                        self.options.active_series_max
                    )
                });
                return Ok(());
            }
            None => {
                let max_ms = self.newest_in_blocks(state, &series)?;
                state.head.create(series.labels, max_ms)
            }
        };
        for sample in series.samples {
            let segment = state.segment;
            let mem = state.head.series(id);
            match mem.judge(sample, bounds.window_ms) {
                Verdict::Duplicate => appended.duplicates += 1,
                Verdict::Conflict => {
                    appended.conflicts += 1;
                    appended.first_error.get_or_insert_with(|| {
                        let name = mem.labels.name();
                        format!("{name} has another value at {}", Timestamp::from_ms(sample.at_ms))
                    });
                }
                Verdict::TooOld => {
                    appended.too_old += 1;
                    appended.first_error.get_or_insert_with(|| {
                        let name = mem.labels.name();
                        format!(
                            "{name} at {} is older than its newest sample by more than {} ms",
                            Timestamp::from_ms(sample.at_ms),
                            bounds.window_ms
                        )
                    });
                }
                Verdict::Write => {
                    if mem.named_in != segment {
                        mem.named_in = segment;
                        wal::put_series(&mut records.bytes, mem.wal_id, &mem.labels);
                    }
                    records.samples.push((mem.wal_id, sample));
                    appended.written += 1;
                    state.head.insert(id, sample);
                }
            }
        }
        Ok(())
    }

    /// The newest instant of a series that is new to the head, if a block could hold one that
    /// matters.
    fn newest_in_blocks(&self, state: &State, series: &Series) -> Result<Option<i64>> {
        let Some(first_ms) = series.samples.iter().map(|s| s.at_ms).min() else { return Ok(None) };
        let mut newest = None;
        for block in state.blocks.iter().filter(|block| block.last_ms >= first_ms) {
            let index = self.indexes.get(block)?;
            let last = index.get(&series.labels).map(|found| found.last_ms());
            newest = newest.max(last);
        }
        Ok(newest)
    }

    fn stage_records(&self, state: &mut State, mut records: Records, now: Timestamp) {
        if records.samples.is_empty() {
            return;
        }
        wal::put_samples(&mut records.bytes, &records.samples);
        let bytes = records.bytes.len() as u64;
        state.ticket = self.wal.stage(records.bytes);
        state.segment_bytes += bytes;
        state.log_bytes += bytes;
        state.oldest_unflushed.get_or_insert(now);
        if state.segment_bytes >= SEGMENT_MAX_BYTES {
            state.segment += 1;
            state.segment_bytes = 0;
            self.wal.rotate(state.segment);
        }
        if self.flush_is_due(state, now) {
            self.due.notify_one();
        }
    }

    pub(super) fn flush_is_due(&self, state: &State, now: Timestamp) -> bool {
        let age_ms = state.oldest_unflushed.map_or(0, |oldest| now.since_ms(oldest));
        state.head.unflushed() > 0
            && (state.head.unflushed() >= self.options.flush_samples
                || state.log_bytes >= self.options.flush_log_bytes
                || age_ms >= millis(self.options.flush_age))
    }
}

fn keep_within(series: &mut Series, bounds: &Bounds, appended: &mut Appended) {
    let name = series.labels.name();
    let mut refuse = |count: fn(&mut Appended) -> &mut usize, at_ms, why: &str| {
        *count(appended) += 1;
        appended
            .first_error
            .get_or_insert_with(|| format!("{name} at {} {why}", Timestamp::from_ms(at_ms)));
        false
    };
    series.samples.retain(|sample| match sample.at_ms {
        at if at < bounds.first_ms => refuse(|a| &mut a.too_old, at, "is beyond the retention"),
        at if at > bounds.last_ms => refuse(|a| &mut a.too_new, at, "is in the future"),
        _ => true,
    });
}

/// Puts what the log holds into the head.
pub(super) fn replay(log_dir: &Path, first_segment: u64, head: &mut Head) -> Result<Replayed> {
    let mut names: HashMap<u64, u32> = HashMap::new();
    let mut current = 0;
    let each = |segment: u64, record: Record| {
        if segment != current {
            current = segment;
            names.clear();
        }
        match record {
            Record::Series { id, labels } => {
                let series = resolve(head, labels);
                names.insert(id, series);
            }
            Record::Samples(samples) => {
                for (id, sample) in samples {
                    let series = *names.get(&id).ok_or_else(|| {
                        let path = wal::segment_path(log_dir, segment);
                        Error::corrupt(&path, 0, format!("series {id} is not named before use"))
                    })?;
                    // The log holds only what was judged; a second copy of it changes nothing.
                    if head.series(series).judge(sample, i64::MAX) == Verdict::Write {
                        head.insert(series, sample);
                    }
                }
            }
        }
        Ok(())
    };
    wal::replay::replay(log_dir, first_segment, each)
}

fn resolve(head: &mut Head, labels: Labels) -> u32 {
    match head.get(&labels) {
        Some(id) => id,
        None => head.create(labels, None),
    }
}
