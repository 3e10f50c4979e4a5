//! What needs no hypervisor: reports and acknowledgements, and a hypervisor that is away.

use std::fs;

use super::bench::{Host, eventually};
use crate::{
    Agent,
    wire::{InstanceState, Power},
};

async fn without_libvirt() -> Host {
    Host::new("qemu+unix:///system?socket=/nonexistent/libvirt-sock").await
}

#[tokio::test]
async fn a_hypervisor_that_is_away_makes_instances_unknown_and_no_events() {
    let mut host = without_libvirt().await;
    let wanted = host.blank();
    let id = wanted.id;
    host.server.want(|instances| instances.push(wanted));
    host.start();
    eventually("unknown", || async {
        host.server.seen(id).is_some_and(|seen| seen.state == InstanceState::Unknown)
    })
    .await;
    // A first report may come before libvirt was asked.
    let last = || host.server.state().reports.last().cloned();
    eventually("libvirt is named", || async {
        let problem = last().and_then(|report| report.host.problem);
        problem.is_some_and(|problem| problem.reason.contains("does not answer"))
    })
    .await;
    let report = last().unwrap();
    let problem = report.host.problem.unwrap();
    assert!(!report.host.hypervisor_ok);
    assert!(problem.remedy.contains("start libvirtd"), "{}", problem.remedy);
    assert_eq!(host.server.events(id), []);
    host.stop().await;
}

#[tokio::test]
async fn a_report_keeps_its_sequence_until_it_is_acknowledged() {
    let mut host = without_libvirt().await;
    host.server.state().lose_reports = 3;
    host.server.want(|_| {});
    host.start();
    eventually("a second report", || async { host.server.state().reports.len() >= 2 }).await;
    let sequences: Vec<_> = host.server.state().attempts.iter().map(|(_, n)| *n).collect();
    assert_eq!(sequences[..5], [1, 1, 1, 1, 2]);
    // Each start of the agent is another boot, and counts from 1.
    let first = host.server.state().attempts[0].0;
    host.kill().await;
    host.start();
    eventually("another boot", || async {
        host.server.state().attempts.iter().any(|(boot, n)| *boot != first && *n == 1)
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn two_agents_do_not_share_a_directory() {
    let mut host = without_libvirt().await;
    host.start();
    let second = Agent::new(host.config.clone(), base::time::SystemClock::shared());
    let error = second.map(drop).unwrap_err();
    assert_eq!(error.kind, base::ErrorKind::Conflict);
    host.stop().await;
    Agent::new(host.config.clone(), base::time::SystemClock::shared()).map(drop).unwrap();
}

#[tokio::test]
async fn what_is_wanted_is_kept_for_a_start_without_a_server() {
    let mut host = without_libvirt().await;
    let wanted = host.blank();
    host.server.want(|instances| instances.push(wanted.clone()));
    host.start();
    let path = host.config.data_dir.join("desired.json");
    eventually("it is kept", || async { path.exists() }).await;
    host.kill().await;
    let kept: crate::wire::Desired = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(kept.instances, [wanted]);
    assert_eq!(kept.instances[0].power, Power::Running);
}
