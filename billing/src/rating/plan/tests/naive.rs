//! The same rules a second time, in the plainest way and in exact fractions: add up what was used
//! of each rate in each month, price it, round once. Shares no code with the rater but the
//! documents.

use std::collections::BTreeMap;

use base::time::Timestamp;
use chrono::Datelike;
use chrono_tz::Tz;
use num_bigint::BigInt;
use num_rational::BigRational;

use crate::prices::{
    document::{Document, Rate, Scope},
    model::{Model, Tier},
    tax::TaxMode,
};

/// So much of a component by a resource, from and to in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    pub resource: usize,
    pub component: &'static str,
    pub quantity: i64,
    pub from: i64,
    pub to: i64,
}

fn whole(n: impl Into<BigInt>) -> BigRational {
    BigRational::from_integer(n.into())
}

/// By whose rate it is priced.
fn priced_as(component: &str) -> &str {
    match component {
        "instance.compute_suspended" => "instance.compute",
        own => own,
    }
}

/// Milliseconds of the stretch by local month, counted minute by minute's worth.
fn by_month(from: i64, to: i64, zone: Tz) -> BTreeMap<(i32, u32), i64> {
    // Zones in use here change at whole minutes.
    const MINUTE_MS: i64 = 60_000;
    let mut months = BTreeMap::new();
    let mut at = from;
    while at < to {
        let next = ((at.div_euclid(MINUTE_MS) + 1) * MINUTE_MS).min(to);
        let local = Timestamp::from_ms(at).to_chrono().with_timezone(&zone);
        *months.entry((local.year(), local.month())).or_default() += next - at;
        at = next;
    }
    months
}

/// The price of so many unit-hours from nothing on, in the currency.
fn price(rate: &Rate, hours: &BigRational) -> BigRational {
    let nano = |n: i64| BigRational::new(n.into(), 1_000_000_000.into());
    let free = whole(rate.free.unwrap_or(0));
    let zero = whole(0);
    let paid = if *hours > free { hours - free } else { zero.clone() };
    let blocks = |size: i64| (&paid / whole(size)).ceil();
    match &rate.model {
        Model::Standard(price) => paid * nano(price.0),
        Model::Package { size, price } => blocks(*size) * nano(price.0),
        Model::Volume(_) => zero,
        Model::Graduated(tiers) => {
            let mut sum = zero.clone();
            let mut below = zero;
            for Tier { up_to, price } in tiers {
                let top = up_to.map_or(paid.clone(), |up_to| whole(up_to).min(paid.clone()));
                if top > below {
                    sum += (&top - &below) * nano(price.0);
                    below = top;
                }
            }
            sum
        }
    }
}

/// To whole micro-units, ties to the even neighbour.
fn micros(amount: &BigRational) -> BigInt {
    let exact = amount * whole(1_000_000);
    let floor = exact.floor();
    let rest = &exact - &floor;
    let half = BigRational::new(1.into(), 2.into());
    let is_odd = floor.to_integer() % 2 != BigInt::from(0);
    let up = rest > half || (rest == half && is_odd);
    floor.to_integer() + BigInt::from(i32::from(up))
}

/// Net and tax of all of it, in micro-units. Versions are in force one after the other.
pub fn rate(uses: &[Use], versions: &[(Timestamp, Document)], zone: Tz) -> (BigInt, BigInt) {
    // By month, rate, component, resource (of a shared rate: none), version: what was used.
    type Walk<'a> = ((i32, u32), String, &'a str, Option<usize>);
    let mut used: BTreeMap<Walk<'_>, BTreeMap<usize, BigInt>> = BTreeMap::new();
    for (index, (begins, document)) in versions.iter().enumerate() {
        let ends = versions.get(index + 1).map_or(i64::MAX, |(at, _)| at.ms());
        for it in uses {
            let component = priced_as(it.component);
            let Some(rate) = document.rates.iter().find(|r| r.component == component) else {
                continue;
            };
            // With nothing to share each component is rounded by itself.
            let is_plain = matches!(rate.model, Model::Standard(_)) && rate.free.is_none();
            let component = if is_plain { it.component } else { component };
            let owner = (rate.scope == Scope::Resource).then_some(it.resource);
            for (month, ms) in by_month(it.from.max(begins.ms()), it.to.min(ends), zone) {
                let walk = used.entry((month, rate.id.clone(), component, owner)).or_default();
                *walk.entry(index).or_default() += BigInt::from(it.quantity) * BigInt::from(ms);
            }
        }
    }
    let (mut net, mut tax) = (BigInt::from(0), BigInt::from(0));
    for ((_, name, ..), by_version) in used {
        let mut before = whole(0);
        for (index, ms) in by_version {
            let (_, document) = &versions[index];
            let rate = document.rates.iter().find(|r| r.id == name).expect("it was found above");
            let hours = BigRational::new(ms, BigInt::from(3_600_000) * BigInt::from(rate.unit));
            let after = &before + &hours;
            let cost = price(rate, &after) - price(rate, &before);
            let share = BigRational::new(document.tax.rate.0.into(), 1_000_000.into());
            match document.tax.mode {
                TaxMode::OnTop => {
                    tax += micros(&(&cost * &share));
                    net += micros(&cost);
                }
                TaxMode::Included => {
                    let part = micros(&(&cost * &share / (whole(1) + &share)));
                    net += micros(&cost) - &part;
                    tax += part;
                }
            }
            before = after;
        }
    }
    (net, tax)
}
