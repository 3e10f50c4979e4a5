//! A whole Debian as one bootable disk, with cloud-init, sshd and its console on the serial port.
//! It takes a minute or two to make, and about as long to boot where KVM does not work.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{dir::cache_dir, guest::stamp, process::run};

/// The user that cloud-init makes, and gives the instance's SSH key to.
pub const USER: &str = "debian";
/// What it needs.
pub const MEMORY_MIB: u32 = 512;
pub const DISK_GIB: u32 = 2;

pub struct DebianImage {
    dir: PathBuf,
}

impl DebianImage {
    /// Makes it, unless an earlier run has.
    pub fn build() -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/debian");
        let dir = cache_dir().join(format!("debian-{}", stamp(&script)?));
        if !dir.join("disk.qcow2").exists() {
            std::fs::create_dir_all(cache_dir())?;
            run(Command::new("bash").arg(script.join("build.sh")).arg(&dir))?;
        }
        Ok(Self { dir })
    }

    /// qcow2 with a partition table and a boot loader.
    pub fn disk(&self) -> PathBuf {
        self.dir.join("disk.qcow2")
    }
}
