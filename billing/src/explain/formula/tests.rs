//! What is shown is what is meant.

use base::money::Micros;

use super::*;
use crate::prices::document::Minimum;

fn rate(json: serde_json::Value) -> Rate {
    serde_json::from_value(json).unwrap()
}

#[test]
fn every_model_is_said_in_words() {
    let none = Tax::default();
    let standard = Rate::standard("small", "instance.compute", "0.36".parse().unwrap());
    assert_eq!(price(&standard, none), "0.36 per unit and hour");
    let tax = Tax { mode: TaxMode::OnTop, rate: "0.06".parse().unwrap() };
    assert_eq!(price(&standard, tax), "0.36 per unit and hour; tax of 6 % on top");
    let tax = Tax { mode: TaxMode::Included, ..tax };
    let least = Minimum { amount: Micros(5_000_000), per: Scope::Resource };
    let minimum = Rate { minimum: Some(least), ..standard };
    assert_eq!(
        price(&minimum, tax),
        "0.36 per unit and hour; at least 5 a month for each resource; tax of 6 % included"
    );
    let tiers = serde_json::json!([{"up_to": 10, "price": "0"}, {"price": "0.5"}]);
    let graduated = rate(serde_json::json!({
        "id": "out", "component": "instance.net_tx", "unit": 1024, "graduated": tiers, "free": 3,
    }));
    assert_eq!(
        price(&graduated, none),
        "each part of the month's use at its tier: 0 up to 10, 0.5 beyond, per KiB; the first 3 \
         of a month cost nothing; over all that the tenant has of it"
    );
    let volume = rate(serde_json::json!({
        "id": "out", "component": "instance.disk", "volume": tiers, "scope": "resource",
    }));
    assert_eq!(
        price(&volume, none),
        "all of the month's use at the tier it ends in: 0 up to 10, 0.5 beyond, per unit and hour"
    );
    let package = rate(serde_json::json!({
        "id": "out", "component": "bucket.object_bytes", "scope": "resource",
        "package": {"size": 100, "price": "2"},
    }));
    assert_eq!(price(&package, none), "2 for each begun 100 of the month, counted per unit");
}

#[test]
fn exact_figures_end_or_say_that_they_go_on() {
    assert_eq!(exact(0, 1), "0");
    assert_eq!(exact(360_000_000, 1), "0.36");
    assert_eq!(exact(-1_500_000_000, 1), "-1.5");
    assert_eq!(exact(1_000_000_000, 3), "0.333333333333333…");
    // 25 minutes at 0.36 an hour.
    assert_eq!(exact(1_500_000 * 360_000_000, 3_600_000), "0.15");
    assert_eq!(exact(i128::from(i64::MAX) * 1_000_000_000, 1), i64::MAX.to_string());
    assert_eq!(measure(Per::Hour, 5_400_000), "5400000 unit-milliseconds (1.5 unit-hours)");
    assert_eq!(measure(Per::Unit, 7), "7 units");
}
