//! What is bought whole for a while, such as a month of a package: one line at its beginning, at the
//! price that is in force then. A price that is corrected later gives the old line back and makes
//! another one.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use base::{Result, db::Conn, money::Micros, time::Timestamp};

use super::{
    Posted,
    book::{Book, KeyId, ResourceId},
    engine::{LineKind, Quality, Slice, WHOLE_PPM, rate},
    load, park, park_what_the_account_cannot_hold,
    plan::{Plan, Usage},
    write,
};
use crate::{
    accounts::{Account, Locked},
    calendar::Month,
    prices::timeline::Timeline,
};

/// Something bought, or not bought after all.
#[derive(Debug, Clone)]
pub(crate) struct Purchase {
    pub resource: ResourceId,
    /// As lines call it.
    pub name: String,
    pub component: &'static str,
    /// The rate that prices it; none takes back what was charged.
    pub rate: Option<String>,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// What brings the posted lines of these purchases to what they cost.
pub(crate) async fn plan(
    conn: &mut Conn,
    account: &Account,
    prices: Timeline,
    purchases: &[Purchase],
) -> Result<(Usage, Plan)> {
    let zone = account.timezone;
    let mut usage = Usage { resources: Vec::new(), prices, book: Book::default(), zone };
    let mut plan = Plan::default();
    let months = purchases.iter().map(|purchase| Month::of(purchase.from, zone));
    let Some(first) = months.min() else { return Ok((usage, plan)) };
    let book = &mut usage.book;
    load::keys(conn, account.tenant_id, first, &usage.prices, book).await?;
    let mut slices: Vec<Slice> = Vec::new();
    let mut looked: BTreeMap<u32, Vec<Slice>> = BTreeMap::new();
    for purchase in purchases {
        let resource = book.resource(&purchase.resource);
        let posted = match looked.entry(resource) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                new.insert(load::posted(conn, account.tenant_id, resource, first, book).await?)
            }
        };
        let posted: Vec<Slice> =
            posted.iter().filter(|slice| slice.from == purchase.from.ms()).copied().collect();
        let wanted = wanted(purchase, resource, account, &usage.prices, book);
        slices.extend(differences(wanted, &posted));
    }
    slices.retain(|slice| !book.parked.contains(&slice.group));
    plan.parked = rate(&slices, &book.rates, &mut book.groups, &mut plan.lines);
    park_what_the_account_cannot_hold(account, &mut usage, &mut plan);
    Ok((usage, plan))
}

fn wanted(
    purchase: &Purchase,
    resource: u32,
    account: &Account,
    prices: &Timeline,
    book: &mut Book,
) -> Option<Slice> {
    let found = prices.named(purchase.component, purchase.rate.as_ref()?, purchase.from)?;
    let rate = book.rate(&found)?;
    let month = Month::of(purchase.from, account.timezone);
    let id = KeyId { resource, component: purchase.component, rate, month };
    let key = book.key(id, &purchase.name, "", prices);
    Some(Slice {
        key,
        group: book.keys[key as usize].group,
        from: purchase.from.ms(),
        to: purchase.to.ms(),
        quantity: 1,
        opened: 0,
        quality: Quality::Observed,
        coverage_ppm: WHOLE_PPM,
        kind: LineKind::Usage,
    })
}

/// The slices that turn what is posted of one purchase into what is wanted of it.
fn differences(wanted: Option<Slice>, posted: &[Slice]) -> Vec<Slice> {
    if posted.is_empty() {
        return wanted.into_iter().collect();
    }
    let mut sums: BTreeMap<(u32, i64), (i64, Slice)> = BTreeMap::new();
    for (slice, sign) in wanted.iter().map(|s| (s, 1)).chain(posted.iter().map(|s| (s, -1))) {
        let (sum, _) = sums.entry((slice.key, slice.to)).or_insert((0, *slice));
        *sum += sign * slice.quantity;
    }
    let differing = sums.into_values().filter(|(sum, _)| *sum != 0);
    let corrected = |(quantity, slice)| Slice {
        quantity,
        quality: Quality::Corrected,
        kind: LineKind::Adjustment,
        ..slice
    };
    // What is taken back comes first.
    let mut all: Vec<Slice> = differing.map(corrected).collect();
    all.sort_by_key(|slice| slice.quantity);
    all
}

/// Posts what [`plan`] finds.
pub(crate) async fn post(
    conn: &mut Conn,
    now: Timestamp,
    account: &mut Locked,
    prices: Timeline,
    purchases: &[Purchase],
) -> Result<Posted> {
    let tenant = account.tenant_id;
    let (mut usage, plan) = plan(conn, account, prices, purchases).await?;
    let lines = plan.lines.iter().map(|line| line.slice.key);
    let parked = plan.parked.iter().map(|parked| usage.book.key_of(parked.group));
    let keys: BTreeSet<u32> = lines.chain(parked).collect();
    write::keys(conn, tenant, &mut usage.book, keys.into_iter()).await?;
    for parked in &plan.parked {
        park(conn, now, tenant, &usage, parked).await?;
    }
    let mut posted = Posted { parked: plan.parked.len(), ..Posted::default() };
    if !plan.lines.is_empty() {
        posted.lines = plan.lines.len();
        let (id, amount) = super::write(conn, now, account, &usage, &plan.lines).await?;
        (posted.transaction_id, posted.amount) = (Some(id), amount);
    }
    Ok(posted)
}

/// What posting it would charge, with tax.
pub(crate) fn amount(plan: &Plan) -> Micros {
    let lines = plan.lines.iter().map(|line| i128::from(line.net) + i128::from(line.tax));
    // The account can hold it, or it was parked.
    Micros(i64::try_from(lines.sum::<i128>()).unwrap_or(i64::MAX))
}
