//! Drafts: documents that are edited and checked until they are published.

use base::{
    Error, Result,
    db::{Conn, found},
    id::{PriceBookId, PriceDraftId},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    books::{self, PriceBook},
    check::Check,
    document::Document,
    publish::{self, Terms},
    store::{self, PriceVersion},
};
use crate::sql::parse;

/// Of one book.
pub const DRAFTS_MAX: i64 = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceDraft {
    pub id: PriceDraftId,
    pub price_book_id: PriceBookId,
    pub document: Document,
    /// Raised by each change; a change names the one that it was made on.
    pub revision: i64,
    /// Whether `checks` are of this document.
    pub is_checked: bool,
    pub checks: Vec<Check>,
    /// Who changed it last.
    pub actor: String,
    pub updated_at: Timestamp,
}

type Row = (String, String, String, String, String, i64, String, i64);
macro_rules! columns {
    () => {
        "id, book_id, document, checked_sha256, checks, revision, actor, updated_ms"
    };
}

fn from_row(row: Row) -> Result<PriceDraft> {
    let broken = |e| Error::internal("a draft can't be read").source(e);
    let document: Document = serde_json::from_str(&row.2).map_err(broken)?;
    let is_checked = row.3 == document.sha256();
    let checks = if is_checked { serde_json::from_str(&row.4).map_err(broken)? } else { vec![] };
    Ok(PriceDraft {
        id: parse(&row.0)?,
        price_book_id: parse(&row.1)?,
        document,
        revision: row.5,
        is_checked,
        checks,
        actor: row.6,
        updated_at: Timestamp::from_ms(row.7),
    })
}

/// Without a document it begins as a copy of what is in force, or empty.
pub async fn create(
    conn: &mut Conn,
    now: Timestamp,
    actor: &str,
    book: PriceBookId,
    document: Option<Document>,
) -> Result<PriceDraft> {
    books::head(conn, book).await?;
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM price_drafts WHERE book_id = $1")
        .bind(book.to_string())
        .fetch_one(&mut *conn)
        .await?;
    if count >= DRAFTS_MAX {
        return Err(Error::conflict(format!("the book has {DRAFTS_MAX} drafts already"))
            .remedy("publish or discard one"));
    }
    let document = match document {
        Some(document) => document,
        None => {
            let versions = store::versions(conn, book).await?;
            let in_force = versions
                .into_iter()
                .filter(|v| v.effective_at <= now)
                .max_by_key(|v| v.effective_at);
            in_force.map(|version| version.document()).unwrap_or_default()
        }
    };
    let id = PriceDraftId::new();
    sqlx::query(concat!(
        "INSERT INTO price_drafts (",
        columns!(),
        ") VALUES ($1, $2, $3, '', '[]', 1, $4, $5)"
    ))
    .bind(id.to_string())
    .bind(book.to_string())
    .bind(document.to_json())
    .bind(actor)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    get(conn, id).await
}

/// A book's, the oldest first.
pub async fn list(conn: &mut Conn, book: PriceBookId) -> Result<Vec<PriceDraft>> {
    books::head(conn, book).await?;
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM price_drafts WHERE book_id = $1 ORDER BY id LIMIT $2"
    ))
    .bind(book.to_string())
    .bind(DRAFTS_MAX)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(from_row).collect()
}

pub async fn get(conn: &mut Conn, id: PriceDraftId) -> Result<PriceDraft> {
    let row: Option<Row> =
        sqlx::query_as(concat!("SELECT ", columns!(), " FROM price_drafts WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(conn)
            .await?;
    from_row(found(row, format_args!("price draft {id}"))?)
}

/// Takes the place of what the draft says; what was found in it is forgotten. `revision` is the one
/// that the change was made on.
pub async fn edit(
    conn: &mut Conn,
    now: Timestamp,
    actor: &str,
    id: PriceDraftId,
    revision: i64,
    document: &Document,
) -> Result<PriceDraft> {
    let done = sqlx::query(
        "UPDATE price_drafts SET document = $3, checked_sha256 = '', checks = '[]', \
         revision = revision + 1, actor = $4, updated_ms = $5 WHERE id = $1 AND revision = $2",
    )
    .bind(id.to_string())
    .bind(revision)
    .bind(document.to_json())
    .bind(actor)
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    let draft = get(conn, id).await?;
    match done.rows_affected() {
        0 => Err(stale(&draft)),
        _ => Ok(draft),
    }
}

fn stale(draft: &PriceDraft) -> Error {
    Error::conflict(format!("{} changed the draft meanwhile", draft.actor))
        .remedy(format!("read it again and make the change on its revision {}", draft.revision))
}

/// What is found in a document as the book's next version, and the book's currency.
pub(crate) async fn found_in(
    conn: &mut Conn,
    now: Timestamp,
    book: PriceBookId,
    document: &Document,
) -> Result<(PriceBook, Vec<Check>)> {
    let book = books::head(conn, book).await?;
    let checks = publish::checks(conn, now, &book, document).await?;
    Ok((book, checks))
}

/// Looks for errors and warnings, and keeps what was found.
pub async fn check(conn: &mut Conn, now: Timestamp, id: PriceDraftId) -> Result<PriceDraft> {
    let draft = get(conn, id).await?;
    let (_, checks) = found_in(conn, now, draft.price_book_id, &draft.document).await?;
    let text = serde_json::to_string(&checks)
        .map_err(|e| Error::internal("findings are no JSON").source(e))?;
    // The revision stays: what the draft says is the same.
    let done = sqlx::query(
        "UPDATE price_drafts SET checked_sha256 = $3, checks = $4 WHERE id = $1 AND revision = $2",
    )
    .bind(id.to_string())
    .bind(draft.revision)
    .bind(draft.document.sha256())
    .bind(text)
    .execute(&mut *conn)
    .await?;
    match done.rows_affected() {
        0 => Err(stale(&get(conn, id).await?)),
        _ => get(conn, id).await,
    }
}

/// Publishes a checked draft, and ends it.
pub async fn publish(
    conn: &mut Conn,
    now: Timestamp,
    id: PriceDraftId,
    terms: Terms<'_>,
) -> Result<PriceVersion> {
    let draft = get(conn, id).await?;
    if !draft.is_checked {
        return Err(Error::conflict("the draft was not checked since its last change")
            .remedy("check it, and look at what is found"));
    }
    // First, so that of two at once one finds it gone.
    let done = sqlx::query("DELETE FROM price_drafts WHERE id = $1 AND revision = $2")
        .bind(id.to_string())
        .bind(draft.revision)
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() == 0 {
        return Err(
            Error::conflict("the draft was changed or published meanwhile").remedy("read it again")
        );
    }
    publish::publish(conn, now, draft.price_book_id, terms, &draft.document).await
}

pub async fn discard(conn: &mut Conn, id: PriceDraftId) -> Result<()> {
    get(conn, id).await?;
    sqlx::query("DELETE FROM price_drafts WHERE id = $1")
        .bind(id.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
