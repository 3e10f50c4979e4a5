//! The way in: judge each sample, put it into the head, stage the log's records.

use std::sync::atomic::Ordering::Relaxed;

use base::{sample::Sample, time::Timestamp};

use super::{
    Inner,
    batch::Batch,
    block::ChunkReader,
    head::{Shard, Verdict},
    key,
    options::{
        APPEND_MAX_KEY_BYTES, APPEND_MAX_SAMPLES, FUTURE_MAX_MS, LOGGED_SAMPLE_BYTES,
        UNFLUSHED_MAX_FACTOR, millis,
    },
    routes::Place,
    wal,
};
use crate::{
    error::{Error, Result},
    scope::TENANT,
    store::Appended,
    validate,
};

/// Samples outside of it are refused, whatever their series.
struct Bounds {
    first_ms: i64,
    last_ms: i64,
    window_ms: i64,
}

/// The log's records of one shard's part of an append.
#[derive(Default)]
struct Records {
    names: Vec<u8>,
    samples: Vec<(u64, Sample)>,
    newest_ms: i64,
}

impl Inner {
    /// Judges and stages a batch; it is durable once the log has reached the ticket.
    pub(super) fn stage(&self, batch: &mut Batch) -> Result<(Appended, u64)> {
        if batch.sample_count() > APPEND_MAX_SAMPLES || batch.key_bytes() > APPEND_MAX_KEY_BYTES {
            return Err(Error::BadData(format!(
                "one append takes at most {APPEND_MAX_SAMPLES} samples and {APPEND_MAX_KEY_BYTES} \
                 bytes of labels"
            )));
        }
        self.check_open()?;
        self.wal.check()?;
        let unflushed_max = self.flush_samples().saturating_mul(UNFLUSHED_MAX_FACTOR);
        if self.head.unflushed() >= unflushed_max {
            self.due.notify_one();
            return Err(Error::Busy("flushes do not keep up"));
        }
        let now = self.clock.now();
        let bounds = Bounds {
            first_ms: now.ms().saturating_sub(millis(self.options.retention)),
            last_ms: now.ms().saturating_add(FUTURE_MAX_MS),
            window_ms: millis(self.options.out_of_order_window),
        };
        let mut appended = Appended::default();
        let mut ticket = 0;
        let mut failed = None;
        let mut records = Records::default();
        for (shard, entries) in batch.by_shard().into_iter().enumerate() {
            if entries.is_empty() || failed.is_some() {
                continue;
            }
            let mut shard = self.head.write(shard);
            for number in entries {
                let judged =
                    self.judge(&mut shard, batch, number, &bounds, &mut appended, &mut records);
                if let Err(error) = judged {
                    failed = Some(error);
                    break;
                }
            }
            // Also after a failure: what is in the head must be in the log.
            ticket = self.stage_records(&mut records, now)?.max(ticket);
        }
        if appended.duplicates > 0 {
            // What it repeats may be on its way to the disk only.
            ticket = ticket.max(self.wal.newest());
        }
        self.wal.kick();
        if self.flush_is_due(now) {
            self.due.notify_one();
        }
        failed.map_or(Ok((appended, ticket)), Err)
    }

    fn judge(
        &self,
        shard: &mut Shard,
        batch: &mut Batch,
        number: usize,
        bounds: &Bounds,
        appended: &mut Appended,
        records: &mut Records,
    ) -> Result<()> {
        let entry = batch.entry(number);
        let epoch = shard.epoch();
        let at = match entry.place.filter(|place| place.epoch == epoch) {
            Some(place) => place.at,
            None => {
                let (key, samples) = (batch.key(&entry), batch.samples(&entry));
                let found = match shard.find_key(entry.hash, key) {
                    Some(at) => Some(at),
                    None => self.create(shard, entry.hash, key, samples, bounds, appended)?,
                };
                let Some(at) = found else { return Ok(()) };
                batch.found(number, Place { at, epoch });
                at
            }
        };
        let (key, samples) = (batch.key(&entry), batch.samples(&entry));
        let segment = self.head.segment();
        let series = shard.series(at);
        if !series.blocks_asked {
            let newest_ms = self.newest_in_blocks(key, series.max_ms)?;
            series.learn(newest_ms);
        }
        for sample in samples {
            if !within(bounds, *sample, key, appended) {
                continue;
            }
            let mut verdict = shard.judge(at, *sample, bounds.window_ms);
            if verdict == Verdict::Late {
                verdict = self.judge_by_blocks(key, *sample)?;
            }
            match verdict {
                Verdict::Duplicate => appended.duplicates += 1,
                Verdict::Conflict => {
                    refuse(&mut appended.conflicts, &mut appended.first_error, || {
                        let at = Timestamp::from_ms(sample.at_ms);
                        format!("{} has another value at {at}", name(key))
                    });
                }
                Verdict::TooOld => {
                    refuse(&mut appended.too_old, &mut appended.first_error, || {
                        format!(
                            "{} at {} is older than its newest sample by more than {} ms",
                            name(key),
                            Timestamp::from_ms(sample.at_ms),
                            bounds.window_ms
                        )
                    });
                }
                Verdict::Write | Verdict::Late => {
                    let series = shard.series(at);
                    if series.named_in != segment {
                        series.named_in = segment;
                        wal::put_series(&mut records.names, series.wal_id, key);
                    }
                    records.samples.push((series.wal_id, *sample));
                    records.newest_ms = records.newest_ms.max(sample.at_ms);
                    appended.written += 1;
                    shard.insert(at, *sample);
                }
            }
        }
        Ok(())
    }

