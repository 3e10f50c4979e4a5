//! Prices and their arithmetic in words: pure, exact, no floats.

use base::money::{Micros, Nanos};

use crate::{
    invoice::measure,
    prices::{
        components::Per,
        document::{Rate, Scope},
        model::{Model, Tier},
        tax::{Tax, TaxMode},
    },
};

/// Digits that an exact figure is shown with; where there are more, it ends in "…".
const DIGITS_MAX: usize = 15;

/// "0.36 per unit and hour", "each part of the month's use at its tier: 0.8 up to 100, 0.5 beyond, per
/// GiB; the first 5 of a month cost nothing; tax of 6 % on top".
pub fn price(rate: &Rate, tax: Tax) -> String {
    let per = per(rate);
    let mut text = match &rate.model {
        Model::Standard(price) => format!("{} {per}", plain(*price)),
        Model::Graduated(all) => {
            format!("each part of the month's use at its tier: {}, {per}", tiers(all))
        }
        Model::Volume(all) => {
            format!("all of the month's use at the tier it ends in: {}, {per}", tiers(all))
        }
        Model::Package { size, price } => {
            format!("{} for each begun {size} of the month, counted {per}", plain(*price))
        }
    };
    if let Some(free) = rate.free {
        text.push_str(&format!("; the first {free} of a month cost nothing"));
    }
    if let Some(minimum) = &rate.minimum {
        let whose = whose(minimum.per);
        let least = trimmed(&minimum.amount.to_string());
        text.push_str(&format!("; at least {least} a month for {whose}"));
    }
    if rate.scope == Scope::Tenant {
        text.push_str(&format!("; over {}", whose(rate.scope)));
    }
    let percent = trimmed(&Micros(tax.rate.0.saturating_mul(100)).to_string());
    match (tax.ppm(), tax.mode) {
        (0, _) => {}
        (_, TaxMode::Included) => text.push_str(&format!("; tax of {percent} % included")),
        (_, TaxMode::OnTop) => text.push_str(&format!("; tax of {percent} % on top")),
    }
    text
}

fn whose(scope: Scope) -> &'static str {
    match scope {
        Scope::Resource => "each resource",
        Scope::Tenant => "all that the tenant has of it",
    }
}

/// What the price is for: "per unit and hour", "per 100 units and hour", "per GiB", "per month".
fn per(rate: &Rate) -> String {
    let per = rate.component().map(|component| component.per);
    let units = match (rate.unit, per) {
        (1, _) => "unit".to_owned(),
        // What is counted is counted in bytes.
        (unit, Some(Per::Unit)) => measure::bytes(unit),
        (unit, _) => format!("{unit} units"),
    };
    match per {
        Some(Per::Hour) => format!("per {units} and hour"),
        Some(Per::Month) => format!("per {units} and month"),
        Some(Per::Unit) | None => format!("per {units}"),
    }
}

fn tiers(all: &[Tier]) -> String {
    let tier = |tier: &Tier| match tier.up_to {
        Some(up_to) => format!("{} up to {up_to}", plain(tier.price)),
        None => format!("{} beyond", plain(tier.price)),
    };
    all.iter().map(tier).collect::<Vec<_>>().join(", ")
}

/// Without the zeros that say nothing.
fn plain(price: Nanos) -> String {
    trimmed(&price.to_string())
}

fn trimmed(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

/// `cost / (1,000 × scale)` micro-units as a decimal of the currency, exact where it ends within
/// [`DIGITS_MAX`] digits.
pub fn exact(cost: i128, scale: i64) -> String {
    const NANOS: i128 = 1_000_000_000;
    let den = NANOS * i128::from(scale.max(1));
    let (whole, mut rest) = (cost.abs() / den, cost.abs() % den);
    let mut digits = String::new();
    while rest > 0 && digits.len() < DIGITS_MAX {
        // The rest is below 10^9 × 2^63, ten times of which an i128 holds.
        rest *= 10;
        digits.push(char::from(b'0' + u8::try_from(rest / den).unwrap_or(0)));
        rest %= den;
    }
    let sign = if cost < 0 { "-" } else { "" };
    let more = if rest > 0 { "…" } else { "" };
    let point = if digits.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{digits}{more}")
}

/// A measure as it is counted: "5400000 unit-milliseconds (1.5 unit-hours)", "7 units".
pub fn measure(per: Per, measure: i64) -> String {
    match per {
        Per::Hour => {
            // As a cost of 1 a unit and hour is written.
            let hours = exact(i128::from(measure) * 1_000_000_000, base::money::MS_PER_HOUR);
            format!("{measure} unit-milliseconds ({hours} unit-hours)")
        }
        Per::Unit | Per::Month => format!("{measure} units"),
    }
}

#[cfg(test)]
mod tests;
