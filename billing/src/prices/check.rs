//! What is wrong with a document, and what its author should look at twice. Pure.

use std::collections::BTreeMap;

use base::{
    Error,
    money::{Currency, Nanos},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    components::{self, COMPUTE, Per},
    document::{Document, RATES_MAX, Rate},
    model::{Model, Tier},
    select::{LABELS_MAX, Selector},
    tax::Tax,
};

/// Of one rate.
pub const TIERS_MAX: usize = 50;
pub const ID_MAX_CHARS: usize = 100;
pub const VALUE_MAX_CHARS: usize = 200;
/// Further ones are counted only, in a refusal's text.
const SHOWN_MAX: usize = 5;
/// A price that changes by this factor is looked at twice.
const LEAP: i128 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PriceCheckSeverity)]
pub enum Severity {
    /// It can't be published.
    Error,
    /// It can; somebody should know.
    Warning,
}

/// One thing that was found in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PriceCheck)]
pub struct Check {
    pub severity: Severity,
    /// Names what it is about: `overlap`, `unknown_component`, …
    pub code: String,
    /// The rate's id; none where it is about the whole.
    pub rate: Option<String>,
    pub message: String,
}

/// What a document is looked at beside.
#[derive(Debug, Clone)]
pub struct Beside {
    pub currency: Currency,
    /// The names of flavors by their ids.
    pub flavors: BTreeMap<String, String>,
    /// What it takes the place of.
    pub before: Option<Document>,
    /// Prices a part only, before a book that prices the rest.
    pub partial: bool,
}

pub fn error(code: &str, rate: Option<&Rate>, message: impl Into<String>) -> Check {
    found(Severity::Error, code, rate, message)
}

fn warning(code: &str, rate: Option<&Rate>, message: impl Into<String>) -> Check {
    found(Severity::Warning, code, rate, message)
}

fn found(severity: Severity, code: &str, rate: Option<&Rate>, message: impl Into<String>) -> Check {
    Check {
        severity,
        code: code.to_owned(),
        rate: rate.map(|rate| rate.id.clone()),
        message: message.into(),
    }
}

/// Errors first, each in the order of the document.
pub fn check(document: &Document, beside: &Beside) -> Vec<Check> {
    let mut checks = Vec::new();
    if document.rates.is_empty() || document.rates.len() > RATES_MAX {
        let count = document.rates.len();
        checks.push(error(
            "count",
            None,
            format!("a version has 1 to {RATES_MAX} rates, not {count}"),
        ));
    }
    if document.tax.rate.0 < 0 || document.tax.rate > Tax::RATE_MAX {
        checks.push(error("tax", None, "a tax rate is from 0 to 1: 0.06 is 6 %"));
    }
    for rate in &document.rates {
        check_name(rate, &mut checks);
        check_component(rate, &mut checks);
        check_model(rate, &mut checks);
        check_extras(rate, beside.currency, &mut checks);
        check_selector(rate, beside, &mut checks);
    }
    check_pairs(&document.rates, &mut checks);
    if !beside.partial {
        check_coverage(document, beside, &mut checks);
    }
    if let Some(before) = &beside.before {
        check_changes(document, before, &mut checks);
    }
    // Stable.
    checks.sort_by_key(|check| check.severity);
    checks
}

/// An error that names the first few of the errors in it; none where there are none.
pub fn refusal(checks: &[Check]) -> Option<Error> {
    let errors: Vec<&Check> = checks.iter().filter(|c| c.severity == Severity::Error).collect();
    if errors.is_empty() {
        return None;
    }
    let mut texts: Vec<String> =
        errors.iter().take(SHOWN_MAX).map(|check| check.message.clone()).collect();
    if errors.len() > SHOWN_MAX {
        texts.push(format!("and {} more", errors.len() - SHOWN_MAX));
    }
    Some(Error::invalid("rates", texts.join("; ")))
}

fn check_name(rate: &Rate, checks: &mut Vec<Check>) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if rate.id.is_empty() || rate.id.len() > ID_MAX_CHARS || !rate.id.chars().all(plain) {
        checks.push(error(
            "id",
            Some(rate),
            format!(
                "the id '{}' is not 1 to {ID_MAX_CHARS} letters, digits and . _ : -",
                rate.id.escape_debug()
            ),
        ));
    }
}

