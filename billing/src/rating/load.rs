//! Reading what rating and forecasting work on: a tenant's resources with their spans, what was
//! counted of them, prices, and what is posted.

use std::{collections::HashMap, sync::Arc};

use base::{
    Error, Result,
    db::{Conn, select::Select},
    id::TenantId,
    time::Timestamp,
};
use chrono_tz::Tz;

use super::{
    book::{ALL, Book, KeyId, ResourceId, Stored},
    counted::Counted,
    cut::{Span, Used},
    engine::{LineKind, Slice},
    plan::{Resource, Usage},
};
mod counted;

use crate::{
    accounts::Account,
    calendar::Month,
    kinds::{self, Attributes, Value},
    prices::{
        self,
        components::{self, Per},
        timeline::Timeline,
    },
    sql::parse,
    usage,
};

/// The rows of `rating_resources` are read before the spans: a fact in between is seen by the next
/// reading, which its mark survives.
pub(crate) async fn load(conn: &mut Conn, account: &Account) -> Result<Usage> {
    let (tenant, zone) = (account.tenant_id, account.timezone);
    let mut book = Book::default();
    let mut resources = resources(conn, tenant, &mut book).await?;
    let prices = prices::load::timeline(conn, tenant).await?;
    if prices.closes() {
        book.open = Some(first_open_month(conn, tenant, zone).await?);
    }
    let first = resources.iter().map(|r| r.first(zone)).min();
    let dirty = resources.iter().filter_map(|r| r.counted.dirty).map(Timestamp::from_ms).min();
    // What the end of an open month makes due is of resources that are gone, too.
    let from = first.into_iter().chain(dirty).map(|at| Month::of(at, zone)).chain(book.open).min();
    let Some(first) = first else {
        if let Some(from) = from {
            keys(conn, tenant, from, &prices, &mut book).await?;
        }
        return Ok(Usage { resources, prices, book, zone });
    };
    let looked = match dirty {
        Some(dirty) => counted::deltas(conn, tenant, dirty, &mut resources, &book).await?,
        None => None,
    };
    let mut spans = spans(conn, tenant, looked.map_or(first, |at| first.min(at)), &book).await?;
    if let Some(from) = from {
        keys(conn, tenant, from, &prices, &mut book).await?;
    }
    for resource in &mut resources {
        resource.spans = spans.remove(&resource.number).unwrap_or_default();
        if resource.corrected_from().is_some() {
            let month = Month::of(resource.first(zone), zone);
            resource.posted = posted(conn, tenant, resource.number, month, &book).await?;
        }
        counted::earlier(conn, tenant, resource, &book).await?;
    }
    if let Some(dirty) = dirty {
        counted::posted(conn, tenant, dirty, &mut resources, &book).await?;
    }
    Ok(Usage { resources, prices, book, zone })
}

async fn first_open_month(conn: &mut Conn, tenant: TenantId, zone: Tz) -> Result<Month> {
    let (opened, last): (i64, Option<String>) = sqlx::query_as(
        "SELECT a.created_ms, (SELECT MAX(c.month) FROM month_closings c \
           WHERE c.tenant_id = a.tenant_id) FROM accounts a WHERE a.tenant_id = $1",
    )
    .bind(tenant.to_string())
    .fetch_one(conn)
    .await?;
    Ok(match last {
        Some(month) => month.parse::<Month>()?.next(),
        None => Month::of(Timestamp::from_ms(opened), zone),
    })
}

async fn resources(conn: &mut Conn, tenant: TenantId, book: &mut Book) -> Result<Vec<Resource>> {
    type Row = (String, String, i64, Option<i64>, i64, Option<i64>, i64);
    const RESOURCES: Select<'_> = Select {
        columns: "resource_kind, resource_id, rated_ms, dirty_ms, changed_ms, counted_ms, \
            counted_to_ms",
        from: "rating_resources WHERE tenant_id = $1 AND (dirty_ms IS NOT NULL \
            OR ends_ms IS NULL OR ends_ms > rated_ms OR counted_ms IS NOT NULL)",
        order: "resource_kind, resource_id",
    };
    let rows: Vec<Row> = RESOURCES.all(conn, &[(&tenant.to_string()).into()]).await?;
    Ok(rows
        .into_iter()
        .map(|(kind, id, rated, dirty, changed, counted, counted_to)| Resource {
            number: book.resource(&ResourceId { kind, id }),
            rated: Timestamp::from_ms(rated),
            dirty: dirty.map(Timestamp::from_ms),
            changed: Timestamp::from_ms(changed),
            spans: Vec::new(),
            posted: Vec::new(),
            counted: Counted {
                // Where it looks otherwise, or is another's, its counted use may cost otherwise.
                dirty: counted.into_iter().chain(dirty.filter(|at| *at < counted_to)).min(),
                ..Counted::default()
            },
        })
        .collect())
}

/// The one place from which rating learns what was used.
async fn spans(
    conn: &mut Conn,
    tenant: TenantId,
    from: Timestamp,
    book: &Book,
) -> Result<HashMap<u32, Vec<Span>>> {
    let mut all: HashMap<u32, Vec<Span>> = HashMap::new();
    for (resource, span) in usage::spans::of_tenant(conn, tenant, from).await? {
        let id = ResourceId { kind: resource.kind, id: resource.id };
        let Some(resource) = book.find_resource(&id) else { continue };
        let span = cut_span(resource, &id.kind, &span)?;
        all.entry(resource).or_default().push(span);
    }
    Ok(all)
}

