//! Usage: facts about the state of resources, and the stretches of time that follow from them.
//!
//! An event says "this resource is in that state since then". It is appended once (its source's id
//! is unique), gets its resource's next sequence, and counts from its instant or its predecessor's,
//! whichever is later, so that a host's clock that jumps back counts no minute twice. The intervals
//! are a projection: [`rebuild`] makes the same ones from the events alone.
//!
//! The resource's row in `usage_streams` is the lock. Whoever records holds the accounts' locks, too
//! ([`crate::accounts::lock_all`]), or a look at the standing beside it could miss the event.

use base::{
    Error, Result,
    db::Conn,
    id::{FlavorId, TenantId, UsageEventId},
    outbox::{self, Notice},
    time::Timestamp,
};

pub use crate::meter::ResourceState;
use crate::{
    agenda::{self, Due},
    sql::parse,
};

pub mod projection;

/// An event further in the future than this is kept, but not counted.
pub const FUTURE_MAX_MS: i64 = 5 * 60 * 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEvent {
    /// Unique for ever, the same when it is sent again.
    pub source_id: String,
    pub tenant_id: TenantId,
    /// `instance`.
    pub resource_kind: &'static str,
    pub resource_id: String,
    /// As the bill will call it. It may differ when the event is sent again.
    pub resource_name: String,
    pub state: ResourceState,
    /// When it came into that state, by the host's clock.
    pub at: Timestamp,
    pub flavor_id: FlavorId,
    pub disk_gib: i64,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It counts from `effective_at`.
    Counted { sequence: i64, effective_at: Timestamp },
    /// It was known already.
    Known,
    /// Its instant is too far in the future: kept, not counted, and told to the operators.
    Quarantined,
}

/// Where a resource's events stand.
struct Head {
    sequence: i64,
    effective: Timestamp,
    tenant: String,
}

/// Appends the event in the caller's transaction. After the commit the caller publishes
/// `Topic::Money` for the tenant.
pub async fn record(conn: &mut Conn, now: Timestamp, event: &UsageEvent) -> Result<Recorded> {
    if event.disk_gib < 0 {
        return Err(Error::invalid("disk_gib", "a disk has no negative size"));
    }
    let head = lock_stream(conn, event).await?;
    if is_known(conn, event).await? {
        return Ok(Recorded::Known);
    }
    if event.at.since_ms(now) > FUTURE_MAX_MS {
        insert(conn, now, event, event.at, None).await?;
        report_quarantine(conn, now, event).await?;
        return Ok(Recorded::Quarantined);
    }
    let sequence = head.sequence + 1;
    let effective = event.at.max(head.effective);
    insert(conn, now, event, effective, Some(sequence)).await?;
    sqlx::query(
        "UPDATE usage_streams SET sequence = $3, effective_ms = $4, tenant_id = $5 \
         WHERE resource_kind = $1 AND resource_id = $2",
    )
    .bind(event.resource_kind)
    .bind(&event.resource_id)
    .bind(sequence)
    .bind(effective.ms())
    .bind(event.tenant_id.to_string())
    .execute(&mut *conn)
    .await?;
    let fact = projection::Fact {
        sequence,
        tenant: event.tenant_id.to_string(),
        name: event.resource_name.clone(),
        components: crate::meter::components(event.state, event.flavor_id, event.disk_gib),
        at: effective,
    };
    projection::apply(conn, event.resource_kind, &event.resource_id, &fact).await?;
    for tenant in tenants_touched(&head, &fact) {
        mark_changed(conn, event, tenant, &fact).await?;
    }
    Ok(Recorded::Counted { sequence, effective_at: effective })
}

/// The tenant who has it now, and the one who had it before, where that is another.
fn tenants_touched<'a>(head: &'a Head, fact: &'a projection::Fact) -> Vec<&'a str> {
    let mut tenants = vec![fact.tenant.as_str()];
    if head.sequence > 0 && head.tenant != fact.tenant {
        tenants.push(&head.tenant);
    }
    // One order for all, so that two reports can't wait for each other.
    tenants.sort_unstable();
    tenants
}

async fn lock_stream(conn: &mut Conn, event: &UsageEvent) -> Result<Head> {
    sqlx::query(
        "INSERT INTO usage_streams (resource_kind, resource_id, sequence, effective_ms, tenant_id) \
         VALUES ($1, $2, 0, $3, $4) ON CONFLICT (resource_kind, resource_id) DO NOTHING",
    )
    .bind(event.resource_kind)
    .bind(&event.resource_id)
    .bind(i64::MIN)
    .bind(event.tenant_id.to_string())
    .execute(&mut *conn)
    .await?;
    let (sequence, effective, tenant): (i64, i64, String) = sqlx::query_as(
        "UPDATE usage_streams SET sequence = sequence \
         WHERE resource_kind = $1 AND resource_id = $2 \
         RETURNING sequence, effective_ms, tenant_id",
    )
    .bind(event.resource_kind)
    .bind(&event.resource_id)
    .fetch_one(conn)
    .await?;
    Ok(Head { sequence, effective: Timestamp::from_ms(effective), tenant })
}

