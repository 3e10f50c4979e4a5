//! Telling rating what to look at again: the first instant at which a resource's spans changed, for
//! each tenant who had one of them.

use std::collections::BTreeSet;

use base::{
    Result,
    db::{
        Conn,
        rows::{Cell, insert_rows},
    },
    id::TenantId,
};

use super::{Resource, Span, project::FOREVER_MS};
use crate::agenda::{self, Due};

/// For one tenant and resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub tenant: String,
    pub resource: Resource,
    /// From here on it may be otherwise.
    pub dirty_ms: i64,
    /// The end of the tenant's last span; [`FOREVER_MS`]: it goes on.
    pub ends_ms: i64,
    /// The last instant at which something changes.
    pub changed_ms: i64,
    pub sequence: i64,
}

/// The first instant at which the one differs from the other; none: they are the same. Both are in
/// order of time.
pub fn difference(before: &[Span], after: &[Span]) -> Option<(usize, i64)> {
    let same = before.iter().zip(after).take_while(|(b, a)| b == a).count();
    match (before.get(same), after.get(same)) {
        (None, None) => None,
        (Some(b), Some(a)) => {
            let shape = |s: &Span| (s.from_ms, s.tenant.clone(), s.state.clone());
            let more = |s: &Span| (s.attributes.clone(), s.alternative.clone(), s.quality);
            let at = match shape(b) == shape(a) && more(b) == more(a) && b.to_ms != a.to_ms {
                true => b.to_ms.min(a.to_ms),
                false => b.from_ms.min(a.from_ms),
            };
            Some((same, at))
        }
        (Some(span), None) | (None, Some(span)) => Some((same, span.from_ms)),
    }
}

/// What follows for rating where a resource's spans change so.
pub fn of(resource: &Resource, sequence: i64, before: &[Span], after: &[Span]) -> Vec<Mark> {
    let Some((same, dirty_ms)) = difference(before, after) else { return Vec::new() };
    let changed = before[same..].iter().chain(&after[same..]);
    let tenants: BTreeSet<&str> = changed.map(|span| span.tenant.as_str()).collect();
    tenants
        .into_iter()
        .map(|tenant| {
            let theirs = || after.iter().filter(|span| span.tenant == tenant);
            let ends = theirs().map(|span| span.to_ms).max().unwrap_or(dirty_ms);
            let edges = theirs().flat_map(|span| [span.from_ms, span.to_ms]);
            Mark {
                tenant: tenant.to_owned(),
                resource: resource.clone(),
                dirty_ms,
                ends_ms: ends,
                changed_ms: edges.filter(|ms| *ms != FOREVER_MS).fold(dirty_ms, i64::max),
                sequence,
            }
        })
        .collect()
}

/// At most one of a tenant and resource. Their accounts' locks are held.
pub async fn write(conn: &mut Conn, marks: &[Mark]) -> Result<()> {
    const INTO: &str = "rating_resources (tenant_id, resource_kind, resource_id, rated_ms, \
        dirty_ms, sequence, changed_ms, ends_ms)";
    const TAIL: &str = "ON CONFLICT (tenant_id, resource_kind, resource_id) DO UPDATE SET \
        ends_ms = excluded.ends_ms, sequence = excluded.sequence, \
        changed_ms = excluded.changed_ms, \
        dirty_ms = CASE WHEN rating_resources.dirty_ms IS NULL \
          OR rating_resources.dirty_ms > excluded.dirty_ms THEN excluded.dirty_ms \
          ELSE rating_resources.dirty_ms END";
    let cells: Vec<Cell<'_>> = marks
        .iter()
        .flat_map(|mark| -> [Cell<'_>; 8] {
            [
                (&mark.tenant).into(),
                (&mark.resource.kind).into(),
                (&mark.resource.id).into(),
                mark.dirty_ms.into(),
                mark.dirty_ms.into(),
                mark.sequence.into(),
                mark.changed_ms.into(),
                mark.ends_ms.into(),
            ]
        })
        .collect();
    insert_rows(&mut *conn, INTO, TAIL, 8, &cells).await?;
    let tenants: BTreeSet<&str> = marks.iter().map(|mark| mark.tenant.as_str()).collect();
    agenda::touch_all(conn, &tenants, Due::Both).await
}

/// What counters say of a tenant's resource is otherwise from `dirty_ms` on, and reaches to `to_ms`.
/// The account's lock is held.
pub async fn counted(
    conn: &mut Conn,
    tenant: TenantId,
    resource: &Resource,
    dirty_ms: i64,
    to_ms: i64,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO rating_resources (tenant_id, resource_kind, resource_id, rated_ms, dirty_ms, \
         sequence, changed_ms, ends_ms, counted_ms, counted_to_ms) \
         VALUES ($1, $2, $3, $4, NULL, 0, $4, $4, $4, $5) \
         ON CONFLICT (tenant_id, resource_kind, resource_id) DO UPDATE SET \
           counted_ms = CASE WHEN rating_resources.counted_ms < excluded.counted_ms \
             THEN rating_resources.counted_ms ELSE excluded.counted_ms END, \
           counted_to_ms = CASE WHEN rating_resources.counted_to_ms > excluded.counted_to_ms \
             THEN rating_resources.counted_to_ms ELSE excluded.counted_to_ms END",
    )
    .bind(tenant.to_string())
    .bind(&resource.kind)
    .bind(&resource.id)
    .bind(dirty_ms)
    .bind(to_ms)
    .execute(&mut *conn)
    .await?;
    agenda::touch(conn, tenant, Due::Both).await
}

/// From the first instant on at which the resource has another owner than before; none: they are
/// the same. Both are in order of time.
pub fn moved(before: &[Span], after: &[Span]) -> Option<i64> {
    let (before, after) = (owners(before), owners(after));
    let same = before.iter().zip(&after).take_while(|(b, a)| b == a).count();
    before.get(same).into_iter().chain(after.get(same)).map(|(from, _)| *from).min()
}

/// Since when it is whose.
pub fn owners(spans: &[Span]) -> Vec<(i64, &str)> {
    let mut owners: Vec<(i64, &str)> = Vec::new();
    for span in spans {
        if owners.last().is_none_or(|(_, tenant)| *tenant != span.tenant) {
            owners.push((span.from_ms, &span.tenant));
        }
    }
    owners
}
