//! What a month is invoiced for: the one place that reads rated lines for
//! closing, invoices and reports.

use std::collections::HashMap;

use base::{
    Error, Result,
    db::Conn,
    id::{PriceBookId, PriceVersionId, TenantId},
    money::{Micros, Nanos, div_half_even},
    time::Timestamp,
};
use chrono_tz::Tz;
use futures::TryStreamExt;

use super::joined::{Joined, Stretch};
use crate::{
    calendar::Month,
    explain::LineId,
    prices::{
        components::{self, Per},
        load,
    },
    rating::lines::{self, Line, Place, Which, goes_on},
    sql::parse,
};

/// Charges of one invoice, after those of adjoining hours were joined.
pub const CHARGES_MAX: usize = 200_000;

/// A stretch of use at one price, or a correction of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The first of the rated lines that it joins.
    pub first_line: LineId,
    pub resource_kind: String,
    pub resource_id: String,
    /// As it was called then.
    pub resource_name: String,
    /// "instance web-1, flavor small".
    pub what: String,
    /// `instance.compute`, `instance.compute_suspended`, `instance.disk`.
    pub component: String,
    /// By its name; empty where the component has none.
    pub flavor: String,
    /// What the price stands under in its version.
    pub rate: String,
    pub price_version: String,
    /// That the version is of.
    pub price_book: String,
    /// Its own, `YYYY-MM`.
    pub month: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Of a standard price, for [`Terms::unit`] of what is used (and an hour); zero of the others.
    pub unit_price: Nanos,
    /// Units at once, or, of what is counted, all of them; below zero where it takes back.
    pub quantity: i64,
    /// Of a `volume`: the month's use that it is for, in unit-milliseconds or units; else zero.
    pub measure: i64,
    pub net: Micros,
    pub tax: Micros,
    /// `usage`, `purchase`, `adjustment`, `volume`, `minimum`.
    pub kind: String,
    pub terms: Terms,
    /// It corrects what was charged for a time that had passed already.
    pub adjustment: bool,
}

/// How something is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// `standard`, `graduated`, `volume`, `package`.
    pub model: &'static str,
    /// How much the price is for.
    pub unit: i64,
    /// Of the net amount: 0.06 is 6 %.
    pub tax_rate: Micros,
}

/// Rated lines that are read at a time.
pub const PAGE_LINES: usize = 10_000;

/// All that closing `month` now covers: its own lines, and those of earlier months that were
/// charged after the account's charge numbered `settled`. In order of month, resource, time and kind;
/// what adjoins at the same price is one charge. Of the lines a page is held at a time.
pub async fn charges(
    conn: &mut Conn,
    tenant: TenantId,
    month: Month,
    settled: i64,
    page_lines: usize,
) -> Result<Vec<Charge>> {
    let month = month.to_string();
    let mut known = Known::default();
    let mut all = Joined::new();
    for series in lines::series(conn, tenant, &month, settled).await? {
        // Of its own month all that there is, of an earlier one what came since it was closed.
        let settled = if series.month == month { 0 } else { settled };
        let mut behind = Place::FIRST;
        loop {
            let which = Which::Of(&series, settled, behind);
            let page = lines::lines(conn, tenant, which, page_lines).await?;
            let is_last = page.len() < page_lines;
            lines::name_flavors(conn, &page, &mut known.flavors).await?;
            behind = page.last().map_or(behind, Place::of);
            for line in page {
                let next = known.charge(conn, tenant, line).await?;
                let Some(first) = all.join(next) else { continue };
                if all.len() == CHARGES_MAX {
                    return Err(too_many(tenant, &month, CHARGES_MAX));
                }
                all.begin(first);
            }
            if is_last {
                break;
            }
        }
        all.end_series();
    }
    Ok(all.done())
}

/// What lines refer to, as far as it was read.
#[derive(Default)]
struct Known {
    flavors: HashMap<String, String>,
    terms: KnownTerms,
    books: HashMap<PriceVersionId, PriceBookId>,
}

impl Known {
    async fn charge(&mut self, conn: &mut Conn, tenant: TenantId, line: Line) -> Result<Charge> {
        let terms = self.terms.of(conn, &line).await?;
        let book = self.book(conn, line.version).await?;
        Ok(charge(tenant, line, terms, book, &self.flavors))
    }

    async fn book(&mut self, conn: &mut Conn, version: PriceVersionId) -> Result<PriceBookId> {
        if let Some(book) = self.books.get(&version) {
            return Ok(*book);
        }
        let book: String = sqlx::query_scalar("SELECT book_id FROM price_versions WHERE id = $1")
            .bind(version.to_string())
            .fetch_one(conn)
            .await?;
        let book = parse(&book)?;
        self.books.insert(version, book);
        Ok(book)
    }
}

/// By the version and its rate.
#[derive(Default)]
pub(crate) struct KnownTerms(HashMap<(PriceVersionId, String), Terms>);

impl KnownTerms {
    pub(crate) async fn of(&mut self, conn: &mut Conn, line: &Line) -> Result<Terms> {
        let id = (line.version, line.rate.clone());
        if let Some(terms) = self.0.get(&id) {
            return Ok(*terms);
        }
        let terms = terms(conn, line.version, &line.rate).await?;
        self.0.insert(id, terms);
        Ok(terms)
    }
}

fn too_many(tenant: TenantId, month: &str, max: usize) -> Error {
    Error::internal(format!("{month} of tenant {tenant} has more than {max} charges"))
}

