//! Against a real libvirtd: `OPSHAWK_TEST_LIBVIRT` is its URI, `OPSHAWK_TEST_GUEST_DIR` holds
//! `kernel`, `ramdisk` and `disk.qcow2` of a guest that prints to its serial port, follows
//! ACPI and asks DHCP for an address.

use std::{fs, future::Future, path::PathBuf, time::Duration};

use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use uuid::Uuid;

use super::xml::spec;
use crate::{
    Attach, Boot, DomainSpec, DomainState, Error, Event, Hypervisor, NatNetwork, Nic, Settings,
};

pub const PATIENCE: Duration = Duration::from_secs(60);
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The lab's libvirtd and guest; none where the lab isn't up, and a failure where it should be.
pub fn lab() -> Option<(Hypervisor, PathBuf)> {
    let all = std::env::var_os("OPSHAWK_TEST_ALL").is_some();
    let var = |name: &str| match std::env::var(name) {
        Ok(value) => Some(value),
        Err(_) if all => panic!("OPSHAWK_TEST_ALL is set, but {name} is not: start the lab"),
        Err(_) => None,
    };
    let uri = var("OPSHAWK_TEST_LIBVIRT")?;
    let guest = PathBuf::from(var("OPSHAWK_TEST_GUEST_DIR")?);
    Some((Hypervisor::new(Settings::new(uri)), guest))
}

