//! Looks at all tenants once a day, and a second time an hour later where something was seen that
//! was not seen before.

use std::time::Duration;

use async_trait::async_trait;
use base::{
    Result,
    bus::{Bus, Topic},
    db::Db,
    reconcile::{Outcome, Reconciler, error_chain},
    time::SharedClock,
};
use serde_json::json;

use super::{APART_MS, Looked, look};
use crate::accounts;

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Failures in one status.
const FAILED_MAX: usize = 100;

pub struct LeakReconciler {
    pub db: Db,
    pub clock: SharedClock,
    pub bus: Bus,
}

impl LeakReconciler {
    pub const NAME: &'static str = "leaks";
}

#[async_trait]
impl Reconciler for LeakReconciler {
    fn name(&self) -> &'static str {
        Self::NAME
    }
    fn description(&self) -> &'static str {
        "Holds what there is beside what is metered and billed, and reports what differs twice."
    }
    fn period(&self) -> Duration {
        DAY
    }

    async fn run(&self) -> Result<Outcome> {
        let mut all = Looked::default();
        let (mut tenants, mut failed) = (0u64, Vec::new());
        let mut cursor = None;
        loop {
            let page = accounts::page(&mut *self.db.read().await?, cursor).await?;
            let Some(last) = page.last() else { break };
            cursor = Some(*last);
            for tenant in page {
                tenants += 1;
                match look(&self.db, self.clock.now(), tenant).await {
                    Ok(looked) => {
                        all.seen += looked.seen;
                        all.reported += looked.reported;
                        all.resolved += looked.resolved;
                        all.waiting += looked.waiting;
                    }
                    // One that fails keeps no other.
                    Err(error) => {
                        tracing::error!(%tenant, error = error_chain(&error), "no look for leaks");
                        if failed.len() < FAILED_MAX {
                            failed.push(format!("{tenant}: {}", error_chain(&error)));
                        }
                    }
                }
            }
        }
        if all.reported > 0 {
            self.bus.publish(Topic::Notice, Self::NAME, None);
        }
        let again = (all.waiting > 0).then(|| self.clock.now().saturating_add_ms(APART_MS));
        let Looked { seen, reported, resolved, waiting } = all;
        let status = json!({
            "tenants": tenants, "seen": seen, "reported": reported, "resolved": resolved,
            "waiting": waiting, "failed": failed,
        });
        Ok(Outcome { status, wake_at: again })
    }
}
