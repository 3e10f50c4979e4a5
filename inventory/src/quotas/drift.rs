//! Whether what is taken is what there is.
//!
//! Quota is taken and given back in the transactions that create and clear away, so that the sum of
//! what there is must equal it at every instant. A difference is a defect of ours: it is told, and
//! mended only by an operator who asked for it.

use std::time::Duration;

use async_trait::async_trait;
use base::{
    Result,
    bus::{Bus, Topic},
    db::{self, Conn, Db},
    id::TenantId,
    outbox::{self, Notice},
    reconcile::{Outcome, Reconciler},
    time::{SharedClock, Timestamp},
};
use serde::Serialize;
use serde_json::json;
use sqlx::Row;

use super::{Resource, requests};

/// So many differences are told of by one check.
pub const TOLD_MAX: i64 = 100;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What there is, by tenant and kind: a kind with resources of its own adds a line. What is being
/// resized takes the larger of both.
const COUNTED: &str = "\
    SELECT tenant_id, 'instances' AS resource, COUNT(*) AS n \
      FROM instances WHERE holds_quota = 1 AND deleted_ms IS NULL GROUP BY tenant_id \
    UNION ALL SELECT tenant_id, 'vcpus', CAST(SUM( \
        CASE WHEN resize_vcpus > vcpus THEN resize_vcpus ELSE vcpus END) AS BIGINT) \
      FROM instances WHERE holds_quota = 1 AND deleted_ms IS NULL GROUP BY tenant_id \
    UNION ALL SELECT tenant_id, 'memory_mib', CAST(SUM( \
        CASE WHEN resize_memory_mib > memory_mib THEN resize_memory_mib ELSE memory_mib END) AS BIGINT) \
      FROM instances WHERE holds_quota = 1 AND deleted_ms IS NULL GROUP BY tenant_id \
    UNION ALL SELECT tenant_id, 'disk_gib', CAST(SUM( \
        CASE WHEN resize_disk_gib > disk_gib THEN resize_disk_gib ELSE disk_gib END) AS BIGINT) \
      FROM instances WHERE holds_quota = 1 AND deleted_ms IS NULL GROUP BY tenant_id";

/// A quota that is not what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Drift {
    pub tenant_id: TenantId,
    pub resource: Resource,
    /// What the quota says.
    pub used: i64,
    /// What there is.
    pub counted: i64,
}

/// The differences, of all tenants or of one. One statement, so that it sees one instant: whatever
/// is created meanwhile is in both figures or in none.
pub async fn find(conn: &mut Conn, tenant: Option<TenantId>, limit: i64) -> Result<Vec<Drift>> {
    // A tenant with resources and no row of its quota differs as well.
    let sql = format!(
        "SELECT COALESCE(q.tenant_id, c.tenant_id) AS tenant, \
           COALESCE(q.resource, c.resource) AS kind, \
           COALESCE(q.used, 0) AS used, COALESCE(c.n, 0) AS counted \
         FROM quotas q FULL JOIN ({COUNTED}) c \
           ON c.tenant_id = q.tenant_id AND c.resource = q.resource \
         WHERE COALESCE(q.used, 0) <> COALESCE(c.n, 0) \
           AND ($1 = '' OR COALESCE(q.tenant_id, c.tenant_id) = $1) \
         ORDER BY 1, 2 LIMIT $2"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
        .bind(limit)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Drift {
                tenant_id: db::parsed(row, "tenant")?,
                resource: db::parsed(row, "kind")?,
                used: row.try_get("used")?,
                counted: row.try_get("counted")?,
            })
        })
        .collect()
}

/// Sets what is used to what there is, and answers what differed. For an operator who asked for it.
pub async fn mend(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Drift>> {
    // Whoever takes or gives back has written its resource before it lets go of this lock, so that
    // the statement after it sees both or neither.
    super::lock(&mut *conn, tenant).await?;
    let found = find(&mut *conn, Some(tenant), Resource::ALL.len() as i64).await?;
    for resource in Resource::ALL {
        let Some(drift) = found.iter().find(|d| d.resource == resource) else { continue };
        sqlx::query(
            "INSERT INTO quotas (tenant_id, resource, hard_limit, used) VALUES ($1, $2, 0, $3) \
             ON CONFLICT (tenant_id, resource) DO UPDATE SET used = excluded.used",
        )
        .bind(tenant.to_string())
        .bind(resource.as_str())
        .bind(drift.counted)
        .execute(&mut *conn)
        .await?;
    }
    Ok(found)
}

/// The daily check.
pub struct QuotaDrift {
    pub db: Db,
    pub clock: SharedClock,
    pub bus: Bus,
}

impl QuotaDrift {
    pub const NAME: &'static str = "quota-drift";
    /// In the status: how many differ, at most [`TOLD_MAX`].
    pub const DIFFER: &'static str = "differ";
}

#[async_trait]
impl Reconciler for QuotaDrift {
    fn name(&self) -> &'static str {
        Self::NAME
    }
    fn description(&self) -> &'static str {
        "Counts what tenants have, and tells where their quotas say otherwise."
    }
    fn period(&self) -> Duration {
        DAY
    }
    async fn run(&self) -> Result<Outcome> {
        let found = find(&mut *self.db.read().await?, None, TOLD_MAX).await?;
        for drift in &found {
            let Drift { tenant_id, resource, used, counted } = drift;
            let resource = resource.as_str();
            tracing::error!(%tenant_id, resource, used, counted, "a quota is not what there is");
        }
        if !found.is_empty() {
            let now = self.clock.now();
            let notice = notice(now, &found);
            let mut tx = self.db.begin_write().await?;
            let told = outbox::enqueue(&mut tx, now, &notice).await?;
            tx.commit().await?;
            if told {
                self.bus.publish(Topic::Notice, Self::NAME, None);
            }
        }
        let status = json!({ (Self::DIFFER): found.len(), "found": found });
        Ok(Outcome { status, wake_at: None })
    }
}

/// One a day, for operators.
fn notice(now: Timestamp, found: &[Drift]) -> Notice {
    let day = now.to_chrono().date_naive();
    let lines = found.iter().map(|d| {
        let (tenant, resource) = (d.tenant_id, d.resource.as_str());
        format!("- tenant {tenant}, {resource}: {} used, {} found", d.used, d.counted)
    });
    let body = format!(
        "What the quotas say and what there is differ. Nothing was changed.\n\n{}\n\n\
         To set what is used to what there is: opshawk quota recount TENANT.\n",
        lines.collect::<Vec<_>>().join("\n")
    );
    Notice {
        key: format!("quota-drift:{day}"),
        topic: requests::TOPIC.to_owned(),
        tenant_id: None,
        subject: "quotas differ from what there is".to_owned(),
        body,
        data: json!({ "found": found }),
    }
}

#[cfg(test)]
mod tests;
