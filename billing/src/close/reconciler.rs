//! Closes each month when its grace is over, and keeps its invoice as documents.

use std::time::Duration;

use async_trait::async_trait;
use base::{
    Result,
    bus::{Bus, Topic},
    db::Db,
    id::{InvoiceId, TenantId},
    reconcile::{Outcome, Reconciler, error_chain},
    time::{SharedClock, Timestamp},
};

use super::{close, progress};
use crate::{Settings, accounts, invoice::documents};

/// Of one tenant in one run; the next run goes on.
const MONTHS_MAX: usize = 24;
/// After a failure or a full run.
const AGAIN_MS: i64 = 60_000;

pub struct MonthReconciler {
    db: Db,
    clock: SharedClock,
    bus: Bus,
    settings: Settings,
}

impl MonthReconciler {
    pub fn new(db: Db, clock: SharedClock, bus: Bus, settings: Settings) -> Self {
        Self { db, clock, bus, settings }
    }

    /// Closes what is due; the invoices, and when the tenant's next month is due.
    async fn run_tenant(
        &self,
        now: Timestamp,
        tenant: TenantId,
    ) -> Result<(Vec<InvoiceId>, Timestamp)> {
        let mut invoices = Vec::new();
        for _ in 0..MONTHS_MAX {
            let progress = progress(&mut *self.db.read().await?, tenant).await?;
            let due = progress.due(&self.settings);
            if now < due {
                return Ok((invoices, due));
            }
            let mut tx = self.db.begin_write().await?;
            // Later than what was posted meanwhile.
            let now = self.clock.now();
            let closing = close(&mut tx, now, &self.settings, tenant, progress.next).await?;
            tx.commit().await?;
            if let Some(id) = closing.invoice_id {
                invoices.push(id);
                self.bus.publish(Topic::Money, tenant, Some(tenant));
                documents::keep(&self.db, now, &self.settings.invoice, id).await?;
            }
        }
        Ok((invoices, now.saturating_add_ms(AGAIN_MS)))
    }
}

#[async_trait]
impl Reconciler for MonthReconciler {
    fn name(&self) -> &'static str {
        "months"
    }
    fn description(&self) -> &'static str {
        "Closes billing months when their grace is over, and issues invoices."
    }
    fn period(&self) -> Duration {
        Duration::from_secs(3_600)
    }

    async fn run(&self) -> Result<Outcome> {
        let now = self.clock.now();
        let (mut tenants, mut invoices) = (0usize, 0usize);
        let mut failed: Vec<String> = Vec::new();
        let mut wake_at: Option<Timestamp> = None;
        let mut cursor = None;
        loop {
            let page = accounts::page(&mut *self.db.read().await?, cursor).await?;
            let Some(last) = page.last() else { break };
            cursor = Some(*last);
            for tenant in page {
                tenants += 1;
                let next = match self.run_tenant(now, tenant).await {
                    Ok((issued, next)) => {
                        invoices += issued.len();
                        next
                    }
                    Err(error) => {
                        failed.push(format!("{tenant}: {}", error_chain(&error)));
                        now.saturating_add_ms(AGAIN_MS)
                    }
                };
                wake_at = Some(wake_at.map_or(next, |at| at.min(next)));
            }
        }
        let status = serde_json::json!({
            "tenants": tenants, "invoices": invoices, "failed": failed,
        });
        Ok(Outcome { status, wake_at })
    }
}
