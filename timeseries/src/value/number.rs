//! Values as Prometheus prints them: the shortest text that reads back, laid out as Go does it.
//!
//! The digits come from one of the fast exact algorithms. Of two shortest texts that are equally
//! near, it takes the one with the even last digit, as Go does (Rust's own takes the upper one).

/// With an exponent only below 1e-6 and from 1e21 on.
pub fn format_value(value: f64) -> String {
    text(|out| push_value(out, value))
}

/// The same, at the end of a buffer.
pub fn push_value(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        out.extend_from_slice(match value {
            f64::INFINITY => b"+Inf",
            f64::NEG_INFINITY => b"-Inf",
            _ => b"NaN",
        });
        return;
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        push_fixed(out, value);
    } else {
        push_scientific(out, value);
    }
}

/// Without an exponent, however long; of a finite value.
pub(crate) fn shortest(value: f64) -> String {
    text(|out| push_fixed(out, value))
}

fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
    const USUAL_BYTES: usize = 24;
    let mut out = Vec::with_capacity(USUAL_BYTES);
    push(&mut out);
    String::from_utf8(out).expect("digits, signs and letters are ASCII")
}

fn push_fixed(out: &mut Vec<u8>, value: f64) {
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(value);
    // Where its layout has no exponent it is Go's but for whole numbers, which end in a ".0".
    let Some((digits, exponent)) = shortest.split_once('e') else {
        let whole = shortest.strip_suffix(".0");
        return out.extend_from_slice(whole.unwrap_or(shortest).as_bytes());
    };
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    if unsigned.len() < digits.len() {
        out.push(b'-');
    }
    let (first, rest) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let rest = if rest == "0" { "" } else { rest };
    let zeros = |out: &mut Vec<u8>, count: usize| out.resize(out.len() + count, b'0');
    match exponent_of(exponent) {
        exponent if exponent < 0 => {
            out.extend_from_slice(b"0.");
            zeros(out, exponent.unsigned_abs() as usize - 1);
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(rest.as_bytes());
        }
        exponent => {
            let (places, rest) = (exponent.unsigned_abs() as usize, rest.as_bytes());
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(&rest[..rest.len().min(places)]);
            zeros(out, places.saturating_sub(rest.len()));
            if rest.len() > places {
                out.push(b'.');
                out.extend_from_slice(&rest[places..]);
            }
        }
    }
}

/// The exponent has a sign and at least two digits. The value is one that has an exponent in the
/// layout of the digits' source, as all below 1e-6 and from 1e21 on have.
fn push_scientific(out: &mut Vec<u8>, value: f64) {
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(value);
    let (digits, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    out.extend_from_slice(digits.strip_suffix(".0").unwrap_or(digits).as_bytes());
    let exponent = exponent_of(exponent);
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    let exponent = exponent.unsigned_abs();
    if exponent < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
}

fn exponent_of(text: &str) -> i32 {
    text.parse().expect("the exponent of a double is a whole number")
}

#[cfg(test)]
mod tests;
