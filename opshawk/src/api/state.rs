//! What every handler may reach.

use std::{ops::Deref, sync::Arc};

use base::{
    bus::Bus,
    db::{Conn, Db},
    reconcile::Driver,
    secret::Sealer,
    time::{SharedClock, Timestamp},
};
use identity::Identity;
use tokio_util::sync::CancellationToken;

use super::{history::Moves, images::Files, metrics::Metrics, streams::Broker};
use crate::{config::Config, samples::Ingest, server::loops::ServersChanged};

/// Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

pub struct Parts {
    pub config: Config,
    pub db: Db,
    pub clock: SharedClock,
    pub bus: Bus,
    pub sealer: Sealer,
    pub identity: Identity,
    pub store: Arc<dyn timeseries::Store>,
    pub engine: timeseries::Engine,
    pub driver: Arc<Driver>,
    pub billing: billing::Settings,
    pub alerting_settings: Arc<alerting::Settings>,
    pub alerting: alerting::Alerting,
    pub ingest: Ingest,
    pub reports: provisioner::reports::Reports,
    /// Wakes what looks after physical servers.
    pub servers_changed: ServersChanged,
    pub files: Files,
    pub metrics: Metrics,
    /// Exports and imports of samples under way.
    pub moves: Moves,
    /// Live consoles that are open.
    pub streams: Broker,
    /// Set when the server drains: long polls and event streams end.
    pub stopping: CancellationToken,
    pub started_at: Timestamp,
}

impl App {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// A connection for reading.
    pub async fn read(&self) -> base::Result<impl std::ops::DerefMut<Target = Conn> + use<>> {
        self.db.read().await
    }
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
