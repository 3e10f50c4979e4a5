//! What a tenant's use of a period costs by a timeline: every exact total first, then the one
//! rounding, as posting does it. Pure but for [`load`].

use std::collections::{BTreeMap, btree_map::Entry};

use base::{
    Error, ErrorKind, Result, db::Conn, id::PriceVersionId, money::Micros, time::Timestamp,
};
use chrono_tz::Tz;

use crate::{
    accounts::Account,
    calendar::Month,
    counters::{delta, readings},
    forecast::evenly,
    kinds::Attributes,
    packages::{
        self,
        bought::{self, Bought},
    },
    prices::{
        document::Scope,
        model::Overflow,
        timeline::{Found, Timeline},
    },
    rating::{
        close,
        compiled::Compiled,
        counted::{Delta, Look, parts},
        cut,
        engine::Stage,
        load::{name_of, used},
    },
    usage::{self, spans},
};

#[derive(Debug)]
struct Stretch {
    resource: u32,
    is: cut::Used,
    /// In a gap of two shapes; the cheaper counts.
    other: Option<cut::Used>,
    from: Timestamp,
    to: Timestamp,
}

/// What counters say of a resource.
#[derive(Debug)]
struct Counted {
    resource: u32,
    looks: Vec<Look>,
    deltas: Vec<Delta>,
}

/// A tenant's use from the beginning of the month that the period begins in.
#[derive(Debug)]
pub struct Used {
    stretches: Vec<Stretch>,
    counted: Vec<Counted>,
    /// Packages, each by the number of its resource.
    bought: Vec<(u32, Bought)>,
    zone: Tz,
    from: Timestamp,
    until: Timestamp,
}

type Numbers = BTreeMap<usage::Resource, u32>;

fn number(numbers: &mut Numbers, of: &usage::Resource) -> u32 {
    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    *numbers.entry(of.clone()).or_insert(next)
}

pub async fn load(
    conn: &mut Conn,
    account: &Account,
    from: Timestamp,
    until: Timestamp,
) -> Result<Used> {
    let zone = account.timezone;
    let first = Month::of(from, zone).start(zone);
    let mut numbers = Numbers::new();
    let mut looks: BTreeMap<u32, Vec<Look>> = BTreeMap::new();
    let mut stretches = Vec::new();
    for (resource, span) in spans::of_tenant(conn, account.tenant_id, first).await? {
        let ms = Timestamp::from_ms;
        let kind = &resource.kind;
        let is = used(kind, &span.state, &Attributes::parse(&span.attributes)?);
        let other = span.other()?.map(|(state, attributes)| used(kind, &state, &attributes));
        let number = number(&mut numbers, &resource);
        let shape = is.shape.clone();
        looks.entry(number).or_default().push(Look {
            from: span.from_ms,
            name: span.name.into(),
            shape,
        });
        let (start, end) = (ms(span.from_ms).max(first), ms(span.to_ms).min(until));
        if start < end {
            stretches.push(Stretch { resource: number, is, other, from: start, to: end });
        }
    }
    let counted = counted(conn, account, (first, until), &mut numbers, looks).await?;
    let bought = bought::between(conn, account.tenant_id, first, until).await?;
    let numbered = |bought: Bought| {
        let id = bought.order.to_string();
        (number(&mut numbers, &usage::Resource { kind: packages::KIND.to_owned(), id }), bought)
    };
    let bought = bought.into_iter().map(numbered).collect();
    Ok(Used { stretches, counted, bought, zone, from, until })
}

async fn counted(
    conn: &mut Conn,
    account: &Account,
    (first, until): (Timestamp, Timestamp),
    numbers: &mut Numbers,
    mut looks: BTreeMap<u32, Vec<Look>>,
) -> Result<Vec<Counted>> {
    let mut all: BTreeMap<u32, Counted> = BTreeMap::new();
    for read in readings::of_tenant(conn, account.tenant_id, first).await? {
        if read.from_ms >= until.ms() {
            continue;
        }
        let resource = number(numbers, &read.resource);
        let counted = match all.entry(resource) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let mut looks = looks.remove(&resource).unwrap_or_default();
                // It was counted before it is known to have been there, or after it went.
                if looks.first().is_none_or(|look| look.from > first.ms()) {
                    let of = &read.resource;
                    let span = spans::last_of(conn, account.tenant_id, of, first).await?;
                    looks.splice(0..0, span.map(|span| look(&of.kind, span)).transpose()?);
                }
                new.insert(Counted { resource, looks, deltas: Vec::new() })
            }
        };
        counted.deltas.push(Delta {
            component: name_of(&format!("{}.{}", read.resource.kind, read.component))?,
            from: read.from_ms,
            to: read.to_ms,
            quantity: read.quantity,
            quality: read.quality,
            coverage_ppm: read.coverage_ppm,
        });
    }
    Ok(all.into_values().collect())
}

fn look(kind: &str, span: usage::Span) -> Result<Look> {
    let attributes = Attributes::parse(&span.attributes)?;
    let shape = used(kind, &span.state, &attributes).shape;
    Ok(Look { from: span.from_ms, name: span.name.into(), shape })
}

/// What walks tiers together: of a resource or of all, over the versions of a month. Components that
/// use another one's rate are in its walk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct WalkKey {
    /// `YYYY-MM`.
    month: String,
    resource: Option<u32>,
    /// With what it is rounded.
    component: &'static str,
    rate: String,
}

/// What rounds together.
#[derive(Debug)]
struct Group {
    rate: Compiled,
    /// Its first use: versions stand in their walk in this order.
    first: Timestamp,
    /// Of its measure: before the period, and with it.
    before: i64,
    all: i64,
}

