//! The time-series store as the other parts see it: rules read and write it, samples come in by
//! remote write or from the server's own collection.
//!
//! A label that the server sets can't be set by what it receives: [`Ingest`] is where that is so.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use base::{
    Error, Result,
    db::Db,
    id::{HostId, TenantId},
    sample::{Labels, Series},
    time::{SharedClock, Timestamp},
};
use inventory::hosts;
use timeseries::{
    Appended, Engine, Scope, Store, TENANT, Value,
    remote_write::{Body, Label, Relabel},
};

mod owners;

use owners::{Owner, Owners};

/// The label that says which instance a series is about.
pub const INSTANCE_ID: &str = "instance_id";
/// The labels that say which host a series comes from.
const HOST: &str = "host";
const TARGET: &str = "instance";

/// What rules read and write.
#[derive(Debug, Clone)]
pub struct RuleSamples {
    pub engine: Engine,
}

#[async_trait]
impl alerting::samples::Samples for RuleSamples {
    async fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>> {
        match self.engine.query(&Scope::ALL, expr, at.ms()).await? {
            Value::Vector(series) => {
                Ok(series.into_iter().map(|s| (s.metric, s.value.value)).collect())
            }
            Value::Scalar(point) => Ok(vec![(Labels::default(), point.value)]),
            Value::Matrix(_) | Value::String(_) => {
                Err(Error::invalid("expr", "a rule's expression must give a vector or a scalar"))
            }
        }
    }

    async fn append(&self, series: &[Series]) -> Result<()> {
        let appended = self.engine.store().append(series.to_vec()).await?;
        if let Some(error) = appended.first_error {
            tracing::warn!(error, "samples of rules were not taken");
        }
        Ok(())
    }
}

/// The way in for samples.
#[derive(Debug, Clone)]
pub struct Ingest {
    db: Db,
    store: Arc<dyn Store>,
    owners: Owners,
}

/// Who sends samples.
#[derive(Debug, Clone)]
pub enum Sender {
    /// May speak of its own instances, and as its own host.
    Agent { host: HostId, host_name: String },
    /// May speak of everything but for a tenant.
    Operator,
}

impl Ingest {
    pub fn new(db: Db, store: Arc<dyn Store>, clock: SharedClock) -> Self {
        Self { owners: Owners::new(db.clone(), clock), db, store }
    }

    pub async fn sender(&self, access: identity::Access) -> Result<Sender> {
        match access {
            identity::Access::Agent(host) => {
                let host_name = hosts::get(&mut *self.db.read().await?, host).await?.name;
                Ok(Sender::Agent { host, host_name })
            }
            _ => Ok(Sender::Operator),
        }
    }

    /// Durable when it returns.
    pub async fn take(
        &self,
        sender: &Sender,
        mut batch: Vec<Series>,
    ) -> timeseries::Result<Appended> {
        let named = batch.iter().filter_map(|one| one.labels.get(INSTANCE_ID));
        // Their texts are the batch's, whose labels are about to change.
        let owners: HashMap<String, Owner> = self
            .owners
            .of(named)
            .await?
            .into_iter()
            .map(|(id, owner)| (id.to_owned(), owner))
            .collect();
        for series in &mut batch {
            let owner = series.labels.get(INSTANCE_ID).and_then(|id| owners.get(id)).copied();
            series.labels = rewrite(std::mem::take(&mut series.labels), sender, owner);
        }
        self.store.append(batch).await
    }

    /// The same for a body of remote write, whose labels stay where they are.
    pub async fn take_body(&self, sender: &Sender, body: Body) -> timeseries::Result<Appended> {
        let named = self.owners.of(body.series().filter_map(|one| one.get(INSTANCE_ID))).await?;
        let spoken = named.into_iter().filter(|(_, owner)| sender.speaks_of(owner));
        let owners =
            spoken.map(|(id, owner)| (id.as_bytes().to_vec(), owner.tenant.to_string())).collect();
        let host_name = match sender {
            Sender::Agent { host_name, .. } => Some(host_name.clone()),
            Sender::Operator => None,
        };
        self.store.append_remote_write(body, Arc::new(Rewrite { owners, host_name })).await
    }
    /// Whose an instance is; none where it is not known.
    pub async fn owner_of_instance(&self, id: &str) -> timeseries::Result<Option<TenantId>> {
        Ok(self.owners.of_one(id).await?.map(|owner| owner.tenant))
    }
}

impl Sender {
    fn speaks_of(&self, owner: &Owner) -> bool {
        match self {
            Self::Agent { host, .. } => owner.host == *host,
            Self::Operator => true,
        }
    }
}

/// [`rewrite`] for labels that are borrowed from a body.
#[derive(Debug)]
struct Rewrite {
    /// The tenant, by the id of each instance that the sender may speak of.
    owners: HashMap<Vec<u8>, String>,
    host_name: Option<String>,
}

impl Relabel for Rewrite {
    fn relabel<'a>(&'a self, labels: &mut Vec<Label<'a>>) {
        let id = labels.iter().find(|(name, _)| *name == INSTANCE_ID.as_bytes());
        let tenant = id.and_then(|(_, id)| self.owners.get(*id));
        labels.retain(|(name, _)| {
            *name != TENANT.as_bytes() && (*name != INSTANCE_ID.as_bytes() || tenant.is_some())
        });
        let mut set = |name: &'static str, value: &'a str| {
            labels.push((name.as_bytes(), value.as_bytes()));
        };
        if let Some(tenant) = tenant {
            set(TENANT, tenant);
        }
        if let Some(host_name) = &self.host_name {
            set(HOST, host_name);
            set(TARGET, host_name);
        }
    }
}

/// What the sender may not say is put right: `tenant` follows from `instance_id` alone, and an
/// agent's host is its own.
fn rewrite(labels: Labels, sender: &Sender, owner: Option<Owner>) -> Labels {
    let owner = owner.filter(|owner| sender.speaks_of(owner));
    let kept = labels
        .iter()
        .filter(|(name, _)| *name != TENANT && (*name != INSTANCE_ID || owner.is_some()));
    let mut pairs: Vec<(String, String)> =
        kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut set = |name: &str, value: String| pairs.push((name.to_owned(), value));
    if let Some(owner) = owner {
        set(TENANT, owner.tenant.to_string());
    }
    if let Sender::Agent { host_name, .. } = sender {
        set(HOST, host_name.clone());
        set(TARGET, host_name.clone());
    }
    // The last of two values for one name wins.
    Labels::new(pairs)
}

#[cfg(test)]
mod tests;
