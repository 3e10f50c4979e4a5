//! All domains' statistics by one call (`virConnectGetAllDomainStats`), as plain structs.
//!
//! A field is None where libvirt does not tell it: for a stopped guest, or one without a balloon
//! driver.

use uuid::Uuid;
use virt_sys as sys;

use crate::{
    connection::Hypervisor,
    domain,
    error::Result,
    raw::{self, StatsRecord, Value},
};

/// A record that claims more vCPUs, disks or NICs is cut off here.
const MAX_DEVICES: u64 = 4096;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct DomainStatistics {
    pub id: Uuid,
    pub name: String,
    /// See [`crate::Mark`]; None for a domain that OpsHawk did not make.
    pub mark: Option<crate::Mark>,
    /// `virDomainState`: 1 running, 3 paused, 5 shut off, …
    pub state: u64,
    pub state_reason: u64,
    /// Of QEMU as a whole.
    pub cpu_time_ns: Option<u64>,
    pub cpu_user_ns: Option<u64>,
    pub cpu_system_ns: Option<u64>,
    pub vcpus_current: Option<u64>,
    pub vcpus_maximum: Option<u64>,
    pub vcpus: Vec<VcpuStatistics>,
    pub memory: MemoryStatistics,
    pub disks: Vec<DiskStatistics>,
    pub nics: Vec<NicStatistics>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VcpuStatistics {
    pub number: u64,
    /// `virVcpuState`: 0 offline, 1 running, 2 blocked.
    pub state: Option<u64>,
    pub time_ns: Option<u64>,
    pub wait_ns: Option<u64>,
    pub delay_ns: Option<u64>,
}

/// In KiB unless the name says otherwise. What the guest itself says needs its balloon driver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryStatistics {
    pub current_kib: Option<u64>,
    pub maximum_kib: Option<u64>,
    pub swap_in_kib: Option<u64>,
    pub swap_out_kib: Option<u64>,
    pub major_faults: Option<u64>,
    pub minor_faults: Option<u64>,
    pub unused_kib: Option<u64>,
    pub available_kib: Option<u64>,
    pub usable_kib: Option<u64>,
    pub disk_caches_kib: Option<u64>,
    pub last_update_s: Option<u64>,
    /// What QEMU takes of the host.
    pub rss_kib: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskStatistics {
    /// The target, for instance `vda`.
    pub name: String,
    pub path: String,
    pub read_requests: Option<u64>,
    pub read_bytes: Option<u64>,
    pub read_time_ns: Option<u64>,
    pub write_requests: Option<u64>,
    pub write_bytes: Option<u64>,
    pub write_time_ns: Option<u64>,
    pub flush_requests: Option<u64>,
    pub flush_time_ns: Option<u64>,
    pub allocation_bytes: Option<u64>,
    pub capacity_bytes: Option<u64>,
    pub physical_bytes: Option<u64>,
}

/// Seen from the guest: `receive` is what it got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NicStatistics {
    /// The host's end, for instance `vnet3`.
    pub name: String,
    pub receive_bytes: Option<u64>,
    pub receive_packets: Option<u64>,
    pub receive_errors: Option<u64>,
    pub receive_drops: Option<u64>,
    pub transmit_bytes: Option<u64>,
    pub transmit_packets: Option<u64>,
    pub transmit_errors: Option<u64>,
    pub transmit_drops: Option<u64>,
}

impl Hypervisor {
    pub async fn statistics(&self) -> Result<Vec<DomainStatistics>> {
        self.call("read statistics", |connect| {
            let groups = sys::VIR_DOMAIN_STATS_STATE
                | sys::VIR_DOMAIN_STATS_CPU_TOTAL
                | sys::VIR_DOMAIN_STATS_BALLOON
                | sys::VIR_DOMAIN_STATS_VCPU
                | sys::VIR_DOMAIN_STATS_INTERFACE
                | sys::VIR_DOMAIN_STATS_BLOCK;
            let records = raw::all_stats(connect, groups)?;
            let mut statistics: Vec<_> = records.iter().map(from_record).collect();
            for one in &mut statistics {
                // A domain that vanished meanwhile has no mark any more.
                let domain = connect.lookup_domain_by_uuid(one.id).ok();
                one.mark = domain.and_then(|domain| domain::mark(&domain).ok().flatten());
            }
            Ok(statistics)
        })
        .await
    }
}