type Walks = BTreeMap<WalkKey, BTreeMap<PriceVersionId, Group>>;

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
        for counted in &self.counted {
            self.count(counted, prices, &mut walks)?;
        }
        for (resource, bought) in &self.bought {
            self.buy(*resource, bought, prices, &mut walks)?;
        }
        let mut sum = 0i64;
        for versions in walks.into_values() {
            let mut groups: Vec<Group> = versions.into_values().collect();
            groups.sort_by_key(|group| group.first);
            let with = amount(&groups, |group| group.all)?;
            let without = amount(&groups, |group| group.before)?;
            let added = with.checked_sub(without).ok_or(Overflow)?;
            sum = sum.checked_add(added).ok_or(Overflow)?;
        }
        Ok(Micros(sum))
    }

    fn walk(
        &self,
        stretch: &Stretch,
        prices: &Timeline,
        walks: &mut Walks,
    ) -> Result<(), Overflow> {
        let mut at = stretch.from;
        while at < stretch.to {
            let month = Month::of(at, self.zone);
            let change = prices.next_change(at).unwrap_or(stretch.to);
            let mut stop = stretch.to.min(month.end(self.zone)).min(change);
            if at < self.from {
                stop = stop.min(self.from);
            }
            let used = stretch.cheaper(prices, at);
            for (component, quantity) in &used.components {
                let Some(found) = prices.find(component, used.shape.as_ref(), at) else {
                    continue;
                };
                let key = self.key(stretch.resource, component, &found, at);
                let measure = quantity.checked_mul(stop.since_ms(at)).ok_or(Overflow)?;
                self.add(walks.entry(key).or_default(), &found, at, measure)?;
            }
            at = stop;
        }
        Ok(())
    }

    /// What was counted has its share of the time before the period, and behind it.
    fn count(
        &self,
        counted: &Counted,
        prices: &Timeline,
        walks: &mut Walks,
    ) -> Result<(), Overflow> {
        let edges = [self.from.ms(), self.until.ms()];
        for of in &counted.deltas {
            for part in parts(of, &counted.looks, prices) {
                let Some(found) = part.found else { continue };
                let (from_ms, to_ms, quantity) = (part.from, part.to, part.quantity);
                let whole = delta::Delta { from_ms, to_ms, quantity, reset: false, dropped: false };
                for share in delta::split(&whole, &edges) {
                    let at = Timestamp::from_ms(share.from_ms);
                    if at >= self.until {
                        continue;
                    }
                    let key = self.key(counted.resource, of.component, &found, at);
                    self.add(walks.entry(key).or_default(), &found, at, share.quantity)?;
                }
            }
        }
        Ok(())
    }

    /// A package is charged whole at the first instant of each of its months.
    fn buy(
        &self,
        resource: u32,
        bought: &Bought,
        prices: &Timeline,
        walks: &mut Walks,
    ) -> Result<(), Overflow> {
        let first = Month::of(self.from, self.zone).start(self.zone);
        for (at, found) in bought.months(prices, self.until, self.zone) {
            if at >= first {
                let key = self.key(resource, packages::COMPONENT, &found, at);
                self.add(walks.entry(key).or_default(), &found, at, 1)?;
            }
        }
        Ok(())
    }

    fn key(
        &self,
        resource: u32,
        component: &'static str,
        found: &Found<'_>,
        at: Timestamp,
    ) -> WalkKey {
        WalkKey {
            month: Month::of(at, self.zone).to_string(),
            resource: (found.rate.scope == Scope::Resource).then_some(resource),
            component: found.rate.rounded_as(component),
            rate: found.rate.id.clone(),
        }
    }

    fn add(
        &self,
        versions: &mut BTreeMap<PriceVersionId, Group>,
        found: &Found<'_>,
        at: Timestamp,
        measure: i64,
    ) -> Result<(), Overflow> {
        let group = match versions.entry(found.version) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let rate = Compiled::new(found).ok_or(Overflow)?;
                new.insert(Group { rate, first: at, before: 0, all: 0 })
            }
        };
        group.first = group.first.min(at);
        group.all = group.all.checked_add(measure).ok_or(Overflow)?;
        if at < self.from {
            group.before = group.before.checked_add(measure).ok_or(Overflow)?;
        }
        Ok(())
    }
}

impl Stretch {
    fn cheaper(&self, prices: &Timeline, at: Timestamp) -> &cut::Used {
        let Some(other) = &self.other else { return &self.is };
        let an_hour = |used: &cut::Used| -> i128 {
            let cost = |(component, quantity): &(&'static str, i64)| {
                evenly(prices, component, used.shape.as_ref(), *quantity, at)
            };
            used.components.iter().map(cost).sum()
        };
        if an_hour(other) < an_hour(&self.is) { other } else { &self.is }
    }
}

/// Of one walk, as far as `measure` says, as if its month ended there: each version goes on where
/// the ones before it end.
fn amount(groups: &[Group], measure: impl Fn(&Group) -> i64) -> Result<i64, Overflow> {
    let member = |(number, group): (u32, &Group)| {
        let rank = i64::from(number);
        close::Member { rank, number, rate: number, measure: measure(group) }
    };
    let walk: Vec<close::Member> = (0u32..).zip(groups).map(member).collect();
    let rates: Vec<&Compiled> = groups.iter().map(|group| &group.rate).collect();
    let mut sum = 0i64;
    for (member, rate) in walk.iter().zip(&rates) {
        let split = rate.split(close::cost(&walk, &rates, member.number, Stage::Closed)?)?;
        let gross = split.net.0.checked_add(split.tax.0).ok_or(Overflow)?;
        sum = sum.checked_add(gross).ok_or(Overflow)?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests;
