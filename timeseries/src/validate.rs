//! Which labels a store takes: Prometheus' character sets, and bounds.

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
    if !is_metric_name(metric) {
        return Err(format!("{:?} is no metric name", shown(metric)));
    }
    if labels.clone().count() > LABELS_MAX {
        return Err(format!("a series of {} has more than {LABELS_MAX} labels", shown(metric)));
    }
    for (name, value) in labels {
        if name.len() > LABEL_NAME_MAX_BYTES || (name != NAME && !is_label_name(name)) {
            return Err(format!("{:?} of {} is no label name", shown(name), shown(metric)));
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
        assert!(check_labels(&Labels::metric("a:b_c", &[("x", "ü")])).is_ok());
        for bad in ["", "1a", "a-b", "a b"] {
            assert!(check_labels(&Labels::metric(bad, &[])).is_err(), "{bad}");
        }
        assert!(check_labels(&Labels::metric("m", &[("a:b", "1")])).is_err());
        assert!(check_labels(&Labels::metric("m", &[("9", "1")])).is_err());
        let long = "x".repeat(LABEL_VALUE_MAX_BYTES + 1);
        assert!(check_labels(&Labels::metric("m", &[("a", &long)])).is_err());
        let many = (0..LABELS_MAX).map(|i| (format!("l{i}"), "v".to_owned()));
        assert!(check_labels(&Labels::new(many).with(NAME, "m")).is_err());
    }
}
