//! `/proc/diskstats`.

use procfs::DiskStat;

use super::PartResult;
use crate::source::{Samples, float};

/// The kernel counts in these, whatever the disk has.
const SECTOR_BYTES: f64 = 512.0;

pub fn add(samples: &mut Samples) -> PartResult {
    for disk in procfs::diskstats()? {
        if !is_part(&disk.name) {
            one(&disk, samples);
        }
    }
    Ok(())
}

fn one(disk: &DiskStat, samples: &mut Samples) {
    let ms = |value: u64| Some(float(value) / 1000.0);
    let bytes = |sectors: u64| Some(float(sectors) * SECTOR_BYTES);
    let count = |value: u64| Some(float(value));
    let stats = [
        ("reads_completed_total", count(disk.reads)),
        ("reads_merged_total", count(disk.merged)),
        ("read_bytes_total", bytes(disk.sectors_read)),
        ("read_time_seconds_total", ms(disk.time_reading)),
        ("writes_completed_total", count(disk.writes)),
        ("writes_merged_total", count(disk.writes_merged)),
        ("written_bytes_total", bytes(disk.sectors_written)),
        ("write_time_seconds_total", ms(disk.time_writing)),
        ("io_now", count(disk.in_progress)),
        ("io_time_seconds_total", ms(disk.time_in_progress)),
        ("io_time_weighted_seconds_total", ms(disk.weighted_time_in_progress)),
        ("discards_completed_total", disk.discards.and_then(count)),
        ("discards_merged_total", disk.discards_merged.and_then(count)),
        ("discarded_sectors_total", disk.sectors_discarded.and_then(count)),
        ("discard_time_seconds_total", disk.time_discarding.and_then(ms)),
        ("flush_requests_total", disk.flushes.and_then(count)),
        ("flush_requests_time_seconds_total", disk.time_flushing.and_then(ms)),
    ];
    for (name, value) in stats {
        samples.maybe(&format!("node_disk_{name}"), &[("device", &disk.name)], value);
    }
}

/// node_exporter's default: `^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`.
pub(super) fn is_part(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == name.len() {
        return false;
    }
    let letter_of = |prefix: &str| {
        let letter = stem.strip_prefix(prefix).map(str::as_bytes);
        matches!(letter, Some([letter]) if letter.is_ascii_lowercase())
    };
    let nvme = stem.strip_prefix("nvme").and_then(|rest| rest.strip_suffix('p'));
    matches!(stem, "ram" | "zram" | "loop" | "fd")
        || ["hd", "sd", "vd", "xvd"].into_iter().any(letter_of)
        || nvme.is_some_and(|rest| {
            let numbers = rest.split_once('n');
            let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
            numbers.is_some_and(|(disk, space)| digits(disk) && digits(space))
        })
}
