use super::*;
use crate::testing::{NOW, find};

fn running(id: Uuid, name: &str) -> DomainStatistics {
    DomainStatistics {
        id,
        name: name.into(),
        state: 1,
        cpu_time_ns: Some(12_500_000_000),
        vcpus_current: Some(2),
        vcpus_maximum: Some(2),
        vcpus: vec![VcpuStatistics { number: 1, time_ns: Some(500_000_000), ..Default::default() }],
        memory: MemoryStatistics {
            current_kib: Some(163_840),
            maximum_kib: Some(163_840),
            available_kib: Some(100_000),
            usable_kib: Some(75_000),
            ..Default::default()
        },
        disks: vec![DiskStatistics {
            name: "vda".into(),
            read_bytes: Some(4096),
            read_time_ns: Some(2_000_000_000),
            ..Default::default()
        }],
        nics: vec![NicStatistics {
            name: "vnet0".into(),
            receive_bytes: Some(10),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn target(domain_id: Uuid) -> InstanceTarget {
    InstanceTarget { instance_id: InstanceId::new(), tenant_id: TenantId::new(), domain_id }
}

#[test]
fn a_guest_under_the_exporters_names_with_its_owner() {
    let id = Uuid::from_u128(7);
    let owner = target(id);
    let series = series(&[running(id, "web-1")], std::slice::from_ref(&owner), NOW);
    let (tenant, instance) = (owner.tenant_id.to_string(), owner.instance_id.to_string());
    let who = [("domain", "web-1"), ("tenant", tenant.as_str()), ("instance_id", &instance)];
    let value = |name: &str| find(&series, name, &who);
    assert_eq!(value("libvirt_domain_info_vstate"), Some(1.0));
    assert_eq!(value("libvirt_domain_info_cpu_time_seconds_total"), Some(12.5));
    assert_eq!(value("libvirt_domain_info_virtual_cpus"), Some(2.0));
    assert_eq!(value("libvirt_domain_info_memory_usage_bytes"), Some(167_772_160.0));
    assert_eq!(value("libvirt_domain_info_maximum_memory_bytes"), Some(167_772_160.0));
    assert_eq!(value("libvirt_domain_memory_stats_used_percent"), Some(25.0));
    assert_eq!(value("libvirt_domain_memory_stats_unused_bytes"), None, "not told");
    let disk = [("target_device", "vda")];
    assert_eq!(find(&series, "libvirt_domain_block_stats_read_bytes_total", &disk), Some(4096.0));
    assert_eq!(
        find(&series, "libvirt_domain_block_stats_read_time_seconds_total", &disk),
        Some(2.0)
    );
    let nic = [("target_device", "vnet0")];
    assert_eq!(
        find(&series, "libvirt_domain_interface_stats_receive_bytes_total", &nic),
        Some(10.0)
    );
    let vcpu = [("vcpu", "1")];
    assert_eq!(find(&series, "libvirt_domain_vcpu_time_seconds_total", &vcpu), Some(0.5));
    let state = [("state_desc", "the domain is running")];
    assert_eq!(find(&series, "libvirt_domain_info_state", &state), Some(1.0));
    assert_eq!(find(&series, "libvirt_up", &[]), Some(1.0));
}

#[test]
fn a_domain_that_is_nobodys_is_not_told_of() {
    let ours = Uuid::from_u128(7);
    let domains = [running(ours, "web-1"), running(Uuid::from_u128(8), "private")];
    let series = series(&domains, &[target(ours)], NOW);
    assert_eq!(find(&series, "libvirt_domain_info_vstate", &[("domain", "private")]), None);
    assert_eq!(find(&series, "libvirt_domains", &[]), Some(1.0));
}

#[tokio::test]
async fn a_libvirt_that_does_not_answer_is_down() {
    let settings = hypervisor::Settings::new("qemu+unix:///system?socket=/nonexistent/socket");
    let (_sender, targets) = watch::channel(Vec::new());
    let source = GuestSource::new(Hypervisor::new(settings), targets);
    let error = source.collect(NOW).await.unwrap_err();
    assert_eq!(error.reason, FailureReason::Unreachable, "{error}");
    assert_eq!(find(&error.partial, "libvirt_up", &[]), Some(0.0));
}
