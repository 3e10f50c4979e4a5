//! Price books: named lists of prices in immutable, dated versions.
//!
//! A price is nano-units of the book's currency per unit and hour. A version is published whole and
//! never changes; from its effective date on it prices what its book's tenants use, so that a
//! change in the middle of an interval splits the line. A meter without a price is free.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`components`] | what can have a price, and per what |
//! | [`model`] | what a measure costs: standard, graduated, package, volume |
//! | [`tax`] | net and tax of a cost |
//! | [`select`] | which rate prices something: flavor, region, labels |
//! | [`document`] | a version as a document |
//! | [`timeline`] | what is in force for a tenant, and when |
//! | [`meters`] | the standard prices that today's rater asks for by meter |

use std::collections::BTreeMap;

use base::{
    Error, Result,
    db::{Conn, found},
    id::{PriceBookId, PriceVersionId, TenantId},
    money::Nanos,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    agenda::{self, Due},
    meter,
    sql::parse,
};

pub mod components;
pub mod document;
pub(crate) mod load;
pub mod meters;
pub mod model;
pub mod select;
pub mod tax;
pub mod timeline;

/// Of one version.
pub const PRICES_MAX: usize = 1_000;
/// Books in one listing.
pub const BOOKS_MAX: i64 = 1_000;
const NAME_MAX_CHARS: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Price {
    /// `instance:<flavor id>`, `instance-paused:<flavor id>` or `disk_gib`.
    pub meter: String,
    /// Per unit and hour.
    pub unit_price: Nanos,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceVersion {
    pub id: PriceVersionId,
    pub number: i64,
    pub effective_at: Timestamp,
    pub published_at: Timestamp,
    pub prices: Vec<Price>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceBook {
    pub id: PriceBookId,
    pub name: String,
    pub currency: String,
    pub created_at: Timestamp,
    /// In the order of their publication.
    pub versions: Vec<PriceVersion>,
}

/// `currency` is an ISO 4217 code.
pub async fn create_book(
    conn: &mut Conn,
    now: Timestamp,
    name: &str,
    currency: &str,
) -> Result<PriceBook> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
        return Err(Error::invalid("name", "a price book's name has 1 to 100 characters"));
    }
    check_currency(currency)?;
    let id = PriceBookId::new();
    sqlx::query(
        "INSERT INTO price_books (id, name, currency, last_version, created_ms) \
         VALUES ($1, $2, $3, 0, $4)",
    )
    .bind(id.to_string())
    .bind(name)
    .bind(currency)
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(PriceBook {
        id,
        name: name.to_owned(),
        currency: currency.to_owned(),
        created_at: now,
        versions: Vec::new(),
    })
}

pub(crate) fn check_currency(currency: &str) -> Result<()> {
    currency.parse::<base::money::Currency>().map(|_| ())
}

