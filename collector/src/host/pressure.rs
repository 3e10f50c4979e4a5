//! Pressure stall information, where the kernel has it.

use std::{fs, io};

use super::PartResult;
use crate::source::Samples;

/// File, kind of line, and node_exporter's name.
const STALLS: [(&str, &str, &str); 5] = [
    ("cpu", "some", "node_pressure_cpu_waiting_seconds_total"),
    ("io", "some", "node_pressure_io_waiting_seconds_total"),
    ("io", "full", "node_pressure_io_stalled_seconds_total"),
    ("memory", "some", "node_pressure_memory_waiting_seconds_total"),
    ("memory", "full", "node_pressure_memory_stalled_seconds_total"),
];

pub fn add(samples: &mut Samples) -> PartResult {
    for (file, kind, name) in STALLS {
        match fs::read_to_string(format!("/proc/pressure/{file}")) {
            Ok(text) => samples.maybe(name, &[], total_s(&text, kind)),
            // Switched off at boot, or an older kernel.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) if e.raw_os_error() == Some(nix::errno::Errno::EOPNOTSUPP as i32) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// From `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234` in microseconds.
pub(super) fn total_s(text: &str, kind: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(kind))?;
    let total = line.rsplit_once("total=")?.1.trim().parse::<f64>().ok()?;
    Some(total / 1e6)
}
