//! Facts about the host, and whether KVM truly works on it.

use std::fs;

use crate::{connection::Hypervisor, error::Result};

/// How a domain's instructions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainType {
    /// On the host's CPU.
    Kvm,
    /// Emulated (TCG).
    Qemu,
}

impl DomainType {
    /// As in `<domain type='…'>`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Qemu => "qemu",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInfo {
    pub cpus: u32,
    pub memory_mib: u64,
    pub domain_type: DomainType,
    /// libvirt's, as `9.0.0`.
    pub libvirt_version: String,
    /// QEMU's, as `7.2.22`.
    pub hypervisor_version: String,
}

impl Hypervisor {
    /// The first call of a freshly started libvirtd takes seconds: it asks QEMU what it can do.
    pub async fn host(&self) -> Result<HostInfo> {
        self.call("describe the host", |connect| {
            let node = connect.node_info()?;
            let offered = connect.capabilities()?.contains("<domain type='kvm'");
            Ok(HostInfo {
                cpus: node.cpus,
                memory_mib: node.memory / 1024,
                domain_type: if offered { probe() } else { DomainType::Qemu },
                libvirt_version: version(connect.lib_version()?),
                hypervisor_version: version(connect.hyp_version()?),
            })
        })
        .await
    }
}

/// libvirt offers KVM wherever /dev/kvm exists, but inside some virtual machines that device boots
/// no stock guest. It is taken only where the CPU has virtualisation and the device opens.
fn probe() -> DomainType {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let opens = fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    decide(&cpuinfo, opens)
}

fn decide(cpuinfo: &str, kvm_opens: bool) -> DomainType {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let virtualises = flags.split_whitespace().any(|flag| matches!(flag, "vmx" | "svm"));
    if virtualises && kvm_opens { DomainType::Kvm } else { DomainType::Qemu }
}

/// libvirt packs 1.2.3 as 1002003.
fn version(packed: u32) -> String {
    format!("{}.{}.{}", packed / 1_000_000, packed / 1000 % 1000, packed % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kvm_is_taken_only_where_it_truly_works() {
        let with = |flags: &str| format!("processor\t: 0\nflags\t\t: fpu {flags} sse\n");
        assert_eq!(decide(&with("vmx"), true), DomainType::Kvm);
        assert_eq!(decide(&with("svm"), true), DomainType::Kvm);
        assert_eq!(decide(&with("vmx"), false), DomainType::Qemu);
        assert_eq!(decide(&with("hypervisor"), true), DomainType::Qemu);
        assert_eq!(decide("model name : vmx svm\n", true), DomainType::Qemu);
        assert_eq!(decide("", true), DomainType::Qemu);
    }

    #[test]
    fn versions_are_unpacked() {
        assert_eq!(version(9_000_000), "9.0.0");
        assert_eq!(version(7_002_022), "7.2.22");
    }
}
