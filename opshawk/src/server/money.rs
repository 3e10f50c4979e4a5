//! Tenants' money as series in the server's own store, so that alert rules can use it.
//!
//! The names, labels and values are those of `/metrics` ([`crate::api::metrics`]); what they are made of is what
//! standing keeps of each account, so that nobody's usage is read for a sample. Amounts become
//! doubles here, as any sample is; the ledger's figures are read from the API.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use base::{
    Result,
    db::Db,
    id::TenantId,
    reconcile::{Driver, Outcome, Reconciler},
    sample::{Labels, STALE_NAN_BITS, Sample, Series},
    time::{SharedClock, Timestamp},
};
use billing::{
    agenda::{self, Kept, Which},
    findings,
    ledger::LedgerReconciler,
};
use serde_json::json;
use timeseries::Store;

/// Accounts of one run; each has five series at most.
const TENANTS_MAX: i64 = 20_000;
/// All are written so often; what wakes this in between has those written that were looked at since.
const PERIOD_MS: u64 = 15_000;
/// Payments that come close together are one run.
const APART_MS: i64 = 1_000;
/// A look at an account that began so long before the last run may have ended after it. One that takes
/// longer is written with all.
const LOOK_MS: i64 = 2_000;

pub struct MoneySamples {
    db: Db,
    clock: SharedClock,
    store: Arc<dyn Store>,
    /// Knows what the ledger's verification found. It runs this, so that it is not held.
    driver: Weak<Driver>,
    last: Mutex<Last>,
}

/// Whose series; none: the product's own.
type Owner = Option<TenantId>;

/// What was written last, so that what is no more ends at once.
#[derive(Debug, Default)]
struct Last {
    at_ms: i64,
    /// When all were written.
    all_ms: i64,
    series: BTreeMap<Owner, BTreeSet<Labels>>,
    /// It was the run that follows one that was woken.
    followed: bool,
}

impl Last {
    fn count(&self) -> usize {
        self.series.values().map(BTreeSet::len).sum()
    }

    /// Whose are to be written now.
    fn which(&self, at_ms: i64) -> Which {
        let is_woken = self.all_ms <= at_ms && at_ms.abs_diff(self.all_ms) < PERIOD_MS;
        match is_woken {
            true => Which::LookedSince(Timestamp::from_ms(self.at_ms.saturating_sub(LOOK_MS))),
            false => Which::All,
        }
    }

    /// What is no more, when these are written.
    fn ended(&self, which: Which, now: &BTreeMap<Owner, BTreeSet<Labels>>) -> Vec<Labels> {
        let none = BTreeSet::new();
        let is_looked_at = |owner: &Owner| matches!(which, Which::All) || now.contains_key(owner);
        let before = self.series.iter().filter(|(owner, _)| is_looked_at(owner));
        let ended = before.flat_map(|(owner, before)| {
            before.difference(now.get(owner).unwrap_or(&none)).cloned()
        });
        ended.collect()
    }

    /// These are written.
    fn wrote(&mut self, at_ms: i64, which: Which, now: BTreeMap<Owner, BTreeSet<Labels>>) {
        if matches!(which, Which::All) {
            (self.series, self.all_ms) = (BTreeMap::new(), at_ms);
        }
        self.series.extend(now);
        // Standing looks at what woke this at the same time; what it finds is written a little later.
        let was_woken = at_ms.abs_diff(self.at_ms) < PERIOD_MS;
        self.followed = was_woken && !self.followed;
        self.at_ms = at_ms;
    }

    /// When to write again, if nothing wakes this.
    fn next(&self) -> Timestamp {
        let all_ms = self.all_ms.saturating_add_unsigned(PERIOD_MS);
        let follow_ms = if self.followed { self.at_ms.saturating_add(APART_MS) } else { all_ms };
        Timestamp::from_ms(follow_ms.min(all_ms))
    }
}

impl MoneySamples {
    pub const NAME: &'static str = "money-samples";

