use super::*;

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn micros(text: &str) -> Micros {
    text.parse().unwrap()
}

#[test]
fn each_currency_has_its_digits() {
    for (code, digits) in
        [("CNY", 2), ("USD", 2), ("EUR", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("OMR", 3)]
    {
        assert_eq!(currency(code).digits(), digits, "{code}");
    }
}

#[test]
fn an_amount_is_written_with_its_currencys_digits() {
    for (code, amount, shown) in [
        ("CNY", "52.083333", "52.08"),
        ("CNY", "-0.004", "0.00"),
        ("CNY", "0.015", "0.02"),
        ("CNY", "0.025", "0.02"),
        ("USD", "-241.665001", "-241.67"),
        ("JPY", "1234.5", "1234"),
        ("JPY", "1235.5", "1236"),
        ("JPY", "-0.500001", "-1"),
        ("KWD", "1.2345", "1.234"),
        ("KWD", "1.2355", "1.236"),
    ] {
        assert_eq!(currency(code).show(micros(amount)), shown, "{amount} {code}");
        assert_eq!(currency(code).round(micros(amount)).unwrap(), micros(shown), "{amount} {code}");
    }
}

#[test]
fn an_exact_amount_keeps_the_digits_that_it_has() {
    for (code, amount, shown) in [
        ("CNY", "52.083333", "52.083333"),
        ("CNY", "0.07", "0.07"),
        ("CNY", "-1.2", "-1.20"),
        ("CNY", "0", "0.00"),
        ("JPY", "3.5", "3.5"),
        ("JPY", "700", "700"),
        ("KWD", "0.7", "0.700"),
    ] {
        assert_eq!(currency(code).show_exact(micros(amount)), shown, "{amount} {code}");
    }
}

#[test]
fn what_has_more_digits_can_not_be_paid() {
    assert!(currency("CNY").is_payable(micros("0.01")) && !currency("CNY").is_payable(Micros(1)));
    assert!(currency("JPY").is_payable(micros("3")) && !currency("JPY").is_payable(micros("3.5")));
    assert!(currency("KWD").is_payable(micros("0.005")));
    assert_eq!(currency("KWD").smallest(), micros("0.001"));
    // The largest amount rounds up beyond what fits.
    assert!(currency("JPY").round(Micros(i64::MAX)).is_err());
    assert_eq!(currency("JPY").show(Micros(i64::MAX)), "9223372036855");
}

#[test]
fn only_three_capital_letters_are_a_currency() {
    for bad in ["", "CN", "cny", "CNYX", "C1Y", "元"] {
        let error = bad.parse::<Currency>().unwrap_err();
        assert!(error.message.contains("not a currency"), "{bad}: {error}");
    }
    assert_eq!(serde_json::to_string(&Currency::CNY).unwrap(), "\"CNY\"");
    assert!(serde_json::from_str::<Currency>("\"yuan\"").is_err());
}
