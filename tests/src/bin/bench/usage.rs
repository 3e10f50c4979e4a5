//! What a process takes, by proc(5).

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};

#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time since it began.
    pub cpu: Duration,
    /// The most that was resident at one time, mapped files included.
    pub peak_mib: f64,
    /// Resident now and no file's.
    pub anonymous_mib: f64,
}

impl Usage {
    pub fn of(pid: u32) -> Result<Self> {
        /// The kernel's USER_HZ, which is 100 for every program on Linux.
        const TICK_MS: u64 = 10;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in parentheses, may hold anything.
        let fields: Vec<&str> =
            stat.rsplit_once(')').context("no process")?.1.split_whitespace().collect();
        let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let mib = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.with_context(|| format!("no {name}"))?.trim().trim_end_matches(" kB");
            Ok(kib.parse::<f64>()? / 1024.0)
        };
        Ok(Self {
            cpu: Duration::from_millis(ticks * TICK_MS),
            peak_mib: mib("VmHWM:")?,
            anonymous_mib: mib("RssAnon:")?,
        })
    }
}

/// From here on [`Usage::peak_mib`] of this process counts anew.
pub fn reset_peak() -> Result<()> {
    const PEAK: &str = "5";
    fs::write("/proc/self/clear_refs", PEAK).context("the peak can't be reset")
}

/// Of all files below a directory, as they lie on the disk or as long as they are, whichever is
/// less: files that were given their size ahead count what is in them.
pub fn tree_bytes(dir: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    const BLOCK_BYTES: u64 = 512;
    let mut bytes = 0;
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            tree_bytes(&entry.path())?
        } else {
            metadata.len().min(metadata.blocks() * BLOCK_BYTES)
        };
    }
    Ok(bytes)
}

/// The machine, in a line.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = kib.and_then(|kib| kib.trim().trim_end_matches(" kB").parse::<u64>().ok());
    format!(
        "{cores} cores ({}), {} GiB",
        model.map_or("unknown", |(_, model)| model.trim()),
        kib.unwrap_or(0) >> 20
    )
}

/// Average number of runnable tasks over the last minute: what else ran.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}