pub async fn eventually<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let wait = async {
        while !check().await {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never: {what}");
}

/// A guest of its own directory, removed with the value.
pub struct Guest {
    pub spec: DomainSpec,
    _dir: tempfile::TempDir,
}

pub fn guest(files: &std::path::Path, network: Option<&str>) -> Guest {
    let dir = tempfile::tempdir().unwrap();
    let id = Uuid::now_v7();
    let disk = dir.path().join("disk.qcow2");
    fs::copy(files.join("disk.qcow2"), &disk).unwrap();
    let octets = &id.as_bytes()[13..];
    let mac = format!("52:54:00:{:02x}:{:02x}:{:02x}", octets[0], octets[1], octets[2]);
    let spec = DomainSpec {
        disk,
        seed: None,
        owner: "hypervisor-tests".to_owned(),
        nic: network.map(|n| Nic { mac, attach: Attach::Network(n.to_owned()) }),
        boot: Boot::Kernel {
            kernel: files.join("kernel"),
            initrd: Some(files.join("ramdisk")),
            cmdline: "console=ttyS0 panic=-1".to_owned(),
        },
        serial_log: dir.path().join("serial.log"),
        ..spec(id)
    };
    Guest { spec, _dir: dir }
}

async fn state(hypervisor: &Hypervisor, id: Uuid) -> Option<DomainState> {
    hypervisor.domain(id).await.unwrap().map(|domain| domain.state)
}

/// What came and is kept; other tests' guests may have filled more than that.
fn drained(events: &mut Receiver<Event>) -> Vec<Event> {
    let mut all = Vec::new();
    loop {
        match events.try_recv() {
            Ok(event) => all.push(event),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return all,
        }
    }
}

#[tokio::test]
async fn a_guest_lives_its_whole_life() {
    let Some((hypervisor, files)) = lab() else { return };
    let network = NatNetwork {
        name: "hypervisor-test".to_owned(),
        bridge: "ohtest0".to_owned(),
        gateway: [192, 168, 241, 1].into(),
    };
    let mut events = hypervisor.events();
    hypervisor.ensure_network(&network).await.unwrap();
    assert!(drained(&mut events).contains(&Event::Connected));
    hypervisor.ensure_network(&network).await.unwrap();
    let Guest { spec, _dir } = guest(&files, Some(&network.name));
    let (id, log) = (spec.id, spec.serial_log.clone());
    let claim = hypervisor.claim(&spec.owner);

    claim.define(spec.clone()).await.unwrap();
    assert_eq!(state(&hypervisor, id).await, Some(DomainState::Stopped));
    claim.start(id).await.unwrap();
    claim.start(id).await.unwrap();
    eventually("an address", || async { !hypervisor.addresses(id).await.unwrap().is_empty() })
        .await;
    let address = hypervisor.addresses(id).await.unwrap().remove(0);
    assert!(address.starts_with("192.168.241."), "{address}");
    assert!(fs::metadata(&log).unwrap().len() > 0, "the serial port prints");

    let seen = hypervisor.domains().await.unwrap();
    let seen = seen.iter().find(|domain| domain.id == id).unwrap();
    assert!(seen.is_owned_by("hypervisor-tests"));
    assert_eq!(seen.mark.as_ref().unwrap().generation, spec.generation);

    let statistics = hypervisor.statistics().await.unwrap();
    let one = statistics.iter().find(|s| s.id == id).unwrap();
    assert!(one.cpu_time_ns.unwrap() > 0);
    assert_eq!(one.vcpus.len(), 1);
    assert_eq!(one.memory.maximum_kib, Some(160 * 1024));
    assert_eq!(one.disks[0].name, "vda");
    assert!(one.nics[0].transmit_packets.unwrap() > 0);
    assert_eq!(one.mark, seen.mark);

    let ports = async || hypervisor.ports_of(id).await.unwrap();
    let born = ports().await.unwrap();
    assert_eq!((&born.life, born.mark.as_ref()), (&None, seen.mark.as_ref()));
    assert_eq!(born.ports[0].mac, spec.nic.as_ref().unwrap().mac);
    assert!(born.ports[0].sent_bytes > 0, "it asked for an address: {born:?}");
    assert!(born.ports[0].received_bytes > 0, "and got one: {born:?}");
    claim.name_life(id, "first").await.unwrap();
    claim.name_life(id, "again").await.unwrap();
    assert_eq!(ports().await.unwrap().life.as_deref(), Some("first"));
    let all = hypervisor.ports().await.unwrap();
    assert_eq!(all.iter().filter(|guest| guest.id == id).count(), 1);

    claim.suspend(id).await.unwrap();
    claim.suspend(id).await.unwrap();
    assert_eq!(state(&hypervisor, id).await, Some(DomainState::Paused { by_user: true }));
    claim.resume(id).await.unwrap();
    assert_eq!(state(&hypervisor, id).await, Some(DomainState::Running));

    // A definition may be renewed while the guest runs.
    claim.define(DomainSpec { generation: 4, ..spec.clone() }).await.unwrap();
    assert_eq!(ports().await.unwrap().life.as_deref(), Some("first"));
    claim.shutdown(id).await.unwrap();
    eventually("down by ACPI", || async {
        state(&hypervisor, id).await == Some(DomainState::Stopped)
    })
    .await;
    assert_eq!(hypervisor.domain(id).await.unwrap().unwrap().reason, "shut_down");
    claim.shutdown(id).await.unwrap();
    claim.destroy(id).await.unwrap();
    assert_eq!(ports().await, None, "what does not run counts nothing");
    claim.name_life(id, "none").await.unwrap();
    claim.start(id).await.unwrap();
    let next = ports().await.unwrap();
    assert_eq!(next.life, None, "a life's name ends with it");
    assert_ne!((next.number, &next.ports[0].device), (born.number, &born.ports[0].device));
    claim.destroy(id).await.unwrap();
    claim.undefine(id).await.unwrap();
    claim.undefine(id).await.unwrap();
    assert_eq!(state(&hypervisor, id).await, None);
    assert!(matches!(claim.start(id).await, Err(Error::NotFound { .. })));
    hypervisor.remove_network(&network.name).await.unwrap();

    let heard = drained(&mut events);
    assert!(heard.iter().any(|e| matches!(e, Event::Domain { id: of, .. } if *of == id)));
}

#[tokio::test]
async fn a_domain_of_somebody_else_is_left_alone() {
    let Some((hypervisor, files)) = lab() else { return };
    // One without any mark, and one of another OpsHawk.
    let unmarked = guest(&files, None);
    let xml = unmarked.spec.to_xml().unwrap();
    let (before, after) = (xml.find("  <metadata>").unwrap(), xml.find("  <memory").unwrap());
    let xml = format!("{}{}", &xml[..before], &xml[after..]);
    let define = move |connect: &virt::connect::Connect| {
        connect.define_domain_xml(&xml)?.create()?;
        Ok(())
    };
    hypervisor.call("define a foreign domain", define).await.unwrap();
    let other = guest(&files, None);
    let theirs = hypervisor.claim(&other.spec.owner);
    theirs.define(other.spec.clone()).await.unwrap();
    theirs.start(other.spec.id).await.unwrap();

    let ours = hypervisor.claim("another-host");
    for spec in [&unmarked.spec, &other.spec] {
        let id = spec.id;
        let mine = DomainSpec { owner: "another-host".to_owned(), ..spec.clone() };
        let refused = [
            ours.define(mine).await,
            ours.define(spec.clone()).await,
            ours.start(id).await,
            ours.shutdown(id).await,
            ours.suspend(id).await,
            ours.resume(id).await,
            ours.name_life(id, "ours").await,
            ours.destroy(id).await,
            ours.undefine(id).await,
        ];
        for result in refused {
            assert!(matches!(result, Err(Error::Foreign { .. })), "{result:?}");
        }
        assert_eq!(state(&hypervisor, id).await, Some(DomainState::Running));
    }
    theirs.undefine(other.spec.id).await.unwrap();
    let id = unmarked.spec.id;
    let remove = move |connect: &virt::connect::Connect| {
        let domain = connect.lookup_domain_by_uuid(id)?;
        domain.destroy()?;
        Ok(domain.undefine()?)
    };
    hypervisor.call("remove the foreign domain", remove).await.unwrap();
}

#[tokio::test]
async fn a_network_of_somebody_else_is_left_alone() {
    let Some((hypervisor, _)) = lab() else { return };
    let network = NatNetwork {
        name: "hypervisor-foreign".to_owned(),
        bridge: "ohtest1".to_owned(),
        gateway: [192, 168, 242, 1].into(),
    };
    let xml = "<network><name>hypervisor-foreign</name><bridge name='ohtest1'/></network>";
    let define =
        |connect: &virt::connect::Connect| Ok(connect.define_network_xml(xml).map(drop)?);
    hypervisor.call("define a foreign network", define).await.unwrap();
    let refused = hypervisor.ensure_network(&network).await;
    assert!(matches!(refused, Err(Error::Foreign { .. })), "{refused:?}");
    let refused = hypervisor.remove_network(&network.name).await;
    assert!(matches!(refused, Err(Error::Foreign { .. })), "{refused:?}");
    let remove = |connect: &virt::connect::Connect| {
        let network = connect.lookup_network_by_name("hypervisor-foreign")?;
        assert!(!network.is_active()?, "it was started");
        Ok(network.undefine()?)
    };
    hypervisor.call("remove the foreign network", remove).await.unwrap();
}

#[tokio::test]
async fn a_libvirtd_that_is_not_there_is_an_error_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("sock");
    let uri = format!("qemu+unix:///system?socket={}", socket.display());
    let hypervisor = Hypervisor::new(Settings::new(uri));
    let error = hypervisor.domains().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.is_unavailable() && error.remedy().contains("start libvirtd"));
}

#[tokio::test]
async fn a_libvirtd_that_is_silent_holds_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("sock");
    // It accepts and says nothing.
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let mut settings = Settings::new(format!("qemu+unix:///system?socket={}", socket.display()));
    settings.connect_timeout_ms = 200;
    let hypervisor = Hypervisor::new(settings);
    for _ in 0..2 {
        let error = hypervisor.domains().await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    }
    // When it gives up, the next call tries again.
    drop(listener);
    fs::remove_file(&socket).unwrap();
    eventually("a fresh attempt", || async {
        let error = hypervisor.domains().await.unwrap_err().to_string();
        !error.contains("no connection within")
    })
    .await;
}
