use base::money::{Micros, Nanos};
use proptest::prelude::*;

use super::*;
use crate::invoice::samples;

/// A decimal by ten to so many digits.
fn scaled(decimal: &str) -> i128 {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let digits = usize::try_from(DIGITS).unwrap();
    format!("{whole}{fraction}{}", "0".repeat(digits - fraction.len())).parse().unwrap()
}

/// Quantity, unit, price, and whether it is an effective one; they multiply to the amount.
fn said(line: &Line, month: i64) -> (String, String, String, bool) {
    let priced = priced(line, month).unwrap();
    let product =
        div_half_even(scaled(&priced.quantity) * scaled(&priced.price), 10i128.pow(DIGITS));
    assert_eq!(scaled(&priced.cost), product);
    let net = i128::from(line.net.0) * 1_000_000;
    assert!((product - net).abs() <= 1_000_000, "{priced:?} is not {}", line.net);
    (priced.quantity, priced.unit, priced.price, priced.effective)
}

fn expect(line: &Line, month: i64, wanted: (&str, &str, &str, bool)) {
    let (quantity, unit, price, effective) = said(line, month);
    assert_eq!((quantity.as_str(), unit.as_str(), price.as_str(), effective), wanted);
}

/// Of a component, so many at once for an hour.
fn of_hour(component: &str, quantity: i64, price: &str, net: &str) -> Line {
    let mut line = samples::line("web-1", price, net);
    (line.component, line.quantity) = (component.to_owned(), quantity);
    line.to = line.from.saturating_add_ms(MS_PER_HOUR);
    line
}

#[test]
fn a_published_price_is_stated_where_it_makes_the_amount() {
    expect(&samples::line("a", "0.07", "52.08"), 0, ("744", "Hours", "0.07", false));
    let disk = of_hour("instance.disk", 50, "0.001", "0.05");
    expect(&disk, 0, ("50", "GiB-Hours", "0.001", false));
    // 350 of them at 3 for each 100, and what is taken back.
    let mut by_hundred = of_hour("volume.capacity", 350, "3", "10.5");
    by_hundred.unit = 100;
    expect(&by_hundred, 0, ("3.5", "100 GiB-Hours", "3", false));
    (by_hundred.quantity, by_hundred.net) = (-350, "-10.5".parse().unwrap());
    expect(&by_hundred, 0, ("-3.5", "100 GiB-Hours", "3", false));
    let mut traffic = of_hour("instance.net_tx", 1_610_612_736, "0.8", "1.2");
    traffic.unit = 1 << 30;
    expect(&traffic, 0, ("1.5", "GiB", "0.8", false));
}

#[test]
fn what_is_not_the_same_for_each_unit_has_an_effective_price() {
    let of_model = |model: &str, net: &str| {
        let mut line = of_hour("volume.capacity", 120, "0", net);
        line.model = model.to_owned();
        line
    };
    let tiers = of_model("graduated", "82");
    expect(&tiers, 0, ("120", "GiB-Hours", "0.683333333333", true));
    expect(&of_model("package", "9"), 0, ("120", "GiB-Hours", "0.075", true));
    // All of it free, then behind twenty that are free: at a published 0.8.
    expect(&of_hour("volume.capacity", 20, "0.8", "0"), 0, ("20", "GiB-Hours", "0", true));
    let free = of_hour("volume.capacity", 120, "0.8", "80");
    expect(&free, 0, ("120", "GiB-Hours", "0.666666666667", true));
    // 0.36 with a fifth of tax in it.
    let mut taxed = of_hour("instance.compute", 1, "0.36", "0.3");
    (taxed.tax, taxed.tax_rate) = ("0.06".parse().unwrap(), "0.2".parse().unwrap());
    expect(&taxed, 0, ("1", "Hours", "0.3", true));
    // Of a volume its use costs nothing, and the line of the month's end all of it.
    expect(&of_model("volume", "0"), 0, ("120", "GiB-Hours", "0", true));
    let mut end = of_model("volume", "60");
    (end.kind, end.quantity, end.unit) = ("volume".to_owned(), 0, 2);
    expect(&end, 120 * MS_PER_HOUR, ("60", "2 GiB-Hours", "1", true));
    let mut small = of_hour("instance.net_tx", 3, "0", "0.000001");
    (small.model, small.unit) = ("graduated".to_owned(), 1 << 30);
    assert!(said(&small, 0).3);
}

#[test]
fn what_is_of_no_use_of_its_own_has_no_price() {
    let mut minimum = of_hour("instance.compute", 0, "0.36", "4.28");
    minimum.kind = "minimum".to_owned();
    assert_eq!(priced(&minimum, 0), None);
    let mut moved = of_hour("instance.compute", 0, "0", "-0.3");
    (moved.kind, moved.model) = ("adjustment".to_owned(), "graduated".to_owned());
    assert_eq!(priced(&moved, 0), None);
    // Less use that costs more: a tier was left.
    moved.quantity = -1;
    moved.net = "0.3".parse().unwrap();
    assert_eq!(priced(&moved, 0), None);
}

proptest! {
    /// Whatever an amount is, what is stated multiplies to it.
    #[test]
    fn what_is_stated_multiplies_to_the_amount(
        quantity in 1i64..1_000_000,
        ms in 1i64..3_000_000_000,
        price in 0i64..100_000_000_000,
        unit in 1i64..1_000,
        net in 0i64..1_000_000_000_000,
        is_standard in any::<bool>(),
    ) {
        let mut line = of_hour("volume.capacity", quantity, "0", "0");
        line.to = line.from.saturating_add_ms(ms);
        (line.unit, line.unit_price) = (unit, Nanos(price));
        line.net = Micros(net);
        if is_standard {
            let exact = i128::from(price) * i128::from(quantity) * i128::from(ms);
            let amount = div_half_even(exact, 1_000 * i128::from(unit) * i128::from(MS_PER_HOUR));
            line.net = Micros(i64::try_from(amount).unwrap());
        }
        let Some(priced) = priced(&line, 0) else { return Ok(()) };
        let off = (scaled(&priced.cost) - i128::from(line.net.0) * 1_000_000).abs();
        // A millionth, or what the digits of a quantity leave of a price.
        let step = scaled(&priced.price).max(scaled(&priced.quantity)) / 10i128.pow(DIGITS) + 1;
        prop_assert!(off <= 1_000_000.max(step), "{off}: {priced:?}");
        prop_assert!(!is_standard || !priced.effective, "{priced:?}");
    }
}
