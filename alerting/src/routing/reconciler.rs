//! `alert-routing`: flushes the groups of alerts that are due, in one transaction.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use base::{
    Error, Result,
    bus::{Bus, Topic},
    db::{Conn, Db},
    outbox::{self, Notice},
    reconcile::{Outcome, Reconciler},
    time::{SharedClock, Timestamp},
};
use serde_json::json;

use super::{
    Members, Receiver, Told, flush, group_key, group_labels, message, receivers,
    store::{self, Episodes, GroupRow},
};
use crate::settings::Settings;

/// How far before its last flush a group looks for what was resolved meanwhile: an evaluation's
/// instant may precede its commit by this much.
const LOOKBACK_MS: i64 = 300_000;

/// The topic of the notices that come from here.
pub const TOPIC: &str = "alert";

pub struct AlertRouting {
    db: Db,
    clock: SharedClock,
    bus: Bus,
    settings: Arc<Settings>,
}

impl AlertRouting {
    pub fn new(db: Db, clock: SharedClock, bus: Bus, settings: Arc<Settings>) -> Self {
        Self { db, clock, bus, settings }
    }

    /// Groups that exist, and those that firing alerts make now.
    fn groups(
        &self,
        now: Timestamp,
        known: Vec<GroupRow>,
        firing: &Episodes,
    ) -> BTreeMap<(Receiver, String), (GroupRow, bool)> {
        let mut groups: BTreeMap<_, _> =
            known.into_iter().map(|row| ((row.receiver, row.key.clone()), (row, false))).collect();
        for episode in firing.values() {
            for receiver in receivers(&episode.labels) {
                let labels = group_labels(&episode.labels, &self.settings.group_by);
                let key = group_key(receiver, &labels);
                let fired_at = episode.fired_at.unwrap_or(now);
                let told = Told::nothing(&self.settings, now, fired_at);
                let (row, new) = groups.entry((receiver, key.clone())).or_insert_with(|| {
                    (GroupRow { receiver, key, labels, told: told.clone() }, true)
                });
                if *new {
                    // The first of them counts.
                    row.told.next_flush_at = row.told.next_flush_at.min(told.next_flush_at);
                }
            }
        }
        groups
    }

    fn belongs(&self, row: &GroupRow, labels: &base::sample::Labels) -> bool {
        receivers(labels).any(|r| r == row.receiver)
            && group_labels(labels, &self.settings.group_by) == row.labels
    }

    async fn members(
        &self,
        conn: &mut Conn,
        row: &GroupRow,
        firing: &Episodes,
        resolved: &Episodes,
    ) -> Result<Members> {
        let own = |episodes: &Episodes| -> Episodes {
            episodes
                .iter()
                .filter(|(_, e)| self.belongs(row, &e.labels))
                .map(|(f, e)| (f.clone(), e.clone()))
                .collect()
        };
        let since = since(&row.told);
        let mut members = Members { firing: own(firing), resolved: own(resolved) };
        members.resolved.retain(|_, e| e.resolved_at >= Some(since));
        for fingerprint in &row.told.firing {
            if !members.firing.contains_key(fingerprint)
                && !members.resolved.contains_key(fingerprint)
                && let Some(episode) = store::last_resolved(&mut *conn, fingerprint).await?
            {
                members.resolved.insert(fingerprint.clone(), episode);
            }
        }
        Ok(members)
    }

    /// Flushes one group. Returns its next flush, and whether a notice was written.
    async fn flush(
        &self,
        conn: &mut Conn,
        now: Timestamp,
        mut row: GroupRow,
        mut members: Members,
    ) -> Result<(Option<Timestamp>, bool)> {
        let done = flush(&self.settings, now, &row.told, &members);
        if done.reason.is_some() {
            let send = self.settings.send_resolved;
            members.resolved.retain(|f, _| send && done.resolved.contains(f));
            let payload = message::payload(&self.settings, row.receiver, &row.labels, &members);
            let notice = Notice {
                key: format!("{TOPIC}:{}:{}:{}", row.receiver.name(), row.key, now.ms()),
                topic: TOPIC.to_owned(),
                tenant_id: row.receiver.tenant(),
                subject: message::subject(&payload),
                body: message::text(&payload, now),
                data: serde_json::to_value(&payload)
                    .map_err(|e| Error::internal("a payload can't be written").source(e))?,
            };
            outbox::enqueue(&mut *conn, now, &notice).await?;
        }
        let next = match done.told {
            Some(told) => {
                row.told = told;
                store::put(conn, &row).await?;
                Some(row.told.next_flush_at)
            }
            None => {
                store::remove(conn, &row).await?;
                None
            }
        };
        Ok((next, done.reason.is_some()))
    }
}

/// What was resolved before this is no news to the group.
fn since(told: &Told) -> Timestamp {
    told.flushed_at
        .map_or(told.created_at, |at| at.saturating_add_ms(-LOOKBACK_MS).max(told.created_at))
}

#[async_trait]
impl Reconciler for AlertRouting {
    fn name(&self) -> &'static str {
        "alert-routing"
    }
    fn description(&self) -> &'static str {
        "Groups firing and resolved alerts and writes the notices that tell of them."
    }
    fn period(&self) -> Duration {
        let ms = u64::try_from(self.settings.group_interval_ms).unwrap_or(1_000);
        Duration::from_millis(ms)
    }
    async fn run(&self) -> Result<Outcome> {
        let now = self.clock.now();
        let mut tx = self.db.begin_write().await?;
        let known = store::list(&mut tx).await?;
        let firing = store::firing(&mut tx).await?;
        let earliest = known.iter().map(|row| since(&row.told)).min().unwrap_or(now);
        let resolved = store::resolved_since(&mut tx, earliest).await?;
        let mut wake_at: Option<Timestamp> = None;
        let (mut count, mut told) = (0, Vec::new());
        for (row, new) in self.groups(now, known, &firing).into_values() {
            count += 1;
            let receiver = row.receiver;
            let next = if row.told.next_flush_at > now {
                if new {
                    store::put(&mut tx, &row).await?;
                }
                Some(row.told.next_flush_at)
            } else {
                let members = self.members(&mut tx, &row, &firing, &resolved).await?;
                let (next, notified) = self.flush(&mut tx, now, row, members).await?;
                told.extend(notified.then_some(receiver));
                next
            };
            wake_at = wake_at.into_iter().chain(next).min();
        }
        tx.commit().await?;
        for receiver in &told {
            self.bus.publish(Topic::Notice, receiver.name(), receiver.tenant());
        }
        let status = json!({ "firing": firing.len(), "groups": count, "notices": told.len() });
        Ok(Outcome { status, wake_at })
    }
}
