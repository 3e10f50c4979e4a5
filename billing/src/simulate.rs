//! What a past period would have cost under a draft: the same usage rated twice, as prices are and
//! with the draft published, and nothing posted. Tenants that are named are rated as if they paid by
//! the draft's book, so that a draft can be tried on whoever does not.

use std::collections::BTreeMap;

use base::{
    Error, Result,
    db::Conn,
    id::{PriceBookId, PriceDraftId, PriceVersionId, TenantId},
    money::Micros,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    accounts::{self, Account},
    prices::{
        PriceBook, check, drafts, load,
        timeline::{Published, Timeline, Version},
    },
    sql::parse,
};

mod charged;

/// Of one simulation.
pub const TENANTS_MAX: usize = 10_000;
/// The longest period: a year, and a day of leap.
pub const PERIOD_MAX_MS: i64 = 366 * 86_400_000;

/// What is to be simulated.
#[derive(Debug, Clone)]
pub struct Ask {
    pub draft: PriceDraftId,
    pub from: Timestamp,
    pub until: Timestamp,
    /// From when on the draft would count; none: from the period's beginning.
    pub effective_at: Option<Timestamp>,
    /// As if they paid by the draft's book from when on the draft would count. None: all that do within
    /// the period, as long as they do.
    pub tenants: Option<Vec<TenantId>>,
}

/// Amounts with tax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PriceSimulated)]
pub struct Simulated {
    pub tenant_id: TenantId,
    /// What the period's use costs as prices are.
    pub charged: Micros,
    /// What it would cost.
    pub simulated: Micros,
    /// `simulated` - `charged`.
    pub difference: Micros,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PriceSimulation)]
pub struct Simulation {
    pub draft_id: PriceDraftId,
    pub price_book_id: PriceBookId,
    pub currency: String,
    pub from: Timestamp,
    pub until: Timestamp,
    pub effective_at: Timestamp,
    /// By their ids.
    pub tenants: Vec<Simulated>,
    /// Of all of them.
    pub difference: Micros,
}

/// Rates, and writes nothing.
pub async fn simulate(conn: &mut Conn, now: Timestamp, ask: &Ask) -> Result<Simulation> {
    check_period(now, ask)?;
    let draft = drafts::get(conn, ask.draft).await.map_err(|e| e.in_field("draft_id"))?;
    let book = sound(conn, now, &draft).await?;
    let effective_at = ask.effective_at.unwrap_or(ask.from);
    let tenants = match &ask.tenants {
        Some(named) => named.clone(),
        None => payers(conn, book.id, ask.until).await?,
    };
    if tenants.len() > TENANTS_MAX {
        return Err(Error::invalid(
            "tenants",
            format!("{} tenants are more than {TENANTS_MAX}", tenants.len()),
        )
        .remedy("name some of them"));
    }
    let mut versions = load::of_book(conn, book.id).await?;
    // Nobody else has its id.
    let version = std::sync::Arc::new(Version::new(PriceVersionId::new(), draft.document));
    versions.push(Published { book: book.id, effective_at, version });
    let would_be = WouldBe { book: &book, versions, from: effective_at };
    let mut all = BTreeMap::new();
    for tenant in tenants {
        let one = one(conn, ask, tenant, &would_be).await.map_err(|e| e.in_field("tenants"))?;
        all.insert(tenant, one);
    }
    let difference = all
        .values()
        .try_fold(Micros::ZERO, |sum, one: &Simulated| sum.checked_add(one.difference))?;
    Ok(Simulation {
        draft_id: draft.id,
        price_book_id: book.id,
        currency: book.currency,
        from: ask.from,
        until: ask.until,
        effective_at,
        tenants: all.into_values().collect(),
        difference,
    })
}

fn check_period(now: Timestamp, ask: &Ask) -> Result<()> {
    if ask.until <= ask.from {
        return Err(Error::invalid("until", "the period ends after it begins"));
    }
    if ask.until > now {
        return Err(Error::invalid("until", "a period of the past is simulated")
            .remedy("let it end now, or earlier"));
    }
    if ask.until.since_ms(ask.from) > PERIOD_MAX_MS {
        return Err(Error::invalid("until", "a period has at most 366 days"));
    }
    Ok(())
}

/// Its book; a draft with errors is refused, since it could not be published either.
async fn sound(conn: &mut Conn, now: Timestamp, draft: &drafts::PriceDraft) -> Result<PriceBook> {
    let (book, checks) = drafts::found_in(conn, now, draft.price_book_id, &draft.document).await?;
    check::refusal(&checks).map_or(Ok(book), Err)
}

/// Whoever is assigned to the book before `until`, also if it was not in the end.
async fn payers(conn: &mut Conn, book: PriceBookId, until: Timestamp) -> Result<Vec<TenantId>> {
    let limit = i64::try_from(TENANTS_MAX).unwrap_or(i64::MAX).saturating_add(1);
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT tenant_id FROM price_assignments \
         WHERE book_id = $1 AND effective_ms < $2 ORDER BY tenant_id LIMIT $3",
    )
    .bind(book.to_string())
    .bind(until.ms())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    ids.iter().map(|id| parse(id)).collect()
}

/// The draft's book with the draft published.
struct WouldBe<'a> {
    book: &'a PriceBook,
    /// The draft is the last.
    versions: Vec<Published>,
    from: Timestamp,
}

/// As a book that can't be assigned to the tenant would not be.
fn check_payer(account: &Account, book: &PriceBook) -> Result<()> {
    let tenant = account.tenant_id;
    if book.tenant_id.is_some_and(|owner| owner != tenant) {
        let message = format!("tenant {tenant} can't pay by another tenant's own price book");
        return Err(Error::invalid("tenants", message)
            .remedy("name the book's tenant, or copy the draft into a book for all"));
    }
    if account.currency != book.currency {
        let message = format!(
            "the account of tenant {tenant} is in {}, the price book in {}",
            account.currency, book.currency
        );
        return Err(Error::invalid("tenants", message)
            .remedy("name tenants whose accounts are in the book's currency"));
    }
    Ok(())
}

async fn one(
    conn: &mut Conn,
    ask: &Ask,
    tenant: TenantId,
    draft: &WouldBe<'_>,
) -> Result<Simulated> {
    let account = accounts::get(conn, tenant).await?;
    let mut sources = load::sources(conn, tenant).await?;
    let is = Timeline::new(&sources);
    match &ask.tenants {
        Some(_) => {
            check_payer(&account, draft.book)?;
            sources.assign(draft.from, draft.book.id, &draft.versions);
        }
        None => sources.versions.extend(draft.versions.last().cloned()),
    }
    let would_be = Timeline::new(&sources);
    let used = charged::load(conn, &account, ask.from, ask.until).await?;
    let charged = used.total(&is)?;
    let simulated = used.total(&would_be)?;
    let difference = simulated.checked_sub(charged)?;
    Ok(Simulated { tenant_id: tenant, charged, simulated, difference })
}

#[cfg(test)]
mod tests;
