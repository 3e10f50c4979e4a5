//! Telling of gaps, and answering them.

use std::collections::BTreeSet;

use base::{
    Error, ErrorKind, Result,
    db::{Conn, found},
    id::{TenantId, UsageGapId},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    FUTURE_MAX_MS, Resource,
    gaps::{Gap, GapPolicy, Look},
    heads, project, report, settle, spans,
};
use crate::{accounts, kinds::Attributes, sql::parse, text};

/// Gaps in one listing.
pub const PAGE_MAX: i64 = 1_000;

/// Facts of a resource are lost of this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Who tells, and its own id of it.
    pub source: String,
    pub source_id: String,
    pub resource: Resource,
    pub from: Timestamp,
    /// When it was seen again.
    pub to: Timestamp,
    /// As what it was seen then.
    pub state: String,
    pub attributes: Attributes,
    /// The product's; that of its owner's account goes before it.
    pub policy: GapPolicy,
}

/// What somebody found out: it was as before up to an instant of the gap, and so from there on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub state: String,
    pub attributes: Attributes,
    pub changed_at: Timestamp,
}

/// A gap, for those who may know what was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UsageGap)]
pub struct Listed {
    pub id: UsageGapId,
    pub kind: String,
    pub resource_id: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// As what it was seen at its end.
    pub state: String,
    #[schema(value_type = Object)]
    pub attributes: Attributes,
    pub policy: GapPolicy,
    pub answered: bool,
}

/// Tells of a gap. Told again it is the same; with another content it is a conflict.
pub async fn lost(conn: &mut Conn, now: Timestamp, lost: &Lost) -> Result<UsageGapId> {
    check(now, lost)?;
    lock(&mut *conn, &lost.resource).await?;
    let lost = &Lost { policy: policy(&mut *conn, lost).await?, ..lost.clone() };
    let attributes = lost.attributes.to_string();
    let id: Option<String> = sqlx::query_scalar(
        "INSERT INTO usage_gaps (id, source, source_id, kind, resource_id, from_ms, to_ms, \
         after_state, after_attributes, policy, recorded_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (source, source_id) DO NOTHING RETURNING id",
    )
    .bind(UsageGapId::new().to_string())
    .bind(&lost.source)
    .bind(&lost.source_id)
    .bind(&lost.resource.kind)
    .bind(&lost.resource.id)
    .bind(lost.from.ms())
    .bind(lost.to.ms())
    .bind(&lost.state)
    .bind(&attributes)
    .bind(lost.policy.as_str())
    .bind(now.ms())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(id) = id else { return known(conn, lost, &attributes).await };
    settle::settle(&mut *conn, now, &lost.resource).await?;
    report::gap(conn, now, &id, lost).await?;
    parse(&id)
}

/// Tells of a gap up to a fact that is about to be recorded, unless one of `since` or later is known,
/// or none at all: then nothing is lost. Whether it told.
pub async fn lost_before(
    conn: &mut Conn,
    now: Timestamp,
    since: Timestamp,
    lost: &Lost,
) -> Result<bool> {
    let newest: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(at_ms) FROM usage_facts WHERE kind = $1 AND resource_id = $2",
    )
    .bind(&lost.resource.kind)
    .bind(&lost.resource.id)
    .fetch_one(&mut *conn)
    .await?;
    let is_new = newest.is_some_and(|at| at < since.ms()) && lost.from < lost.to;
    if is_new {
        self::lost(conn, now, lost).await?;
    }
    Ok(is_new)
}

/// As whoever had it last before the gap's end is charged.
async fn policy(conn: &mut Conn, lost: &Lost) -> Result<GapPolicy> {
    let spans = spans::of_resource(&mut *conn, &lost.resource).await?;
    let before = spans.iter().filter(|span| span.from_ms < lost.to.ms());
    let Some(span) = before.max_by_key(|span| span.from_ms) else { return Ok(lost.policy) };
    let account = accounts::get(conn, parse(&span.tenant)?).await?;
    Ok(account.settings.gap_policy.unwrap_or(lost.policy))
}

fn check(now: Timestamp, lost: &Lost) -> Result<()> {
    if lost.to <= lost.from || lost.to.since_ms(now) > FUTURE_MAX_MS {
        let message = "a gap ends after it begins, and not in the future";
        return Err(Error::invalid("to", message));
    }
    fault(&lost.resource.kind, &lost.state, &lost.attributes)
}

fn fault(kind: &str, state: &str, attributes: &Attributes) -> Result<()> {
    match project::fault(kind, state, &attributes.to_string()) {
        Some(fault) => Err(Error::invalid("state", fault)),
        None => Ok(()),
    }
}

/// The accounts of all who had it, then its head. It must be known.
pub(crate) async fn lock(conn: &mut Conn, resource: &Resource) -> Result<()> {
    lock_with(conn, resource, BTreeSet::new()).await
}

