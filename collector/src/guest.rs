//! libvirt's guests, under the names and labels of prometheus-libvirt-exporter (inovex), with
//! `tenant` and `instance_id`.
//! <https://github.com/inovex/prometheus-libvirt-exporter>

use std::collections::BTreeMap;

use async_trait::async_trait;
use base::{
    id::{InstanceId, TenantId},
    sample::Series,
    time::Timestamp,
};
use hypervisor::{
    DomainStatistics, Hypervisor,
    stats::{DiskStatistics, MemoryStatistics, NicStatistics, VcpuStatistics},
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::source::{FailureReason, Samples, Source, SourceError, float};

/// Whose a domain is. Domains that are nobody's are not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceTarget {
    pub instance_id: InstanceId,
    pub tenant_id: TenantId,
    pub domain_id: Uuid,
}

pub struct GuestSource {
    hypervisor: Hypervisor,
    targets: watch::Receiver<Vec<InstanceTarget>>,
}

impl GuestSource {
    /// `targets` may change at any time; a look takes the newest.
    pub fn new(hypervisor: Hypervisor, targets: watch::Receiver<Vec<InstanceTarget>>) -> Self {
        Self { hypervisor, targets }
    }
}

#[async_trait]
impl Source for GuestSource {
    fn name(&self) -> &str {
        "guest"
    }
    fn job(&self) -> &'static str {
        "libvirt"
    }
    async fn collect(&self, now: Timestamp) -> Result<Vec<Series>, SourceError> {
        match self.hypervisor.statistics().await {
            Ok(statistics) => {
                let targets = self.targets.borrow().clone();
                Ok(series(&statistics, &targets, now))
            }
            Err(error) => {
                let reason = if error.is_unavailable() {
                    FailureReason::Unreachable
                } else {
                    FailureReason::Refused
                };
                let mut samples = Samples::at(now);
                samples.add("libvirt_up", &[], 0.0);
                Err(SourceError::new(reason, error.to_string()).with(samples.into_series()))
            }
        }
    }
}

/// Pure: what one look says.
fn series(
    statistics: &[DomainStatistics],
    targets: &[InstanceTarget],
    now: Timestamp,
) -> Vec<Series> {
    let owners: BTreeMap<Uuid, &InstanceTarget> =
        targets.iter().map(|target| (target.domain_id, target)).collect();
    let mut samples = Samples::at(now);
    samples.add("libvirt_up", &[], 1.0);
    let mut domains = 0u32;
    for domain in statistics {
        if let Some(target) = owners.get(&domain.id) {
            domains += 1;
            Domain { domain, target, samples: &mut samples }.add_all();
        }
    }
    samples.add("libvirt_domains", &[], f64::from(domains));
    samples.into_series()
}

/// Writes one domain's samples.
struct Domain<'a> {
    domain: &'a DomainStatistics,
    target: &'a InstanceTarget,
    samples: &'a mut Samples,
}

