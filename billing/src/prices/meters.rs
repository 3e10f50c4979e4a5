//! Meters and rates: standard prices of instances and their disks, as they were once written.

use base::money::Nanos;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    components::{COMPUTE, COMPUTE_SUSPENDED, DISK},
    document::{Document, Rate, Scope},
    model::Model,
    select::Selector,
};
use crate::meter;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Price {
    /// `instance:<flavor id>`, `instance-paused:<flavor id>` or `disk_gib`.
    pub meter: String,
    /// Per unit and hour.
    pub unit_price: Nanos,
}

pub(crate) fn parts(meter: &str) -> (&str, Option<&str>) {
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

#[cfg(test)]
pub(crate) mod testing {
    //! Timelines for the tests of what works on them.

    use std::sync::Arc;

    use base::{
        id::{PriceBookId, PriceVersionId},
        time::Timestamp,
    };

    use super::*;
    use crate::prices::timeline::{Assignment, Published, Sources, Timeline, Version};

    /// One book from the beginning of time, with versions of standard prices by meter.
    pub fn timeline(versions: &[(Timestamp, &[(&str, i64)])]) -> Timeline {
        let documents: Vec<(Timestamp, Document)> = versions
            .iter()
            .map(|(effective_at, prices)| {
                let price = |(meter, nanos): &(&str, i64)| Price {
                    meter: (*meter).into(),
                    unit_price: Nanos(*nanos),
                };
                (*effective_at, document(&prices.iter().map(price).collect::<Vec<_>>()))
            })
            .collect();
        of_documents(&documents)
    }

    /// One book from the beginning of time, with these versions.
    pub fn of_documents(versions: &[(Timestamp, Document)]) -> Timeline {
        let book = PriceBookId::new();
        let publish = |(effective_at, document): &(Timestamp, Document)| {
            let version = Version::new(PriceVersionId::new(), document.clone());
            Published { book, effective_at: *effective_at, version: Arc::new(version) }
        };
        Timeline::new(&Sources {
            assignments: vec![Assignment { from: Timestamp::from_ms(0), book }],
            versions: versions.iter().map(publish).collect(),
            ..Sources::default()
        })
    }
}
