//! Numbers as Prometheus's templates print them (template/template.go, Go's %v and %.4g).

/// Go's `%v` of a float64: the shortest text that reads back, an exponent below 1e-4 and from 1e21.
pub fn plain(v: f64) -> String {
    if !v.is_finite() {
        return not_finite(v);
    }
    if v != 0.0 && !(1e-4..1e21).contains(&v.abs()) {
        return go_exponent(&format!("{v:e}"));
    }
    format!("{v}")
}

/// Go's `strconv.FormatFloat(v, 'e', -1, 64)`: how the HTTP API prints an alert's value.
pub fn exponent(v: f64) -> String {
    if v.is_finite() { go_exponent(&format!("{v:e}")) } else { not_finite(v) }
}

/// Go's `%.4g`.
pub fn four_digits(v: f64) -> String {
    const DIGITS: i32 = 4;
    if !v.is_finite() {
        return not_finite(v);
    }
    let text = format!("{v:.3e}");
    let (mantissa, exponent) = text.split_once('e').expect("{:e} prints an exponent");
    let exponent: i32 = exponent.parse().expect("{:e} prints an integer exponent");
    if !(-4..DIGITS).contains(&exponent) {
        return go_exponent(&format!("{}e{exponent}", trim_zeros(mantissa)));
    }
    let decimals =
        usize::try_from(DIGITS - 1 - exponent).expect("the exponent is below the digits");
    trim_zeros(&format!("{v:.decimals$}")).to_owned()
}

fn not_finite(v: f64) -> String {
    let text = if v.is_nan() {
        "NaN"
    } else if v > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    text.to_owned()
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// `1e5` as `1e+05`.
fn go_exponent(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').expect("an exponent");
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

fn scaled_up(mut v: f64, step: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in LARGE {
        if v.abs() < step {
            break;
        }
        prefix = next;
        v /= step;
    }
    (v, prefix)
}

fn scaled_down(mut v: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in SMALL {
        if v.abs() >= 1.0 {
            break;
        }
        prefix = next;
        v *= 1000.0;
    }
    (v, prefix)
}

/// SI prefixes: 1234567 is `1.235M`.
pub fn humanize(v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return four_digits(v);
    }
    let (v, prefix) = if v.abs() >= 1.0 { scaled_up(v, 1000.0) } else { scaled_down(v) };
    format!("{}{prefix}", four_digits(v))
}

/// Binary prefixes: 1048576 is `1Mi`.
pub fn humanize_1024(v: f64) -> String {
    if v.abs() <= 1.0 || !v.is_finite() {
        return four_digits(v);
    }
    let (v, prefix) = scaled_up(v, 1024.0);
    format!("{}{prefix}{}", four_digits(v), if prefix.is_empty() { "" } else { "i" })
}

/// Seconds: 3661 is `1h 1m 1s`, 0.001 is `1ms`.
pub fn humanize_duration(v: f64) -> String {
    if !v.is_finite() {
        return four_digits(v);
    }
    if v == 0.0 {
        return "0s".to_owned();
    }
    if v.abs() < 1.0 {
        let (v, prefix) = scaled_down(v);
        return format!("{}{prefix}s", four_digits(v));
    }
    let sign = if v < 0.0 { "-" } else { "" };
    let v = v.abs();
    // A float beyond the range saturates, which is far beyond any duration.
    #[allow(clippy::cast_possible_truncation)]
    let total = v as i64;
    let (seconds, minutes, hours, days) =
        (total % 60, total / 60 % 60, total / 3_600 % 24, total / 86_400);
    if days != 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours != 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes != 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{sign}{}s", four_digits(v))
    }
}
