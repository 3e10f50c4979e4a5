//! A guest's serial port and its screen: a socket each, whose other end is the guest. The socket's
//! end is the console's end: the guest stopped, somebody took the port over, or libvirtd went away.
//!
//! The screen's socket is QEMU's own. The serial port comes as a libvirt stream, which a thread
//! copies from and to a socket pair. That thread has a connection of its own: libvirtd stops reading
//! a connection while a guest does not take what is typed, and no other call may wait for that.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read as _, Write as _},
    os::{fd::AsFd as _, unix::net::UnixStream as StdStream},
    thread,
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::{net::UnixStream, sync::oneshot};
use uuid::Uuid;

use crate::{
    claim::{self, Claim},
    connection,
    error::{Error, Result},
    raw::{self, Received, Serial},
};

/// Read or written at once.
const CHUNK_BYTES: usize = 4096;
/// What a serial port printed and nobody read yet; what comes beyond is lost, as on a real line.
pub const MAX_BACKLOG_BYTES: usize = 1 << 20;
/// How fast a serial port is typed to. libvirt keeps what a guest does not take, without a bound of
/// its own, until its keepalives fail; a real port takes a fifth of this.
pub const MAX_INPUT_BYTES_PER_S: usize = 64 * 1024;
/// How long the last of what was printed may take to be read.
const FLUSH_TIMEOUT_MS: u64 = 5_000;

/// What was typed and not taken is offered again after so long.
const TYPED_RETRY: Duration = Duration::from_millis(10);
const OPEN_SCREEN: &str = "open the screen";
const OPEN_SERIAL: &str = "open the serial port";

impl Claim {
    /// The screen, keyboard and mouse: RFB (RFC 6143), from the server's greeting on.
    pub async fn screen(&self, id: Uuid) -> Result<UnixStream> {
        let owner = self.owner().to_owned();
        let opened = self.hypervisor().call(OPEN_SCREEN, move |connect| {
            let domain = claim::owned(connect, id, &owner)?.ok_or_else(|| claim::gone(id))?;
            if domain.is_active()? && !has_screen(&domain.xml_desc(0)?) {
                return Err(Error::NoScreen);
            }
            Ok(StdStream::from(raw::graphics_fd(&domain)?))
        });
        into_async(opened.await?, OPEN_SCREEN)
    }

    /// The serial port, taken over from whoever has it.
    pub async fn serial(&self, id: Uuid) -> Result<UnixStream> {
        let (uri, owner) = (self.hypervisor().uri().to_owned(), self.owner().to_owned());
        let failed = |e| refused(OPEN_SERIAL, &e);
        let (theirs, ours) = StdStream::pair().map_err(failed)?;
        let (answer, opened) = oneshot::channel();
        let run = move || match open(&uri, id, &owner) {
            Ok((serial, waked)) => {
                // Where nobody waits any more, the other end is closed, and so is the port at once.
                let _ = answer.send(Ok(()));
                if let Err(error) = pump(serial, &ours, &waked) {
                    tracing::debug!(%error, domain = %id, "a serial console ended");
                }
            }
            Err(error) => drop(answer.send(Err(error))),
        };
        thread::Builder::new().name("serial-console".into()).spawn(run).map_err(failed)?;
        let settings = self.hypervisor().settings();
        let timeout_ms = settings.connect_timeout_ms.saturating_add(settings.call_timeout_ms);
        match tokio::time::timeout(Duration::from_millis(timeout_ms), opened).await {
            Ok(Ok(result)) => result?,
            Ok(Err(_)) | Err(_) => return Err(Error::TimedOut { call: OPEN_SERIAL, timeout_ms }),
        }
        into_async(theirs, OPEN_SERIAL)
    }
}

fn has_screen(xml: &str) -> bool {
    let document = roxmltree::Document::parse(xml);
    document.is_ok_and(|document| {
        document
            .descendants()
            .any(|node| node.has_tag_name("graphics") && node.attribute("type") == Some("vnc"))
    })
}

fn into_async(stream: StdStream, call: &'static str) -> Result<UnixStream> {
    let opened = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
    opened.map_err(|e| refused(call, &e))
}

fn refused(call: &'static str, error: &std::io::Error) -> Error {
    Error::Refused { call, code: 0, message: error.to_string() }
}

/// The open port, and what gets a byte when it has something.
fn open(uri: &str, id: Uuid, owner: &str) -> Result<(Serial, StdStream)> {
    let named = |error: Error| match error {
        Error::Refused { code, message, .. } => Error::Refused { call: OPEN_SERIAL, code, message },
        other => other,
    };
    let connect = connection::connect(uri)?;
    let domain =
        claim::owned(&connect, id, owner).map_err(named)?.ok_or_else(|| claim::gone(id))?;
    let pair = StdStream::pair().and_then(|(wake, waked)| {
        wake.set_nonblocking(true)?;
        waked.set_nonblocking(true)?;
        Ok((wake, waked))
    });
    let (wake, waked) = pair.map_err(|e| refused(OPEN_SERIAL, &e))?;
    let serial = Serial::open(connect, &domain, wake).map_err(|e| named(e.into()))?;
    Ok((serial, waked))
}

