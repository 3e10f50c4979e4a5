//! Closes each month when its grace is over, and keeps its invoice as documents.

use std::time::Duration;

use async_trait::async_trait;
use base::{
    Error, Result,
    bus::{Bus, Topic},
    db::Db,
    id::TenantId,
    reconcile::{Outcome, Reconciler, error_chain},
    time::{SharedClock, Timestamp},
};

use super::{Closing, close, progress, unclosed};
use crate::{Settings, accounts, calendar::Month, invoice::documents};

/// Of one tenant in one run; the next run goes on.
const MONTHS_MAX: usize = 24;
/// After a failure or a full run.
const AGAIN_MS: i64 = 60_000;
/// Failures in one status.
const FAILED_MAX: usize = 100;

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

    /// Closes what is due, and says when the tenant is looked at again.
    async fn run_tenant(
        &self,
        now: Timestamp,
        tenant: TenantId,
        run: &mut Run,
    ) -> Result<Timestamp> {
        for _ in 0..MONTHS_MAX {
            let progress = progress(&mut *self.db.read().await?, tenant).await?;
            let (month, due) = (progress.next, progress.due(&self.settings));
            if now < due {
                return Ok(due);
            }
            let closing = match self.close(tenant, month).await {
                Ok(closing) => closing,
                Err(error) => {
                    run.failed(tenant, "a month can't be closed", &error);
                    run.told |= self.unclosed(tenant, month, &error).await?;
                    return Ok(now.saturating_add_ms(AGAIN_MS));
                }
            };
            if let Some(id) = closing.invoice_id {
                run.invoices += 1;
                self.bus.publish(Topic::Money, tenant, Some(tenant));
                // What is not made now is made when somebody asks for it.
                let now = closing.closed;
                if let Err(error) = documents::keep(&self.db, now, &self.settings.invoice, id).await
                {
                    run.failed(tenant, "an invoice's documents were not made", &error);
                }
            }
        }
        Ok(now.saturating_add_ms(AGAIN_MS))
    }

    async fn close(&self, tenant: TenantId, month: Month) -> Result<Closing> {
        let mut tx = self.db.begin_write().await?;
        // Later than what was posted meanwhile.
        let now = self.clock.now();
        let closing = close(&mut tx, now, &self.settings, tenant, month).await?;
        tx.commit().await?;
        Ok(closing)
    }

    async fn unclosed(&self, tenant: TenantId, month: Month, error: &Error) -> Result<bool> {
        let mut tx = self.db.begin_write().await?;
        // Somebody else may have closed it.
        if progress(&mut tx, tenant).await?.next != month {
            return Ok(false);
        }
        let told = unclosed::failed(&mut tx, self.clock.now(), tenant, month, error).await?;
        tx.commit().await?;
        Ok(told)
    }
}

/// What a run did.
#[derive(Default)]
struct Run {
    tenants: usize,
    invoices: usize,
    /// The first [`FAILED_MAX`].
    failed: Vec<String>,
    /// Operators are to be told something.
    told: bool,
}

impl Run {
    /// One tenant's trouble keeps no other.
    fn failed(&mut self, tenant: TenantId, what: &str, error: &Error) {
        let error = error_chain(error);
        tracing::error!(%tenant, error, "{what}");
        if self.failed.len() < FAILED_MAX {
            self.failed.push(format!("{tenant}: {error}"));
        }
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
        let mut run = Run::default();
        let mut wake_at: Option<Timestamp> = None;
        let mut cursor = None;
        loop {
            let page = accounts::page(&mut *self.db.read().await?, cursor).await?;
            let Some(last) = page.last() else { break };
            cursor = Some(*last);
            for tenant in page {
                run.tenants += 1;
                let next = match self.run_tenant(now, tenant, &mut run).await {
                    Ok(next) => next,
                    Err(error) => {
                        run.failed(tenant, "a tenant's months can't be looked at", &error);
                        now.saturating_add_ms(AGAIN_MS)
                    }
                };
                wake_at = Some(wake_at.map_or(next, |at| at.min(next)));
            }
        }
        if run.told {
            self.bus.publish(Topic::Notice, self.name(), None);
        }
        let status = serde_json::json!({
            "tenants": run.tenants, "invoices": run.invoices, "failed": run.failed,
        });
        Ok(Outcome { status, wake_at })
    }
}

#[cfg(test)]
mod tests;
