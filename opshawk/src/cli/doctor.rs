//! `opshawk doctor`: is this machine fit to run the server, and guests?
//!
//! Each check says what it saw and what to do. What only slows guests down is a warning; what keeps
//! OpsHawk from working is an error, and makes the exit code 1.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use super::{
    args::DoctorArgs,
    exit::Failure,
    output::{Column, Format, col, show_list},
};

mod clock;
mod disk;
mod memory;

const COLUMNS: &[Column] = &[
    col("CHECK", "/check"),
    col("RESULT", "/result"),
    col("SEEN", "/seen"),
    col("WHAT TO DO", "/remedy"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warning,
    Error,
}

/// What a check saw.
struct Finding {
    check: &'static str,
    verdict: Verdict,
    seen: String,
    remedy: &'static str,
}

impl Finding {
    fn ok(check: &'static str, seen: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, seen: seen.into(), remedy: "" }
    }
    fn warning(check: &'static str, seen: impl Into<String>, remedy: &'static str) -> Self {
        Self { check, verdict: Verdict::Warning, seen: seen.into(), remedy }
    }
    fn error(check: &'static str, seen: impl Into<String>, remedy: &'static str) -> Self {
        Self { check, verdict: Verdict::Error, seen: seen.into(), remedy }
    }
    fn to_json(&self) -> Value {
        let result = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Error => "ERROR",
        };
        json!({ "check": self.check, "result": result, "seen": self.seen, "remedy": self.remedy })
    }
}

pub async fn run(args: &DoctorArgs, format: Format) -> Result<(), Failure> {
    let findings = [
        kvm(),
        libvirt(&args.libvirt_uri).await,
        qemu_img(),
        port(args.listen),
        clock::check(),
        disk::check(&args.data_dir),
        memory::check(),
    ];
    let items: Vec<Value> = findings.iter().map(Finding::to_json).collect();
    show_list(format, COLUMNS, &items)?;
    let errors = findings.iter().filter(|f| f.verdict == Verdict::Error).count();
    match errors {
        0 => Ok(()),
        n => Err(Failure::failed(format!("{n} of {} checks failed", findings.len()))),
    }
}

/// A device that opens says little: what counts is whether the CPU has the extension.
fn kvm() -> Finding {
    const CHECK: &str = "KVM";
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let extended = flags
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split_whitespace().any(|flag| flag == "vmx" || flag == "svm"));
    match (extended, Path::new("/dev/kvm").exists()) {
        (true, true) => Finding::ok(CHECK, "the CPU has vmx or svm, and /dev/kvm is there"),
        (true, false) => Finding::warning(
            CHECK,
            "/dev/kvm is missing: guests will be slow (TCG)",
            "load the module kvm_intel or kvm_amd",
        ),
        (false, _) => Finding::warning(
            CHECK,
            "the CPU shows no vmx or svm: guests will be slow (TCG)",
            "switch virtualisation on in the firmware, or nested virtualisation on its host",
        ),
    }
}

async fn libvirt(uri: &str) -> Finding {
    const CHECK: &str = "libvirt";
    let hypervisor = hypervisor::Hypervisor::new(hypervisor::Settings::new(uri));
    match hypervisor.host().await {
        Ok(info) => Finding::ok(CHECK, format!("{uri} answers (libvirt {})", info.libvirt_version)),
        Err(error) => Finding::error(
            CHECK,
            format!("{uri}: {error}"),
            "install libvirt-daemon-system and start libvirtd, or name another with --libvirt-uri",
        ),
    }
}

fn qemu_img() -> Finding {
    const CHECK: &str = "qemu-img";
    match Command::new("qemu-img").arg("--version").output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            Finding::ok(CHECK, text.lines().next().unwrap_or_default().to_owned())
        }
        Ok(output) => Finding::error(CHECK, output.status.to_string(), "install qemu-utils again"),
        Err(error) => Finding::error(CHECK, error.to_string(), "install qemu-utils"),
    }
}

fn port(listen: std::net::SocketAddr) -> Finding {
    const CHECK: &str = "port";
    match std::net::TcpListener::bind(listen) {
        Ok(_) => Finding::ok(CHECK, format!("{listen} is free")),
        Err(error) => Finding::error(
            CHECK,
            format!("{listen}: {error}"),
            "end what uses the port, or name another address with --listen",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_found() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(port(address).verdict, Verdict::Error);
        drop(taken);
        assert_eq!(port(address).verdict, Verdict::Ok);
    }

    #[tokio::test]
    async fn a_libvirt_that_is_not_there_is_found() {
        let finding = libvirt("qemu:///system?socket=/nonexistent/socket").await;
        assert_eq!(finding.verdict, Verdict::Error);
        assert!(!finding.remedy.is_empty());
    }
}
