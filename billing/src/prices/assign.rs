//! Which book prices what a tenant uses, from when.

use base::{
    Error, Result,
    db::Conn,
    id::{PriceBookId, TenantId},
    time::Timestamp,
};

use super::{books, publish::mark_dirty};
use crate::accounts;

/// From `from` on (now, where none is given; never in the past). Takes the account's lock.
pub async fn assign(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    book: PriceBookId,
    from: Option<Timestamp>,
) -> Result<()> {
    let from = from.unwrap_or(now);
    if from < now {
        return Err(Error::invalid("effective_at", "a book can't be assigned in the past")
            .remedy("give an instant from now on, or none for now"));
    }
    let account = accounts::lock(conn, tenant).await?;
    let book = books::head(conn, book).await.map_err(|e| e.in_field("price_book_id"))?;
    if book.tenant_id.is_some_and(|owner| owner != tenant) {
        return Err(Error::invalid(
            "price_book_id",
            format!("price book {} is another tenant's own", book.id),
        ));
    }
    if book.currency != account.currency {
        return Err(Error::invalid(
            "price_book_id",
            format!("the price book is in {}, the account in {}", book.currency, account.currency),
        ));
    }
    sqlx::query(
        "INSERT INTO price_assignments (tenant_id, number, effective_ms, book_id) \
         SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3 FROM price_assignments \
         WHERE tenant_id = $1",
    )
    .bind(tenant.to_string())
    .bind(from.ms())
    .bind(book.id.to_string())
    .execute(&mut *conn)
    .await?;
    mark_dirty(conn, tenant, from).await
}
