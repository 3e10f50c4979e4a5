//! Explaining a rated line: from its amount down to the facts, readings and price that made it, each
//! step computed again and compared with what was posted.
//!
//! ```text
//! facts, gaps, readings --usage--> quantity --measure--> of its group so far --price--> net and tax
//!                                                                      lines of the charge --> ledger
//! ```
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`line`] | a line's id; lines as they are listed |
//! | `amount` | measure and rounding, by the rater's pure functions from nothing but earlier lines |
//! | `usage` | whether the lines of a time come to what the facts (or readings) say |
//! | [`price`] | the version and rate |
//! | [`formula`] | a price and its arithmetic in words, pure |
//!
//! What the rater keeps for its speed (sums, spans, marks) is not asked: sums are added up from the
//! lines, spans made from the facts. All is read in one snapshot.

use base::{Error, ErrorKind, Result, db::Conn, id::TenantId, time::Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    accounts,
    usage::evidence::{Evidence, evidence},
};

mod amount;
pub mod formula;
pub mod line;
pub mod price;
mod readings;
mod usage;

use line::SameTime;
pub use line::{LineId, Lines, RatedLine, Wanted, list};
pub use price::ExplainedPrice;
use readings::Read;
pub use readings::{CountedBetween, CounterReading};

/// One thing that was computed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExplainedStep {
    /// `usage`, `measure`, `so_far`, `amount`, `charge`.
    pub step: String,
    /// What is computed from what, in words and figures.
    pub says: String,
    pub posted: String,
    pub recomputed: String,
    pub equal: bool,
}

impl ExplainedStep {
    fn new(step: &str, says: String, posted: impl ToString, recomputed: impl ToString) -> Self {
        let (posted, recomputed) = (posted.to_string(), recomputed.to_string());
        let equal = posted == recomputed;
        Self { step: step.to_owned(), says, posted, recomputed, equal }
    }
}

/// The line's posting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExplainedCharge {
    /// The journal's transaction.
    pub transaction_id: String,
    /// Its number in the tenant's journal.
    pub number: i64,
    pub at: Timestamp,
}

/// A line with all that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Explanation {
    pub line: RatedLine,
    pub currency: String,
    /// Every step comes to what was posted.
    pub equal: bool,
    /// Facts or prices of the resource changed since: the next posting adjusts what differs.
    pub pending: bool,
    pub steps: Vec<ExplainedStep>,
    pub price: ExplainedPrice,
    pub charge: ExplainedCharge,
    /// There are more readings, or more lines of its time, than are shown, at most 1000 of each. The
    /// step `usage` is left out then: it would need all of them.
    pub more: bool,
    /// What the resource's facts say of the line's time; empty for what is of no one resource.
    pub usage: Evidence,
    /// Of a counted component: what was read, and what was counted between. Empty for what is of a
    /// month, and for what settles a rounding.
    pub readings: Vec<CounterReading>,
    pub counted: Vec<CountedBetween>,
    /// Those that rate the same thing in the line's time, itself among them: with an adjustment there
    /// are more than one. What is of a month, and what settles a rounding, stands for itself.
    pub same_time: Vec<RatedLine>,
}

/// Explains one line, with the facts after the sequence `facts_after` (0: from the first). Read it in a
/// snapshot, so that a posting in between tells nothing apart.
pub async fn explain(conn: &mut Conn, id: LineId, facts_after: i64) -> Result<Explanation> {
    let line = line::get(conn, id).await?;
    let account = accounts::get(conn, id.tenant).await?;
    let price = price::of(conn, &line).await?;
    let mut steps = Vec::new();
    let mut evidence_of = Evidence::default();
    let mut read = Read::default();
    let mut same_time = SameTime { lines: vec![line.clone()], more: false };
    let mut pending = false;
    if !line.resource_id.is_empty() {
        let (kind, resource) = (line.resource_kind.clone(), line.resource_id.clone());
        let resource = crate::usage::Resource { kind, id: resource };
        evidence_of =
            evidence(conn, &resource, id.tenant, (line.from, line.to), facts_after).await?;
        pending = is_pending(conn, id.tenant, &line).await?;
        // Else it is of no use, and its time may be a month.
        if line.is_of_use() {
            same_time = line::same_time(conn, id.tenant, &line).await?;
            read = readings::of(conn, &line).await?;
        }
        if !same_time.more && !read.more {
            let (same_time, counted) = (&same_time.lines, &read.counted);
            let looked = usage::Looked { line: &line, same_time, counted };
            steps.extend(usage::step(conn, &account, &looked, &evidence_of, &price).await?);
        }
    }
    let (charge, charged_at, step) = charge(conn, id, &line).await?;
    steps.extend(amount::steps(conn, &account, &line, &price, charged_at).await?);
    steps.push(step);
    Ok(Explanation {
        currency: account.currency,
        equal: steps.iter().all(|step| step.equal),
        pending,
        steps,
        price,
        charge,
        more: read.more || same_time.more,
        usage: evidence_of,
        readings: read.readings,
        counted: read.counted,
        same_time: same_time.lines,
        line,
    })
}

async fn is_pending(conn: &mut Conn, tenant: TenantId, line: &RatedLine) -> Result<bool> {
    let dirty: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM rating_resources WHERE tenant_id = $1 AND resource_kind = $2 \
         AND resource_id = $3 AND (dirty_ms < rated_ms OR counted_ms < counted_to_ms)",
    )
    .bind(tenant.to_string())
    .bind(&line.resource_kind)
    .bind(&line.resource_id)
    .fetch_one(conn)
    .await?;
    Ok(dirty > 0)
}

/// The ledger's transaction of the line's charge, and when it was posted: revenue and tax are the sum of
/// the charge's lines.
async fn charge(
    conn: &mut Conn,
    id: LineId,
    line: &RatedLine,
) -> Result<(ExplainedCharge, Timestamp, ExplainedStep)> {
    let row: Option<(String, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT t.id, t.number, t.at_ms, t.created_ms, CAST(COALESCE(SUM(CASE WHEN e.direction = 'credit' \
           THEN e.amount_micros ELSE -e.amount_micros END), 0) AS BIGINT) \
         FROM journal t LEFT JOIN journal_entries e ON e.transaction_id = t.id \
           AND e.account IN ('revenue', 'tax') \
         WHERE t.dedup_key = $1 GROUP BY t.id, t.number, t.at_ms, t.created_ms",
    )
    .bind(format!("charge:{}:{}", id.tenant, id.charge))
    .fetch_optional(&mut *conn)
    .await?;
    let Some((transaction_id, number, at, created, posted)) = row else {
        let message = format!("the charge of line {id} is not in the journal");
        return Err(Error::new(ErrorKind::Internal, message));
    };
    let (count, sum): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), CAST(COALESCE(SUM(net + tax), 0) AS BIGINT) FROM charges \
         WHERE tenant_id = $1 AND charge_no = $2",
    )
    .bind(id.tenant.to_string())
    .bind(id.charge)
    .fetch_one(conn)
    .await?;
    let says = format!(
        "transaction {number} of the journal credits revenue and tax with the sum of the {count} \
         lines of charge {}, up to {}",
        id.charge, line.at
    );
    let micros = base::money::Micros;
    let step = ExplainedStep::new("charge", says, micros(posted), micros(sum));
    let charge = ExplainedCharge { transaction_id, number, at: Timestamp::from_ms(at) };
    Ok((charge, Timestamp::from_ms(created), step))
}

#[cfg(test)]
mod tests;
