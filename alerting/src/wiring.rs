//! Starting the three reconcilers, each woken by what the one before it changed.

use std::sync::Arc;

use base::{
    Result,
    bus::{Bus, Topic},
    db::Db,
    reconcile::{Driver, Signal},
    time::SharedClock,
};
use tokio::{sync::broadcast::error::RecvError, task::JoinHandle};

use crate::{
    delivery::{Transport, reconciler::NoticeDelivery},
    evaluation::reconciler::AlertEvaluation,
    routing::reconciler::AlertRouting,
    rules,
    samples::Samples,
    settings::Settings,
};

/// The running parts. Dropping it ends the waking, not the reconcilers: those are the driver's.
pub struct Alerting {
    evaluation: Signal,
    waker: JoinHandle<()>,
}

impl Alerting {
    /// Checks the settings, loads the rule files, then spawns `alert-evaluation`, `alert-routing`
    /// and `notice-delivery`.
    pub async fn start(
        driver: &Driver,
        db: &Db,
        clock: &SharedClock,
        bus: &Bus,
        settings: Arc<Settings>,
        samples: Arc<dyn Samples>,
    ) -> Result<Self> {
        settings.check()?;
        let transport = Transport::new(&settings)?;
        let mut tx = db.begin_write().await?;
        rules::store::load_files(&mut tx, clock.now(), &settings.rule_files).await?;
        tx.commit().await?;
        // Before the first run, so that none of its hints is missed.
        let mut changes = bus.subscribe();
        let (db, clock, bus) = (|| db.clone(), || clock.clone(), || bus.clone());
        let evaluation = AlertEvaluation::new(db(), clock(), bus(), settings.clone(), samples);
        let routing = AlertRouting::new(db(), clock(), bus(), settings.clone());
        let delivery = NoticeDelivery::new(db(), clock(), bus(), settings, transport);
        let evaluation = driver.spawn(Arc::new(evaluation));
        let routing = driver.spawn(Arc::new(routing));
        let delivery = driver.spawn(Arc::new(delivery));
        let waker = tokio::spawn(async move {
            loop {
                match changes.recv().await.map(|change| change.topic) {
                    Ok(Topic::Alert) => routing.wake(),
                    Ok(Topic::Notice | Topic::Money) => delivery.wake(),
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => {
                        routing.wake();
                        delivery.wake();
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Ok(Self { evaluation, waker })
    }

    /// After a rule group was put or deleted.
    pub fn rules_changed(&self) {
        self.evaluation.wake();
    }
}

impl Drop for Alerting {
    fn drop(&mut self) {
        self.waker.abort();
    }
}

#[cfg(test)]
mod tests;
