use std::time::Duration;

use super::*;

async fn told(board: &Board) -> bool {
    tokio::time::timeout(Duration::from_millis(1), board.changed()).await.is_ok()
}

#[tokio::test]
async fn a_host_that_becomes_usable_or_unusable_is_news() {
    let board = Board::default();
    let info = hypervisor::HostInfo {
        cpus: 2,
        memory_mib: 1024,
        domain_type: hypervisor::DomainType::Qemu,
        libvirt_version: "9.0.0".into(),
        hypervisor_version: "7.2.22".into(),
    };
    // The first facts, with no problem before: the report must not wait for its time.
    board.set_host(|host| host.info = Some(info.clone()));
    assert!(told(&board).await);
    board.set_host(|host| host.info = Some(info));
    assert!(!told(&board).await, "nothing new");

    let problem = Problem { reason: "gone".into(), remedy: "start it".into() };
    board.set_host(|host| host.problem = Some(problem));
    assert!(told(&board).await);
    board.set_host(|host| host.problem = None);
    assert!(told(&board).await);
}
