//! The lab's guest: Debian's cloud kernel and a busybox ramdisk, which boots in three seconds
//! without KVM. See `guest/init.sh` for what it does.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{dir::cache_dir, process::run};

/// Printed on the console when the guest is up; `boot=N` follows, counted on its disk.
pub const READY: &str = "OPSHAWK GUEST READY";
/// Printed on the console before its address.
pub const ADDRESS: &str = "OPSHAWK GUEST ADDRESS ";
/// What it needs.
pub const MEMORY_MIB: u32 = 160;

pub struct GuestImage {
    dir: PathBuf,
}

impl GuestImage {
    /// Makes it, unless an earlier run has.
    pub fn build() -> Result<Self> {
        // The name carries what it is made of, so that a changed script makes a new one.
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guest");
        let dir = cache_dir().join(format!("guest-{}", stamp(&script)?));
        if !dir.join("disk.qcow2").exists() {
            std::fs::create_dir_all(cache_dir())?;
            run(Command::new("bash").arg(script.join("build.sh")).arg(&dir))?;
        }
        Ok(Self { dir })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
    pub fn kernel(&self) -> PathBuf {
        self.dir.join("kernel")
    }
    pub fn ramdisk(&self) -> PathBuf {
        self.dir.join("ramdisk")
    }
    /// qcow2, 64 MiB, ext4.
    pub fn disk(&self) -> PathBuf {
        self.dir.join("disk.qcow2")
    }
    pub fn cmdline(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.dir.join("cmdline"))?.trim().to_owned())
    }
}

/// Eight hexadecimal digits over the files of a directory.
pub fn stamp(dir: &Path) -> Result<String> {
    let script = "find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c 1-8";
    Ok(run(Command::new("sh").args(["-c", script]).current_dir(dir))?.trim().to_owned())
}