/// True where the same event is there, a conflict where another one has its id.
async fn is_known(conn: &mut Conn, event: &UsageEvent) -> Result<bool> {
    type Row = (String, String, String, String, i64, String, i64);
    let row: Option<Row> = sqlx::query_as(
        "SELECT tenant_id, resource_kind, resource_id, state, at_ms, flavor_id, disk_gib \
         FROM usage_events WHERE source_id = $1",
    )
    .bind(&event.source_id)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let same = row
        == (
            event.tenant_id.to_string(),
            event.resource_kind.to_owned(),
            event.resource_id.clone(),
            event.state.as_str().to_owned(),
            event.at.ms(),
            event.flavor_id.to_string(),
            event.disk_gib,
        );
    if same {
        return Ok(true);
    }
    Err(Error::conflict(format!("usage event {} is known with another content", event.source_id)))
}

async fn insert(
    conn: &mut Conn,
    now: Timestamp,
    event: &UsageEvent,
    effective: Timestamp,
    sequence: Option<i64>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO usage_events (id, source_id, tenant_id, resource_kind, resource_id, \
         resource_name, state, flavor_id, disk_gib, at_ms, effective_ms, recorded_ms, sequence) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(UsageEventId::new().to_string())
    .bind(&event.source_id)
    .bind(event.tenant_id.to_string())
    .bind(event.resource_kind)
    .bind(&event.resource_id)
    .bind(&event.resource_name)
    .bind(event.state.as_str())
    .bind(event.flavor_id.to_string())
    .bind(event.disk_gib)
    .bind(event.at.ms())
    .bind(effective.ms())
    .bind(now.ms())
    .bind(sequence)
    .execute(conn)
    .await?;
    Ok(())
}

async fn report_quarantine(conn: &mut Conn, now: Timestamp, event: &UsageEvent) -> Result<()> {
    let notice = Notice {
        key: format!("usage:quarantined:{}", event.source_id),
        topic: "usage".to_owned(),
        tenant_id: None,
        subject: format!("usage of {} is dated in the future", event.resource_name),
        body: format!(
            "{} {} is reported {} since {}, but it is {now} here. The event is not counted. \
             Check the clock of its host.",
            event.resource_kind,
            event.resource_name,
            event.state.as_str(),
            event.at,
        ),
        data: serde_json::json!({
            "source_id": event.source_id,
            "resource_kind": event.resource_kind,
            "resource_id": event.resource_id,
            "at": event.at,
        }),
    };
    outbox::enqueue(conn, now, &notice).await.map(|_| ())
}

/// Tells rating what to look at again.
async fn mark_changed(
    conn: &mut Conn,
    event: &UsageEvent,
    tenant: &str,
    fact: &projection::Fact,
) -> Result<()> {
    let ends = if tenant == fact.tenant && !fact.components.is_empty() {
        None
    } else {
        Some(fact.at.ms())
    };
    sqlx::query(
        "INSERT INTO rating_resources (tenant_id, resource_kind, resource_id, rated_ms, ends_ms, \
         dirty_ms, sequence, changed_ms) VALUES ($1, $2, $3, $4, $5, $4, $6, $4) \
         ON CONFLICT (tenant_id, resource_kind, resource_id) DO UPDATE SET \
           ends_ms = $5, sequence = $6, changed_ms = $4, \
           dirty_ms = CASE WHEN rating_resources.dirty_ms IS NULL \
             OR rating_resources.dirty_ms > $4 THEN $4 ELSE rating_resources.dirty_ms END",
    )
    .bind(tenant)
    .bind(event.resource_kind)
    .bind(&event.resource_id)
    .bind(fact.at.ms())
    .bind(ends)
    .bind(fact.sequence)
    .execute(&mut *conn)
    .await?;
    agenda::touch(conn, parse(tenant)?, Due::Both).await
}

/// Makes a resource's intervals again from its events. For repair, and to prove the projection.
pub async fn rebuild(conn: &mut Conn, resource_kind: &str, resource_id: &str) -> Result<()> {
    type Row = (i64, String, String, String, String, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT sequence, tenant_id, resource_name, state, flavor_id, disk_gib, effective_ms \
         FROM usage_events \
         WHERE resource_kind = $1 AND resource_id = $2 AND sequence IS NOT NULL ORDER BY sequence",
    )
    .bind(resource_kind)
    .bind(resource_id)
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query("DELETE FROM usage_intervals WHERE resource_kind = $1 AND resource_id = $2")
        .bind(resource_kind)
        .bind(resource_id)
        .execute(&mut *conn)
        .await?;
    for (sequence, tenant, name, state, flavor, disk_gib, effective) in rows {
        let state: ResourceState = state.parse()?;
        let fact = projection::Fact {
            sequence,
            tenant,
            name,
            components: crate::meter::components(state, parse(&flavor)?, disk_gib),
            at: Timestamp::from_ms(effective),
        };
        projection::apply(conn, resource_kind, resource_id, &fact).await?;
    }
    Ok(())
}