fn check_component(rate: &Rate, checks: &mut Vec<Check>) {
    let Some(component) = rate.component() else {
        let known: Vec<&str> = components::all().map(|component| component.name).collect();
        checks.push(error(
            "unknown_component",
            Some(rate),
            format!("'{}' can't be priced; use one of {}", rate.component, known.join(", ")),
        ));
        return;
    };
    if rate.unit < 1 || rate.scale().is_none() {
        checks.push(error("unit", Some(rate), format!("{} is no unit of a price", rate.unit)));
    }
    let is_plain = matches!(rate.model, Model::Standard(_)) && rate.free.is_none();
    if component.per == Per::Month && !(is_plain && rate.unit == 1 && rate.minimum.is_none()) {
        checks.push(error(
            "month",
            Some(rate),
            "a monthly package has one price, without tiers, allowance, unit and minimum",
        ));
    }
}

fn check_model(rate: &Rate, checks: &mut Vec<Check>) {
    if rate.model.prices().any(|price| price.0 < 0) {
        checks.push(error("negative", Some(rate), format!("the price of {} is negative", rate.id)));
    }
    match &rate.model {
        Model::Graduated(tiers) | Model::Volume(tiers) => {
            if let Some(why) = wrong_tiers(tiers) {
                checks.push(error("tiers", Some(rate), format!("the tiers of {}: {why}", rate.id)));
            }
        }
        Model::Package { size, .. } if *size < 1 => {
            let message = format!("a block of {} has at least one unit", rate.id);
            checks.push(error("package", Some(rate), message));
        }
        Model::Standard(_) | Model::Package { .. } => {}
    }
}

fn wrong_tiers(tiers: &[Tier]) -> Option<String> {
    if tiers.is_empty() || tiers.len() > TIERS_MAX {
        return Some(format!("there are 1 to {TIERS_MAX}"));
    }
    let (last, others) = tiers.split_last()?;
    if last.up_to.is_some() {
        return Some("the last has no up_to, so that every use has a price".to_owned());
    }
    let mut from = 0;
    for tier in others {
        match tier.up_to {
            Some(up_to) if up_to > from => from = up_to,
            Some(up_to) => return Some(format!("up_to {up_to} must be above {from}")),
            None => return Some("only the last has no up_to".to_owned()),
        }
    }
    None
}

fn check_extras(rate: &Rate, currency: Currency, checks: &mut Vec<Check>) {
    let scale = rate.scale().unwrap_or(1);
    if rate.free.is_some_and(|free| free < 0 || free.checked_mul(scale).is_none()) {
        let message = format!("the free allowance of {} is out of range", rate.id);
        checks.push(error("free", Some(rate), message));
    }
    let Some(minimum) = &rate.minimum else { return };
    if minimum.per != rate.scope {
        let (per, scope) = (minimum.per.as_str(), rate.scope.as_str());
        let message = format!(
            "the minimum of {} is per {per}, and it is counted over each {scope}: make them the same",
            rate.id
        );
        checks.push(error("minimum", Some(rate), message));
    }
    if minimum.amount.0 <= 0 {
        let message = format!("the minimum of {} must be above zero", rate.id);
        checks.push(error("minimum", Some(rate), message));
    } else if !currency.is_payable(minimum.amount) {
        let message = format!(
            "the minimum of {} has more digits than {currency} has: {}",
            rate.id, minimum.amount
        );
        checks.push(warning("digits", Some(rate), message));
    }
}

fn check_selector(rate: &Rate, beside: &Beside, checks: &mut Vec<Check>) {
    let selector = &rate.r#where;
    let is_text = |text: &str| !text.is_empty() && text.chars().count() <= VALUE_MAX_CHARS;
    let texts =
        selector.region.iter().chain(selector.labels.keys()).chain(selector.labels.values());
    if selector.labels.len() > LABELS_MAX || !texts.into_iter().all(|text| is_text(text)) {
        checks.push(error(
            "selector",
            Some(rate),
            format!(
                "{} selects by at most {LABELS_MAX} labels, each text of 1 to {VALUE_MAX_CHARS} \
                 characters",
                rate.id
            ),
        ));
    }
    let Some(flavor) = &selector.flavor else { return };
    if !rate.component.starts_with("instance.") {
        let message = format!("{} never matches: {} has no flavor", rate.id, rate.component);
        checks.push(error("selector", Some(rate), message));
    } else if flavor.parse::<base::id::FlavorId>().is_err() {
        let message = format!("'{flavor}' is not a flavor's id");
        checks.push(error("flavor", Some(rate), message));
    } else if !beside.flavors.contains_key(flavor) {
        let message = format!("{} prices a flavor that is not there: {flavor}", rate.id);
        checks.push(warning("flavor", Some(rate), message));
    }
}