/// Publishes a version that is in force from `effective_at` (now, where none is given).
///
/// It can't begin in the past: what was billed stands. Takes the lock of the book and of the
/// accounts that it prices, so that nobody rates beside it at the old price.
pub async fn publish_version(
    conn: &mut Conn,
    now: Timestamp,
    book: PriceBookId,
    effective_at: Option<Timestamp>,
    prices: &[Price],
) -> Result<PriceVersion> {
    let effective_at = effective_at.unwrap_or(now);
    if effective_at < now {
        return Err(Error::invalid("effective_at", "prices can't be changed in the past")
            .remedy("give an instant from now on, or none for now"));
    }
    check_prices(prices)?;
    let number: Option<i64> = sqlx::query_scalar(
        "UPDATE price_books SET last_version = last_version + 1 WHERE id = $1 \
         RETURNING last_version",
    )
    .bind(book.to_string())
    .fetch_optional(&mut *conn)
    .await?;
    let number = found(number, format_args!("price book {book}"))?;
    mark_tenants_dirty(conn, book, effective_at).await?;
    let id = PriceVersionId::new();
    for price in prices {
        sqlx::query("INSERT INTO prices (version_id, meter, unit_price_nanos) VALUES ($1, $2, $3)")
            .bind(id.to_string())
            .bind(&price.meter)
            .bind(price.unit_price.0)
            .execute(&mut *conn)
            .await?;
    }
    // Last, since it seals them.
    sqlx::query(
        "INSERT INTO price_versions (id, book_id, number, effective_ms, published_ms) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.to_string())
    .bind(book.to_string())
    .bind(number)
    .bind(effective_at.ms())
    .bind(now.ms())
    .execute(conn)
    .await?;
    let mut prices = prices.to_vec();
    prices.sort_by(|a, b| a.meter.cmp(&b.meter));
    Ok(PriceVersion { id, number, effective_at, published_at: now, prices })
}

fn check_prices(prices: &[Price]) -> Result<()> {
    if prices.is_empty() || prices.len() > PRICES_MAX {
        return Err(Error::invalid("prices", "a version has 1 to 1000 prices"));
    }
    let mut seen = std::collections::BTreeSet::new();
    for price in prices {
        meter::validate(&price.meter)?;
        if price.unit_price.0 < 0 {
            return Err(Error::invalid(
                "prices",
                format!("the price of {} is negative", price.meter),
            ));
        }
        if !seen.insert(&price.meter) {
            return Err(Error::invalid("prices", format!("{} has two prices", price.meter)));
        }
    }
    Ok(())
}

/// Somebody may have posted a moment past `effective_at` at the old price; that is rated again.
async fn mark_tenants_dirty(
    conn: &mut Conn,
    book: PriceBookId,
    effective_at: Timestamp,
) -> Result<()> {
    const PRICED: &str = "SELECT DISTINCT tenant_id FROM price_assignments WHERE book_id = $1 \
                          ORDER BY tenant_id";
    let tenants: Vec<String> =
        sqlx::query_scalar(PRICED).bind(book.to_string()).fetch_all(&mut *conn).await?;
    for tenant in tenants {
        let tenant = parse(&tenant)?;
        crate::accounts::lock(conn, tenant).await?;
        mark_dirty(conn, tenant, effective_at).await?;
    }
    Ok(())
}

/// What was rated past `from` is rated again. The account's lock is held.
pub(crate) async fn mark_dirty(conn: &mut Conn, tenant: TenantId, from: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE rating_resources SET dirty_ms = CASE \
           WHEN dirty_ms IS NULL OR dirty_ms > $2 THEN $2 ELSE dirty_ms END \
         WHERE tenant_id = $1 AND rated_ms > $2",
    )
    .bind(tenant.to_string())
    .bind(from.ms())
    .execute(&mut *conn)
    .await?;
    agenda::touch(conn, tenant, Due::Both).await
}

/// All books by their ids, at most [`BOOKS_MAX`].
pub async fn list(conn: &mut Conn) -> Result<Vec<PriceBook>> {
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT id, name, currency, created_ms FROM price_books ORDER BY id LIMIT $1",
    )
    .bind(BOOKS_MAX)
    .fetch_all(&mut *conn)
    .await?;
    let mut books = Vec::with_capacity(rows.len());
    for row in rows {
        books.push(with_versions(conn, row).await?);
    }
    Ok(books)
}

pub async fn get(conn: &mut Conn, id: PriceBookId) -> Result<PriceBook> {
    let row: Option<(String, String, String, i64)> =
        sqlx::query_as("SELECT id, name, currency, created_ms FROM price_books WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut *conn)
            .await?;
    // Before the wait: format arguments can't cross threads.
    let row = found(row, format_args!("price book {id}"))?;
    with_versions(conn, row).await
}

async fn with_versions(
    conn: &mut Conn,
    (id, name, currency, created_ms): (String, String, String, i64),
) -> Result<PriceBook> {
    Ok(PriceBook {
        versions: versions(conn, &id).await?,
        id: parse(&id)?,
        name,
        currency,
        created_at: Timestamp::from_ms(created_ms),
    })
}

pub(crate) async fn versions(conn: &mut Conn, book: &str) -> Result<Vec<PriceVersion>> {
    let prices: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT p.version_id, p.meter, p.unit_price_nanos FROM prices p \
         JOIN price_versions v ON v.id = p.version_id WHERE v.book_id = $1 ORDER BY p.meter",
    )
    .bind(book)
    .fetch_all(&mut *conn)
    .await?;
    let mut by_version: BTreeMap<String, Vec<Price>> = BTreeMap::new();
    for (version, meter, nanos) in prices {
        by_version.entry(version).or_default().push(Price { meter, unit_price: Nanos(nanos) });
    }
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
        "SELECT id, number, effective_ms, published_ms FROM price_versions WHERE book_id = $1 \
         ORDER BY number",
    )
    .bind(book)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, number, effective_ms, published_ms)| {
            Ok(PriceVersion {
                prices: by_version.remove(&id).unwrap_or_default(),
                id: parse(&id)?,
                number,
                effective_at: Timestamp::from_ms(effective_ms),
                published_at: Timestamp::from_ms(published_ms),
            })
        })
        .collect()
}
