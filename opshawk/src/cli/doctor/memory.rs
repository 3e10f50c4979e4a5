//! Memory: for the server itself, and for guests.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::Finding;

const CHECK: &str = "memory";
const MIB: u64 = 1024 * 1024;
/// The server alone lives in a quarter of it; below, nothing is left for a guest.
const WANTED_MIB: u64 = 2 * 1024;

pub fn check() -> Finding {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    match System::new_with_specifics(memory) {
        Ok(system) => judge(system.total_memory() / MIB, system.available_memory() / MIB),
        Err(error) => Finding::error(CHECK, error.to_string(), "check that /proc is mounted"),
    }
}

fn judge(total_mib: u64, available_mib: u64) -> Finding {
    let seen = format!("{total_mib} MiB, {available_mib} MiB of it available");
    if available_mib < WANTED_MIB {
        return Finding::warning(CHECK, seen, "leave guests to another host, or add memory");
    }
    Finding::ok(CHECK, seen)
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn little_memory_is_a_warning() {
        assert_eq!(judge(4096, 3000).verdict, Verdict::Ok);
        assert_eq!(judge(4096, 1000).verdict, Verdict::Warning);
        assert!(!check().seen.starts_with("0 MiB"), "this machine has memory");
    }
}
