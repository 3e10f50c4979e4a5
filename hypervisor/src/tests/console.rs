//! A real guest's serial port and screen.

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::libvirt::{PATIENCE, POLL_INTERVAL, eventually, guest, lab};
use crate::{DomainSpec, DomainState, Error};

/// Reads until `words` have come.
async fn until(from: &mut (impl AsyncRead + Unpin), words: &str) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    let read = async {
        while !text.contains(words) {
            let count = from.read(&mut buffer).await.unwrap();
            assert!(count > 0, "it ended before '{words}': {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    let read = timeout(PATIENCE, read).await;
    assert!(read.is_ok(), "'{words}' never came: {text}");
    text
}

/// Reads to the end.
async fn end(from: &mut (impl AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    timeout(PATIENCE, from.read_to_end(&mut rest)).await.expect("it does not end").unwrap();
}

#[tokio::test]
async fn a_guest_is_typed_to_and_looked_at() {
    let Some((hypervisor, files)) = lab() else { return };
    let mut guest = guest(&files, None);
    guest.spec.screen = true;
    let id = guest.spec.id;
    let claim = hypervisor.claim(&guest.spec.owner);
    claim.define(guest.spec.clone()).await.unwrap();
    let stopped = claim.serial(id).await.unwrap_err();
    assert!(matches!(stopped, Error::Refused { .. }), "{stopped}");
    claim.start(id).await.unwrap();

    let mut first = claim.serial(id).await.unwrap();
    until(&mut first, "guest# ").await;
    first.write_all(b"echo $((6 * 7))\n").await.unwrap();
    until(&mut first, "42\r\n").await;

    // A second one takes the port over, and is typed to.
    let mut second = claim.serial(id).await.unwrap();
    end(&mut first).await;
    second.write_all(b"echo $((7 * 8))\n").await.unwrap();
    until(&mut second, "56\r\n").await;
    // What is typed last is typed, even where nobody waits for the answer.
    second.write_all(b"echo last >/disk/last; echo $((8 * 9))\n").await.unwrap();
    drop(second);
    eventually("it was typed", || async {
        std::fs::read_to_string(&guest.spec.serial_log).unwrap().contains("72\r\n")
    })
    .await;

    for _ in 0..2 {
        let mut screen = claim.screen(id).await.unwrap();
        let mut greeting = [0; 12];
        screen.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting[..], b"RFB 003.008\n");
    }
    let foreign = hypervisor.claim("another-host");
    for refused in [foreign.serial(id).await, foreign.screen(id).await] {
        assert!(matches!(refused, Err(Error::Foreign { .. })), "{refused:?}");
    }

    // Both end when the guest does.
    let (mut serial, mut screen) =
        (claim.serial(id).await.unwrap(), claim.screen(id).await.unwrap());
    claim.destroy(id).await.unwrap();
    end(&mut serial).await;
    end(&mut screen).await;

    // One that was started without a screen says so, and has a serial port.
    claim.define(DomainSpec { screen: false, ..guest.spec.clone() }).await.unwrap();
    claim.start(id).await.unwrap();
    let refused = claim.screen(id).await.unwrap_err();
    assert!(matches!(refused, Error::NoScreen), "{refused}");
    until(&mut claim.serial(id).await.unwrap(), "READY").await;
    claim.undefine(id).await.unwrap();
    assert!(matches!(claim.serial(id).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_guest_that_takes_nothing_holds_up_nobody_else() {
    let Some((hypervisor, files)) = lab() else { return };
    let guest = guest(&files, None);
    let id = guest.spec.id;
    let claim = hypervisor.claim(&guest.spec.owner);
    claim.define(guest.spec.clone()).await.unwrap();
    claim.start(id).await.unwrap();
    let mut serial = claim.serial(id).await.unwrap();
    until(&mut serial, "guest# ").await;
    // Its processor is halted: nothing that is typed is taken.
    claim.suspend(id).await.unwrap();
    let typed = async { while serial.write_all(&[b'x'; 64 * 1024]).await.is_ok() {} };
    // It ends by itself once libvirtd no longer answers on that connection, and meanwhile every
    // other call is answered.
    let asked = async {
        loop {
            let seen = timeout(PATIENCE, hypervisor.domain(id)).await.expect("nobody answers");
            assert_eq!(seen.unwrap().unwrap().state, DomainState::Paused { by_user: true });
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    let both = async {
        tokio::select! {
            () = typed => {}
            () = asked => {}
        }
    };
    timeout(PATIENCE, both).await.expect("what is typed is kept for ever");
    claim.undefine(id).await.unwrap();
}
