//! What a tenant's use of a period costs by a timeline: every exact total first, then the one
//! rounding, as posting does it. Pure but for [`load`].

use std::collections::BTreeMap;

use base::{
    Error, ErrorKind, Result, db::Conn, id::PriceVersionId, money::Micros, time::Timestamp,
};
use chrono_tz::Tz;

use crate::{
    accounts::Account,
    calendar::Month,
    forecast::hourly,
    kinds::{self, Attributes},
    prices::{
        components,
        document::{Rate, Scope},
        model::Overflow,
        select::Shape,
        tax::Tax,
        timeline::{Found, Timeline},
    },
    usage::spans,
};

struct Look<'a>(&'a Attributes);

impl Shape for Look<'_> {
    fn text(&self, attribute: &str) -> Option<&str> {
        self.0.text(attribute)
    }
}

/// How something looks to prices, and what it uses of which components.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shaped {
    attributes: Attributes,
    components: Vec<(&'static str, i64)>,
}

#[derive(Debug)]
struct Stretch {
    resource: u32,
    is: Shaped,
    /// In a gap of two shapes; the cheaper counts.
    other: Option<Shaped>,
    from: Timestamp,
    to: Timestamp,
}

/// A tenant's use from the beginning of the month that the period begins in.
#[derive(Debug)]
pub struct Used {
    stretches: Vec<Stretch>,
    zone: Tz,
    from: Timestamp,
}

pub async fn load(
    conn: &mut Conn,
    account: &Account,
    from: Timestamp,
    until: Timestamp,
) -> Result<Used> {
    let zone = account.timezone;
    let first = Month::of(from, zone).start(zone);
    let mut numbers: BTreeMap<(String, String), u32> = BTreeMap::new();
    let mut stretches = Vec::new();
    for (resource, span) in spans::of_tenant(conn, account.tenant_id, first).await? {
        let ms = Timestamp::from_ms;
        let (start, end) = (ms(span.from_ms).max(first), ms(span.to_ms).min(until));
        if start >= end {
            continue;
        }
        let is = shaped(&resource.kind, &span.state, Attributes::parse(&span.attributes)?);
        let other = span.other()?;
        let other = other.map(|(state, attributes)| shaped(&resource.kind, &state, attributes));
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let number = *numbers.entry((resource.kind, resource.id)).or_insert(next);
        stretches.push(Stretch { resource: number, is, other, from: start, to: end });
    }
    Ok(Used { stretches, zone, from })
}

fn shaped(kind: &str, state: &str, attributes: Attributes) -> Shaped {
    let priced = |name: &str| components::component(&format!("{kind}.{name}")).map(|c| c.name);
    let components = kinds::find(kind).map_or_else(Vec::new, |kind| {
        kind.components(state, &attributes)
            .filter_map(|(component, quantity)| Some((priced(component.name)?, quantity)))
            .collect()
    });
    Shaped { attributes, components }
}

/// What walks tiers together: of a resource or of all, over the versions of a month.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct WalkKey {
    /// `YYYY-MM`.
    month: String,
    resource: Option<u32>,
    component: &'static str,
    rate: String,
}

/// What rounds together.
#[derive(Debug)]
struct Group<'t> {
    rate: &'t Rate,
    tax: Tax,
    scale: i64,
    /// Its first use: versions stand in their walk in this order.
    first: Timestamp,
    /// Of its measure: before the period, and with it.
    before: i64,
    all: i64,
}

type Walks<'t> = BTreeMap<WalkKey, BTreeMap<PriceVersionId, Group<'t>>>;

impl Used {
    /// With tax.
    pub fn total(&self, prices: &Timeline) -> Result<Micros> {
        self.sum(prices).map_err(|Overflow| {
            Error::new(ErrorKind::Invalid, "the amount is beyond what the ledger can hold")
                .remedy("lower the price, or simulate a shorter period")
        })
    }

    fn sum(&self, prices: &Timeline) -> Result<Micros, Overflow> {
        let mut walks = Walks::new();
        for stretch in &self.stretches {
            self.walk(stretch, prices, &mut walks)?;
        }
        let mut sum = 0i64;
        for versions in walks.into_values() {
            let mut groups: Vec<Group<'_>> = versions.into_values().collect();
            groups.sort_by_key(|group| group.first);
            let with = amount(&groups, |group| group.all)?;
            let without = amount(&groups, |group| group.before)?;
            let added = with.checked_sub(without).ok_or(Overflow)?;
            sum = sum.checked_add(added).ok_or(Overflow)?;
        }
        Ok(Micros(sum))
    }

    fn walk<'t>(
        &self,
        stretch: &Stretch,
        prices: &'t Timeline,
        walks: &mut Walks<'t>,
    ) -> Result<(), Overflow> {
        let mut at = stretch.from;
        while at < stretch.to {
            let month = Month::of(at, self.zone);
            let change = prices.next_change(at).unwrap_or(stretch.to);
            let mut stop = stretch.to.min(month.end(self.zone)).min(change);
            if at < self.from {
                stop = stop.min(self.from);
            }
            let shape = stretch.cheaper(prices, at);
            for (component, quantity) in &shape.components {
                let Some(found) = prices.find(component, &Look(&shape.attributes), at) else {
                    continue;
                };
                let key = WalkKey {
                    month: month.to_string(),
                    resource: (found.rate.scope == Scope::Resource).then_some(stretch.resource),
                    component,
                    rate: found.rate.id.clone(),
                };
                let measure = quantity.checked_mul(stop.since_ms(at)).ok_or(Overflow)?;
                self.add(walks.entry(key).or_default(), &found, at, measure)?;
            }
            at = stop;
        }
        Ok(())
    }

    fn add<'t>(
        &self,
        versions: &mut BTreeMap<PriceVersionId, Group<'t>>,
        found: &Found<'t>,
        at: Timestamp,
        measure: i64,
    ) -> Result<(), Overflow> {
        let scale = found.rate.scale().ok_or(Overflow)?;
        let group = versions.entry(found.version).or_insert(Group {
            rate: found.rate,
            tax: found.tax,
            scale,
            first: at,
            before: 0,
            all: 0,
        });
        group.first = group.first.min(at);
        group.all = group.all.checked_add(measure).ok_or(Overflow)?;
        if at < self.from {
            group.before = group.before.checked_add(measure).ok_or(Overflow)?;
        }
        Ok(())
    }
}

impl Stretch {
    fn cheaper(&self, prices: &Timeline, at: Timestamp) -> &Shaped {
        let Some(other) = &self.other else { return &self.is };
        let an_hour = |shaped: &Shaped| -> i128 {
            let cost = |(component, quantity): &(&'static str, i64)| {
                hourly(prices, component, &Look(&shaped.attributes), *quantity, 0, at).0
            };
            shaped.components.iter().map(cost).sum()
        };
        if an_hour(other) < an_hour(&self.is) { other } else { &self.is }
    }
}

/// Of one walk, as far as `measure` says: each version goes on where the ones before it end.
fn amount(groups: &[Group<'_>], measure: impl Fn(&Group<'_>) -> i64) -> Result<i64, Overflow> {
    let (mut walked, mut sum) = (0i64, 0i64);
    for group in groups {
        let to = walked.checked_add(measure(group)).ok_or(Overflow)?;
        let split = group.tax.split(group.rate.cost(walked, to, group.scale)?, group.scale)?;
        let gross = split.net.0.checked_add(split.tax.0).ok_or(Overflow)?;
        sum = sum.checked_add(gross).ok_or(Overflow)?;
        walked = to;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests;
