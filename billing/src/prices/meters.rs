//! Meters and rates: the rater of today asks by meter, and rates standard prices by flavor only.

use base::{id::PriceVersionId, money::Nanos, time::Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    components::{COMPUTE, COMPUTE_SUSPENDED, DISK},
    document::{Document, Rate, Scope},
    model::Model,
    select::{Selector, Shape},
    timeline::Timeline,
};
use crate::meter;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Price {
    /// `instance:<flavor id>`, `instance-paused:<flavor id>` or `disk_gib`.
    pub meter: String,
    /// Per unit and hour.
    pub unit_price: Nanos,
}

/// All that a meter says of what is used.
struct Flavor<'a>(Option<&'a str>);

impl Shape for Flavor<'_> {
    fn text(&self, attribute: &str) -> Option<&str> {
        self.0.filter(|_| attribute == "flavor")
    }
}

fn parts(meter: &str) -> (&str, Option<&str>) {
    match meter.split_once(':') {
        Some(("instance", flavor)) => (COMPUTE, Some(flavor)),
        Some(("instance-paused", flavor)) => (COMPUTE_SUSPENDED, Some(flavor)),
        _ if meter == meter::DISK_GIB => (DISK, None),
        _ => (meter, None),
    }
}

/// A rate of the meter's name, so that rounding goes on over versions.
pub fn rate(price: &Price) -> Rate {
    let (component, flavor) = parts(&price.meter);
    let mut rate = Rate::standard(price.meter.clone(), component, price.unit_price);
    rate.r#where.flavor = flavor.map(str::to_owned);
    rate
}

pub fn document(prices: &[Price]) -> Document {
    Document { rates: prices.iter().map(rate).collect(), ..Document::default() }
}

/// The price of a meter that this rate is, where it is one.
pub fn price(rate: &Rate) -> Option<Price> {
    let Model::Standard(unit_price) = rate.model else { return None };
    let flavor = rate.r#where.flavor.clone();
    let meter = match (rate.component.as_str(), flavor) {
        (COMPUTE, Some(flavor)) => format!("instance:{flavor}"),
        (COMPUTE_SUSPENDED, Some(flavor)) => format!("instance-paused:{flavor}"),
        (DISK, None) => meter::DISK_GIB.to_owned(),
        _ => return None,
    };
    let plain = Selector { flavor: rate.r#where.flavor.clone(), ..Selector::default() };
    let is_plain = rate.r#where == plain
        && rate.unit == 1
        && rate.free.is_none()
        && rate.minimum.is_none()
        && rate.scope == Scope::Resource;
    is_plain.then_some(Price { meter, unit_price })
}

/// Those that are prices by meter, by meter.
pub fn prices(rates: &[Rate]) -> Vec<Price> {
    let mut prices: Vec<Price> = rates.iter().filter_map(price).collect();
    prices.sort_by(|a, b| a.meter.cmp(&b.meter));
    prices
}

impl Timeline {
    /// The version in force, and the meter's price in it; none where it is free.
    pub fn price(&self, meter: &str, at: Timestamp) -> Option<(PriceVersionId, Nanos)> {
        let (component, flavor) = parts(meter);
        let found = self.find(component, &Flavor(flavor), at)?;
        match found.rate.model {
            Model::Standard(price) => Some((found.version, price)),
            // None such is published while this is the rater.
            _ => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Timelines for the tests of what works on them.

    use std::sync::Arc;

    use base::id::PriceBookId;

    use super::*;
    use crate::prices::timeline::{Assignment, Published, Sources, Version};

    /// One book from the beginning of time, with versions of standard prices by meter.
    pub fn timeline(versions: &[(Timestamp, &[(&str, i64)])]) -> Timeline {
        let book = PriceBookId::new();
        let publish = |(effective_at, prices): &(Timestamp, &[(&str, i64)])| {
            let prices: Vec<Price> = prices
                .iter()
                .map(|(meter, nanos)| Price { meter: (*meter).into(), unit_price: Nanos(*nanos) })
                .collect();
            let version = Version::new(PriceVersionId::new(), document(&prices));
            Published { book, effective_at: *effective_at, version: Arc::new(version) }
        };
        Timeline::new(&Sources {
            assignments: vec![Assignment { from: Timestamp::from_ms(0), book }],
            versions: versions.iter().map(publish).collect(),
            ..Sources::default()
        })
    }
}
