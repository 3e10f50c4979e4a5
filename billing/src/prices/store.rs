//! Versions in SQL: their rows, rates and documents. Only inserts.

use std::collections::HashMap;

use base::{
    Error, Result,
    db::{Conn, found},
    id::{PriceBookId, PriceVersionId},
    money::Micros,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    document::{Document, Rate},
    meters::{self, Price},
    tax::{Tax, TaxMode},
};
use crate::sql::parse;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PriceVersionKind)]
pub enum VersionKind {
    Regular,
    /// Began before it was published.
    Correction,
    /// Of one tenant, before its book.
    Override,
}

impl VersionKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Correction => "correction",
            Self::Override => "override",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceVersion {
    pub id: PriceVersionId,
    /// From 1, in its book.
    pub number: i64,
    pub effective_at: Timestamp,
    pub published_at: Timestamp,
    pub kind: VersionKind,
    /// Of a correction or an override; else empty.
    pub reason: String,
    pub tax: Tax,
    pub rates: Vec<Rate>,
    /// Those of the rates that are standard prices by meter, by meter.
    pub prices: Vec<Price>,
}

impl PriceVersion {
    pub fn document(&self) -> Document {
        Document { tax: self.tax, rates: self.rates.clone() }
    }
}

/// A version that is to be written.
pub(super) struct New<'a> {
    pub book: PriceBookId,
    pub effective_at: Timestamp,
    pub kind: VersionKind,
    pub reason: &'a str,
    pub document: &'a Document,
}

/// Writes a checked document as its book's next version; the book's row is locked by its number.
pub(super) async fn write(conn: &mut Conn, now: Timestamp, new: New<'_>) -> Result<PriceVersion> {
    let number: Option<i64> = sqlx::query_scalar(
        "UPDATE price_books SET last_version = last_version + 1 WHERE id = $1 \
         RETURNING last_version",
    )
    .bind(new.book.to_string())
    .fetch_optional(&mut *conn)
    .await?;
    let number = found(number, format_args!("price book {}", new.book))?;
    let id = PriceVersionId::new();
    sqlx::query(
        "INSERT INTO price_versions (id, book_id, number, effective_ms, published_ms) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.to_string())
    .bind(new.book.to_string())
    .bind(number)
    .bind(new.effective_at.ms())
    .bind(now.ms())
    .execute(&mut *conn)
    .await?;
    write_rates(conn, id, &new.document.rates).await?;
    // Last, since it seals them.
    sqlx::query(
        "INSERT INTO price_documents (version_id, kind, reason, tax_mode, tax_ppm, sha256) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.to_string())
    .bind(new.kind.as_str())
    .bind(new.reason)
    .bind(new.document.tax.mode.as_str())
    .bind(new.document.tax.ppm())
    .bind(new.document.sha256())
    .execute(conn)
    .await?;
    let rates = new.document.rates.clone();
    Ok(PriceVersion {
        id,
        number,
        effective_at: new.effective_at,
        published_at: now,
        kind: new.kind,
        reason: new.reason.to_owned(),
        tax: new.document.tax,
        prices: meters::prices(&rates),
        rates,
    })
}

async fn write_rates(conn: &mut Conn, id: PriceVersionId, rates: &[Rate]) -> Result<()> {
    for (position, rate) in (1i64..).zip(rates) {
        let document = serde_json::to_string(rate)
            .map_err(|e| Error::internal("a rate is no JSON").source(e))?;
        sqlx::query(
            "INSERT INTO price_rates (version_id, position, rate, document) VALUES ($1, $2, $3, $4)",
        )
        .bind(id.to_string())
        .bind(position)
        .bind(&rate.id)
        .bind(document)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

fn rate(document: &str) -> Result<Rate> {
    serde_json::from_str(document)
        .map_err(|e| Error::internal("a published rate can't be read").source(e))
}

fn tax(mode: &str, ppm: i64) -> Tax {
    let mode = if mode == TaxMode::OnTop.as_str() { TaxMode::OnTop } else { TaxMode::Included };
    Tax { mode, rate: Micros(ppm) }
}

/// A book's, in the order of their publication.
pub(super) async fn versions(conn: &mut Conn, book: PriceBookId) -> Result<Vec<PriceVersion>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT r.version_id, r.document FROM price_rates r \
         JOIN price_versions v ON v.id = r.version_id WHERE v.book_id = $1 \
         ORDER BY r.version_id, r.position",
    )
    .bind(book.to_string())
    .fetch_all(&mut *conn)
    .await?;
    let mut by_version: HashMap<String, Vec<Rate>> = HashMap::new();
    for (version, document) in rows {
        by_version.entry(version).or_default().push(rate(&document)?);
    }
    type Row = (String, i64, i64, i64, String, String, String, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT v.id, v.number, v.effective_ms, v.published_ms, d.kind, d.reason, d.tax_mode, \
         d.tax_ppm FROM price_versions v JOIN price_documents d ON d.version_id = v.id \
         WHERE v.book_id = $1 ORDER BY v.number",
    )
    .bind(book.to_string())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, number, effective_ms, published_ms, kind, reason, mode, ppm)| {
            let rates = by_version.remove(&id).unwrap_or_default();
            Ok(PriceVersion {
                id: parse(&id)?,
                number,
                effective_at: Timestamp::from_ms(effective_ms),
                published_at: Timestamp::from_ms(published_ms),
                kind: match kind.as_str() {
                    "correction" => VersionKind::Correction,
                    "override" => VersionKind::Override,
                    _ => VersionKind::Regular,
                },
                reason,
                tax: tax(&mode, ppm),
                prices: meters::prices(&rates),
                rates,
            })
        })
        .collect()
}

/// What a published version says.
pub(super) async fn document(conn: &mut Conn, id: PriceVersionId) -> Result<Document> {
    let row: Option<(String, i64)> =
        sqlx::query_as("SELECT tax_mode, tax_ppm FROM price_documents WHERE version_id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut *conn)
            .await?;
    let (mode, ppm) = found(row, format_args!("price version {id}"))?;
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT document FROM price_rates WHERE version_id = $1 ORDER BY position",
    )
    .bind(id.to_string())
    .fetch_all(conn)
    .await?;
    let rates = rows.iter().map(|document| rate(document)).collect::<Result<_>>()?;
    Ok(Document { tax: tax(&mode, ppm), rates })
}