/// Field names: <https://libvirt.org/html/libvirt-libvirt-domain.html#virConnectGetAllDomainStats>.
fn from_record(record: &StatsRecord) -> DomainStatistics {
    let get = Fields(&record.values);
    let prefixed = |prefix: &str, n: u64, field: &str| get.int(&format!("{prefix}.{n}.{field}"));
    let named = |prefix: &str, n: u64, field: &str| get.text(&format!("{prefix}.{n}.{field}"));
    let count = |field: &str| get.int(field).unwrap_or(0).min(MAX_DEVICES);
    let vcpu = |n| VcpuStatistics {
        number: n,
        state: prefixed("vcpu", n, "state"),
        time_ns: prefixed("vcpu", n, "time"),
        wait_ns: prefixed("vcpu", n, "wait"),
        delay_ns: prefixed("vcpu", n, "delay"),
    };
    let disk = |n| DiskStatistics {
        name: named("block", n, "name"),
        path: named("block", n, "path"),
        read_requests: prefixed("block", n, "rd.reqs"),
        read_bytes: prefixed("block", n, "rd.bytes"),
        read_time_ns: prefixed("block", n, "rd.times"),
        write_requests: prefixed("block", n, "wr.reqs"),
        write_bytes: prefixed("block", n, "wr.bytes"),
        write_time_ns: prefixed("block", n, "wr.times"),
        flush_requests: prefixed("block", n, "fl.reqs"),
        flush_time_ns: prefixed("block", n, "fl.times"),
        allocation_bytes: prefixed("block", n, "allocation"),
        capacity_bytes: prefixed("block", n, "capacity"),
        physical_bytes: prefixed("block", n, "physical"),
    };
    // libvirt counts a tap device's directions as the guest sees them.
    let nic = |n| NicStatistics {
        name: named("net", n, "name"),
        receive_bytes: prefixed("net", n, "rx.bytes"),
        receive_packets: prefixed("net", n, "rx.pkts"),
        receive_errors: prefixed("net", n, "rx.errs"),
        receive_drops: prefixed("net", n, "rx.drop"),
        transmit_bytes: prefixed("net", n, "tx.bytes"),
        transmit_packets: prefixed("net", n, "tx.pkts"),
        transmit_errors: prefixed("net", n, "tx.errs"),
        transmit_drops: prefixed("net", n, "tx.drop"),
    };
    DomainStatistics {
        id: record.uuid,
        name: record.name.clone(),
        mark: None,
        state: get.int("state.state").unwrap_or(0),
        state_reason: get.int("state.reason").unwrap_or(0),
        cpu_time_ns: get.int("cpu.time"),
        cpu_user_ns: get.int("cpu.user"),
        cpu_system_ns: get.int("cpu.system"),
        vcpus_current: get.int("vcpu.current"),
        vcpus_maximum: get.int("vcpu.maximum"),
        // Numbers of unplugged vCPUs are left out of a record.
        vcpus: (0..count("vcpu.maximum"))
            .map(vcpu)
            .filter(|v| v.state.is_some() || v.time_ns.is_some())
            .collect(),
        memory: memory(&get),
        disks: (0..count("block.count")).map(disk).collect(),
        nics: (0..count("net.count")).map(nic).collect(),
    }
}

fn memory(get: &Fields<'_>) -> MemoryStatistics {
    MemoryStatistics {
        current_kib: get.int("balloon.current"),
        maximum_kib: get.int("balloon.maximum"),
        swap_in_kib: get.int("balloon.swap_in"),
        swap_out_kib: get.int("balloon.swap_out"),
        major_faults: get.int("balloon.major_fault"),
        minor_faults: get.int("balloon.minor_fault"),
        unused_kib: get.int("balloon.unused"),
        available_kib: get.int("balloon.available"),
        usable_kib: get.int("balloon.usable"),
        disk_caches_kib: get.int("balloon.disk_caches"),
        last_update_s: get.int("balloon.last-update"),
        rss_kib: get.int("balloon.rss"),
    }
}

struct Fields<'a>(&'a [(String, Value)]);

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }
    fn int(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }
    fn text(&self, name: &str) -> String {
        match self.get(name) {
            Some(Value::Text(value)) => value.clone(),
            _ => String::new(),
        }
    }
}
