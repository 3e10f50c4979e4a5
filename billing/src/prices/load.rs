//! A tenant's timeline, as SQL has it now: one statement, and the versions that were not read yet.
//!
//! A version never changes, so that what was read once is kept by its id, in the whole process. One
//! that a transaction wrote and rolled back can be kept, too: nobody will ever ask for its id.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use base::{
    Result,
    db::Conn,
    id::{PriceBookId, PriceVersionId, TenantId},
    time::Timestamp,
};

use super::{
    overrides::FOR_GOOD,
    store,
    tax::Tax,
    timeline::{Assignment, Override, Published, Sources, Timeline, Version},
};
use crate::sql::parse;

/// Kept; beyond, all are forgotten and read again.
pub const VERSIONS_MAX: usize = 10_000;

static VERSIONS: LazyLock<Mutex<HashMap<PriceVersionId, Arc<Version>>>> =
    LazyLock::new(Mutex::default);

/// A published version.
pub(crate) async fn version(conn: &mut Conn, id: PriceVersionId) -> Result<Arc<Version>> {
    let known = VERSIONS.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
    if let Some(version) = known {
        return Ok(version);
    }
    let version = Arc::new(Version::new(id, store::document(conn, id).await?));
    let mut versions = VERSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    if versions.len() >= VERSIONS_MAX {
        versions.clear();
    }
    versions.insert(id, version.clone());
    Ok(version)
}

pub(crate) async fn timeline(conn: &mut Conn, tenant: TenantId) -> Result<Timeline> {
    Ok(Timeline::new(&sources(conn, tenant).await?))
}

/// As it was then: without the versions and overrides that came later, which can change the past.
/// Books are assigned from the instant on, so that a later assignment changes nothing of it.
pub(crate) async fn timeline_known_at(
    conn: &mut Conn,
    tenant: TenantId,
    then: Timestamp,
) -> Result<Timeline> {
    Ok(Timeline::new(&sources_known_at(conn, tenant, then).await?))
}

/// An assignment with one of its book's versions (or none), or an override.
struct Row {
    is_override: bool,
    number: i64,
    from: Timestamp,
    book: String,
    version: String,
    /// When the version becomes effective, or the override ends.
    until_ms: i64,
    /// Which version it is, or which override this one ends.
    which: i64,
}

async fn rows(conn: &mut Conn, tenant: TenantId, known_at: Timestamp) -> Result<Vec<Row>> {
    const ROWS: &str = "SELECT CAST(0 AS BIGINT) AS layer, a.number AS number, a.effective_ms, \
           a.book_id, COALESCE(v.id, ''), COALESCE(v.effective_ms, 0), \
           COALESCE(v.number, 0) AS which \
         FROM price_assignments a \
         LEFT JOIN price_versions v ON v.book_id = a.book_id AND v.published_ms <= $2 \
         WHERE a.tenant_id = $1 \
         UNION ALL \
         SELECT CAST(1 AS BIGINT), o.number, o.from_ms, '', o.version_id, o.to_ms, o.ends_number \
         FROM price_overrides o WHERE o.tenant_id = $1 AND o.created_ms <= $2 \
         ORDER BY layer, number, which";
    let rows: Vec<(i64, i64, i64, String, String, i64, i64)> =
        sqlx::query_as(ROWS).bind(tenant.to_string()).bind(known_at.ms()).fetch_all(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(layer, number, from, book, version, until_ms, which)| Row {
            is_override: layer == 1,
            number,
            from: Timestamp::from_ms(from),
            book,
            version,
            until_ms,
            which,
        })
        .collect())
}

/// The versions of a book, in the order of their publication.
pub(crate) async fn of_book(conn: &mut Conn, book: PriceBookId) -> Result<Vec<Published>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT id, effective_ms FROM price_versions WHERE book_id = $1 ORDER BY number",
    )
    .bind(book.to_string())
    .fetch_all(&mut *conn)
    .await?;
    let mut all = Vec::with_capacity(rows.len());
    for (id, effective_ms) in rows {
        let effective_at = Timestamp::from_ms(effective_ms);
        all.push(Published { book, effective_at, version: version(conn, parse(&id)?).await? });
    }
    Ok(all)
}

/// What the tenant's timeline is made of.
pub(crate) async fn sources(conn: &mut Conn, tenant: TenantId) -> Result<Sources> {
    sources_known_at(conn, tenant, Timestamp::from_ms(i64::MAX)).await
}

async fn sources_known_at(
    conn: &mut Conn,
    tenant: TenantId,
    known_at: Timestamp,
) -> Result<Sources> {
    let rows = rows(conn, tenant, known_at).await?;
    let mut sources = Sources::default();
    let mut last = 0;
    let mut books: Vec<PriceBookId> = Vec::new();
    for row in rows.iter().filter(|row| !row.is_override) {
        let book: PriceBookId = parse(&row.book)?;
        if row.number != last {
            last = row.number;
            books.extend(sources.assignments.last().map(|a| a.book));
            sources.assignments.push(Assignment { from: row.from, book });
        }
        // A book that was assigned before has its versions here already.
        if !row.version.is_empty() && !books.contains(&book) {
            sources.versions.push(Published {
                book,
                effective_at: Timestamp::from_ms(row.until_ms),
                version: version(conn, parse(&row.version)?).await?,
            });
        }
    }
    for row in rows.iter().filter(|row| row.is_override && row.which == 0) {
        let ended = rows.iter().filter(|end| end.is_override && end.which == row.number);
        let to = ended.map(|end| end.from.ms()).fold(row.until_ms, i64::min);
        sources.overrides.push(Override {
            from: row.from,
            to: (to != FOR_GOOD).then(|| Timestamp::from_ms(to)),
            version: version(conn, parse(&row.version)?).await?,
        });
    }
    Ok(sources)
}

/// Of the version of the tenant's book that is in force at `at`; none without a book.
pub(super) async fn book_tax(conn: &mut Conn, tenant: TenantId, at: Timestamp) -> Result<Tax> {
    let sources = Sources { overrides: Vec::new(), ..sources(conn, tenant).await? };
    let version = sources.in_force(at).pop();
    Ok(version.map_or(Tax::default(), |version| version.document.tax))
}

#[cfg(test)]
mod tests;
