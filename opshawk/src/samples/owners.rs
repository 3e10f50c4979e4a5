//! Whose instances are, remembered: a body of samples names the same ones again and again.
//!
//! Whose an instance is, and where it runs, never changes, so that what is known is known for good.
//! An id that nobody knows is remembered for [`UNKNOWN_HOLDS`] only: the next body asks no database
//! for it, and an instance that is created a moment later has its tenant a moment later.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use base::{
    Error,
    db::Db,
    id::{HostId, InstanceId, TenantId},
    time::{SharedClock, Timestamp},
};
use inventory::instances;

/// How long an id that is no instance's is not asked for again.
const UNKNOWN_HOLDS: Duration = Duration::from_secs(2);
/// Beyond this each of the two memories starts anew.
const IDS_MAX: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub tenant: TenantId,
    pub host: HostId,
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Owners {
    db: Db,
    clock: SharedClock,
    known: Arc<RwLock<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    owners: HashMap<InstanceId, Owner>,
    /// When the database did not know them.
    unknown: HashMap<InstanceId, Timestamp>,
}

impl Owners {
    pub fn new(db: Db, clock: SharedClock) -> Self {
        Self { db, clock, known: Arc::default() }
    }

    /// Of those that are instances' ids, by the id as it was written.
    pub async fn of<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> timeseries::Result<HashMap<&'a str, Owner>> {
        let distinct: HashSet<&str> = ids.into_iter().collect();
        let parsed = |text: &'a str| Some((text, text.parse::<InstanceId>().ok()?));
        let asked: Vec<(&str, InstanceId)> = distinct.into_iter().filter_map(parsed).collect();
        let now = self.clock.now();
        let (mut found, missing) = self.read(|known| known.recall(&asked, now));
        if missing.is_empty() {
            return Ok(found);
        }
        let looked_up = self.look_up(&missing).await?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).learn(&missing, &looked_up, now);
        let owned = |(text, id)| Some((text, *looked_up.get(&id)?));
        found.extend(asked.into_iter().filter_map(owned));
        Ok(found)
    }

    /// Of one.
    pub async fn of_one(&self, id: &str) -> timeseries::Result<Option<Owner>> {
        Ok(self.of([id]).await?.remove(id))
    }

    fn read<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        read(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn look_up(&self, ids: &[InstanceId]) -> timeseries::Result<HashMap<InstanceId, Owner>> {
        let busy = |_: Error| timeseries::Error::Busy("the database does not answer");
        let mut conn = self.db.read().await.map_err(busy)?;
        let rows = instances::owners(&mut conn, ids).await.map_err(busy)?;
        Ok(rows.into_iter().map(|(id, tenant, host)| (id, Owner { tenant, host })).collect())
    }
}

impl Known {
    /// Those that are known, and those that must be asked for.
    fn recall<'a>(
        &self,
        asked: &[(&'a str, InstanceId)],
        now: Timestamp,
    ) -> (HashMap<&'a str, Owner>, Vec<InstanceId>) {
        let (mut found, mut missing) = (HashMap::with_capacity(asked.len()), Vec::new());
        for (text, id) in asked {
            match self.owners.get(id) {
                Some(owner) => drop(found.insert(*text, *owner)),
                None if self.unknown.get(id).is_some_and(|since| holds(*since, now)) => {}
                None => missing.push(*id),
            }
        }
        (found, missing)
    }

    fn learn(&mut self, asked: &[InstanceId], found: &HashMap<InstanceId, Owner>, now: Timestamp) {
        if self.owners.len() + found.len() > IDS_MAX {
            self.owners.clear();
        }
        self.owners.extend(found);
        if self.unknown.len() + asked.len() > IDS_MAX {
            self.unknown.retain(|_, since| holds(*since, now));
        }
        for id in asked {
            if found.contains_key(id) {
                self.unknown.remove(id);
            } else if self.unknown.len() < IDS_MAX {
                self.unknown.insert(*id, now);
            }
        }
    }
}

/// A clock that was set back must not make it last.
fn holds(since: Timestamp, now: Timestamp) -> bool {
    since <= now && now < since + UNKNOWN_HOLDS
}

#[cfg(test)]
mod tests;