async fn terms(conn: &mut Conn, version: PriceVersionId, rate: &str) -> Result<Terms> {
    let priced = load::version(conn, version).await?;
    let found = priced.found(rate).ok_or_else(|| {
        Error::internal(format!("the price version {version} has no rate {rate}"))
    })?;
    let (model, unit) = (found.rate.model.as_str(), found.rate.unit);
    Ok(Terms { model, unit, tax_rate: found.tax.rate })
}

fn charge(
    tenant: TenantId,
    line: Line,
    terms: Terms,
    book: PriceBookId,
    flavors: &HashMap<String, String>,
) -> Charge {
    Charge {
        first_line: LineId { tenant, charge: line.charge, position: line.position },
        terms,
        price_book: book.to_string(),
        what: line.what(flavors),
        flavor: flavors.get(&line.flavor).unwrap_or(&line.flavor).clone(),
        adjustment: line.is_adjustment(),
        measure: if line.kind == "volume" { line.measure_before } else { 0 },
        kind: line.kind,
        resource_kind: line.resource_kind,
        resource_id: line.resource_id,
        resource_name: line.resource_name,
        component: line.component,
        rate: line.rate,
        price_version: line.version.to_string(),
        month: line.month,
        from: line.from,
        to: line.to,
        unit_price: line.unit_price,
        quantity: line.quantity,
        net: line.net,
        tax: line.tax,
    }
}

/// A part of a line, for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    pub resource_id: String,
    pub resource_name: String,
    pub component: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub quantity: i64,
    pub net: Micros,
    pub tax: Micros,
}

impl Used {
    /// What lies before the instant, and what lies after, each with its share of the amounts.
    pub fn cut(mut self, at: Timestamp) -> (Self, Option<Self>) {
        if at <= self.from || self.to <= at {
            return (self, None);
        }
        let share = |of: i64| {
            let whole = i128::from(self.to.since_ms(self.from));
            let part = i128::from(at.since_ms(self.from));
            let share = div_half_even(i128::from(of) * part, whole);
            // A part is no larger than the whole.
            i64::try_from(share).unwrap_or(of)
        };
        let (net, tax) = (Micros(share(self.net.0)), Micros(share(self.tax.0)));
        let mut later = self.clone();
        if components::is_counted(&self.component) {
            let quantity = share(self.quantity);
            (later.quantity, self.quantity) = (self.quantity - quantity, quantity);
        }
        (later.from, self.to) = (at, at);
        (later.net, later.tax) = (Micros(self.net.0 - net.0), Micros(self.tax.0 - tax.0));
        (self.net, self.tax) = (net, tax);
        (self, Some(later))
    }
}

/// Tells `each` of what the tenant's rated lines have between two instants, in no order.
pub(crate) async fn used(
    conn: &mut Conn,
    tenant: TenantId,
    zone: Tz,
    from: Timestamp,
    to: Timestamp,
    each: &mut (dyn FnMut(Used) -> Result<()> + Send),
) -> Result<()> {
    type Row = (String, String, String, i64, i64, i64, i64, i64);
    let mut rows = sqlx::query_as::<_, Row>(
        "SELECT k.resource_id, k.resource_name, k.component, c.from_ms, c.to_ms, c.quantity, c.net, \
         c.tax FROM charges c \
         JOIN rated_keys k ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no \
         WHERE c.tenant_id = $1 AND k.month >= $2 AND k.month <= $3 \
           AND c.from_ms < $4 AND c.to_ms > $5",
    )
    .bind(tenant.to_string())
    .bind(Month::of(from, zone).to_string())
    .bind(Month::of(to, zone).to_string())
    .bind(to.ms())
    .bind(from.ms())
    .fetch(conn);
    while let Some((id, name, component, start, end, quantity, net, tax)) = rows.try_next().await? {
        // What is bought whole is bought at its first instant.
        let bought = components::component(&component).is_some_and(|c| c.per == Per::Month);
        let end = if bought { start + 1 } else { end };
        if end <= from.ms() {
            continue;
        }
        let line = Used {
            resource_id: id,
            resource_name: name,
            component,
            from: Timestamp::from_ms(start),
            to: Timestamp::from_ms(end),
            quantity,
            net: Micros(net),
            tax: Micros(tax),
        };
        let (before, inside) = line.cut(from);
        let (inside, _) = inside.unwrap_or(before).cut(to);
        each(inside)?;
    }
    Ok(())
}

impl Stretch for Charge {
    fn from(&self) -> Timestamp {
        self.from
    }

    fn to(&self) -> Timestamp {
        self.to
    }

    fn rank(&self) -> u8 {
        match self.kind.as_str() {
            "usage" | "purchase" => 0,
            "adjustment" => 1,
            // What the month's end makes due.
            "volume" => 2,
            _ => 3,
        }
    }

    fn join(&mut self, next: &Self) -> bool {
        let like = self.to == next.from
            && self.month == next.month
            && self.resource_kind == next.resource_kind
            && self.resource_id == next.resource_id
            && self.what == next.what
            && self.rate == next.rate
            && self.price_version == next.price_version
            && self.unit_price == next.unit_price
            && self.terms == next.terms
            && self.kind == next.kind;
        let sums = (self.net.checked_add(next.net), self.tax.checked_add(next.tax));
        let quantity = goes_on(&self.component, self.quantity, next.quantity);
        let (true, Some(quantity), (Ok(net), Ok(tax))) = (like, quantity, sums) else {
            return false;
        };
        (self.to, self.quantity, self.net, self.tax) = (next.to, quantity, net, tax);
        true
    }
}
