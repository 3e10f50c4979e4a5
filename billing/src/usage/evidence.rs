//! What a resource's facts say of a stretch of time, for whoever wants to see why it was charged.

use std::collections::BTreeSet;

use base::{
    Result,
    db::Conn,
    id::{TenantId, UsageEventId, UsageGapId},
    time::Timestamp,
};
use serde::Serialize;
use sqlx::Row;
use utoipa::ToSchema;

use super::{Resource, Span, lost, project::FOREVER_MS, sources};
use crate::{kinds::Attributes, sql::parse};

/// Facts in one answer; the rest is asked for by [`Evidence::next_facts`].
pub const FACTS_MAX: usize = 1_000;

/// A fact as it was told, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EvidenceFact {
    pub id: UsageEventId,
    /// Who told it, and its own id of it.
    pub source: String,
    pub source_id: String,
    pub sequence: i64,
    pub state: String,
    #[schema(value_type = Object)]
    pub attributes: Attributes,
    /// When it happened, by the source's clock.
    pub at: Timestamp,
    pub recorded_at: Timestamp,
    /// From when on it counts; none: it was put aside.
    pub counted_from: Option<Timestamp>,
    /// `take` or `drop`, and who said so why; none: nobody had to.
    pub ruling: Option<String>,
    pub ruled_by: Option<String>,
    pub ruled_why: Option<String>,
}

/// What it was for a while, by its facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EvidenceSpan {
    /// The sequence of the fact that opened it.
    pub opened: i64,
    pub from: Timestamp,
    /// None: it goes on.
    pub to: Option<Timestamp>,
    pub state: String,
    #[schema(value_type = Object)]
    pub attributes: Attributes,
    /// In a gap: what else it may have been; the cheaper is charged.
    pub alternative: Option<String>,
    /// `observed`, `estimated`, `corrected`.
    pub quality: String,
}

/// A time of which facts were lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EvidenceGap {
    pub id: UsageGapId,
    pub from: Timestamp,
    pub to: Timestamp,
    /// `cheaper`, `as_before`, `free`.
    pub policy: String,
    pub answered: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UsageEvidence)]
pub struct Evidence {
    /// Those that say something of the time: in effect in it, or told of it; by sequence, at most 1000.
    pub facts: Vec<EvidenceFact>,
    /// There are more facts: ask again for those after this sequence (`facts_after`).
    pub next_facts: Option<i64>,
    pub spans: Vec<EvidenceSpan>,
    pub gaps: Vec<EvidenceGap>,
    /// The resource is rated up to here only, since a fact contradicts.
    pub parked_from: Option<Timestamp>,
    /// All spans that follow from the facts.
    #[serde(skip)]
    pub(crate) projected: Vec<Span>,
}

/// What concerns the tenant: what was another's before or after is left out. The spans are made from
/// the facts, not read. Of the facts those after the sequence `facts_after` are shown.
pub async fn evidence(
    conn: &mut Conn,
    resource: &Resource,
    tenant: TenantId,
    (from, to): (Timestamp, Timestamp),
    facts_after: i64,
) -> Result<Evidence> {
    let (_, projected) = sources::projected(&mut *conn, resource).await?;
    let touches = |start: i64, end: i64| start < to.ms() && end > from.ms();
    let tenant = tenant.to_string();
    let own = |span: &&Span| span.tenant == tenant && touches(span.from_ms, span.to_ms);
    let spans: Vec<&Span> = projected.spans.iter().filter(own).collect();
    let counted = projected.counted.iter();
    let mut sequences: BTreeSet<i64> = spans.iter().map(|span| span.opened).collect();
    sequences.extend(counted.filter(|(_, at)| (from.ms()..=to.ms()).contains(at)).map(|(s, _)| s));
    let facts = told(&mut *conn, resource, &tenant).await?.into_iter();
    let facts = facts.filter_map(|mut fact| {
        let at = projected.counted.get(&fact.sequence);
        fact.counted_from = at.map(|at| Timestamp::from_ms(*at));
        let told_of_it = at.is_none() && from <= fact.at && fact.at <= to;
        let shown = told_of_it || sequences.contains(&fact.sequence);
        (shown && fact.sequence > facts_after).then_some(fact)
    });
    let mut facts: Vec<EvidenceFact> = facts.take(FACTS_MAX + 1).collect();
    let more = facts.len() > FACTS_MAX;
    facts.truncate(FACTS_MAX);
    let gaps = lost::of_resource(conn, resource).await?;
    let gaps = gaps.into_iter().filter(|gap| touches(gap.from_ms, gap.to_ms)).map(|gap| {
        Ok(EvidenceGap {
            id: parse(&gap.id)?,
            from: Timestamp::from_ms(gap.from_ms),
            to: Timestamp::from_ms(gap.to_ms),
            policy: gap.policy.as_str().to_owned(),
            answered: gap.answer.is_some(),
        })
    });
    Ok(Evidence {
        next_facts: facts.last().filter(|_| more).map(|fact| fact.sequence),
        facts,
        spans: spans.into_iter().map(shown).collect::<Result<_>>()?,
        gaps: gaps.collect::<Result<_>>()?,
        parked_from: projected.parked.as_ref().map(|p| Timestamp::from_ms(p.from_ms)),
        projected: projected.spans,
    })
}

fn shown(span: &Span) -> Result<EvidenceSpan> {
    Ok(EvidenceSpan {
        opened: span.opened,
        from: Timestamp::from_ms(span.from_ms),
        to: (span.to_ms != FOREVER_MS).then(|| Timestamp::from_ms(span.to_ms)),
        state: span.state.clone(),
        attributes: Attributes::parse(&span.attributes)?,
        alternative: (!span.alternative.is_empty()).then(|| span.alternative.clone()),
        quality: span.quality.as_str().to_owned(),
    })
}

/// All of the resource's that tell of the tenant, in order of arrival.
async fn told(conn: &mut Conn, resource: &Resource, tenant: &str) -> Result<Vec<EvidenceFact>> {
    let rows = sqlx::query(
        "SELECT f.id, f.source, f.source_id, f.sequence, f.state, f.attributes, f.at_ms, \
         f.recorded_ms, r.ruling, r.actor, r.reason \
         FROM usage_facts f LEFT JOIN usage_rulings r ON r.fact_id = f.id \
         WHERE f.kind = $1 AND f.resource_id = $2 AND f.tenant_id = $3 ORDER BY f.sequence",
    )
    .bind(&resource.kind)
    .bind(&resource.id)
    .bind(tenant)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let text = |column: &str| row.try_get::<String, _>(column);
            let told = |column: &str| row.try_get::<Option<String>, _>(column);
            let at = |column: &str| row.try_get(column).map(Timestamp::from_ms);
            Ok(EvidenceFact {
                id: parse(&text("id")?)?,
                source: text("source")?,
                source_id: text("source_id")?,
                sequence: row.try_get("sequence")?,
                state: text("state")?,
                attributes: Attributes::parse(&text("attributes")?)?,
                at: at("at_ms")?,
                recorded_at: at("recorded_ms")?,
                counted_from: None,
                ruling: told("ruling")?,
                ruled_by: told("actor")?,
                ruled_why: told("reason")?,
            })
        })
        .collect()
}
