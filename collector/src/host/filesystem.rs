//! Mounted file systems, and how full they are.

use std::collections::BTreeSet;

use nix::sys::statvfs::{FsFlags, statvfs};

use super::PartResult;
use crate::source::{Samples, float};

/// More mounts than any host of ours has; the rest are left out.
const MOUNTS_MAX: usize = 1000;

/// node_exporter's defaults, which keep what holds data.
const PSEUDO: [&str; 25] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "erofs",
    "sysfs",
    "tracefs",
];
const HIDDEN: [&str; 6] =
    ["/dev", "/proc", "/sys", "/run/credentials", "/var/lib/docker", "/var/lib/containers/storage"];

pub fn add(samples: &mut Samples) -> PartResult {
    let mut seen = BTreeSet::new();
    let mounts = procfs::mounts()?;
    let kept = mounts.iter().filter(|m| is_kept(&m.fs_vfstype, &m.fs_file)).take(MOUNTS_MAX);
    for mount in kept {
        let labels = [
            ("device", mount.fs_spec.as_str()),
            ("fstype", mount.fs_vfstype.as_str()),
            ("mountpoint", mount.fs_file.as_str()),
        ];
        // Mounted over itself: one line each, one figure.
        if seen.insert(labels) {
            one(samples, &labels);
        }
    }
    Ok(())
}

pub(super) fn is_kept(kind: &str, at: &str) -> bool {
    let hidden = |prefix: &str| {
        at.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    !PSEUDO.contains(&kind) && !HIDDEN.iter().any(|prefix| hidden(prefix))
}

fn one(samples: &mut Samples, labels: &[(&str, &str); 3]) {
    let mut add = |name: &str, value: f64| {
        samples.add(&format!("node_filesystem_{name}"), labels, value);
    };
    let [_, _, (_, at)] = labels;
    let Ok(stat) = statvfs(*at) else {
        add("device_error", 1.0);
        return;
    };
    let bytes = |blocks: u64| float(blocks) * float(stat.fragment_size());
    add("device_error", 0.0);
    add("size_bytes", bytes(stat.blocks()));
    add("free_bytes", bytes(stat.blocks_free()));
    add("avail_bytes", bytes(stat.blocks_available()));
    add("files", float(stat.files()));
    add("files_free", float(stat.files_free()));
    let read_only = stat.flags().contains(FsFlags::ST_RDONLY);
    add("readonly", f64::from(u8::from(read_only)));
}
