//! `alert-evaluation`: evaluates each group at its ticks.
//!
//! Ticks are whole multiples of the group's interval since the epoch, so that they don't depend on
//! when the server started. A tick that was missed is skipped, as Prometheus does.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use base::{
    Result,
    bus::{Bus, Topic},
    db::{Conn, Db},
    reconcile::{Outcome, Reconciler},
    time::{SharedClock, Timestamp},
};
use futures::StreamExt;
use serde_json::json;

use super::{Change, RuleResult, RuleState, store};
use crate::{
    rules::{self, Group, parse, store::Stored},
    samples::Samples,
    settings::Settings,
    state,
};

/// So many groups are evaluated at once.
const CONCURRENT_GROUPS: usize = 4;
/// How long resolved episodes stay readable.
pub const RESOLVED_KEPT_MS: i64 = 7 * 86_400_000;
const PRUNE_BATCH: i64 = 1_000;

pub struct AlertEvaluation {
    db: Db,
    clock: SharedClock,
    bus: Bus,
    settings: Arc<Settings>,
    samples: Arc<dyn Samples>,
    /// Parsed groups by name and version. A group that is not here was not evaluated by this
    /// process yet.
    parsed: Mutex<HashMap<String, (i64, Arc<Group>)>>,
}

impl AlertEvaluation {
    pub fn new(
        db: Db,
        clock: SharedClock,
        bus: Bus,
        settings: Arc<Settings>,
        samples: Arc<dyn Samples>,
    ) -> Self {
        Self { db, clock, bus, settings, samples, parsed: Mutex::default() }
    }

    /// The group, and whether this process has evaluated it before.
    fn parsed(&self, stored: &Stored) -> Result<(Arc<Group>, bool)> {
        let mut all = self.parsed.lock().expect("no panic while held");
        let known = all.get(&stored.name);
        if let Some((version, group)) = known
            && *version == stored.version
        {
            return Ok((group.clone(), true));
        }
        let seen = known.is_some();
        // Its expressions were checked when it was written.
        let group = Arc::new(parse::stored(&stored.name, &stored.yaml)?);
        all.insert(stored.name.clone(), (stored.version, group.clone()));
        Ok((group, seen))
    }

    fn interval_ms(&self, group: &Group) -> i64 {
        group.interval_ms.unwrap_or(self.settings.evaluation_interval_ms).max(1)
    }

    /// Evaluates the group if a tick has come. Returns when the next one comes.
    async fn group(&self, stored: &Stored, now: Timestamp) -> Result<Ran> {
        let (group, seen) = self.parsed(stored)?;
        let interval_ms = self.interval_ms(&group);
        let tick = Timestamp::from_ms(now.ms() - now.ms().rem_euclid(interval_ms));
        let next = tick.saturating_add_ms(interval_ms);
        if stored.evaluated_at.is_some_and(|last| last >= tick) {
            return Ok(Ran { next, results: None });
        }
        let mut states = store::load(&mut *self.db.read().await?, &stored.name).await?;
        if let (Some(last), false) = (stored.evaluated_at, seen) {
            let alerts = states.values_mut().flat_map(|s| s.alerts.values_mut());
            alerts.for_each(|k| state::after_outage(tick, last, interval_ms, &mut k.episode));
        }
        let results = super::group(&group, tick, &mut states, self.samples.as_ref()).await;
        // What is left belongs to rules that are not in the group any more.
        // Where their series can't be ended now, they wait for the next tick.
        let gone = match end_series(tick, &states, self.samples.as_ref()).await {
            Ok(()) => states,
            Err(error) => {
                failure(stored, None, &base::reconcile::error_chain(&error));
                BTreeMap::new()
            }
        };
        let mut tx = self.db.begin_write().await?;
        let mut changed = None;
        if store::record(&mut tx, &stored.name, stored.version, tick, &results).await? {
            retire(&mut tx, &stored.name, tick, &gone).await?;
            tx.commit().await?;
            self.publish(&results, &gone);
            changed = Some(results);
        }
        Ok(Ran { next, results: changed })
    }

    /// Groups that were deleted: their series end, their alerts are over.
    async fn orphans(&self, now: Timestamp) -> Result<()> {
        let names = store::orphaned_groups(&mut *self.db.read().await?).await?;
        for name in names {
            let gone = store::load(&mut *self.db.read().await?, &name).await?;
            end_series(now, &gone, self.samples.as_ref()).await?;
            let mut tx = self.db.begin_write().await?;
            retire(&mut tx, &name, now, &gone).await?;
            tx.commit().await?;
            self.parsed.lock().expect("no panic while held").remove(&name);
            self.publish(&[], &gone);
        }
        Ok(())
    }