fn check_pairs(rates: &[Rate], checks: &mut Vec<Check>) {
    let mut ids = std::collections::BTreeSet::new();
    let mut by_component: BTreeMap<&str, Vec<&Rate>> = BTreeMap::new();
    for rate in rates.iter().take(RATES_MAX) {
        if !ids.insert(&rate.id) {
            let message = format!("{} stands twice", rate.id);
            checks.push(error("id_twice", Some(rate), message));
        }
        // Packages are ordered by their names.
        if rate.component().is_some_and(|component| component.per == Per::Month) {
            continue;
        }
        let before = by_component.entry(&rate.component).or_default();
        // Of two with as many conditions neither goes first.
        let other = before.iter().find(|other| {
            other.r#where.conditions() == rate.r#where.conditions()
                && other.r#where.meets(&rate.r#where)
        });
        if let Some(other) = other {
            let message = format!(
                "{} and {} price the same: give one of them a condition more",
                other.id, rate.id
            );
            checks.push(error("overlap", Some(rate), message));
        }
        before.push(rate);
    }
}

/// What is free without anybody having said so.
fn check_coverage(document: &Document, beside: &Beside, checks: &mut Vec<Check>) {
    for rate in &document.rates {
        if rate.model.prices().all(|price| price.0 == 0) && rate.minimum.is_none() {
            let message = format!("{} costs nothing", rate.id);
            checks.push(warning("free_of_charge", Some(rate), message));
        }
    }
    let compute: Vec<&Rate> = document.rates.iter().filter(|r| r.component == COMPUTE).collect();
    let prices_all = compute.iter().any(|rate| rate.r#where.is_empty());
    if compute.is_empty() || prices_all {
        return;
    }
    for (id, name) in &beside.flavors {
        let flavor = Selector { flavor: Some(id.clone()), ..Selector::default() };
        if compute.iter().any(|rate| rate.r#where.covers(&flavor)) {
            continue;
        }
        let message = match compute.iter().any(|rate| rate.r#where.meets(&flavor)) {
            true => format!(
                "instances of flavor {name} whose region or labels no rate names have no price: \
                 they are free"
            ),
            false => format!("instances of flavor {name} have no price: they are free"),
        };
        checks.push(warning("no_price", None, message));
    }
}

fn check_changes(document: &Document, before: &Document, checks: &mut Vec<Check>) {
    let now: BTreeMap<&str, &Rate> = document.rates.iter().map(|r| (r.id.as_str(), r)).collect();
    for old in &before.rates {
        let Some(rate) = now.get(old.id.as_str()) else {
            let covered = document
                .rates
                .iter()
                .any(|rate| rate.component == old.component && rate.r#where.covers(&old.r#where));
            if !covered {
                let message = format!("{} is gone: what it priced becomes free", old.id);
                checks.push(Check { rate: Some(old.id.clone()), ..warning("gone", None, message) });
            }
            continue;
        };
        let (first, then) = (highest(old), highest(rate));
        let (low, high) = (first.min(then), first.max(then));
        if old.unit == rate.unit && low.0 > 0 && i128::from(high.0) >= LEAP * i128::from(low.0) {
            let message = format!("the price of {} goes from {first} to {then}", rate.id);
            checks.push(warning("leap", Some(rate), message));
        }
    }
    if document.tax != before.tax {
        checks.push(warning("tax_changes", None, "tax is not as it was"));
    }
}

fn highest(rate: &Rate) -> Nanos {
    rate.model.prices().max().unwrap_or_default()
}

#[cfg(test)]
mod tests;