/// Copies both ways, until either ends.
fn pump(serial: Serial, socket: &StdStream, waked: &StdStream) -> std::io::Result<()> {
    socket.set_nonblocking(true)?;
    let mut pump = Pump { serial, typed: Typed::default(), backlog: VecDeque::new() };
    while !pump.turn(socket, waked)? {}
    let Pump { serial, backlog, .. } = pump;
    // The port is given back before its last words are read.
    drop(serial);
    socket.set_nonblocking(false)?;
    socket.set_write_timeout(Some(Duration::from_millis(FLUSH_TIMEOUT_MS)))?;
    let (first, second) = backlog.as_slices();
    (&*socket).write_all(first)?;
    (&*socket).write_all(second)
}

struct Pump {
    serial: Serial,
    typed: Typed,
    backlog: VecDeque<u8>,
}

/// What is on its way to the port, and when it may take more.
#[derive(Default)]
struct Typed {
    bytes: Vec<u8>,
    not_before: Option<Instant>,
}

impl Pump {
    /// Waits for something to do, and does it. True at the end of either side.
    fn turn(&mut self, socket: &StdStream, waked: &StdStream) -> std::io::Result<bool> {
        let now = Instant::now();
        let rest = self.typed.not_before.and_then(|at| at.checked_duration_since(now));
        let mut wanted = PollFlags::empty();
        // (A hangup is always told, and then waits for no rest.)
        wanted.set(PollFlags::POLLIN, self.typed.bytes.is_empty() && rest.is_none());
        wanted.set(PollFlags::POLLOUT, !self.backlog.is_empty());
        let mut fds =
            [PollFd::new(waked.as_fd(), PollFlags::POLLIN), PollFd::new(socket.as_fd(), wanted)];
        let timeout = match rest {
            // Rounded up, so that it does not turn idly.
            Some(rest) => PollTimeout::try_from(rest + Duration::from_millis(1)),
            None if !self.typed.bytes.is_empty() => PollTimeout::try_from(TYPED_RETRY),
            None => Ok(PollTimeout::NONE),
        };
        match poll(&mut fds, timeout.unwrap_or(PollTimeout::ZERO)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let events = |at: usize| fds[at].revents().unwrap_or(PollFlags::empty());
        let (woken, ready) = (!events(0).is_empty(), events(1));
        if woken && self.printed(waked)? {
            return Ok(true);
        }
        if ready.intersects(PollFlags::POLLHUP | PollFlags::POLLERR) {
            // Nobody reads any more; what was typed before is typed to its end.
            self.backlog.clear();
            thread::sleep(rest.unwrap_or_default());
        }
        self.show(socket)?;
        if ready.contains(PollFlags::POLLIN) && self.read(socket)? {
            return Ok(true);
        }
        self.type_on(Instant::now())?;
        Ok(false)
    }

    /// Takes what the port printed. True at its end.
    fn printed(&mut self, mut waked: &StdStream) -> std::io::Result<bool> {
        let mut buffer = [0; CHUNK_BYTES];
        // Before it is received, so that what comes meanwhile wakes again.
        while matches!(waked.read(&mut buffer), Ok(count) if count > 0) {}
        // More than that wakes again.
        for _ in 0..MAX_BACKLOG_BYTES / CHUNK_BYTES {
            match self.serial.receive(&mut buffer) {
                Ok(Received::Bytes(count)) => {
                    let room = MAX_BACKLOG_BYTES.saturating_sub(self.backlog.len());
                    self.backlog.extend(&buffer[..count.min(room)]);
                }
                Ok(Received::NothingYet) => return Ok(false),
                Ok(Received::End) => return Ok(true),
                Err(error) => {
                    tracing::debug!(%error, "a serial port was taken away");
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Passes on what was printed, as far as it is read.
    fn show(&mut self, mut socket: &StdStream) -> std::io::Result<()> {
        while !self.backlog.is_empty() {
            match socket.write(self.backlog.as_slices().0) {
                Ok(count) => drop(self.backlog.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes what is typed. True where nobody types any more.
    fn read(&mut self, mut socket: &StdStream) -> std::io::Result<bool> {
        let mut buffer = [0; CHUNK_BYTES];
        match socket.read(&mut buffer) {
            Ok(0) => Ok(true),
            Ok(count) => {
                self.typed.bytes.extend_from_slice(&buffer[..count]);
                Ok(false)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Types what there is to be typed, and rests after it.
    fn type_on(&mut self, now: Instant) -> std::io::Result<()> {
        let rests = self.typed.not_before.is_some_and(|at| at > now);
        if self.typed.bytes.is_empty() || rests {
            return Ok(());
        }
        let count = self.serial.send(&self.typed.bytes).map_err(std::io::Error::other)?;
        self.typed.bytes.drain(..count);
        let rest = Duration::from_secs(1).mul_f64(count as f64 / MAX_INPUT_BYTES_PER_S as f64);
        self.typed.not_before = Some(now + rest);
        Ok(())
    }
}
