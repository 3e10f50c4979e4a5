use super::*;

#[test]
fn decimals_are_read_and_written_without_loss() {
    for (text, micros) in [
        ("0", 0),
        ("0.15", 150_000),
        ("-0.000001", -1),
        ("12", 12_000_000),
        ("9223372036854.775807", i64::MAX),
    ] {
        let parsed: Micros = text.parse().unwrap();
        assert_eq!(parsed.0, micros, "{text}");
        assert_eq!(parsed.to_string().parse::<Micros>().unwrap(), parsed);
    }
    for bad in
        ["", ".5", "1.", "1e3", "+1", "0.0000001", "9223372036854.775808", "1,5", "- 1", "１"]
    {
        assert!(bad.parse::<Micros>().is_err(), "{bad:?}");
    }
}

#[test]
fn half_goes_to_the_even_neighbour_on_both_sides_of_zero() {
    for (n, d, want) in [
        (5, 10, 0),
        (15, 10, 2),
        (25, 10, 2),
        (-5, 10, 0),
        (-15, 10, -2),
        (-25, 10, -2),
        (-26, 10, -3),
        (7, 2, 4),
    ] {
        assert_eq!(div_half_even(n, d), want, "{n}/{d}");
    }
}

#[test]
fn twenty_five_minutes_at_0_36_an_hour_cost_0_15() {
    let price: Nanos = "0.36".parse().unwrap();
    let amount = price.over(1, 25 * 60_000).unwrap().to_micros().unwrap();
    assert_eq!(amount.to_string(), "0.150000");
}

#[test]
fn an_amount_that_does_not_fit_is_an_error_and_never_wraps() {
    let price: Nanos = "9223372036".parse().unwrap();
    let exact = price.over(i64::MAX, 8_784 * MS_PER_HOUR);
    assert!(exact.and_then(Exact::to_micros).is_err());
    assert!(Micros(i64::MAX).checked_add(Micros(1)).is_err());
}

#[test]
fn a_balance_shows_four_decimals() {
    assert_eq!(Micros(-1_234_560).to_four_decimals(), "-1.2346");
    assert_eq!(Micros(50).to_four_decimals(), "0.0000");
    assert_eq!(Micros(150).to_four_decimals(), "0.0002");
}
