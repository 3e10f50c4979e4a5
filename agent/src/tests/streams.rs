//! Live consoles, as the server sees the agent carry them. What a real guest prints and is typed is
//! told by the hypervisor's own tests and by the end-to-end ones.

use std::{collections::BTreeSet, time::Duration};

use base::id::{InstanceId, StreamId};
use futures::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use super::{
    bench::{Host, eventually, lab},
    server::WebSocket,
};
use crate::wire::{InstanceState, StreamKind, StreamWanted, close};

const PATIENCE: Duration = Duration::from_secs(60);

fn wanted(instance_id: InstanceId, kind: StreamKind) -> StreamWanted {
    StreamWanted { id: StreamId::new(), instance_id, kind }
}

async fn dialled(host: &Host, wanted: &StreamWanted) -> WebSocket {
    let id = wanted.id.to_string();
    let here = |(other, _): &(String, WebSocket)| *other == id;
    eventually("it is dialled", || async { host.server.state().dialled.iter().any(here) }).await;
    let mut state = host.server.state();
    let at = state.dialled.iter().position(here).unwrap();
    state.dialled.remove(at).1
}

async fn closed(mut socket: WebSocket) -> (u16, String) {
    let close = async {
        loop {
            match socket.next().await.expect("it ended").expect("it broke") {
                Message::Close(frame) => return frame.expect("a code"),
                _ => continue,
            }
        }
    };
    let frame = tokio::time::timeout(PATIENCE, close).await.expect("it is not closed");
    (frame.code.into(), frame.reason.to_string())
}

#[tokio::test]
async fn a_console_that_cannot_be_opened_says_why_and_nothing_of_the_host() {
    let mut host = Host::new("qemu+unix:///system?socket=/nonexistent/libvirt-sock").await;
    let instance = host.blank();
    let id = instance.id;
    let [serial, screen] = [StreamKind::Serial, StreamKind::Screen].map(|kind| wanted(id, kind));
    host.server.state().streams = vec![serial.clone(), screen.clone()];
    // Before it knows which domains are its own, it opens none.
    host.start();
    let (code, reason) = closed(dialled(&host, &serial).await).await;
    assert_eq!(code, close::TRY_AGAIN, "{reason}");
    host.server.want(|instances| instances.push(instance));
    eventually("it knows what it runs", || async { host.server.seen(id).is_some() }).await;
    let screen = wanted(id, StreamKind::Screen);
    let serial = wanted(id, StreamKind::Serial);
    host.server.state().streams = vec![serial.clone(), screen.clone()];
    for wanted in [serial, screen] {
        let (code, reason) = closed(dialled(&host, &wanted).await).await;
        assert_eq!(code, close::FAILED);
        assert_eq!(reason, "the host's hypervisor does not answer");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_guests_consoles_end_with_it_and_the_last_one_has_the_port() {
    let Some((uri, _)) = lab() else { return };
    let mut host = Host::new(&uri).await;
    let instance = host.blank();
    let id = instance.id;
    host.server.want(|instances| instances.push(instance));
    host.start();
    host.until(id, 1, InstanceState::Running).await;
    // All named at once and again and again: each is dialled once, the last one has the port.
    let all: Vec<_> = (0..4).map(|_| wanted(id, StreamKind::Serial)).collect();
    let screen = wanted(id, StreamKind::Screen);
    host.server.state().streams = [all.as_slice(), std::slice::from_ref(&screen)].concat();
    let mut serial = Vec::new();
    for wanted in &all {
        serial.push(dialled(&host, wanted).await);
    }
    let last = serial.pop().unwrap();
    for earlier in serial {
        assert_eq!(closed(earlier).await.0, close::TAKEN_OVER);
    }
    let screen = dialled(&host, &screen).await;
    host.server.state().streams.clear();
    assert_eq!(host.server.state().dialled.len(), 0, "dialled twice");

    let owner = host.server.state().desired.clone().unwrap().host_id.to_string();
    host.hypervisor().claim(owner).destroy(id.0).await.unwrap();
    let ends: BTreeSet<_> = [closed(last).await, closed(screen).await].into();
    assert_eq!(ends, [(close::NORMAL, "the guest has stopped".to_owned())].into());
    host.remove(id).await;
    host.stop().await;
}