impl Domain<'_> {
    /// `libvirt_domain_<name>`, with the domain's identity and `more`.
    fn add(&mut self, name: &str, more: &[(&str, &str)], value: Option<f64>) {
        let tenant = self.target.tenant_id.to_string();
        let instance = self.target.instance_id.to_string();
        let mut labels = vec![
            ("domain", self.domain.name.as_str()),
            ("tenant", tenant.as_str()),
            ("instance_id", instance.as_str()),
        ];
        labels.extend(more);
        self.samples.maybe(&format!("libvirt_domain_{name}"), &labels, value);
    }

    fn add_all(mut self) {
        let domain = self.domain;
        let state = Some(float(domain.state));
        self.add("info_vstate", &[], state);
        self.add("info_state", &[("state_desc", state_text(domain.state))], state);
        self.add("info_cpu_time_seconds_total", &[], domain.cpu_time_ns.map(seconds));
        self.add("info_virtual_cpus", &[], domain.vcpus_current.map(float));
        self.add("info_maximum_memory_bytes", &[], domain.memory.maximum_kib.map(bytes));
        self.add("info_memory_usage_bytes", &[], domain.memory.current_kib.map(bytes));
        self.add("vcpu_current", &[], domain.vcpus_current.map(float));
        self.add("vcpu_maximum", &[], domain.vcpus_maximum.map(float));
        for vcpu in &domain.vcpus {
            self.add_vcpu(vcpu);
        }
        self.add_memory(&domain.memory);
        for disk in &domain.disks {
            self.add_disk(disk);
        }
        for nic in &domain.nics {
            self.add_nic(nic);
        }
    }

    fn add_vcpu(&mut self, vcpu: &VcpuStatistics) {
        let number = vcpu.number.to_string();
        let labels = [("vcpu", number.as_str())];
        self.add("vcpu_state", &labels, vcpu.state.map(float));
        self.add("vcpu_time_seconds_total", &labels, vcpu.time_ns.map(seconds));
        self.add("vcpu_wait_seconds_total", &labels, vcpu.wait_ns.map(seconds));
        self.add("vcpu_delay_seconds_total", &labels, vcpu.delay_ns.map(seconds));
    }

    fn add_memory(&mut self, memory: &MemoryStatistics) {
        let stats = [
            ("swap_in_bytes", memory.swap_in_kib.map(bytes)),
            ("swap_out_bytes", memory.swap_out_kib.map(bytes)),
            ("unused_bytes", memory.unused_kib.map(bytes)),
            ("available_bytes", memory.available_kib.map(bytes)),
            ("usable_bytes", memory.usable_kib.map(bytes)),
            ("rss_bytes", memory.rss_kib.map(bytes)),
            ("actual_balloon_bytes", memory.current_kib.map(bytes)),
            ("major_fault_total", memory.major_faults.map(float)),
            ("minor_fault_total", memory.minor_faults.map(float)),
            ("used_percent", used_percent(memory)),
        ];
        for (name, value) in stats {
            self.add(&format!("memory_stats_{name}"), &[], value);
        }
    }

    fn add_disk(&mut self, disk: &DiskStatistics) {
        let labels = [("target_device", disk.name.as_str())];
        let stats = [
            ("read_bytes_total", disk.read_bytes.map(float)),
            ("read_requests_total", disk.read_requests.map(float)),
            ("read_time_seconds_total", disk.read_time_ns.map(seconds)),
            ("write_bytes_total", disk.write_bytes.map(float)),
            ("write_requests_total", disk.write_requests.map(float)),
            ("write_time_seconds_total", disk.write_time_ns.map(seconds)),
            ("flush_requests_total", disk.flush_requests.map(float)),
            ("flush_time_seconds_total", disk.flush_time_ns.map(seconds)),
            ("capacity_bytes", disk.capacity_bytes.map(float)),
            ("allocation_bytes", disk.allocation_bytes.map(float)),
            ("physical_bytes", disk.physical_bytes.map(float)),
        ];
        for (name, value) in stats {
            self.add(&format!("block_stats_{name}"), &labels, value);
        }
    }

    fn add_nic(&mut self, nic: &NicStatistics) {
        let labels = [("target_device", nic.name.as_str())];
        let stats = [
            ("receive_bytes_total", nic.receive_bytes),
            ("receive_packets_total", nic.receive_packets),
            ("receive_errors_total", nic.receive_errors),
            ("receive_drops_total", nic.receive_drops),
            ("transmit_bytes_total", nic.transmit_bytes),
            ("transmit_packets_total", nic.transmit_packets),
            ("transmit_errors_total", nic.transmit_errors),
            ("transmit_drops_total", nic.transmit_drops),
        ];
        for (name, value) in stats {
            self.add(&format!("interface_stats_{name}"), &labels, value.map(float));
        }
    }
}

fn bytes(kib: u64) -> f64 {
    float(kib) * 1024.0
}

fn seconds(ns: u64) -> f64 {
    float(ns) / 1e9
}

/// Needs the guest's balloon driver.
fn used_percent(memory: &MemoryStatistics) -> Option<f64> {
    let available = float(memory.available_kib.filter(|kib| *kib > 0)?);
    Some((available - float(memory.usable_kib?)) / available * 100.0)
}

/// `virDomainState`, in the exporter's words.
const fn state_text(state: u64) -> &'static str {
    match state {
        1 => "the domain is running",
        2 => "the domain is blocked on resource",
        3 => "the domain is paused by user",
        4 => "the domain is being shut down",
        5 => "the domain is shut off",
        6 => "the domain is crashed",
        7 => "the domain is suspended by guest power management",
        _ => "no state",
    }
}

#[cfg(test)]
mod tests;
