//! `/proc/meminfo`.

use std::fs;

use super::PartResult;
use crate::source::Samples;

pub fn add(samples: &mut Samples) -> PartResult {
    from(&fs::read_to_string("/proc/meminfo")?, samples);
    Ok(())
}

/// `Active(anon):  12 kB` is `node_memory_Active_anon_bytes`; what has no unit keeps its name.
pub(super) fn from(text: &str, samples: &mut Samples) {
    for line in text.lines() {
        let Some((key, rest)) = line.split_once(':') else { continue };
        let mut words = rest.split_ascii_whitespace();
        let Some(value) = words.next().and_then(|word| word.parse::<f64>().ok()) else { continue };
        let key = key.replace('(', "_").replace(')', "");
        match words.next() {
            Some("kB") => samples.add(&format!("node_memory_{key}_bytes"), &[], value * 1024.0),
            _ => samples.add(&format!("node_memory_{key}"), &[], value),
        }
    }
}