/// With the accounts of those who may have it now, or had it.
pub(super) async fn lock_with(
    conn: &mut Conn,
    resource: &Resource,
    mut tenants: BTreeSet<TenantId>,
) -> Result<()> {
    for tenant in heads::tenants(&mut *conn, &[resource]).await? {
        tenants.insert(parse(&tenant)?);
    }
    for span in spans::of_resource(&mut *conn, resource).await? {
        tenants.insert(parse(&span.tenant)?);
    }
    accounts::lock_all(&mut *conn, &tenants).await?;
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM usage_heads WHERE kind = $1 AND resource_id = $2")
            .bind(&resource.kind)
            .bind(&resource.id)
            .fetch_one(&mut *conn)
            .await?;
    if count == 0 {
        let message = format!("no fact tells of {resource}");
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    heads::lock(conn, &[resource]).await.map(|_| ())
}

async fn known(conn: &mut Conn, lost: &Lost, attributes: &str) -> Result<UsageGapId> {
    let same: Option<String> = sqlx::query_scalar(
        "SELECT id FROM usage_gaps WHERE source = $1 AND source_id = $2 AND kind = $3 \
         AND resource_id = $4 AND from_ms = $5 AND to_ms = $6 AND after_state = $7 \
         AND after_attributes = $8",
    )
    .bind(&lost.source)
    .bind(&lost.source_id)
    .bind(&lost.resource.kind)
    .bind(&lost.resource.id)
    .bind(lost.from.ms())
    .bind(lost.to.ms())
    .bind(&lost.state)
    .bind(attributes)
    .fetch_optional(conn)
    .await?;
    let conflict = || {
        let (source, id) = (&lost.source, &lost.source_id);
        Error::conflict(format!("gap {id} of {source} is known with another content"))
    };
    parse(&same.ok_or_else(conflict)?)
}

/// Answers a gap, for good. Its time is then rated as was said.
pub async fn answer(
    conn: &mut Conn,
    now: Timestamp,
    gap: UsageGapId,
    answer: &Answer,
    actor: &str,
    reason: &str,
) -> Result<()> {
    let reason = text::reason(reason)?;
    let row: Option<(String, String, i64, i64)> =
        sqlx::query_as("SELECT kind, resource_id, from_ms, to_ms FROM usage_gaps WHERE id = $1")
            .bind(gap.to_string())
            .fetch_optional(&mut *conn)
            .await?;
    let (kind, id, from, to) = found(row, format_args!("gap {gap}"))?;
    let resource = Resource { kind, id };
    if !(from..=to).contains(&answer.changed_at.ms()) {
        return Err(Error::invalid("changed_at", "that is not an instant of the gap"));
    }
    fault(&resource.kind, &answer.state, &answer.attributes)?;
    lock(&mut *conn, &resource).await?;
    let done = sqlx::query(
        "INSERT INTO usage_gap_answers (gap_id, state, attributes, changed_ms, actor, reason, \
         at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (gap_id) DO NOTHING",
    )
    .bind(gap.to_string())
    .bind(&answer.state)
    .bind(answer.attributes.to_string())
    .bind(answer.changed_at.ms())
    .bind(actor)
    .bind(reason)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::conflict(format!("gap {gap} is answered already")));
    }
    settle::settle(&mut *conn, now, &resource).await?;
    report::answered(conn, now, &gap.to_string()).await
}

/// Those of one resource, with their answers.
pub(super) async fn of_resource(conn: &mut Conn, resource: &Resource) -> Result<Vec<Gap>> {
    type Row = (String, i64, i64, String, String, String, String, String, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT g.id, g.from_ms, g.to_ms, g.after_state, g.after_attributes, g.policy, \
         COALESCE(a.state, ''), COALESCE(a.attributes, ''), COALESCE(a.changed_ms, 0) \
         FROM usage_gaps g LEFT JOIN usage_gap_answers a ON a.gap_id = g.id \
         WHERE g.kind = $1 AND g.resource_id = $2",
    )
    .bind(&resource.kind)
    .bind(&resource.id)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, from_ms, to_ms, state, attributes, policy, then, with, changed_ms)| {
            let answer =
                (!then.is_empty()).then_some((Look { state: then, attributes: with }, changed_ms));
            let after = Look { state, attributes };
            Ok(Gap { id, from_ms, to_ms, after, policy: policy.parse()?, answer })
        })
        .collect()
}

type Row = (String, String, String, i64, i64, String, String, String, i64);
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT g.id, g.kind, g.resource_id, g.from_ms, g.to_ms, g.after_state, \
             g.after_attributes, g.policy, CASE WHEN a.gap_id IS NULL THEN 0 ELSE 1 END \
             FROM usage_gaps g LEFT JOIN usage_gap_answers a ON a.gap_id = g.id ",
            $rest
        )
    };
}

/// Those that nobody answered, or all; oldest first, at most [`PAGE_MAX`].
pub async fn list(conn: &mut Conn, answered: bool) -> Result<Vec<Listed>> {
    let rows: Vec<Row> = sqlx::query_as(select!(
        "WHERE a.gap_id IS NULL OR $1 = 1 ORDER BY g.recorded_ms, g.id LIMIT $2"
    ))
    .bind(i64::from(answered))
    .bind(PAGE_MAX)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(listed).collect()
}

pub async fn get(conn: &mut Conn, gap: UsageGapId) -> Result<Listed> {
    let row: Option<Row> = sqlx::query_as(select!("WHERE g.id = $1"))
        .bind(gap.to_string())
        .fetch_optional(conn)
        .await?;
    listed(found(row, format_args!("gap {gap}"))?)
}

fn listed(row: Row) -> Result<Listed> {
    let (id, kind, resource_id, from, to, state, attributes, policy, answered) = row;
    Ok(Listed {
        id: parse(&id)?,
        kind,
        resource_id,
        from: Timestamp::from_ms(from),
        to: Timestamp::from_ms(to),
        state,
        attributes: Attributes::parse(&attributes)?,
        policy: policy.parse()?,
        answered: answered == 1,
    })
}
