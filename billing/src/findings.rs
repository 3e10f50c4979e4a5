//! Findings: what somebody should look at. One of a kind and subject is open at a time; seen again,
//! it is counted, and it stays until it is resolved.
//!
//! | Kind | Subject | Means |
//! | --- | --- | --- |
//! | `usage_quarantined` | `fact/ID` | a fact is dated in the future, and not counted |
//! | `usage_parked` | `instance/ID` | a fact contradicts: its resource is rated no further |
//! | `usage_gap` | `gap/ID` | facts were lost: the time is estimated until somebody answers |
//! | `counter_drop` | `instance/ID/net_tx/PORT` | it read less within an epoch |
//! | `counter_conflict` | `instance/ID/net_tx/PORT` | a reading came again with another value |
//! | `counter_ahead` | `instance/ID/net_tx/PORT` | a reading was dated in the future: it counts as of when it came |
//! | `counter_refused` | `instance/ID/net_tx/PORT` | a reading can't be right: it is negative, say |
//! | `usage_conflict` | `SOURCE/ID` | a source told the same fact with another content |
//! | `usage_refused` | `SOURCE/ID` | a fact that no row can hold, or of a tenant without an account |
//! | `leak_unbilled`, `leak_unused`, `leak_state`, `leak_price` | `instance/ID`, `instance/ID/compute` | what there is, what is metered and what is billed differ ([`crate::leaks`]); listed when seen twice |
//! | `month_unclosed` | `tenant/ID/MONTH` | a month that is over can't be closed, and so no later one ([`crate::close`]) |

use base::{
    Error, Result,
    db::Conn,
    id::{FindingId, TenantId},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::sql::parse;

/// What may be on its way is told of only when it was seen twice.
macro_rules! listed {
    () => {
        "(kind NOT LIKE 'leak%' OR reported_ms <> 0)"
    };
}

macro_rules! columns {
    () => {
        "id, kind, subject, tenant_id, severity, detail, first_seen_ms, last_seen_ms, seen, \
         resolved_ms"
    };
}
type Row = (String, String, String, String, String, String, i64, i64, i64, i64);

/// Of a subject or a detail; what is longer is cut.
pub const TEXT_MAX_CHARS: usize = 1_000;
/// In one listing.
pub const PAGE_MAX: i64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FindingSeverity)]
pub enum Severity {
    Warning,
    /// Money is not charged, or wrongly.
    Error,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl std::str::FromStr for Severity {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "warning" => Ok(Self::Warning),
            "error" => Ok(Self::Error),
            other => Err(Error::internal(format!("'{other}' is not a severity"))),
        }
    }
}

/// What was seen.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub kind: &'static str,
    pub subject: &'a str,
    pub tenant: Option<TenantId>,
    pub severity: Severity,
    pub detail: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BillingFinding)]
pub struct Finding {
    pub id: FindingId,
    pub kind: String,
    pub subject: String,
    pub tenant_id: Option<TenantId>,
    pub severity: Severity,
    /// As it was seen last.
    pub detail: String,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// How often.
    pub seen: i64,
    pub resolved_at: Option<Timestamp>,
}

/// Opens a finding, or counts the one that is open.
pub async fn see(conn: &mut Conn, now: Timestamp, seen: Seen<'_>) -> Result<FindingId> {
    let cut = |text: &str| text.chars().take(TEXT_MAX_CHARS).collect::<String>();
    let id: String = sqlx::query_scalar(
        "INSERT INTO findings (id, kind, subject, tenant_id, severity, detail, first_seen_ms, \
         last_seen_ms, seen, reported_ms, resolved_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 1, \
         0, 0) \
         ON CONFLICT (kind, subject) WHERE resolved_ms = 0 DO UPDATE SET \
           tenant_id = excluded.tenant_id, severity = excluded.severity, \
           detail = excluded.detail, last_seen_ms = excluded.last_seen_ms, \
           seen = findings.seen + 1 \
         RETURNING id",
    )
    .bind(FindingId::new().to_string())
    .bind(seen.kind)
    .bind(cut(seen.subject))
    .bind(seen.tenant.map_or(String::new(), |tenant| tenant.to_string()))
    .bind(seen.severity.as_str())
    .bind(cut(seen.detail))
    .bind(now.ms())
    .fetch_one(conn)
    .await?;
    parse(&id)
}

/// Closes the open one, if there is one. Returns whether there was.
pub async fn resolve(
    conn: &mut Conn,
    now: Timestamp,
    kind: &'static str,
    subject: &str,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE findings SET resolved_ms = $3 \
         WHERE kind = $1 AND subject = $2 AND resolved_ms = 0",
    )
    .bind(kind)
    .bind(subject)
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// It was told to the operators.
pub(crate) async fn reported(conn: &mut Conn, now: Timestamp, id: FindingId) -> Result<()> {
    sqlx::query("UPDATE findings SET reported_ms = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(now.ms())
        .execute(conn)
        .await?;
    Ok(())
}

/// The open one of that kind and subject.
pub async fn open(conn: &mut Conn, kind: &str, subject: &str) -> Result<Option<FindingId>> {
    let id: Option<String> = sqlx::query_scalar(
        "SELECT id FROM findings WHERE kind = $1 AND subject = $2 AND resolved_ms = 0",
    )
    .bind(kind)
    .bind(subject)
    .fetch_optional(conn)
    .await?;
    id.map(|id| parse(&id)).transpose()
}

/// Closes one by hand. Where its cause is still there, the next sight of it opens another.
pub async fn close(conn: &mut Conn, now: Timestamp, id: FindingId) -> Result<Finding> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "UPDATE findings SET resolved_ms = $2 WHERE id = $1 AND resolved_ms = 0 RETURNING ",
        columns!()
    ))
    .bind(id.to_string())
    .bind(now.ms())
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(row) = row {
        return from_row(row);
    }
    let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM findings WHERE id = $1")
        .bind(id.to_string())
        .fetch_one(conn)
        .await?;
    match known {
        0 => Err(Error::not_found(format_args!("finding {id}"))),
        _ => Err(Error::conflict(format!("finding {id} is resolved already"))),
    }
}

/// How many are open, by kind.
pub async fn count_open(conn: &mut Conn) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as(concat!(
        "SELECT kind, COUNT(*) FROM findings WHERE resolved_ms = 0 AND ",
        listed!(),
        " GROUP BY kind ORDER BY kind"
    ))
    .fetch_all(conn)
    .await?)
}

/// Those that are open, or with `resolved` all of them; oldest first, at most [`PAGE_MAX`].
pub async fn list(conn: &mut Conn, resolved: bool) -> Result<Vec<Finding>> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM findings WHERE (resolved_ms = 0 OR $1 = 1) AND ",
        listed!(),
        " ORDER BY first_seen_ms, kind, subject LIMIT $2"
    ))
    .bind(i64::from(resolved))
    .bind(PAGE_MAX)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(from_row).collect()
}

fn from_row(row: Row) -> Result<Finding> {
    let (id, kind, subject, tenant, severity, detail, first, last, seen, resolved) = row;
    Ok(Finding {
        id: parse(&id)?,
        kind,
        subject,
        tenant_id: if tenant.is_empty() { None } else { Some(parse(&tenant)?) },
        severity: severity.parse()?,
        detail,
        first_seen_at: Timestamp::from_ms(first),
        last_seen_at: Timestamp::from_ms(last),
        seen,
        resolved_at: (resolved != 0).then(|| Timestamp::from_ms(resolved)),
    })
}

#[cfg(test)]
mod tests;
