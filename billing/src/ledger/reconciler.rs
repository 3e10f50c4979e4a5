//! Ends what is over, at its instant, and verifies the books each hour.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use base::{
    Result,
    bus::{Bus, Topic},
    db::Db,
    id::TenantId,
    outbox::{self, Notice},
    reconcile::{Outcome, Reconciler, error_chain},
    time::{SharedClock, Timestamp},
};
use serde_json::json;

use super::{
    over,
    verify::{self, Finding},
};

const HOUR_MS: i64 = 3_600_000;
/// After a failure.
const AGAIN_MS: i64 = 1_000;
/// Findings that one run tells of.
const TOLD_MAX: usize = 100;

pub struct LedgerReconciler {
    db: Db,
    clock: SharedClock,
    bus: Bus,
    /// When the books were verified last; 0: not by this program.
    verified_ms: AtomicI64,
    found: AtomicI64,
}

impl LedgerReconciler {
    pub const NAME: &'static str = "ledger";
    /// In its status: how many findings the last verification had, null before the first.
    pub const FINDINGS: &'static str = "findings";

    pub fn new(db: Db, clock: SharedClock, bus: Bus) -> Self {
        let never = || AtomicI64::new(0);
        Self { db, clock, bus, verified_ms: never(), found: AtomicI64::new(-1) }
    }

    /// How many bonuses' instants and holds it ended, and what failed.
    pub(crate) async fn end_what_is_over(&self, now: Timestamp) -> Result<(usize, Vec<String>)> {
        let (mut ended, mut failed) = (0, Vec::new());
        let mut cursor = None;
        loop {
            let page = over::page(&mut *self.db.read().await?, now, cursor).await?;
            let Some(last) = page.last() else { break };
            cursor = Some(*last);
            for tenant in page {
                // One that fails keeps no other.
                match self.end_of(now, tenant).await {
                    Ok(of_it) => ended += of_it,
                    Err(error) => failed.push(format!("{tenant}: {}", error_chain(&error))),
                }
            }
        }
        Ok((ended, failed))
    }

    async fn end_of(&self, now: Timestamp, tenant: TenantId) -> Result<usize> {
        let mut tx = self.db.begin_write().await?;
        let ended = over::end(&mut tx, now, tenant).await?;
        tx.commit().await?;
        if ended > 0 {
            self.bus.publish(Topic::Money, tenant, Some(tenant));
        }
        Ok(ended)
    }

    /// When the next bonus or hold is over.
    pub(crate) async fn next_over(&self) -> Result<Option<Timestamp>> {
        let mut conn = self.db.read().await?;
        over::next(&mut conn).await
    }

    async fn verify(&self, now: Timestamp) -> Result<()> {
        let verified = verify::verify(&self.db).await?;
        self.found.store(i64::try_from(verified.found).unwrap_or(i64::MAX), Ordering::Relaxed);
        self.verified_ms.store(now.ms(), Ordering::Relaxed);
        if verified.findings.is_empty() {
            return Ok(());
        }
        tracing::error!(found = verified.found, "the ledger has findings");
        let mut tx = self.db.begin_write().await?;
        for finding in verified.findings.iter().take(TOLD_MAX) {
            outbox::enqueue(&mut tx, now, &notice(finding)).await?;
        }
        tx.commit().await?;
        self.bus.publish(Topic::Notice, "ledger", None);
        Ok(())
    }
}

fn notice(finding: &Finding) -> Notice {
    let Finding { invariant, tenant_id, subject, detail } = finding;
    Notice {
        key: format!("ledger:finding:{invariant}:{tenant_id}:{subject}"),
        topic: "balance".to_owned(),
        tenant_id: None,
        subject: format!("the ledger is not sound: {invariant}"),
        body: format!(
            "The ledger of tenant {tenant_id} breaks the invariant {invariant} at {subject}: \
             {detail}. Look at `opshawk ledger verify`, and compare with the newest backup before \
             correcting anything."
        ),
        data: json!({
            "tenant_id": tenant_id, "invariant": invariant, "subject": subject, "detail": detail,
        }),
    }
}

#[async_trait]
impl Reconciler for LedgerReconciler {
    fn name(&self) -> &'static str {
        Self::NAME
    }
    fn description(&self) -> &'static str {
        "Ends bonuses and holds whose time is over, and verifies the ledger each hour."
    }
    fn period(&self) -> Duration {
        Duration::from_secs(3_600)
    }

    async fn run(&self) -> Result<Outcome> {
        let now = self.clock.now();
        let (ended, failed) = self.end_what_is_over(now).await?;
        let verified = self.verified_ms.load(Ordering::Relaxed);
        if verified == 0 || verified > now.ms() || now.ms() - verified >= HOUR_MS {
            self.verify(now).await?;
        }
        let verified = self.verified_ms.load(Ordering::Relaxed);
        let soonest = now.saturating_add_ms(AGAIN_MS);
        let over = self.next_over().await?.map(|at| at.max(soonest));
        let again = Timestamp::from_ms(verified.saturating_add(HOUR_MS));
        let wake_at = over.into_iter().chain([again]).min();
        let found = self.found.load(Ordering::Relaxed);
        let found = (found >= 0).then_some(found);
        let status = json!({"ended": ended, "failed": failed, Self::FINDINGS: found});
        Ok(Outcome { status, wake_at })
    }
}
