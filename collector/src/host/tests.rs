use base::time::Timestamp;

use super::*;
use crate::testing::{NOW, find};

#[tokio::test]
async fn this_machine_has_sane_figures() {
    let series = HostSource::default().collect(NOW).await.unwrap();
    let value = |name: &str| find(&series, name, &[]).unwrap_or_else(|| panic!("no {name}"));
    let memory = value("node_memory_MemTotal_bytes");
    assert!((64e6..1e14).contains(&memory), "{memory} bytes");
    assert!(value("node_memory_MemAvailable_bytes") <= memory);
    assert!((0.0..10_000.0).contains(&value("node_load1")));
    // After 2020.
    assert!(value("node_boot_time_seconds") > 1.577e9);
    assert!(value("node_context_switches_total") > 0.0);
    assert!(value("node_procs_running") >= 1.0, "we run");
    assert!(value("node_filefd_allocated") > 0.0);
    assert_eq!(find(&series, "node_uname_info", &[("sysname", "Linux")]), Some(1.0));
    let idle = find(&series, "node_cpu_seconds_total", &[("cpu", "0"), ("mode", "idle")]);
    assert!(idle.unwrap() >= 0.0);
    let loopback = [("device", "lo")];
    assert!(find(&series, "node_network_receive_bytes_total", &loopback).unwrap() >= 0.0);
    assert!(find(&series, "node_network_info", &loopback).is_some());
    for (name, _) in PARTS {
        let labels = [("collector", name)];
        assert_eq!(find(&series, "node_scrape_collector_success", &labels), Some(1.0), "{name}");
    }
    let size = series.iter().filter(|s| s.labels.name() == "node_filesystem_size_bytes");
    for one in size {
        let at = one.labels.get("mountpoint").unwrap();
        let free = find(&series, "node_filesystem_avail_bytes", &[("mountpoint", at)]).unwrap();
        assert!(free <= one.samples[0].value, "{at}");
    }
}

#[tokio::test]
async fn series_are_told_once_and_counters_grow() {
    let source = HostSource::default();
    let first = source.collect(NOW).await.unwrap();
    let labels: std::collections::BTreeSet<_> = first.iter().map(|s| s.labels.clone()).collect();
    assert_eq!(labels.len(), first.len(), "no series twice");
    let second = source.collect(NOW.saturating_add_ms(1)).await.unwrap();
    let switches = |s: &[Series]| find(s, "node_context_switches_total", &[]).unwrap();
    assert!(switches(&second) > switches(&first));
    assert_eq!(second[0].samples[0].at_ms, NOW.ms() + 1);
}

#[tokio::test]
async fn a_look_that_hangs_is_not_joined_by_a_second() {
    let source = HostSource::default();
    let _hanging = source.looking.lock().await;
    let error = source.collect(NOW).await.unwrap_err();
    assert_eq!(error.reason, FailureReason::Timeout);
}

fn parsed(add: impl Fn(&mut Samples)) -> Vec<Series> {
    let mut samples = Samples::at(Timestamp::from_ms(0));
    add(&mut samples);
    samples.into_series()
}

#[test]
fn cpus_keep_their_numbers() {
    let text = "cpu  300 0 0 0 0 0 0 0 0 0\n\
                cpu0 100 1 2 3 4 5 6 7 8 9\n\
                cpu3 200 0 0 0 0 0 0 0 0 0\n\
                intr 12345 0 0\n";
    let series = parsed(|samples| stat::cpu_from(text, 100, samples));
    let cpu = |cpu, mode| find(&series, "node_cpu_seconds_total", &[("cpu", cpu), ("mode", mode)]);
    assert_eq!(cpu("0", "user"), Some(1.0));
    assert_eq!(cpu("0", "steal"), Some(0.07));
    assert_eq!(cpu("3", "user"), Some(2.0));
    assert_eq!(cpu("", "user"), None, "the sum is no CPU");
    let guest = [("cpu", "0"), ("mode", "nice")];
    assert_eq!(find(&series, "node_cpu_guest_seconds_total", &guest), Some(0.09));
}

#[test]
fn memory_has_node_exporters_names() {
    let text = "MemTotal: 1024 kB\nActive(anon):  2 kB\nHugePages_Total:  5\nnonsense\n";
    let series = parsed(|samples| memory::from(text, samples));
    assert_eq!(find(&series, "node_memory_MemTotal_bytes", &[]), Some(1_048_576.0));
    assert_eq!(find(&series, "node_memory_Active_anon_bytes", &[]), Some(2048.0));
    assert_eq!(find(&series, "node_memory_HugePages_Total", &[]), Some(5.0));
    assert_eq!(series.len(), 3);
}

#[test]
fn what_node_exporter_leaves_out_is_left_out() {
    for part in ["sda1", "vda12", "xvda1", "loop0", "ram3", "zram0", "nvme0n1p2", "fd0"] {
        assert!(disk::is_part(part), "{part}");
    }
    for whole in ["sda", "vdb", "nvme0n1", "dm-0", "md127", "sr0", "mmcblk0", "vdaa1"] {
        assert!(!disk::is_part(whole), "{whole}");
    }
    assert!(filesystem::is_kept("ext4", "/"));
    assert!(filesystem::is_kept("tmpfs", "/run"));
    assert!(filesystem::is_kept("xfs", "/devices"));
    assert!(!filesystem::is_kept("tmpfs", "/dev/shm"));
    assert!(!filesystem::is_kept("overlay", "/"));
}

#[test]
fn stalls_are_in_seconds() {
    let text = "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n\
                full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
    assert_eq!(pressure::total_s(text, "some"), Some(2.5));
    assert_eq!(pressure::total_s("", "some"), None);
}
