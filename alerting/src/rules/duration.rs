//! Durations in Prometheus's form: `90s`, `1h30m`, `1d`.

const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Units stand from large to small, each at most once; `0` needs none.
pub fn parse_duration_ms(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total_ms: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let name = &rest[..rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len())];
        let (_, unit_ms) = units.find(|(unit, _)| *unit == name)?;
        total_ms = total_ms.checked_add(count.checked_mul(*unit_ms)?)?;
        rest = &rest[name.len()..];
    }
    (!text.is_empty()).then_some(total_ms)
}

/// The shortest such text: 90 000 ms is `1m30s`.
pub fn format_duration(mut ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    // Years and weeks only where they are exact, as Prometheus prints them.
    for (name, unit_ms) in UNITS {
        let exact_only = matches!(name, "y" | "w");
        if ms >= unit_ms && (!exact_only || ms % unit_ms == 0) {
            out.push_str(&format!("{}{name}", ms / unit_ms));
            ms %= unit_ms;
        }
    }
    out
}
