//! What is metered beside what was charged: the last posted hour is rated again, by the rater's pure
//! functions, and held beside its lines.

use std::collections::{BTreeMap, HashSet};

use base::{Error, Result, db::Conn, money::MS_PER_HOUR, time::Timestamp};

use super::{Leak, PRICE, UNBILLED, UNUSED};
use crate::{
    accounts::Account,
    prices::{
        self,
        components::{self, COMPUTE, Per},
        model::Model,
        timeline::Timeline,
    },
    rating::{
        book::{Book, ResourceId},
        cut::{Days, Span, Step, slices},
        lines::{self, Which},
        load::cut_span,
    },
    usage::spans,
};

/// Lines of one tenant's hour.
const LINES_MAX: usize = 1_000_000;

/// Of which resource and component.
type What = (ResourceId, String);
/// At which price: version and rate.
type At = (String, String);

/// Unit-milliseconds of the hour by price.
#[derive(Debug, Default)]
struct Hour {
    should: BTreeMap<At, i128>,
    charged: BTreeMap<At, i128>,
}

pub(super) async fn leaks(conn: &mut Conn, account: &Account) -> Result<Vec<Leak>> {
    let (from, to) = (account.ticked.saturating_add_ms(-MS_PER_HOUR), account.ticked);
    let prices = prices::load::timeline(&mut *conn, account.tenant_id).await?;
    let mut found = Vec::new();
    let mut hours: BTreeMap<What, Hour> = BTreeMap::new();
    let unpriced = should(&mut *conn, account, &prices, (from, to), &mut hours).await?;
    charged(&mut *conn, account, &prices, (from, to), &mut hours, &mut found).await?;
    let pending = pending(conn, account).await?;
    let is_settled = |resource: &ResourceId| !pending.contains(resource);
    found.extend(unpriced.into_iter().filter(|(id, _)| is_settled(id)).map(|(_, leak)| leak));
    for ((resource, component), hour) in hours {
        if is_settled(&resource) {
            found.extend(compare(&resource, &component, &hour));
        }
    }
    Ok(found)
}

/// Those that the next posting corrects.
async fn pending(conn: &mut Conn, account: &Account) -> Result<HashSet<ResourceId>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT resource_kind, resource_id FROM rating_resources \
         WHERE tenant_id = $1 AND dirty_ms IS NOT NULL",
    )
    .bind(account.tenant_id.to_string())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(kind, id)| ResourceId { kind, id }).collect())
}

/// What the meter says of the hour. Returns what runs without a price.
async fn should(
    conn: &mut Conn,
    account: &Account,
    prices: &Timeline,
    (from, to): (Timestamp, Timestamp),
    hours: &mut BTreeMap<What, Hour>,
) -> Result<Vec<(ResourceId, Leak)>> {
    let mut found = Vec::new();
    let days = Days::new(account.timezone, from, to);
    let mut book = Book::default();
    let mut wanted = Vec::new();
    for (resource, span) in spans::of_tenant(conn, account.tenant_id, from).await? {
        let id = ResourceId { kind: resource.kind, id: resource.id };
        let span = cut_span(book.resource(&id), &id.kind, &span)?;
        slices(&span, prices, &days, Step::Days, &mut book, &mut wanted);
        found.extend(unpriced(&id, &span, prices, to).map(|leak| (id, leak)));
    }
    for slice in &wanted {
        let key = &book.keys[slice.key as usize].id;
        let rate = key.rate as usize;
        let resource = book.resources[key.resource as usize].clone();
        let at = (book.versions[rate].to_string(), book.rates[rate].rate.id.clone());
        let hour = hours.entry((resource, key.component.to_owned())).or_default();
        let ms = i128::from(slice.to - slice.from);
        *hour.should.entry(at).or_default() += ms * i128::from(slice.quantity);
    }
    Ok(found)
}

