//! The reconcilers, and what wakes them before their period.

use std::{path::PathBuf, sync::Arc, time::Duration};

use base::{
    Result,
    bus::{Bus, Topic},
    db::Db,
    reconcile::{Driver, Signal},
    secret::Sealer,
    time::SharedClock,
};
use billing::{
    close::MonthReconciler, leaks::LeakReconciler, ledger::LedgerReconciler,
    packages::PackageReconciler, rating::RatingReconciler, standing::StandingReconciler,
};
use inventory::quotas::drift::QuotaDrift;
use provisioner::{
    liveness::HostLiveness,
    servers::{BmcClients, ServerPower},
};
use timeseries::Store;
use tokio::{sync::broadcast::error::RecvError, task::JoinHandle};

use super::{collection::Collection, money::MoneySamples};

/// How long runs under way may take when the server ends. They can be cut off: each step is
/// idempotent, and what a run writes is one transaction.
const DRAIN: Duration = Duration::from_secs(3);

/// What the loops work with.
pub struct Needs {
    pub driver: Arc<Driver>,
    pub db: Db,
    pub clock: SharedClock,
    pub bus: Bus,
    pub sealer: Sealer,
    pub store: Arc<dyn Store>,
    pub billing: billing::Settings,
    pub money_samples: bool,
    pub bmc_interval_s: u32,
    /// Where the samples of the server's own collection wait.
    pub queue: PathBuf,
}

pub struct Loops {
    waker: JoinHandle<()>,
    collection: Collection,
    clients: Arc<BmcClients>,
    servers_changed: ServersChanged,
}

/// Wakes what looks after physical servers.
#[derive(Debug, Clone)]
pub struct ServersChanged {
    power: Signal,
    targets: Signal,
}

impl ServersChanged {
    pub fn wake(&self) {
        self.power.wake();
        self.targets.wake();
    }
}

impl Loops {
    pub fn spawn(needs: Needs) -> Result<Self> {
        let Needs { driver, db, clock, bus, sealer, .. } = &needs;
        let (db, clock, bus) = (|| db.clone(), || clock.clone(), || bus.clone());
        // Before the first runs, so that none of their hints is missed.
        let mut changes = needs.bus.subscribe();
        let standing = StandingReconciler::new(db(), clock(), bus(), needs.billing.clone());
        let standing = driver.spawn(Arc::new(standing.with_new_settings()));
        let rating = driver.spawn(Arc::new(RatingReconciler::new(db(), clock(), bus())));
        let ledger = driver.spawn(Arc::new(LedgerReconciler::new(db(), clock(), bus())));
        let months = MonthReconciler::new(db(), clock(), bus(), needs.billing.clone());
        driver.spawn(Arc::new(months));
        driver.spawn(Arc::new(PackageReconciler::new(db(), clock(), bus())));
        driver.spawn(Arc::new(HostLiveness { db: db(), clock: clock(), bus: bus() }));
        driver.spawn(Arc::new(QuotaDrift { db: db(), clock: clock(), bus: bus() }));
        driver.spawn(Arc::new(LeakReconciler { db: db(), clock: clock(), bus: bus() }));
        let money = || MoneySamples::new(db(), clock(), needs.store.clone(), driver);
        let money = needs.money_samples.then(|| driver.spawn(Arc::new(money())));
        let wake_money = move || {
            if let Some(money) = &money {
                money.wake();
            }
        };
        let clients = Arc::new(BmcClients::default());
        let power = driver.spawn(Arc::new(ServerPower {
            db: db(),
            clock: clock(),
            bus: bus(),
            sealer: sealer.clone(),
            clients: clients.clone(),
            period: Duration::from_secs(u64::from(needs.bmc_interval_s)),
        }));
        let (collection, targets) = Collection::start(&needs, clients.clone())?;
        let targets = driver.spawn(Arc::new(targets));
        let waker = tokio::spawn(async move {
            loop {
                match changes.recv().await.map(|change| change.topic) {
                    Ok(Topic::Money) => {
                        rating.wake();
                        standing.wake();
                        ledger.wake();
                        wake_money();
                    }
                    // A new tenant has an account.
                    Ok(Topic::Tenant) => standing.wake(),
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => {
                        rating.wake();
                        standing.wake();
                        ledger.wake();
                        wake_money();
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        });
        let servers_changed = ServersChanged { power, targets };
        Ok(Self { waker, collection, clients, servers_changed })
    }

    pub fn servers_changed(&self) -> ServersChanged {
        self.servers_changed.clone()
    }

    pub async fn stop(self, driver: &Driver) {
        self.waker.abort();
        self.collection.stop().await;
        if tokio::time::timeout(DRAIN, driver.stop()).await.is_err() {
            // One that waits for a dead BMC: the next start takes it up again.
            tracing::info!(limit_s = DRAIN.as_secs(), "reconcilers under way were cut off");
        }
        // A BMC has few sessions.
        self.clients.close().await;
    }
}
