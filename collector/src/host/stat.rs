//! `/proc/stat`, `/proc/loadavg` and `/proc/vmstat`.

use std::fs;

use super::PartResult;
use crate::source::Samples;

/// The first ten columns of a CPU's line, in ticks. Guest time is in user time, too, as the
/// kernel counts it.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
const GUEST_MODES: [&str; 2] = ["user", "nice"];

pub fn cpu(samples: &mut Samples) -> PartResult {
    let per_second = procfs::ticks_per_second();
    cpu_from(&fs::read_to_string("/proc/stat")?, per_second, samples);
    Ok(())
}

pub(super) fn cpu_from(text: &str, ticks_per_second: u64, samples: &mut Samples) {
    let per_second = crate::source::float(ticks_per_second);
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let number = words.next().and_then(|word| word.strip_prefix("cpu"));
        // The line without a number is the sum.
        let Some(number) = number.filter(|n| n.parse::<u32>().is_ok()) else { continue };
        let ticks: Vec<f64> = words.map_while(|word| word.parse().ok()).collect();
        for (mode, ticks) in MODES.iter().zip(&ticks) {
            let labels = [("cpu", number), ("mode", *mode)];
            samples.add("node_cpu_seconds_total", &labels, ticks / per_second);
        }
        for (mode, ticks) in GUEST_MODES.iter().zip(ticks.iter().skip(MODES.len())) {
            let labels = [("cpu", number), ("mode", *mode)];
            samples.add("node_cpu_guest_seconds_total", &labels, ticks / per_second);
        }
    }
}

pub fn stat(samples: &mut Samples) -> PartResult {
    let text = fs::read_to_string("/proc/stat")?;
    let names = [
        ("ctxt", "node_context_switches_total"),
        ("btime", "node_boot_time_seconds"),
        ("intr", "node_intr_total"),
        ("processes", "node_forks_total"),
        ("procs_running", "node_procs_running"),
        ("procs_blocked", "node_procs_blocked"),
    ];
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (word, value) = (words.next(), words.next());
        if let Some((_, name)) = names.iter().find(|(key, _)| Some(*key) == word) {
            samples.maybe(name, &[], value.and_then(|value| value.parse().ok()));
        }
    }
    Ok(())
}

pub fn load(samples: &mut Samples) -> PartResult {
    let text = fs::read_to_string("/proc/loadavg")?;
    let names = ["node_load1", "node_load5", "node_load15"];
    for (name, value) in names.iter().zip(text.split_ascii_whitespace()) {
        samples.add(name, &[], value.parse()?);
    }
    Ok(())
}

/// The fields that node_exporter keeps by default: `^(oom_kill|pgpg|pswp|pg.*fault).*`.
pub fn vmstat(samples: &mut Samples) -> PartResult {
    let kept = |key: &str| {
        ["oom_kill", "pgpg", "pswp"].iter().any(|prefix| key.starts_with(prefix))
            || key.starts_with("pg") && key.contains("fault")
    };
    for line in fs::read_to_string("/proc/vmstat")?.lines() {
        if let Some((key, value)) = line.split_once(' ').filter(|(key, _)| kept(key)) {
            samples.add(&format!("node_vmstat_{key}"), &[], value.trim().parse()?);
        }
    }
    Ok(())
}