/// A span of use as it is cut, of a resource by its number in the book.
pub(crate) fn cut_span(resource: u32, kind: &str, span: &usage::Span) -> Result<Span> {
    let attributes = Attributes::parse(&span.attributes)?;
    let other = span.other()?;
    Ok(Span {
        resource,
        used: used(kind, &span.state, &attributes),
        alternative: other.map(|(state, attributes)| used(kind, &state, &attributes)),
        name: span.name.as_str().into(),
        from: span.from_ms,
        to: span.to_ms,
        opened: span.opened,
        quality: span.quality,
    })
}

/// What a resource in this state uses, and how prices see it.
pub(crate) fn used(kind: &str, state: &str, attributes: &Attributes) -> Used {
    let texts = attributes.iter().filter_map(|(name, value)| match value {
        Value::Text(text) => Some((name.to_owned(), text.clone())),
        Value::Int(_) => None,
    });
    let kind = kinds::find(kind).into_iter();
    let components = kind
        .flat_map(|kind| kind.components(state, attributes))
        // Packages are charged when they are ordered.
        .filter(|(component, _)| component.per == Per::Hour)
        .map(|(component, quantity)| (component.name, quantity));
    Used { components: components.collect(), shape: Arc::new(texts.collect()) }
}

pub(crate) fn name_of(component: &str) -> Result<&'static str> {
    let known = components::component(component).map(|component| component.name);
    known.ok_or_else(|| Error::internal(format!("{component} is no component")))
}

/// The keys of `month` and later, with what is posted of their groups.
pub(super) async fn keys(
    conn: &mut Conn,
    tenant: TenantId,
    month: Month,
    prices: &Timeline,
    book: &mut Book,
) -> Result<()> {
    type Row = (
        i64,
        i64,
        String,
        String,
        String,
        String,
        String,
        String,
        String,
        String,
        i64,
        i64,
        i64,
        i64,
    );
    // A shared key comes before those that share it: it is made first.
    const KEYS: Select<'_> = Select {
        columns: "k.key_no, k.group_no, k.kind, k.resource_id, k.component, k.version_id, k.rate, \
            k.month, k.resource_name, k.flavor, COALESCE(s.measure, 0), COALESCE(s.net, 0), \
            COALESCE(s.tax, 0), CASE WHEN p.key_no IS NULL THEN 0 ELSE 1 END",
        from: "rated_keys k \
            LEFT JOIN rated_sums s ON s.tenant_id = k.tenant_id AND s.key_no = k.key_no \
            LEFT JOIN rated_parked p ON p.tenant_id = k.tenant_id AND p.key_no = k.key_no \
            WHERE k.tenant_id = $1 AND k.month >= $2",
        order: "k.key_no",
    };
    let (tenant, month) = (tenant.to_string(), month.to_string());
    let rows: Vec<Row> = KEYS.all(&mut *conn, &[(&tenant).into(), (&month).into()]).await?;
    let mut gone: HashMap<String, Arc<prices::timeline::Version>> = HashMap::new();
    for row in &rows {
        let (number, group, kind, id, component, version, rate, month, name, flavor, ..) = row;
        let (.., measure, net, tax, parked) = row;
        let version_id = parse(version)?;
        let entry = match prices.rate(version_id, rate) {
            Some(found) => book.rate(&found),
            // No longer in force at any time: what is left of it is taken back.
            None => {
                if !gone.contains_key(version) {
                    let loaded = prices::load::version(conn, version_id).await?;
                    gone.insert(version.clone(), loaded);
                }
                gone[version].found(rate).and_then(|found| book.rate(&found))
            }
        };
        let rate = entry.ok_or_else(|| {
            Error::internal(format!("the price version {version} has no rate {rate}"))
        })?;
        let resource = match id.is_empty() {
            true => ALL,
            false => book.resource(&ResourceId { kind: kind.clone(), id: id.clone() }),
        };
        let id = KeyId { resource, component: name_of(component)?, rate, month: month.parse()? };
        let stored = Stored {
            number: *number,
            group: *group,
            name,
            flavor,
            measure: *measure,
            net: *net,
            tax: *tax,
            parked: *parked == 1,
        };
        book.stored_key(id, &stored, prices);
    }
    Ok(())
}

/// The resource's posted lines of `month` and later, as slices.
pub(super) async fn posted(
    conn: &mut Conn,
    tenant: TenantId,
    resource: u32,
    month: Month,
    book: &Book,
) -> Result<Vec<Slice>> {
    let id = &book.resources[resource as usize];
    let rows: Vec<PostedRow> = sqlx::query_as(
        "SELECT c.key_no, c.from_ms, c.to_ms, c.quantity, c.opened, c.quality, c.coverage_ppm \
         FROM charges c \
         JOIN rated_keys k ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no \
         WHERE k.tenant_id = $1 AND k.kind = $2 AND k.resource_id = $3 AND k.month >= $4 \
           AND c.quantity <> 0 ORDER BY c.from_ms, c.charge_no, c.position",
    )
    .bind(tenant.to_string())
    .bind(&id.kind)
    .bind(&id.id)
    .bind(month.to_string())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let key = book.by_number(row.0);
            posted_slice(book, key.ok_or_else(|| Error::internal("a line without its key"))?, row)
        })
        .collect()
}

/// A posted line: its key's number, from, to, quantity, opened, quality and coverage.
type PostedRow = (i64, i64, i64, i64, i64, String, i64);

fn posted_slice(book: &Book, key: u32, row: &PostedRow) -> Result<Slice> {
    let (_, from, to, quantity, opened, quality, coverage_ppm) = row;
    Ok(Slice {
        key,
        group: book.keys[key as usize].group,
        from: *from,
        to: *to,
        quantity: *quantity,
        opened: *opened,
        quality: quality.parse()?,
        coverage_ppm: *coverage_ppm,
        kind: LineKind::Usage,
    })
}
