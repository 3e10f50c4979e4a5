use proptest::prelude::*;

use super::*;

/// The same, by the standard library's digits: slow, and another algorithm.
fn plainly(value: f64) -> String {
    let magnitude = value.abs();
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ if value.is_nan() => "NaN".to_owned(),
        _ if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) => {
            let text = format!("{value:e}");
            let (digits, exponent) = text.split_once('e').unwrap();
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        _ => plainly_fixed(value),
    }
}

fn plainly_fixed(value: f64) -> String {
    const DIGITS_OF_TIES: usize = 16;
    let text = value.to_string();
    let odd = text.ends_with(['1', '3', '5', '7', '9']);
    if !odd || text.len() < DIGITS_OF_TIES || !text.contains('.') {
        return text;
    }
    // Of two that are equally near, the one with the even last digit.
    let mut lower = text.clone().into_bytes();
    lower.last_mut().into_iter().for_each(|last| *last -= 1);
    let lower = String::from_utf8(lower).unwrap();
    // All digits: no double has more than 1,074 behind the point.
    let exact = format!("{value:.1074}");
    let tie = exact.strip_prefix(lower.as_str()).and_then(|rest| rest.strip_prefix('5'));
    if tie.is_some_and(|rest| rest.bytes().all(|b| b == b'0')) { lower } else { text }
}

fn check(value: f64) {
    assert_eq!(format_value(value), plainly(value), "{value:e}");
    if value.is_finite() {
        assert_eq!(shortest(value), plainly_fixed(value), "{value:e}");
    }
}

#[test]
fn edges_of_layouts_print_the_same() {
    for exponent in -324..=308 {
        for digits in ["1", "9", "1.5", "9.75", "1.2345678901234567", "9.999999999999999"] {
            let value: f64 = format!("{digits}e{exponent}").parse().unwrap();
            for value in [value, value.next_up(), value.next_down()] {
                check(value);
                check(-value);
            }
        }
    }
    for value in [0.0, -0.0, f64::MIN_POSITIVE, f64::MAX, f64::from_bits(1), f64::NAN] {
        check(value);
        check(-value);
    }
    // Every place of a whole number's last bit.
    for bits in 0..70 {
        let value = 2f64.powi(bits);
        for value in [value - 1.0, value, value + 1.0, value.next_up(), value.next_down()] {
            check(value);
            check(-value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn all_bits_print_the_same(bits: u64) {
        check(f64::from_bits(bits));
    }

    #[test]
    fn decimals_print_the_same(whole in -10_000_000_000_000i64..10_000_000_000_000, places in 0..9) {
        check(whole as f64 / 10f64.powi(places));
    }

    /// Eighths of large numbers lie in the middle of two shortest texts.
    #[test]
    fn ties_print_the_same(eighths in -(1i64 << 53)..(1i64 << 53)) {
        check(eighths as f64 / 8.0);
    }
}
