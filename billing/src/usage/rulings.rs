//! Deciding about facts that were put aside or contradict.

use std::collections::BTreeSet;

use base::{
    Error, Result,
    db::{Conn, found},
    id::UsageEventId,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{FUTURE_MAX_MS, Resource, lost, project, report, settle, sources};
use crate::{sql::parse, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It counts: as of then, or of the instant that it tells.
    Take { at: Option<Timestamp> },
    /// It never counts.
    Drop,
}

/// The fact that a source knows by that id.
pub async fn find(conn: &mut Conn, source: &str, source_id: &str) -> Result<UsageEventId> {
    let id: Option<String> =
        sqlx::query_scalar("SELECT id FROM usage_facts WHERE source = $1 AND source_id = $2")
            .bind(source)
            .bind(source_id)
            .fetch_optional(conn)
            .await?;
    parse(&found(id, format_args!("fact {source_id} of {source}"))?)
}

/// In one listing.
pub const PAGE_MAX: i64 = 1_000;

/// What somebody decided about a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UsageRuling)]
pub struct Ruled {
    pub fact_id: UsageEventId,
    pub source: String,
    pub source_id: String,
    pub kind: String,
    pub resource_id: String,
    pub state: String,
    /// As the fact tells it.
    pub told_at: Timestamp,
    /// `take` or `drop`.
    pub ruling: String,
    /// Of what was taken: as of when it counts.
    pub counts_at: Option<Timestamp>,
    pub actor: String,
    pub reason: String,
    pub ruled_at: Timestamp,
}

type Row = (String, String, String, String, String, String, i64, String, i64, String, String, i64);
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT f.id, f.source, f.source_id, f.kind, f.resource_id, f.state, f.at_ms, \
             r.ruling, r.at_as_ms, r.actor, r.reason, r.at_ms \
             FROM usage_rulings r JOIN usage_facts f ON f.id = r.fact_id ",
            $rest
        )
    };
}

/// The newest first, at most [`PAGE_MAX`].
pub async fn list(conn: &mut Conn) -> Result<Vec<Ruled>> {
    let rows: Vec<Row> = sqlx::query_as(select!("ORDER BY r.at_ms DESC, f.id LIMIT $1"))
        .bind(PAGE_MAX)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(ruled).collect()
}

/// What was decided about that fact.
pub async fn get(conn: &mut Conn, fact: UsageEventId) -> Result<Ruled> {
    let row: Option<Row> = sqlx::query_as(select!("WHERE r.fact_id = $1"))
        .bind(fact.to_string())
        .fetch_optional(conn)
        .await?;
    ruled(found(row, format_args!("a ruling on fact {fact}"))?)
}

fn ruled(row: Row) -> Result<Ruled> {
    let (fact, source, source_id, kind, resource_id, state, told, ruling, ..) = row;
    let (.., counts, actor, reason, ruled) = row;
    Ok(Ruled {
        fact_id: parse(&fact)?,
        source,
        source_id,
        kind,
        resource_id,
        state,
        told_at: Timestamp::from_ms(told),
        counts_at: (ruling == "take").then(|| Timestamp::from_ms(counts)),
        ruling,
        actor,
        reason,
        ruled_at: Timestamp::from_ms(ruled),
    })
}

/// Decides, for good. The resource is rated by it, from the fact's instant on.
pub async fn rule(
    conn: &mut Conn,
    now: Timestamp,
    fact: UsageEventId,
    verdict: Verdict,
    actor: &str,
    reason: &str,
) -> Result<()> {
    let reason = text::reason(reason)?;
    let id = fact.to_string();
    let row: Option<(String, String, String)> =
        sqlx::query_as("SELECT kind, resource_id, tenant_id FROM usage_facts WHERE id = $1")
            .bind(&id)
            .fetch_optional(&mut *conn)
            .await?;
    let (kind, resource_id, tenant) = found(row, format_args!("fact {fact}"))?;
    let resource = Resource { kind, id: resource_id };
    // It may be the first that tells of this tenant.
    lost::lock_with(&mut *conn, &resource, BTreeSet::from([parse(&tenant)?])).await?;
    let facts = sources::facts(&mut *conn, &resource).await?;
    let rulings = sources::rulings(&mut *conn, &resource).await?;
    if rulings.contains_key(&id) {
        return Err(Error::conflict(format!("fact {fact} was ruled on already")));
    }
    let kept = facts.iter().find(|kept| kept.id == id);
    let kept = kept.ok_or_else(|| Error::internal("a fact is there and is not"))?;
    let parked = project::project(&resource.kind, &facts, &rulings, &[]).parked;
    if !kept.quarantined && parked.is_none_or(|parked| parked.fact != id) {
        return Err(Error::conflict(format!("fact {fact} needs no ruling"))
            .remedy("opshawk billing findings lists those that do"));
    }
    let (word, as_ms) = match verdict {
        Verdict::Drop => ("drop", kept.at_ms),
        Verdict::Take { at } => ("take", at.map_or(kept.at_ms, Timestamp::ms)),
    };
    if word == "take" {
        if let Some(fault) = project::fault(&resource.kind, &kept.state, &kept.attributes) {
            return Err(Error::invalid("ruling", format!("it can't be rated: {fault}"))
                .remedy("drop it, and have the source tell what is right"));
        }
        if Timestamp::from_ms(as_ms).since_ms(now) > FUTURE_MAX_MS {
            return Err(Error::invalid("at", "it would count in the future")
                .remedy("say as of when it counts"));
        }
    }
    sqlx::query(
        "INSERT INTO usage_rulings (fact_id, ruling, at_as_ms, actor, reason, at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&id)
    .bind(word)
    .bind(as_ms)
    .bind(actor)
    .bind(reason)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    settle::settle(&mut *conn, now, &resource).await?;
    report::ruled(conn, now, &id).await
}
