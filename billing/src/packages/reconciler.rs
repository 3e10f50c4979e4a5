//! Renews packages at their instants.

use std::time::Duration;

use async_trait::async_trait;
use base::{
    Result,
    bus::{Bus, Topic},
    db::{Conn, Db},
    id::TenantId,
    reconcile::{Outcome, Reconciler, error_chain},
    time::{SharedClock, Timestamp},
};

use super::{NEVER_MS, renew};
use crate::sql::parse;

const TENANTS_A_PAGE: i64 = 500;
/// After a failure.
const AGAIN_MS: i64 = 60_000;

pub struct PackageReconciler {
    db: Db,
    clock: SharedClock,
    bus: Bus,
}

impl PackageReconciler {
    pub fn new(db: Db, clock: SharedClock, bus: Bus) -> Self {
        Self { db, clock, bus }
    }

    async fn run_tenant(&self, tenant: TenantId) -> Result<usize> {
        let mut tx = self.db.begin_write().await?;
        let posted = renew(&mut tx, self.clock.now(), tenant).await?;
        tx.commit().await?;
        if posted.has_moved() {
            self.bus.publish(Topic::Money, tenant, Some(tenant));
        }
        Ok(posted.lines)
    }
}

/// Whose packages are due, after `cursor`.
async fn page(conn: &mut Conn, now: Timestamp, cursor: Option<TenantId>) -> Result<Vec<TenantId>> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT tenant_id FROM package_renewals WHERE due_ms <= $1 AND tenant_id > $2 \
         ORDER BY tenant_id LIMIT $3",
    )
    .bind(now.ms())
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(TENANTS_A_PAGE)
    .fetch_all(conn)
    .await?;
    ids.iter().map(|id| parse(id)).collect()
}

#[async_trait]
impl Reconciler for PackageReconciler {
    fn name(&self) -> &'static str {
        "packages"
    }
    fn description(&self) -> &'static str {
        "Renews monthly packages, and charges each month when it begins."
    }
    fn period(&self) -> Duration {
        Duration::from_secs(3_600)
    }

    async fn run(&self) -> Result<Outcome> {
        let now = self.clock.now();
        let (mut tenants, mut lines) = (0usize, 0usize);
        let mut failed: Vec<String> = Vec::new();
        let mut cursor = None;
        loop {
            let page = page(&mut *self.db.read().await?, now, cursor).await?;
            let Some(last) = page.last() else { break };
            cursor = Some(*last);
            for tenant in page {
                tenants += 1;
                match self.run_tenant(tenant).await {
                    Ok(posted) => lines += posted,
                    Err(error) => failed.push(format!("{tenant}: {}", error_chain(&error))),
                }
            }
        }
        let next: Option<i64> =
            sqlx::query_scalar("SELECT MIN(due_ms) FROM package_renewals WHERE due_ms < $1")
                .bind(NEVER_MS)
                .fetch_one(&mut *self.db.read().await?)
                .await?;
        let wake_at = next.map(|at| match failed.is_empty() {
            true => Timestamp::from_ms(at),
            false => now.saturating_add_ms(AGAIN_MS),
        });
        let status = serde_json::json!({ "tenants": tenants, "lines": lines, "failed": failed });
        Ok(Outcome { status, wake_at })
    }
}
