use proptest::prelude::*;

use super::*;

const GIB: i64 = 1 << 30;

fn tier(up_to: Option<i64>, price: &str) -> Tier {
    Tier { up_to, price: price.parse().unwrap() }
}

/// Scenario 14's: 0-10 free, to 100 at 0.8, above at 0.5.
fn tiers() -> Vec<Tier> {
    vec![tier(Some(10), "0"), tier(Some(100), "0.8"), tier(None, "0.5")]
}

/// In nano-units of the currency.
fn nanos(cost: i128, scale: i64) -> i128 {
    assert_eq!(cost % i128::from(scale), 0, "the cost is whole");
    cost / i128::from(scale)
}

#[test]
fn scenario_14_tiers_over_a_month() {
    let model = Model::Graduated(tiers());
    let total = model.total(120 * GIB, GIB).unwrap();
    assert_eq!(nanos(total, GIB), 82_000_000_000);
    assert_eq!(model.total(10 * GIB, GIB), Ok(0), "the bound is in the tier that it ends");
    assert_eq!(nanos(model.total(100 * GIB, GIB).unwrap(), GIB), 72_000_000_000);
}

#[test]
fn a_volume_is_priced_by_the_tier_that_it_ends_in() {
    let model = Model::Volume(tiers());
    assert_eq!(model.total(10 * GIB, GIB), Ok(0));
    assert_eq!(nanos(model.total(100 * GIB, GIB).unwrap(), GIB), 80_000_000_000);
    // Beyond, all of it becomes cheaper.
    assert_eq!(nanos(model.total(101 * GIB, GIB).unwrap(), GIB), 50_500_000_000);
    let price = |text: &str| text.parse().unwrap();
    assert_eq!(model.slope(5, GIB), Some((price("0"), Some(10 * GIB + 1))));
    assert_eq!(model.volume_price(100 * GIB, GIB), price("0.8"));
    assert_eq!(model.volume_price(100 * GIB + 1, GIB), price("0.5"));
}

#[test]
fn a_block_costs_from_its_first_unit() {
    let model = Model::Package { size: 100, price: "3".parse().unwrap() };
    assert_eq!(model.total(0, 1), Ok(0));
    assert_eq!(nanos(model.total(1, 1).unwrap(), 1), 3_000_000_000);
    assert_eq!(nanos(model.total(100, 1).unwrap(), 1), 3_000_000_000);
    assert_eq!(nanos(model.total(101, 1).unwrap(), 1), 6_000_000_000);
    assert_eq!(model.cost(1, 100, 1), Ok(0), "it is charged once");
    // Looked at again where the next block is charged.
    assert_eq!(model.slope(0, 1), Some((Nanos(0), Some(1))));
    assert_eq!(model.slope(1, 1), Some((Nanos(0), Some(101))));
    assert_eq!(model.slope(100, 1), Some((Nanos(0), Some(101))));
    assert_eq!(model.evenly(1), Some("0.03".parse().unwrap()));
}

#[test]
fn a_forecast_goes_on_by_the_tier_to_its_end() {
    let model = Model::Graduated(tiers());
    let price = |text: &str| text.parse::<Nanos>().unwrap();
    assert_eq!(model.slope(0, GIB), Some((price("0"), Some(10 * GIB))));
    assert_eq!(model.slope(10 * GIB - 1, GIB), Some((price("0"), Some(10 * GIB))));
    assert_eq!(model.slope(10 * GIB, GIB), Some((price("0.8"), Some(100 * GIB))));
    assert_eq!(model.slope(100 * GIB, GIB), Some((price("0.5"), None)));
    assert_eq!(Model::Standard(price("7")).slope(3, 1), Some((price("7"), None)));
    // Of a volume the tier ends behind its last: there all of it changes its price.
    let model = Model::Volume(tiers());
    assert_eq!(model.slope(0, GIB), Some((price("0"), Some(10 * GIB + 1))));
    assert_eq!(model.slope(10 * GIB, GIB), Some((price("0"), Some(10 * GIB + 1))));
    assert_eq!(model.slope(10 * GIB + 1, GIB), Some((price("0.8"), Some(100 * GIB + 1))));
}

/// Scenario 15's figures: nothing wraps.
#[test]
fn what_cannot_be_computed_is_an_overflow() {
    let price = "9999.999999".parse().unwrap();
    let ms = 8_784 * 3_600_000 * 1_000_000;
    assert!(
        Model::Standard(price).total(ms, 3_600_000).is_ok(),
        "it is the rounding that parks it"
    );
    let huge = Model::Package { size: 1, price: Nanos(i64::MAX) };
    assert_eq!(huge.total(i64::MAX, i64::MAX), Ok(i128::from(i64::MAX) * i128::from(i64::MAX)));
    let blocks = Model::Package { size: 0, price: Nanos(i64::MAX) };
    assert_eq!(blocks.total(i64::MAX, i64::MAX), Err(Overflow));
}

fn models() -> impl Strategy<Value = Model> {
    let price = || (0i64..5_000_000_000).prop_map(Nanos);
    let tiers = || {
        (prop::collection::btree_set(1i64..1_000, 0..5), prop::collection::vec(price(), 6))
            .prop_map(|(bounds, prices)| {
                let bounds = bounds.into_iter().map(Some).chain([None]);
                bounds.zip(prices).map(|(up_to, price)| Tier { up_to, price }).collect::<Vec<_>>()
            })
    };
    prop_oneof![
        price().prop_map(Model::Standard),
        tiers().prop_map(Model::Graduated),
        tiers().prop_map(Model::Volume),
        (1i64..100, price()).prop_map(|(size, price)| Model::Package { size, price }),
    ]
}

proptest! {
    /// However a walk is cut, its parts sum to the whole, also where some go back.
    #[test]
    fn parts_of_a_walk_sum_to_the_whole(
        model in models(),
        scale in 1i64..5_000_000,
        stops in prop::collection::vec(0i64..5_000_000_000, 1..10),
    ) {
        let mut at = 0;
        let mut sum = 0;
        for stop in stops {
            sum += model.cost(at, stop, scale).unwrap();
            at = stop;
        }
        prop_assert_eq!(sum, model.total(at, scale).unwrap());
    }

    /// Graduated tiers, unit by unit: each unit at the price of the tier that it is in.
    #[test]
    fn tiers_are_walked_unit_by_unit(model in models(), units in 0i64..400) {
        let Model::Graduated(tiers) = &model else { return Ok(()) };
        let each: i128 = (1..=units)
            .map(|unit| {
                let tier = tiers.iter().find(|t| t.up_to.is_none_or(|up_to| unit <= up_to));
                i128::from(tier.unwrap().price.0)
            })
            .sum();
        prop_assert_eq!(model.total(units, 1).unwrap(), each);
    }

    /// The slope at a point is what the next of it costs.
    #[test]
    fn the_slope_is_the_cost_of_the_next(model in models(), w in 0i64..2_000, scale in 1i64..50) {
        // Where a volume's tier begins, all of it changes its price, and a block is paid at its first.
        prop_assume!(!matches!(model, Model::Volume(_) | Model::Package { .. }));
        let Some((price, end)) = model.slope(w, scale) else { return Ok(()) };
        prop_assert_eq!(model.cost(w, w + 1, scale).unwrap(), i128::from(price.0));
        if let Some(end) = end {
            prop_assert!(end > w);
            prop_assert_eq!(model.cost(w, end, scale).unwrap(), i128::from(price.0) * i128::from(end - w));
        }
    }
}