/// Something runs for nothing where other things of the tenant have prices: nobody may have meant
/// that. Who means it says so by a price of zero.
fn unpriced(id: &ResourceId, span: &Span, prices: &Timeline, at: Timestamp) -> Option<Leak> {
    let now = at.saturating_add_ms(-1);
    let runs = span.from < at.ms() && span.to >= at.ms();
    let used = span.at(prices, now);
    let computes = used.components.iter().any(|(name, _)| *name == COMPUTE);
    let is_free = prices.find(COMPUTE, used.shape.as_ref(), now).is_none();
    (runs && computes && is_free && prices.prices_anything(now)).then(|| Leak {
        kind: UNBILLED,
        subject: subject(id, COMPUTE),
        detail: "it runs, and no price of its flavor is in force: it is charged nothing".to_owned(),
    })
}

async fn charged(
    conn: &mut Conn,
    account: &Account,
    prices: &Timeline,
    (from, to): (Timestamp, Timestamp),
    hours: &mut BTreeMap<What, Hour>,
    found: &mut Vec<Leak>,
) -> Result<()> {
    let which = Which::Rating { resource: "", component: "", from, to, behind: None };
    let lines = lines::lines(conn, account.tenant_id, which, LINES_MAX + 1).await?;
    if lines.len() > LINES_MAX {
        let message =
            format!("more than {LINES_MAX} lines of tenant {} rate an hour", account.tenant_id);
        return Err(Error::internal(message));
    }
    for line in lines {
        let is_use = matches!(line.kind.as_str(), "usage" | "adjustment") && line.quantity != 0;
        let per = components::component(&line.component).map(|component| component.per);
        // What is counted is held beside its readings when they are projected.
        if !is_use || per != Some(Per::Hour) || line.resource_id.is_empty() {
            continue;
        }
        let id = ResourceId { kind: line.resource_kind.clone(), id: line.resource_id.clone() };
        let rate = prices.rate(line.version, &line.rate).map(|found| found.rate);
        if let Some(Model::Standard(price)) = rate.map(|rate| &rate.model)
            && *price != line.unit_price
        {
            found.push(Leak {
                kind: PRICE,
                subject: subject(&id, &line.component),
                detail: format!(
                    "it is charged at {}, and its rate {} says {price}",
                    line.unit_price, line.rate
                ),
            });
        }
        let ms = line.to.min(to).since_ms(line.from.max(from));
        let at = (line.version.to_string(), line.rate);
        let hour = hours.entry((id, line.component)).or_default();
        *hour.charged.entry(at).or_default() += i128::from(ms) * i128::from(line.quantity);
    }
    Ok(())
}

/// `instance/0193…/compute`.
fn subject(id: &ResourceId, component: &str) -> String {
    let (_, name) = component.split_once('.').unwrap_or(("", component));
    format!("{}/{}/{name}", id.kind, id.id)
}

fn compare(id: &ResourceId, component: &str, hour: &Hour) -> Option<Leak> {
    let of = |parts: &BTreeMap<At, i128>| -> BTreeMap<At, i128> {
        parts.iter().filter(|(_, ms)| **ms != 0).map(|(at, ms)| (at.clone(), *ms)).collect()
    };
    let (should, charged) = (of(&hour.should), of(&hour.charged));
    if should == charged {
        return None;
    }
    let (used, billed): (i128, i128) = (should.values().sum(), charged.values().sum());
    let (kind, detail) = match used.cmp(&billed) {
        std::cmp::Ordering::Greater => {
            (UNBILLED, format!("of {used} unit-milliseconds of the last hour {billed} are charged"))
        }
        std::cmp::Ordering::Less => {
            (UNUSED, format!("{billed} unit-milliseconds of the last hour are charged, of {used}"))
        }
        std::cmp::Ordering::Equal => {
            let names = |parts: &BTreeMap<At, i128>| {
                let names = parts.keys().map(|(version, rate)| format!("{rate} of {version}"));
                names.collect::<Vec<_>>().join(", ")
            };
            let (charged, should) = (names(&charged), names(&should));
            (PRICE, format!("it is charged by the rate {charged}; {should} is in force"))
        }
    };
    Some(Leak { kind, subject: subject(id, component), detail })
}
