//! Which labels a store takes: any UTF-8, as Prometheus 3 does, within bounds. The character sets of
//! before are for what knows no others: engines that run elsewhere, and names that PromQL makes.

use std::borrow::Cow;

use base::sample::{Labels, NAME};

pub const LABELS_MAX: usize = 64;
pub const LABEL_NAME_MAX_BYTES: usize = 256;
pub const LABEL_VALUE_MAX_BYTES: usize = 4096;

/// `[a-zA-Z_][a-zA-Z0-9_]*`
pub fn is_label_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`
pub fn is_metric_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
}

/// Why these labels can't name a series.
pub fn check_labels(labels: &Labels) -> Result<(), String> {
    check_key(labels.iter().collect::<Vec<_>>().into_iter())
}

/// The same for labels by rising name.
pub(crate) fn check_key<'a>(
    labels: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Result<(), String> {
    let metric = labels.clone().find(|(name, _)| *name == NAME).map_or("", |(_, value)| value);
    if metric.is_empty() {
        return Err("a series has no metric name".to_owned());
    }
    if labels.clone().count() > LABELS_MAX {
        return Err(format!("a series of {} has more than {LABELS_MAX} labels", shown(metric)));
    }
    for (name, value) in labels {
        if name.is_empty() {
            return Err(format!("a label of {} has no name", shown(metric)));
        }
        if name.len() > LABEL_NAME_MAX_BYTES {
            return Err(format!(
                "the label name {:?} of {} is longer than {LABEL_NAME_MAX_BYTES} bytes",
                shown(name),
                shown(metric)
            ));
        }
        if value.len() > LABEL_VALUE_MAX_BYTES {
            return Err(format!(
                "the value of label {name} of {} is longer than {LABEL_VALUE_MAX_BYTES} bytes",
                shown(metric)
            ));
        }
    }
    Ok(())
}

/// Why these labels can't name a series in an engine that knows the old character sets alone.
pub fn check_classic_labels(labels: &Labels) -> Result<(), String> {
    check_labels(labels)?;
    let metric = labels.name();
    if !is_metric_name(metric) {
        return Err(format!("{:?} is no metric name of this metrics engine", shown(metric)));
    }
    match labels.iter().find(|(name, _)| *name != NAME && !is_label_name(name)) {
        Some((name, _)) => Err(format!(
            "{:?} of {} is no label name of this metrics engine",
            shown(name),
            shown(metric)
        )),
        None => Ok(()),
    }
}

/// A name as it was before Prometheus' escaping by values (`U__my_2e_name` for `my.name`), for where
/// only the old character set can stand. What is not escaped stays as it is.
pub fn unescaped(name: &str) -> Cow<'_, str> {
    let decoded = name.strip_prefix("U__").and_then(decode);
    decoded.map_or(Cow::Borrowed(name), Cow::Owned)
}

/// `__` is an underscore; a code point in hexadecimal stands between two of them.
fn decode(mut rest: &str) -> Option<String> {
    const DIGITS_MAX: usize = 6;
    let mut out = String::with_capacity(rest.len());
    while let Some((plain, behind)) = rest.split_once('_') {
        out.push_str(plain);
        let (code, behind) = behind.split_once('_')?;
        out.push(match code {
            "" => '_',
            _ if code.len() > DIGITS_MAX || !code.bytes().all(|b| b.is_ascii_hexdigit()) => {
                return None;
            }
            _ => char::from_u32(u32::from_str_radix(code, 16).ok()?)?,
        });
        rest = behind;
    }
    out.push_str(rest);
    Some(out)
}

/// The beginning of what was sent: an error text is no place for kilobytes.
fn shown(text: &str) -> String {
    const SHOWN_MAX_CHARS: usize = 64;
    text.chars().take(SHOWN_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_and_counts_are_checked() {
        let plain = Labels::metric("a:b_c", &[("x", "ü")]);
        assert!(check_labels(&plain).is_ok() && check_classic_labels(&plain).is_ok());
        for name in ["1a", "a-b", "a b", "größe", "\0"] {
            for labels in [Labels::metric(name, &[]), Labels::metric("m", &[(name, "1")])] {
                assert!(check_labels(&labels).is_ok(), "{name}");
                assert!(check_classic_labels(&labels).is_err(), "{name}");
            }
        }
        assert!(check_classic_labels(&Labels::metric("m", &[("a:b", "1")])).is_err());
        assert!(check_labels(&Labels::metric("", &[])).is_err());
        assert!(check_labels(&Labels::metric("m", &[("", "1")])).is_err());
        let long = "x".repeat(LABEL_NAME_MAX_BYTES + 1);
        assert!(check_labels(&Labels::metric("m", &[(&long, "1")])).is_err());
        let long = "x".repeat(LABEL_VALUE_MAX_BYTES + 1);
        assert!(check_labels(&Labels::metric("m", &[("a", &long)])).is_err());
        let many = (0..LABELS_MAX).map(|i| (format!("l{i}"), "v".to_owned()));
        assert!(check_labels(&Labels::new(many).with(NAME, "m")).is_err());
    }

    /// The examples of prometheus.io/docs/instrumenting/escaping_schemes, and what is none.
    #[test]
    fn escaped_names_come_back() {
        for (escaped, name) in [
            ("U__mysystem_2e_prod_2e_west_2e_cpu_2e_load", "mysystem.prod.west.cpu.load"),
            (
                "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load__total",
                "mysystem.prod.west.cpu.load_total",
            ),
            ("U__http_2e_status:sum", "http.status:sum"),
            ("U__label_20_with_20__100___", "label with \u{100}_"),
            ("U__gr_F6_ße", "größe"),
            ("U___1F4A9_", "💩"),
            ("U__", ""),
            ("U____", "_"),
        ] {
            assert_eq!(unescaped(escaped), name, "{escaped}");
        }
        for same in
            ["up", "u__a_2e_b", "U__a_2e", "U__a_zz_", "U__a_0000041_", "U__a_d800_", "U__a_"]
        {
            assert_eq!(unescaped(same), same);
        }
    }
}
