//! The price of a line: which version of which book, and its rate there.

use base::{
    Error, Result,
    db::{Conn, found},
    id::{PriceBookId, PriceVersionId},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{formula, line::RatedLine};
use crate::{
    prices::{document::Rate, load, tax::Tax},
    rating::compiled::Compiled,
    sql::parse,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExplainedPrice {
    pub version_id: PriceVersionId,
    pub book_id: PriceBookId,
    pub book: String,
    /// From 1, in its book.
    pub number: i64,
    /// `regular`, `correction`, `override`.
    pub kind: String,
    /// Of a correction or an override; else empty.
    pub reason: String,
    pub effective_at: Timestamp,
    pub published_at: Timestamp,
    pub tax: Tax,
    pub rate: Rate,
    /// The price in words.
    pub formula: String,
}

pub(super) async fn of(conn: &mut Conn, line: &RatedLine) -> Result<ExplainedPrice> {
    let version = line.price_version;
    let row: Option<(String, String, i64, String, String, i64, i64)> = sqlx::query_as(
        "SELECT v.book_id, b.name, v.number, d.kind, d.reason, v.effective_ms, v.published_ms \
         FROM price_versions v JOIN price_books b ON b.id = v.book_id \
         JOIN price_documents d ON d.version_id = v.id WHERE v.id = $1",
    )
    .bind(version.to_string())
    .fetch_optional(&mut *conn)
    .await?;
    let (book_id, book, number, kind, reason, effective, published) =
        found(row, format_args!("price version {version}"))?;
    let loaded = load::version(conn, version).await?;
    let rate = loaded.found(&line.rate).ok_or_else(|| {
        Error::internal(format!("the price version {version} has no rate {}", line.rate))
    })?;
    Ok(ExplainedPrice {
        version_id: version,
        book_id: parse(&book_id)?,
        book,
        number,
        kind,
        reason,
        effective_at: Timestamp::from_ms(effective),
        published_at: Timestamp::from_ms(published),
        tax: rate.tax,
        rate: rate.rate.clone(),
        formula: formula::price(rate.rate, rate.tax),
    })
}

impl ExplainedPrice {
    /// The rate of this name in a version that its walk goes through, ready to be applied.
    pub(super) async fn of_version(
        &self,
        conn: &mut Conn,
        version: PriceVersionId,
    ) -> Result<Compiled> {
        let loaded = load::version(conn, version).await?;
        let found = loaded.found(&self.rate.id).and_then(|found| Compiled::new(&found));
        found.ok_or_else(|| {
            Error::internal(format!("the rate {} of {version} can't be applied", self.rate.id))
        })
    }
}
