//! Deciding about facts that were put aside or contradict.

use base::{
    Error, Result,
    db::{Conn, found},
    id::UsageEventId,
    time::Timestamp,
};

use super::{FUTURE_MAX_MS, Resource, lost, project, report, settle, sources};
use crate::sql::parse;

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

/// Decides, for good. The resource is rated by it, from the fact's instant on.
pub async fn rule(
    conn: &mut Conn,
    now: Timestamp,
    fact: UsageEventId,
    verdict: Verdict,
    actor: &str,
    reason: &str,
) -> Result<()> {
    lost::check_reason(reason)?;
    let id = fact.to_string();
    let row: Option<(String, String)> =
        sqlx::query_as("SELECT kind, resource_id FROM usage_facts WHERE id = $1")
            .bind(&id)
            .fetch_optional(&mut *conn)
            .await?;
    let (kind, resource_id) = found(row, format_args!("fact {fact}"))?;
    let resource = Resource { kind, id: resource_id };
    lost::lock(&mut *conn, &resource).await?;
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