    pub fn new(db: Db, clock: SharedClock, store: Arc<dyn Store>, driver: &Arc<Driver>) -> Self {
        Self { db, clock, store, driver: Arc::downgrade(driver), last: Mutex::default() }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn values(
        &self,
        now: Timestamp,
        which: Which,
    ) -> Result<BTreeMap<Owner, Vec<(Labels, f64)>>> {
        let mut conn = self.db.read().await?;
        let mut all = BTreeMap::new();
        let all_kept = agenda::kept(&mut conn, which, TENANTS_MAX).await?;
        for kept in all_kept.iter().filter(|kept| kept.is_known()) {
            all.insert(Some(kept.tenant_id), of_tenant(now, kept));
        }
        let mut own = Vec::new();
        for (kind, count) in findings::count_open(&mut conn).await? {
            own.push((Labels::metric("opshawk_findings", &[("kind", &kind)]), count as f64));
        }
        let statuses = self.driver.upgrade().map(|driver| driver.statuses()).unwrap_or_default();
        let ledger = statuses.iter().find(|status| status.name == LedgerReconciler::NAME);
        let found = ledger.and_then(|s| s.last_status[LedgerReconciler::FINDINGS].as_f64());
        own.extend(found.map(|found| (Labels::metric("opshawk_ledger_findings", &[]), found)));
        all.insert(None, own);
        Ok(all)
    }
}

fn of_tenant(now: Timestamp, kept: &Kept) -> Vec<(Labels, f64)> {
    let id = kept.tenant_id.to_string();
    let who = [("tenant", id.as_str()), ("tenant_name", kept.tenant.as_str())];
    let with = |name: &str, label: &str, value: &str| {
        Labels::metric(name, &[who[0], who[1], (label, value)])
    };
    let balance = kept.balance_at(now).0 as f64 / 1e6;
    let burn = kept.burn_per_hour.0 as f64 / 1e9;
    let lag_s = now.since_ms(kept.rated_to).max(0) as f64 / 1e3;
    let mut all = vec![
        (with("opshawk_tenant_balance", "currency", &kept.currency), balance),
        (with("opshawk_tenant_burn_per_hour", "currency", &kept.currency), burn),
        (Labels::metric("opshawk_tenant_rating_lag_seconds", &who), lag_s),
        (with("opshawk_tenant_standing", "standing", kept.standing.as_str()), 1.0),
    ];
    if let Some(at) = kept.runs_out_at {
        let left_s = at.since_ms(now).max(0) as f64 / 1e3;
        all.push((Labels::metric("opshawk_tenant_seconds_to_exhaustion", &who), left_s));
    }
    all
}

#[async_trait]
impl Reconciler for MoneySamples {
    fn name(&self) -> &'static str {
        Self::NAME
    }
    fn description(&self) -> &'static str {
        "Writes tenants' balances, burn and standing into the store, for alert rules."
    }
    fn period(&self) -> Duration {
        Duration::from_millis(PERIOD_MS)
    }

    async fn run(&self) -> Result<Outcome> {
        let now = self.clock.now();
        let at_ms = now.ms();
        let earliest = self.last().at_ms.saturating_add(APART_MS);
        // A clock that was set back waits for nothing.
        if at_ms < earliest && earliest - at_ms <= APART_MS {
            let wake_at = Some(Timestamp::from_ms(earliest));
            return Ok(Outcome { status: json!({ "series": self.last().count() }), wake_at });
        }
        let which = self.last().which(at_ms);
        let values = self.values(now, which).await?;
        let labels = |values: &Vec<(Labels, f64)>| values.iter().map(|(l, _)| l.clone()).collect();
        let written: BTreeMap<Owner, BTreeSet<Labels>> =
            values.iter().map(|(owner, values)| (*owner, labels(values))).collect();
        let ended = self.last().ended(which, &written);
        let stale = f64::from_bits(STALE_NAN_BITS);
        let ended = ended.into_iter().map(|labels| (labels, stale));
        let batch: Vec<Series> = values
            .into_values()
            .flatten()
            .chain(ended)
            .map(|(labels, value)| Series { labels, samples: vec![Sample { at_ms, value }] })
            .collect();
        let count = batch.len();
        let appended =
            self.store.append(batch).await.map_err(|e| {
                base::Error::unavailable("money's samples can't be written").source(e)
            })?;
        let mut last = self.last();
        last.wrote(at_ms, which, written);
        let status =
            json!({ "series": last.count(), "written": count, "rejected": appended.rejected() });
        Ok(Outcome { status, wake_at: Some(last.next()) })
    }
}

#[cfg(test)]
mod tests;
