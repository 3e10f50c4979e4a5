//! Projecting one resource anew, where a fact found its place between others, contradicts, or
//! something was decided: its spans, its head, its finding, and what rating is to look at.

use std::collections::BTreeSet;

use base::{
    Result,
    db::Conn,
    id::{FindingId, TenantId},
    time::Timestamp,
};

use super::{
    Recorded, Resource,
    heads::{self, Head},
    marks,
    project::Projected,
    report, sources, spans,
};
use crate::{accounts, counters, sql::parse};

/// Where the resource stands now.
pub struct Settled {
    projected: Projected,
    finding: Option<FindingId>,
}

impl Settled {
    /// What became of the fact with that sequence, which was not put aside.
    pub fn became(&self, sequence: i64) -> Recorded {
        match (self.projected.counted.get(&sequence), self.finding) {
            (Some(at), _) => Recorded::Counted { sequence, effective_at: Timestamp::from_ms(*at) },
            (None, Some(finding)) => Recorded::Parked { finding },
            // Another fact with its ordinal says the same.
            (None, None) => Recorded::Known,
        }
    }
}

/// Its head is locked.
pub async fn settle(conn: &mut Conn, now: Timestamp, resource: &Resource) -> Result<Settled> {
    let before = spans::of_resource(&mut *conn, resource).await?;
    let (sequence, projected) = sources::projected(&mut *conn, resource).await?;
    let marks = marks::of(resource, sequence, &before, &projected.spans);
    // Tenants of earlier spans may be none of those that were locked for the facts.
    let tenants: BTreeSet<TenantId> =
        marks.iter().map(|mark| parse(&mark.tenant)).collect::<Result<_>>()?;
    accounts::lock_all(&mut *conn, &tenants).await?;
    if let Some((same, _)) = marks::difference(&before, &projected.spans) {
        let after = &projected.spans[same..];
        let from = before.get(same).into_iter().chain(after).map(|span| span.from_ms).min();
        if let Some(from) = from {
            spans::delete_from(&mut *conn, resource, from).await?;
        }
        let rows: Vec<_> = after.iter().map(|span| (resource, span)).collect();
        spans::insert(&mut *conn, &rows).await?;
    }
    heads::save(&mut *conn, &[(resource, &Head::of(sequence, &projected))]).await?;
    marks::write(&mut *conn, &marks).await?;
    if let Some(from) = marks::moved(&before, &projected.spans) {
        counters::moved(&mut *conn, now, resource, from).await?;
    }
    let finding = match &projected.parked {
        Some(parked) => Some(report::parked(conn, now, resource, parked).await?),
        None => {
            report::released(conn, now, resource).await?;
            None
        }
    };
    Ok(Settled { projected, finding })
}
