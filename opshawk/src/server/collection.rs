//! Reading the servers' BMCs into the store, by the same collector that agents have.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base::{
    Error, Result,
    db::Db,
    reconcile::{Outcome, Reconciler},
    sample::Series,
    secret::Sealer,
};
use collector::{BmcTarget, Collector, Schedule, Settings, Sink, SinkError};
use inventory::servers;
use provisioner::servers::BmcClients;
use serde_json::json;
use timeseries::{ErrorType, Store};
use tokio::{sync::watch, task::JoinHandle};

use super::loops::Needs;

/// The `instance` label of what the collection tells about itself.
const INSTANCE: &str = "opshawk";
/// More servers than this are not read.
const SERVERS_MAX: i64 = 10_000;

pub struct Collection {
    collector: Collector,
    follower: JoinHandle<()>,
}

impl Collection {
    pub fn start(needs: &Needs, clients: Arc<BmcClients>) -> Result<(Self, BmcTargets)> {
        let sink = Arc::new(DirectSink { store: needs.store.clone() });
        let settings = Settings::new(&needs.queue, INSTANCE);
        let collector = Collector::start(settings, needs.clock.clone(), sink).map_err(|e| {
            Error::unavailable("the queue of samples can't be used")
                .remedy("check that the data directory can be written")
                .source(e)
        })?;
        let (tell, told) = watch::channel(Vec::new());
        let schedule = Schedule::every_s(needs.bmc_interval_s);
        let follower = tokio::spawn(collector.clone().follow_servers(told, schedule));
        let targets =
            BmcTargets { db: needs.db.clone(), sealer: needs.sealer.clone(), clients, tell };
        Ok((Self { collector, follower }, targets))
    }

    pub async fn stop(self) {
        self.collector.stop().await;
        self.follower.abort();
    }
}

/// The store, right here. What the server collected itself needs no rewriting.
struct DirectSink {
    store: Arc<dyn Store>,
}

#[async_trait]
impl Sink for DirectSink {
    async fn send(&self, batch: &[Series]) -> Result<(), SinkError> {
        match self.store.append(batch.to_vec()).await {
            Ok(appended) if appended.rejected() > 0 => {
                Err(SinkError::never(appended.first_error.unwrap_or_default()))
            }
            Ok(_) => Ok(()),
            Err(e) if e.error_type() == ErrorType::BadData => Err(SinkError::never(e.to_string())),
            Err(e) => Err(SinkError::later(e.to_string())),
        }
    }
}

/// Tells the collection which BMCs there are.
pub struct BmcTargets {
    db: Db,
    sealer: Sealer,
    clients: Arc<BmcClients>,
    tell: watch::Sender<Vec<BmcTarget>>,
}

#[async_trait]
impl Reconciler for BmcTargets {
    fn name(&self) -> &'static str {
        "bmc-targets"
    }
    fn description(&self) -> &'static str {
        "Tells the collection of samples which BMCs there are to read."
    }
    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run(&self) -> Result<Outcome> {
        let all = servers::list(&mut *self.db.read().await?, None, SERVERS_MAX).await?;
        let mut targets = Vec::with_capacity(all.len());
        for server in all {
            // One whose password can't be opened shows so by its power.
            let Ok(bmc) = self.clients.of(&self.sealer, &server).await else { continue };
            targets.push(BmcTarget { server_id: server.id, server: server.name, bmc });
        }
        let count = targets.len();
        self.tell.send_if_modified(|known| {
            let changed = *known != targets;
            *known = targets;
            changed
        });
        Ok(Outcome { status: json!({ "targets": count }), wake_at: None })
    }
}
