//! Overrides: prices of one tenant that go before its book's while they are valid.
//!
//! An override prices what its rates match; the book prices the rest. Of two the later made goes
//! first. Its tax is that of the book in force where it begins, unless it says otherwise. It never
//! changes; it can be ended early, from an instant on.

use std::collections::HashMap;

use base::{
    Error, Result,
    db::Conn,
    id::{PriceVersionId, TenantId},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    books,
    check::{self, Beside},
    document::{Document, Rate},
    load,
    publish::{self, mark_dirty},
    store::{self, New, VersionKind},
    tax::Tax,
};
use crate::{accounts, sql::parse};

/// Of one tenant, with those that ended.
pub const OVERRIDES_MAX: i64 = 1_000;
/// In SQL: for good.
pub(super) const FOR_GOOD: i64 = i64::MAX;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceOverride {
    pub tenant_id: TenantId,
    /// From 1; of two that are valid the higher goes first.
    pub number: i64,
    pub price_version_id: PriceVersionId,
    pub from: Timestamp,
    /// None: for good.
    pub to: Option<Timestamp>,
    pub tax: Tax,
    pub rates: Vec<Rate>,
    pub reason: String,
    pub actor: String,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone)]
pub struct NewOverride<'a> {
    /// None: now.
    pub from: Option<Timestamp>,
    /// None: for good.
    pub to: Option<Timestamp>,
    /// None: that of the tenant's book at its beginning.
    pub tax: Option<Tax>,
    pub rates: Vec<Rate>,
    pub reason: &'a str,
    /// It may begin in the past: what was posted since is rated again and adjusted.
    pub is_correction: bool,
    pub actor: &'a str,
}

/// Takes the account's lock.
pub async fn create(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    new: NewOverride<'_>,
) -> Result<PriceOverride> {
    let from = new.from.unwrap_or(now);
    if from < now && !new.is_correction {
        return Err(Error::invalid("from", "an override does not begin in the past")
            .remedy("give an instant from now on, or say that it is a correction"));
    }
    if new.to.is_some_and(|to| to <= from) {
        return Err(Error::invalid("to", "an override ends after it begins"));
    }
    let why = publish::reason("reason", new.reason)?;
    let account = accounts::lock(conn, tenant).await?;
    let tax = match new.tax {
        Some(tax) => tax,
        None => load::book_tax(conn, tenant, from).await?,
    };
    let document = Document { tax, rates: new.rates };
    refuse(conn, &account.currency, &document).await?;
    let book = books::overrides_book(conn, now, tenant, &account.currency).await?;
    let version = New {
        book,
        effective_at: from,
        kind: VersionKind::Override,
        reason: &why,
        document: &document,
    };
    let version = store::write(conn, now, version).await?.id;
    let to = new.to.map_or(FOR_GOOD, Timestamp::ms);
    let row = (version, from.ms(), to, 0, why.as_str(), new.actor);
    let number = insert(conn, now, tenant, row).await?;
    mark_dirty(conn, tenant, from).await?;
    get(conn, tenant, number).await
}

async fn refuse(conn: &mut Conn, currency: &str, document: &Document) -> Result<()> {
    let beside = Beside {
        currency: currency.parse()?,
        flavors: publish::flavors(conn).await?,
        before: None,
        partial: true,
    };
    check::refusal(&check::check(document, &beside)).map_or(Ok(()), Err)
}

/// (version, from, to, the override that it ends, reason, actor)
type NewRow<'a> = (PriceVersionId, i64, i64, i64, &'a str, &'a str);

async fn insert(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    (version, from, to, ends, reason, actor): NewRow<'_>,
) -> Result<i64> {
    let last: i64 = sqlx::query_scalar(
        "SELECT COALESCE(MAX(number), 0) FROM price_overrides WHERE tenant_id = $1",
    )
    .bind(tenant.to_string())
    .fetch_one(&mut *conn)
    .await?;
    if last >= OVERRIDES_MAX {
        return Err(Error::conflict(format!("the tenant had {OVERRIDES_MAX} overrides"))
            .remedy("give it a price book of its own"));
    }
    sqlx::query(
        "INSERT INTO price_overrides (tenant_id, number, version_id, from_ms, to_ms, ends_number, \
         reason, actor, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tenant.to_string())
    .bind(last + 1)
    .bind(version.to_string())
    .bind(from)
    .bind(to)
    .bind(ends)
    .bind(reason)
    .bind(actor)
    .bind(now.ms())
    .execute(conn)
    .await?;
    Ok(last + 1)
}

/// Ends it at `at` (now, where none is given; never in the past). Takes the account's lock.
pub async fn end(
    conn: &mut Conn,
    now: Timestamp,
    (tenant, number): (TenantId, i64),
    at: Option<Timestamp>,
    reason: &str,
    actor: &str,
) -> Result<PriceOverride> {
    let at = at.unwrap_or(now);
    if at < now {
        return Err(Error::invalid("at", "an override does not end in the past")
            .remedy("give an instant from now on, or none for now"));
    }
    let why = publish::reason("reason", reason)?;
    accounts::lock(conn, tenant).await?;
    let known = get(conn, tenant, number).await?;
    if known.to.is_some_and(|to| to <= at) {
        return Err(Error::conflict("the override ends before that already"));
    }
    let row = (known.price_version_id, at.ms(), FOR_GOOD, number, why.as_str(), actor);
    insert(conn, now, tenant, row).await?;
    mark_dirty(conn, tenant, at).await?;
    get(conn, tenant, number).await
}

async fn get(conn: &mut Conn, tenant: TenantId, number: i64) -> Result<PriceOverride> {
    let all = list(conn, tenant).await?;
    all.into_iter()
        .find(|o| o.number == number)
        .ok_or_else(|| Error::not_found(format_args!("override {number} of tenant {tenant}")))
}

/// A tenant's, in the order they were made, with those that ended.
pub async fn list(conn: &mut Conn, tenant: TenantId) -> Result<Vec<PriceOverride>> {
    accounts::get(conn, tenant).await?;
    type Row = (i64, String, i64, i64, i64, String, String, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT number, version_id, from_ms, to_ms, ends_number, reason, actor, created_ms \
         FROM price_overrides WHERE tenant_id = $1 ORDER BY number",
    )
    .bind(tenant.to_string())
    .fetch_all(&mut *conn)
    .await?;
    let mut ends: HashMap<i64, i64> = HashMap::new();
    for row in rows.iter().filter(|row| row.4 != 0) {
        let end = ends.entry(row.4).or_insert(FOR_GOOD);
        *end = row.2.min(*end);
    }
    let mut all = Vec::new();
    for (number, version, from, to, _, reason, actor, created_ms) in
        rows.into_iter().filter(|row| row.4 == 0)
    {
        let price_version_id = parse(&version)?;
        let version = load::version(conn, price_version_id).await?;
        let to = to.min(ends.get(&number).copied().unwrap_or(FOR_GOOD));
        all.push(PriceOverride {
            tenant_id: tenant,
            number,
            price_version_id,
            from: Timestamp::from_ms(from),
            to: (to != FOR_GOOD).then(|| Timestamp::from_ms(to)),
            tax: version.document.tax,
            rates: version.document.rates.clone(),
            reason,
            actor,
            created_at: Timestamp::from_ms(created_ms),
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