    /// None where the series is refused, with its samples counted.
    fn create(
        &self,
        shard: &mut Shard,
        hash: u64,
        key: &[u8],
        samples: &[Sample],
        bounds: &Bounds,
        appended: &mut Appended,
    ) -> Result<Option<u32>> {
        if let Err(why) = validate::check_key(key::texts(key)) {
            appended.invalid += samples.len();
            appended.first_error.get_or_insert(why);
            return Ok(None);
        }
        // A series without a sample would be nothing to anybody.
        let first_ms =
            samples.iter().map(|sample| sample.at_ms).filter(|at| bounds.hold(*at)).min();
        let Some(first_ms) = first_ms else {
            for sample in samples {
                within(bounds, *sample, key, appended);
            }
            return Ok(None);
        };
        if self.head.series_count() >= self.options.active_series_max {
            appended.over_limit += samples.len();
            appended.first_error.get_or_insert_with(|| {
                format!(
                    "{} would be one more than the {} active series allowed (max_active_series); \
                     write fewer, or raise the limit",
                    name(key),
                    self.options.active_series_max
                )
            });
            return Ok(None);
        }
        let most = |tenant: &str| self.options.series_max_of(tenant);
        let Some(at) = self.head.create(shard, hash, key, most) else {
            self.refuse_of_tenant(key, samples.len(), appended);
            return Ok(None);
        };
        let newest_ms = self.newest_in_blocks(key, first_ms)?;
        shard.series(at).learn(newest_ms);
        Ok(Some(at))
    }

    fn refuse_of_tenant(&self, key: &[u8], samples: usize, appended: &mut Appended) {
        appended.over_tenant_limit += samples;
        appended.first_error.get_or_insert_with(|| {
            let tenant = key::get(key, TENANT);
            format!(
                "{} would be one more than the {} active series allowed of tenant {tenant} \
                 (max_tenant_series); write fewer of it, or raise its limit",
                name(key),
                self.options.series_max_of(tenant)
            )
        });
    }

    /// The newest instant of a series that is new to the head, if a block could hold one that
    /// matters.
    fn newest_in_blocks(&self, key: &[u8], first_ms: i64) -> Result<Option<i64>> {
        let mut newest = None;
        for block in self.blocks().iter().filter(|block| block.last_ms >= first_ms) {
            let Some(index) = self.sound(block, self.indexes.get(block))? else { continue };
            newest = newest.max(index.get(key).map(|series| index.last_ms(series)));
        }
        Ok(newest)
    }

    /// What blocks say of a sample behind its series' newest.
    fn judge_by_blocks(&self, key: &[u8], sample: Sample) -> Result<Verdict> {
        let at_ms = sample.at_ms;
        let mut found = Vec::new();
        for block in self.blocks().iter().filter(|block| block.overlaps(at_ms, at_ms)) {
            let Some(index) = self.sound(block, self.indexes.get(block))? else { continue };
            let Some(series) = index.get(key) else { continue };
            let mut reader = ChunkReader::new(block, &index);
            for chunk in index.chunks_in(series, at_ms, at_ms) {
                self.sound(block, reader.read(chunk, at_ms, at_ms, &mut found))?;
            }
            // What was deleted is not there.
            self.mask(block, &index, self.clock.now())?.apply(series, &mut found);
            if let Some(there) = found.first() {
                return Ok(Verdict::against(sample, there.value));
            }
        }
        Ok(Verdict::Late)
    }

    /// While the shard of the records' series is held, so that a series is named before its first
    /// sample.
    fn stage_records(&self, records: &mut Records, now: Timestamp) -> Result<u64> {
        if records.samples.is_empty() {
            return Ok(0);
        }
        let mut bytes = std::mem::take(&mut records.names);
        wal::put_samples(&mut bytes, &records.samples);
        self.head.count(records.samples.len(), records.newest_ms);
        self.log_bytes.fetch_add(bytes.len() as u64, Relaxed);
        self.oldest_unflushed_ms.fetch_min(now.ms(), Relaxed);
        *records = Records { samples: std::mem::take(&mut records.samples), ..Records::default() };
        records.samples.clear();
        self.wal.stage(bytes)
    }

    /// How many samples a flush waits for.
    fn flush_samples(&self) -> usize {
        let series = self.head.series_count();
        let long = series.saturating_mul(self.options.flush_samples_a_series);
        self.options.flush_samples.max(long)
    }

    pub(super) fn flush_is_due(&self, now: Timestamp) -> bool {
        let age_ms = now.ms().saturating_sub(self.oldest_unflushed_ms.load(Relaxed));
        let unflushed = self.head.unflushed();
        let waits_for = self.flush_samples();
        let log_max = self.options.flush_log_bytes.max(LOGGED_SAMPLE_BYTES * waits_for as u64);
        unflushed > 0
            && (unflushed >= waits_for
                || self.log_bytes.load(Relaxed) >= log_max
                || age_ms >= millis(self.options.flush_age))
    }
}

impl Bounds {
    fn hold(&self, at_ms: i64) -> bool {
        (self.first_ms..=self.last_ms).contains(&at_ms)
    }
}

fn name(key: &[u8]) -> &str {
    key::get(key, base::sample::NAME)
}

fn refuse(count: &mut usize, first_error: &mut Option<String>, why: impl FnOnce() -> String) {
    *count += 1;
    first_error.get_or_insert_with(why);
}

fn within(bounds: &Bounds, sample: Sample, key: &[u8], appended: &mut Appended) -> bool {
    if bounds.hold(sample.at_ms) {
        return true;
    }
    let (count, why) = if sample.at_ms < bounds.first_ms {
        (&mut appended.too_old, "is beyond the retention")
    } else {
        (&mut appended.too_new, "is in the future")
    };
    refuse(count, &mut appended.first_error, || {
        format!("{} at {} {why}", name(key), Timestamp::from_ms(sample.at_ms))
    });
    false
}
