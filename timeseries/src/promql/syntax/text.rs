//! Literals: quoted texts, numbers and durations, as Go's `strconv` and Prometheus read and print
//! them.

use std::fmt::Write as _;

/// Instants beyond it (285,000 years) can't be meant.
pub const TIME_MAX_MS: i64 = 1 << 53;
/// Durations beyond it (292 years, what fits a count of nanoseconds) are refused.
const DURATION_MAX_MS: i64 = i64::MAX / 1_000_000;

const UNITS_MS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The bytes of the quoted text that `input` begins with, quotes included.
pub fn quoted_len(input: &str) -> Result<usize, String> {
    let quote = input.chars().next().unwrap_or_default();
    let mut chars = input.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\u{fffd}' => return Err("invalid UTF-8 in a quoted text".to_owned()),
            '\n' if quote != '`' => break,
            '\\' if quote != '`' => {
                chars.next();
            }
            _ if c == quote => return Ok(at + 1),
            _ => {}
        }
    }
    Err("unterminated quoted text".to_owned())
}

/// What a quoted text says.
pub fn unquote(quoted: &str) -> Result<String, String> {
    let quote = quoted.chars().next().unwrap_or_default();
    let inner = &quoted[1..quoted.len() - 1];
    if quote == '`' || !inner.contains('\\') {
        return Ok(inner.to_owned());
    }
    // Escapes write bytes, not characters.
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = escape(&rest[at + 1..], quote, &mut out)?;
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).map_err(|_| "the escapes of a text must make UTF-8".to_owned())
}

/// Reads what follows a backslash; returns what follows that.
fn escape<'a>(text: &'a str, quote: char, out: &mut Vec<u8>) -> Result<&'a str, String> {
    let first = text.chars().next().ok_or("escape sequence not terminated")?;
    let (skipped, digits, radix) = match first {
        '0'..='7' => (0, 3, 8),
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        _ => {
            out.push(match first {
                'a' => 0x07,
                'b' => 0x08,
                'f' => 0x0c,
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                'v' => 0x0b,
                '\\' => b'\\',
                _ if first == quote => quote as u8,
                _ => return Err(format!("unknown escape sequence \\{first}")),
            });
            return Ok(&text[1..]);
        }
    };
    let bad = || format!("bad escape sequence \\{first}");
    let hex = text.get(skipped..skipped + digits).ok_or_else(bad)?;
    if !hex.chars().all(|c| c.is_digit(radix)) {
        return Err(bad());
    }
    let code = u32::from_str_radix(hex, radix).map_err(|_| bad())?;
    if matches!(first, 'u' | 'U') {
        let c = char::from_u32(code).ok_or("an escape sequence is no Unicode code point")?;
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        out.push(u8::try_from(code).map_err(|_| bad())?);
    }
    Ok(&text[skipped + digits..])
}

/// As Go's `%q` prints it.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            ' '..='~' => out.push(c),
            '\0'..='\u{7f}' => write_hex(&mut out, "\\x", u32::from(c), 2),
            _ if is_printable(c) => out.push(c),
            '\0'..='\u{ffff}' => write_hex(&mut out, "\\u", u32::from(c), 4),
            _ => write_hex(&mut out, "\\U", u32::from(c), 8),
        }
    }
    out.push('"');
    out
}

fn write_hex(out: &mut String, prefix: &str, code: u32, digits: usize) {
    let _ = write!(out, "{prefix}{code:0digits$x}");
}

/// Behind another character, so that a combining one counts as printable, as Go has it.
fn is_printable(c: char) -> bool {
    !['a', c].iter().collect::<String>().escape_debug().any(|escaped| escaped == '\\')
}

/// Whole numbers in bases 8, 10 and 16, and decimal fractions, as Go reads them.
pub fn number(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    if let Some(digits) = lower.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).ok().map(|whole| whole as f64);
    }
    if let Ok(whole) = i64::from_str_radix(&lower, 8)
        && lower.starts_with('0')
    {
        return Some(whole as f64);
    }
    float(&lower)
}

/// Go's `ParseFloat`, hexadecimal fractions apart: what is too large for a float is no number.
pub fn float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let says_infinity = || text.contains(['i', 'I']);
    (!value.is_infinite() || says_infinity()).then_some(value)
}

/// Units in falling order, each at most once: `1h30m`.
pub fn duration_ms(text: &str) -> Result<i64, String> {
    let bad = || format!("not a valid duration: {text:?}");
    let too_long = || format!("the duration {text:?} is out of range");
    let mut rest = text;
    let mut units = UNITS_MS.iter();
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, unit_ms) = units.find(|(name, _)| *name == unit).ok_or_else(bad)?;
        if number.is_empty() {
            return Err(bad());
        }
        let part = number.parse::<i64>().ok().and_then(|count| count.checked_mul(*unit_ms));
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(too_long)?;
        rest = after;
    }
    match total {
        0 => Err("a duration must be greater than 0".to_owned()),
        _ if total > DURATION_MAX_MS => Err(too_long()),
        _ => Ok(total),
    }
}

/// Years and weeks only where nothing remains: 90d is easier to read than 12w6d.
pub fn show_duration(mut ms: i64) -> String {
    let mut out = String::new();
    for (unit, unit_ms) in UNITS_MS {
        let whole_only = matches!(unit, "y" | "w");
        if ms < unit_ms || (whole_only && ms % unit_ms != 0) {
            continue;
        }
        let _ = write!(out, "{}{unit}", ms / unit_ms);
        ms %= unit_ms;
    }
    out
}

/// As Go's `%v` prints it: with an exponent below 1e-4 and from 1e6 on.
pub fn show_number(value: f64) -> String {
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return crate::value::format_value(value);
    };
    let power: i32 = exponent.parse().unwrap_or_default();
    if value == 0.0 || (-4..GO_EXPONENT_FROM).contains(&power) {
        return value.to_string();
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}

const GO_EXPONENT_FROM: i32 = 6;
