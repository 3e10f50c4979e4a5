//! Hosts whose agent fell silent: they and what they run are unknown, never stopped.

use std::time::Duration;

use async_trait::async_trait;
use base::{
    Result,
    bus::{Bus, Topic},
    db::Db,
    reconcile::{Outcome, Reconciler},
    time::SharedClock,
};
use inventory::hosts;
use serde_json::json;

/// An agent reports at least every 10 s; three in a row are missing.
pub const SILENCE_MAX: Duration = Duration::from_secs(35);

pub struct HostLiveness {
    pub db: Db,
    pub clock: SharedClock,
    pub bus: Bus,
}

#[async_trait]
impl Reconciler for HostLiveness {
    fn name(&self) -> &'static str {
        "host-liveness"
    }
    fn description(&self) -> &'static str {
        "Marks hosts whose agent fell silent, and what runs on them, as unknown."
    }
    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }
    async fn run(&self) -> Result<Outcome> {
        let mut tx = self.db.begin_write().await?;
        let silent = hosts::mark_silent(&mut tx, self.clock.now() - SILENCE_MAX).await?;
        tx.commit().await?;
        for host in &silent {
            tracing::warn!(%host, "the agent fell silent");
            self.bus.publish(Topic::Host, host, None);
        }
        Ok(Outcome { status: json!({"marked_silent": silent}), wake_at: None })
    }
}
