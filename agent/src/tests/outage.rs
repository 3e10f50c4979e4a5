//! A libvirtd that goes away and comes back, played by a proxy in front of the real one: others
//! use that too.

use std::path::{Path, PathBuf};

use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

use super::bench::{Host, eventually, lab};
use crate::wire::InstanceState::{Running, Unknown};

/// While it lives, its socket is libvirtd's; when it is dropped, nobody answers there.
struct Proxy(JoinHandle<()>);

impl Drop for Proxy {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn proxy(front: &Path, back: &Path) -> Proxy {
    let _ = std::fs::remove_file(front);
    let listener = UnixListener::bind(front).unwrap();
    let back = back.to_owned();
    Proxy(tokio::spawn(async move {
        // Aborted with this task, as a process takes its connections with it.
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = UnixStream::connect(&back).await.unwrap();
            connections.spawn(async move {
                let _ = copy_bidirectional(&mut near, &mut far).await;
            });
        }
    }))
}

#[tokio::test]
async fn a_libvirtd_that_dies_makes_a_running_guest_unknown_and_never_stopped() {
    let Some((uri, _)) = lab() else { return };
    let back = uri.split_once("socket=").map_or("/run/libvirt/libvirt-sock", |(_, path)| path);
    let (dir, back) = (tempfile::tempdir().unwrap(), PathBuf::from(back));
    let front = dir.path().join("sock");
    let running = proxy(&front, &back);
    let mut host = Host::new(&format!("qemu+unix:///system?socket={}", front.display())).await;
    let wanted = host.blank();
    let id = wanted.id;
    host.server.want(|instances| instances.push(wanted));
    host.start();
    host.until(id, 1, Running).await;
    let since = host.server.seen(id).unwrap().since;

    drop(running);
    eventually("unknown", || async {
        let state = host.server.state();
        let last = state.reports.last().unwrap();
        last.instances[0].state == Unknown && last.host.problem.is_some()
    })
    .await;
    let problem = host.server.state().reports.last().unwrap().host.problem.clone().unwrap();
    assert!(problem.remedy.contains("start libvirtd"), "{problem:?}");

    let _back = proxy(&front, &back);
    eventually("running again", || async {
        let state = host.server.state();
        let last = state.reports.last().unwrap();
        last.instances[0].state == Running && last.host.hypervisor_ok
    })
    .await;
    assert_eq!(host.server.seen(id).unwrap().since, since);
    assert_eq!(host.server.events(id).len(), 1, "an outage is no change of the guest");
    host.remove(id).await;
    host.stop().await;
}
