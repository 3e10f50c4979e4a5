//! The system's name, and its file handles: small files under `/proc/sys`.

use std::fs;

use super::PartResult;
use crate::source::Samples;

pub fn add(samples: &mut Samples) -> PartResult {
    let read = |file: &str| {
        let text = fs::read_to_string(format!("/proc/sys/{file}"));
        text.map(|text| text.trim().to_owned())
    };
    let labels = [
        ("sysname", read("kernel/ostype")?),
        ("release", read("kernel/osrelease")?),
        ("version", read("kernel/version")?),
        ("nodename", read("kernel/hostname")?),
        ("domainname", read("kernel/domainname")?),
        ("machine", std::env::consts::ARCH.to_owned()),
    ];
    let labels: Vec<_> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
    samples.add("node_uname_info", &labels, 1.0);
    // Allocated, free (always 0 now), maximum.
    let handles = read("fs/file-nr")?;
    let handles: Vec<f64> =
        handles.split_ascii_whitespace().filter_map(|w| w.parse().ok()).collect();
    samples.maybe("node_filefd_allocated", &[], handles.first().copied());
    samples.maybe("node_filefd_maximum", &[], handles.get(2).copied());
    Ok(())
}