    fn publish(&self, results: &[RuleResult], gone: &BTreeMap<String, RuleState>) {
        let changed = results.iter().flat_map(|r| &r.alerts).filter_map(|change| match change {
            Change::Begin(known) | Change::Update(known, true) => Some(known),
            Change::Update(_, false) => None,
            // Of a pending one: nothing remains to be shown, but lists must drop it.
            Change::Forget(known) => Some(known),
        });
        for known in changed.chain(gone.values().flat_map(|s| s.alerts.values())) {
            let tenant = store::tenant(&known.episode.labels);
            self.bus.publish(Topic::Alert, known.id, tenant);
        }
    }
}

struct Ran {
    next: Timestamp,
    results: Option<Vec<RuleResult>>,
}

/// Ends the series of rules that are gone.
async fn end_series(
    at: Timestamp,
    states: &BTreeMap<String, RuleState>,
    samples: &dyn Samples,
) -> Result<()> {
    for state in states.values() {
        let (series, _) = super::with_stale(at, &state.series, Vec::new());
        samples.append(&series).await?;
    }
    Ok(())
}

async fn retire(
    conn: &mut Conn,
    group: &str,
    at: Timestamp,
    gone: &BTreeMap<String, RuleState>,
) -> Result<()> {
    for (key, rule) in gone {
        for known in rule.alerts.values() {
            let change = match known.episode.state {
                state::AlertState::Pending => Change::Forget(known.clone()),
                _ => {
                    let episode = state::resolved(at, known.episode.clone());
                    Change::Update(super::Known { id: known.id, episode }, true)
                }
            };
            store::apply(&mut *conn, group, key, &change).await?;
        }
        store::forget_rule(&mut *conn, group, key).await?;
    }
    Ok(())
}

#[async_trait]
impl Reconciler for AlertEvaluation {
    fn name(&self) -> &'static str {
        "alert-evaluation"
    }
    fn description(&self) -> &'static str {
        "Evaluates the rule groups at their intervals and moves the alerts' states."
    }
    fn period(&self) -> Duration {
        let ms = u64::try_from(self.settings.evaluation_interval_ms).unwrap_or(1_000);
        Duration::from_millis(ms)
    }
    async fn run(&self) -> Result<Outcome> {
        let now = self.clock.now();
        let orphans = self.orphans(now).await;
        let groups =
            rules::store::list(&mut *self.db.read().await?, "", rules::store::MAX_GROUPS).await?;
        let count = groups.len();
        let each = groups.into_iter().map(|stored| async move {
            let ran = self.group(&stored, now).await;
            (stored, ran)
        });
        let runs: Vec<(Stored, Result<Ran>)> =
            futures::stream::iter(each).buffer_unordered(CONCURRENT_GROUPS).collect().await;
        let mut wake_at: Option<Timestamp> = None;
        let mut evaluated = 0;
        let mut failed = Vec::new();
        if let Err(error) = orphans {
            let error = base::reconcile::error_chain(&error);
            tracing::warn!(error, "series of deleted rule groups are not ended yet");
            failed.push(json!({ "group": null, "rule": null, "error": error }));
        }
        for (stored, run) in runs {
            match run {
                Ok(ran) => {
                    wake_at = Some(wake_at.map_or(ran.next, |at| at.min(ran.next)));
                    evaluated += usize::from(ran.results.is_some());
                    for result in ran.results.iter().flatten() {
                        if let Some(error) = &result.error {
                            failed.push(failure(&stored, Some(&result.name), error));
                        }
                    }
                }
                Err(error) => {
                    failed.push(failure(&stored, None, &base::reconcile::error_chain(&error)));
                }
            }
        }
        let before = now.saturating_add_ms(-RESOLVED_KEPT_MS);
        store::prune(&mut *self.db.read().await?, before, PRUNE_BATCH).await?;
        let status = json!({ "groups": count, "evaluated": evaluated, "failed": failed });
        Ok(Outcome { status, wake_at })
    }
}

fn failure(stored: &Stored, rule: Option<&str>, error: &str) -> serde_json::Value {
    tracing::warn!(group = stored.name, rule, error, "rule evaluation failed");
    json!({ "group": stored.name, "rule": rule, "error": error })
}
