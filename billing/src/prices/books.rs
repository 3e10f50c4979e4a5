//! Books: a name, a currency, and whose it is.

use base::{
    Error, Result,
    db::{Conn, found},
    id::{PriceBookId, TenantId},
    money::Currency,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::store::{self, PriceVersion};
use crate::{accounts, sql::parse};

/// Books in one listing.
pub const BOOKS_MAX: i64 = 1_000;
const NAME_MAX_CHARS: usize = 100;

/// What a row of `price_books` is for.
const BOOK: &str = "book";
const OVERRIDES: &str = "overrides";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceBook {
    pub id: PriceBookId,
    pub name: String,
    pub currency: String,
    /// Whose alone it is; none: anybody may be assigned to it.
    pub tenant_id: Option<TenantId>,
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
    create(conn, now, (name, currency), None, BOOK).await
}

/// Of one tenant, in the currency of its account.
pub async fn create_own_book(
    conn: &mut Conn,
    now: Timestamp,
    name: &str,
    tenant: TenantId,
) -> Result<PriceBook> {
    let account = accounts::get(conn, tenant).await.map_err(|e| e.in_field("tenant_id"))?;
    create(conn, now, (name, &account.currency), Some(tenant), BOOK).await
}

/// Where a tenant's overrides are kept; made when the first is.
pub(super) async fn overrides_book(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    currency: &str,
) -> Result<PriceBookId> {
    let known: Option<String> =
        sqlx::query_scalar("SELECT id FROM price_books WHERE tenant_id = $1 AND kind = $2")
            .bind(tenant.to_string())
            .bind(OVERRIDES)
            .fetch_optional(&mut *conn)
            .await?;
    match known {
        Some(id) => parse(&id),
        None => Ok(create(conn, now, (OVERRIDES, currency), Some(tenant), OVERRIDES).await?.id),
    }
}

async fn create(
    conn: &mut Conn,
    now: Timestamp,
    (name, currency): (&str, &str),
    tenant: Option<TenantId>,
    kind: &str,
) -> Result<PriceBook> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
        return Err(Error::invalid("name", "a price book's name has 1 to 100 characters"));
    }
    check_currency(currency)?;
    let id = PriceBookId::new();
    sqlx::query(
        "INSERT INTO price_books (id, name, currency, last_version, created_ms, tenant_id, kind) \
         VALUES ($1, $2, $3, 0, $4, $5, $6)",
    )
    .bind(id.to_string())
    .bind(name)
    .bind(currency)
    .bind(now.ms())
    .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
    .bind(kind)
    .execute(conn)
    .await?;
    Ok(PriceBook {
        id,
        name: name.to_owned(),
        currency: currency.to_owned(),
        tenant_id: tenant,
        created_at: now,
        versions: Vec::new(),
    })
}

pub(crate) fn check_currency(currency: &str) -> Result<()> {
    currency.parse::<Currency>().map(|_| ())
}

type Row = (String, String, String, String, i64);

/// All books by their ids, at most [`BOOKS_MAX`].
pub async fn list(conn: &mut Conn) -> Result<Vec<PriceBook>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, name, currency, tenant_id, created_ms FROM price_books WHERE kind = $1 \
         ORDER BY id LIMIT $2",
    )
    .bind(BOOK)
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
    let row = row(conn, id).await?;
    with_versions(conn, row).await
}

/// Without its versions.
pub(super) async fn head(conn: &mut Conn, id: PriceBookId) -> Result<PriceBook> {
    from_row(row(conn, id).await?)
}

async fn row(conn: &mut Conn, id: PriceBookId) -> Result<Row> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, name, currency, tenant_id, created_ms FROM price_books \
         WHERE id = $1 AND kind = $2",
    )
    .bind(id.to_string())
    .bind(BOOK)
    .fetch_optional(conn)
    .await?;
    found(row, format_args!("price book {id}"))
}

fn from_row((id, name, currency, tenant, created_ms): Row) -> Result<PriceBook> {
    Ok(PriceBook {
        id: parse(&id)?,
        name,
        currency,
        tenant_id: (!tenant.is_empty()).then(|| parse(&tenant)).transpose()?,
        created_at: Timestamp::from_ms(created_ms),
        versions: Vec::new(),
    })
}

async fn with_versions(conn: &mut Conn, row: Row) -> Result<PriceBook> {
    let book = from_row(row)?;
    Ok(PriceBook { versions: store::versions(conn, book.id).await?, ..book })
}
