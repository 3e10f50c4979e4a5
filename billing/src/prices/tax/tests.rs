use proptest::prelude::*;

use super::*;

/// A cost of so many micro-units at scale 1.
fn micros(amount: i128) -> i128 {
    amount * 1_000
}

fn tax(mode: TaxMode, rate: &str) -> Tax {
    Tax { mode, rate: rate.parse().unwrap() }
}

/// Scenario 29's: 193.33 and 25 % on top are 241.6625.
#[test]
fn on_top_it_is_added_to_the_price() {
    let split = tax(TaxMode::OnTop, "0.25").split(micros(193_330_000), 1).unwrap();
    assert_eq!(split, Split { net: Micros(193_330_000), tax: Micros(48_332_500) });
}

#[test]
fn included_it_is_a_part_of_the_price() {
    let split = tax(TaxMode::Included, "0.06").split(micros(106_000_000), 1).unwrap();
    assert_eq!(split, Split { net: Micros(100_000_000), tax: Micros(6_000_000) });
    // 1 is 0.943396… and 0.056603…: they sum to what the tenant pays.
    let split = tax(TaxMode::Included, "0.06").split(micros(1_000_000), 1).unwrap();
    assert_eq!(split, Split { net: Micros(943_396), tax: Micros(56_604) });
}

#[test]
fn without_a_rate_all_is_net() {
    let split = Tax::default().split(micros(7), 1).unwrap();
    assert_eq!(split, Split { net: Micros(7), tax: Micros::ZERO });
}

#[test]
fn ties_go_to_the_even_and_what_does_not_fit_is_an_overflow() {
    let on_top = tax(TaxMode::OnTop, "0.5");
    assert_eq!(on_top.split(micros(1), 1).unwrap().tax, Micros(0));
    assert_eq!(on_top.split(micros(3), 1).unwrap().tax, Micros(2));
    assert_eq!(on_top.split(micros(i128::from(i64::MAX) + 1), 1), Err(Overflow));
    assert_eq!(on_top.split(i128::MAX, 1), Err(Overflow));
}

proptest! {
    /// Both telescope: the parts of the differences are those of the total, and what is included
    /// sums to the price.
    #[test]
    fn parts_sum_to_the_split_of_the_total(
        costs in prop::collection::vec(0i64..1_000_000_000_000, 1..8),
        ppm in 0i64..=1_000_000,
        scale in 1i64..10_000_000,
        included: bool,
    ) {
        let mode = if included { TaxMode::Included } else { TaxMode::OnTop };
        let tax = Tax { mode, rate: Micros(ppm) };
        let (mut exact, mut posted) = (0i128, Split::default());
        for cost in costs {
            exact += i128::from(cost);
            let now = tax.split(exact, scale).unwrap();
            let line = Split {
                net: now.net.checked_sub(posted.net).unwrap(),
                tax: now.tax.checked_sub(posted.tax).unwrap(),
            };
            posted.net = posted.net.checked_add(line.net).unwrap();
            posted.tax = posted.tax.checked_add(line.tax).unwrap();
        }
        prop_assert_eq!(posted, tax.split(exact, scale).unwrap());
        let gross = div_half_even(exact, 1_000 * i128::from(scale));
        if included {
            prop_assert_eq!(i128::from(posted.net.0) + i128::from(posted.tax.0), gross);
        } else {
            prop_assert_eq!(i128::from(posted.net.0), gross);
        }
    }
}
