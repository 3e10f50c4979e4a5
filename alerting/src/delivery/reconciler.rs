//! `notice-delivery`: makes deliveries of new notices and keeps a worker for each receiver that has
//! something pending.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base::{
    Result,
    bus::Bus,
    db::Db,
    reconcile::{Outcome, Reconciler},
    time::SharedClock,
};
use serde_json::json;

use super::{Transport, lanes::Lanes, recipients, store};
use crate::settings::Settings;

/// So many notices are routed in one transaction.
const ROUTE_BATCH: i64 = 100;
/// A worker that ended for an error of the database, and a notice whose hint was lost, wait for
/// this at most.
const PERIOD: Duration = Duration::from_secs(10);

pub struct NoticeDelivery {
    db: Db,
    clock: SharedClock,
    settings: Arc<Settings>,
    lanes: Lanes,
}

impl NoticeDelivery {
    pub fn new(
        db: Db,
        clock: SharedClock,
        bus: Bus,
        settings: Arc<Settings>,
        transport: Transport,
    ) -> Self {
        let lanes = Lanes::new(db.clone(), clock.clone(), bus, Arc::new(transport));
        Self { db, clock, settings, lanes }
    }

    /// Routes what is new. Returns how many notices.
    async fn route(&self) -> Result<usize> {
        let mut routed = 0;
        loop {
            let batch = store::unrouted(&mut *self.db.read().await?, ROUTE_BATCH).await?;
            if batch.is_empty() {
                return Ok(routed);
            }
            let now = self.clock.now();
            let mut tx = self.db.begin_write().await?;
            for notice in &batch {
                let recipients =
                    recipients::of(&mut tx, &self.settings, &notice.topic, notice.tenant_id)
                        .await?;
                store::route(&mut tx, now, notice, &recipients).await?;
            }
            tx.commit().await?;
            routed += batch.len();
        }
    }
}

#[async_trait]
impl Reconciler for NoticeDelivery {
    fn name(&self) -> &'static str {
        "notice-delivery"
    }
    fn description(&self) -> &'static str {
        "Sends notices by mail and webhook until their receivers took them."
    }
    fn period(&self) -> Duration {
        PERIOD
    }
    async fn run(&self) -> Result<Outcome> {
        let routed = self.route().await?;
        for lane in store::lanes(&mut *self.db.read().await?).await? {
            self.lanes.kick(lane);
        }
        let mut status = json!({ "routed": routed, "workers": self.lanes.count() });
        for (state, count) in store::counts(&mut *self.db.read().await?).await? {
            status[state] = json!(count);
        }
        Ok(Outcome { status, wake_at: None })
    }
}
