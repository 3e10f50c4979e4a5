//! The fingerprint of a set of labels: FNV-1a over the sorted names and values, each followed by
//! the byte 255 (prometheus/common/model, `LabelSet.Fingerprint`), so that Alertmanager's clients
//! see the numbers they know.

use base::sample::Labels;

const OFFSET: u64 = 14_695_981_039_346_656_037;
const PRIME: u64 = 1_099_511_628_211;
const SEPARATOR: u8 = 255;

/// 16 hex digits.
pub fn of(labels: &Labels) -> String {
    let add = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(PRIME);
    let sum = labels
        .iter()
        .flat_map(|(name, value)| [name, value])
        .fold(OFFSET, |sum, text| add(text.bytes().fold(sum, add), SEPARATOR));
    format!("{sum:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expectation is prometheus/common's (model/labelset_test.go, TestLabelSet_Fingerprint…).
    #[test]
    fn no_labels_have_the_offset() {
        assert_eq!(of(&Labels::default()), "cbf29ce484222325");
        let one = Labels::metric("a", &[]);
        let two = Labels::metric("a", &[("b", "c")]);
        assert_ne!(of(&one), of(&two));
        assert_eq!(of(&two).len(), 16);
    }
}
