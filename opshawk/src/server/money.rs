//! Tenants' money as series in the server's own store, so that alert rules can use it.
//!
//! The names, labels and values are those of `/metrics` ([`crate::api::metrics`]); what they are made of is what
//! standing keeps of each account, so that nobody's usage is read for a sample. Amounts become
//! doubles here, as any sample is; the ledger's figures are read from the API.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use base::{
    Result,
    db::Db,
    reconcile::{Driver, Outcome, Reconciler},
    sample::{Labels, STALE_NAN_BITS, Sample, Series},
    time::{SharedClock, Timestamp},
};
use billing::{
    agenda::{self, Kept},
    findings,
    ledger::LedgerReconciler,
};
use serde_json::json;
use timeseries::Store;

/// Accounts of one run; each has six series.
const TENANTS_MAX: i64 = 20_000;
const PERIOD_MS: u64 = 15_000;
/// Payments that come close together are one run.
const APART_MS: i64 = 1_000;

pub struct MoneySamples {
    db: Db,
    clock: SharedClock,
    store: Arc<dyn Store>,
    /// Knows what the ledger's verification found. It runs this, so that it is not held.
    driver: Weak<Driver>,
    last: Mutex<Last>,
}

/// What the last run wrote, so that what is no more ends at once.
#[derive(Debug, Default)]
struct Last {
    at_ms: i64,
    series: BTreeSet<Labels>,
    /// It was the run that follows one that was woken.
    followed: bool,
}

impl MoneySamples {
    pub const NAME: &'static str = "money-samples";

    pub fn new(db: Db, clock: SharedClock, store: Arc<dyn Store>, driver: &Arc<Driver>) -> Self {
        Self { db, clock, store, driver: Arc::downgrade(driver), last: Mutex::default() }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn values(&self, now: Timestamp) -> Result<Vec<(Labels, f64)>> {
        let mut conn = self.db.read().await?;
        let mut all = Vec::new();
        let all_kept = agenda::kept(&mut conn, None, TENANTS_MAX).await?;
        for kept in all_kept.iter().filter(|kept| kept.is_known()) {
            all.extend(of_tenant(now, kept));
        }
        for (kind, count) in findings::count_open(&mut conn).await? {
            all.push((Labels::metric("opshawk_findings", &[("kind", &kind)]), count as f64));
        }
        let statuses = self.driver.upgrade().map(|driver| driver.statuses()).unwrap_or_default();
        let ledger = statuses.iter().find(|status| status.name == LedgerReconciler::NAME);
        let found = ledger.and_then(|s| s.last_status[LedgerReconciler::FINDINGS].as_f64());
        all.extend(found.map(|found| (Labels::metric("opshawk_ledger_findings", &[]), found)));
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
            return Ok(Outcome { status: json!({ "series": self.last().series.len() }), wake_at });
        }
        let values = self.values(now).await?;
        let sample =
            |labels: Labels, value: f64| Series { labels, samples: vec![Sample { at_ms, value }] };
        let written: BTreeSet<Labels> = values.iter().map(|(labels, _)| labels.clone()).collect();
        let mut batch: Vec<Series> =
            values.into_iter().map(|(l, value)| sample(l, value)).collect();
        let ended: Vec<Labels> = self.last().series.difference(&written).cloned().collect();
        let stale = f64::from_bits(STALE_NAN_BITS);
        batch.extend(ended.into_iter().map(|labels| sample(labels, stale)));
        let appended =
            self.store.append(batch).await.map_err(|e| {
                base::Error::unavailable("money's samples can't be written").source(e)
            })?;
        let mut last = self.last();
        // Standing looks at what woke this at the same time; what it finds is written a little later.
        let was_woken = at_ms.saturating_sub(last.at_ms).unsigned_abs() < PERIOD_MS;
        let follows = was_woken && !last.followed;
        let wake_at = follows.then(|| now.saturating_add_ms(APART_MS));
        let status = json!({ "series": written.len(), "rejected": appended.rejected() });
        *last = Last { at_ms, series: written, followed: follows };
        Ok(Outcome { status, wake_at })
    }
}
