//! From a document to a version in force.

use std::collections::BTreeMap;

use base::{
    Error, Result,
    db::Conn,
    id::{PriceBookId, TenantId},
    time::Timestamp,
};

use super::{
    books::{self, PriceBook},
    check::{self, Beside, Check},
    document::Document,
    meters::{self, Price},
    store::{self, New, PriceVersion, VersionKind},
};
use crate::{
    agenda::{self, Due},
    meter, packages,
    sql::parse,
    text,
};

pub const REASON_MAX_CHARS: usize = 500;
/// Flavors that a check looks at; further ones are taken to be unknown.
const FLAVORS_MAX: i64 = 10_000;

/// When a version comes into force.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    /// None: now.
    pub effective_at: Option<Timestamp>,
    /// Why the past changes; without it the version can't begin there.
    pub correction: Option<&'a str>,
}

impl Terms<'_> {
    fn resolve(self, now: Timestamp) -> Result<(Timestamp, VersionKind, String)> {
        let at = self.effective_at.unwrap_or(now);
        match self.correction {
            None if at < now => {
                Err(Error::invalid("effective_at", "prices can't be changed in the past").remedy(
                    "give an instant from now on, or none for now; or publish it as a correction, \
                     with a reason",
                ))
            }
            None => Ok((at, VersionKind::Regular, String::new())),
            Some(_) if at >= now => {
                Err(Error::invalid("effective_at", "a correction begins in the past")
                    .remedy("give its instant, or publish without a correction's reason"))
            }
            Some(why) => Ok((at, VersionKind::Correction, reason("correction", why)?)),
        }
    }
}

pub(super) fn reason(field: &str, text: &str) -> Result<String> {
    Ok(text::reason_in(field, text, REASON_MAX_CHARS)?.to_owned())
}

/// Publishes a document as the book's next version.
///
/// What was billed stands: a version begins in the past only as a correction, and then what was
/// posted since is rated again and adjusted. Takes the lock of the book and of the accounts that it
/// prices, so that nobody rates beside it at the old price.
pub async fn publish(
    conn: &mut Conn,
    now: Timestamp,
    book: PriceBookId,
    terms: Terms<'_>,
    document: &Document,
) -> Result<PriceVersion> {
    let (effective_at, kind, reason) = terms.resolve(now)?;
    let head = books::head(conn, book).await?;
    if let Some(refusal) = check::refusal(&checks(conn, now, &head, document).await?) {
        return Err(refusal);
    }
    let new = New { book, effective_at, kind, reason: &reason, document };
    let version = store::write(conn, now, new).await?;
    mark_tenants_dirty(conn, book, effective_at).await?;
    Ok(version)
}

/// Publishes standard prices by meter.
pub async fn publish_version(
    conn: &mut Conn,
    now: Timestamp,
    book: PriceBookId,
    effective_at: Option<Timestamp>,
    prices: &[Price],
) -> Result<PriceVersion> {
    for price in prices {
        meter::validate(&price.meter)?;
    }
    let terms = Terms { effective_at, correction: None };
    publish(conn, now, book, terms, &meters::document(prices)).await
}

/// What is found in a document that is to be this book's next version.
pub(super) async fn checks(
    conn: &mut Conn,
    now: Timestamp,
    book: &PriceBook,
    document: &Document,
) -> Result<Vec<Check>> {
    let versions = store::versions(conn, book.id).await?;
    let in_force =
        versions.into_iter().filter(|v| v.effective_at <= now).max_by_key(|v| v.effective_at);
    let beside = Beside {
        currency: book.currency.parse()?,
        flavors: flavors(conn).await?,
        before: in_force.map(|version| version.document()),
        partial: false,
    };
    Ok(check::check(document, &beside))
}

/// Names by ids.
pub(super) async fn flavors(conn: &mut Conn) -> Result<BTreeMap<String, String>> {
    let flavors = inventory::flavors::list(conn, None, FLAVORS_MAX).await?;
    Ok(flavors.into_iter().map(|flavor| (flavor.id.to_string(), flavor.name)).collect())
}

/// Somebody may have posted past `effective_at` at the old price; that is rated again.
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
    sqlx::query(
        "UPDATE rating_resources SET counted_ms = CASE \
           WHEN counted_ms IS NULL OR counted_ms > $2 THEN $2 ELSE counted_ms END \
         WHERE tenant_id = $1 AND counted_to_ms > $2",
    )
    .bind(tenant.to_string())
    .bind(from.ms())
    .execute(&mut *conn)
    .await?;
    packages::renew::look_again(conn, tenant, from).await?;
    agenda::touch(conn, tenant, Due::Both).await
}

#[cfg(test)]
mod tests;
