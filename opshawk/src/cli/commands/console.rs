//! `opshawk instance console`: a guest's serial port at this terminal, or in a pipe.

use std::{
    io::{IsTerminal, Read},
    thread,
    time::Duration,
};

use agent::{
    websocket::WebSocket,
    wire::{SILENCE_LIMIT_MS, close},
};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use nix::sys::termios::{self, SetArg, Termios};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::Failure;
use crate::cli::exit::Code;

/// Ctrl-], as in telnet and virsh.
const ESCAPE: u8 = 0x1d;
const CHUNK_BYTES: usize = 4096;
/// What was read and is not sent yet, in chunks.
const MAX_PENDING_CHUNKS: usize = 16;
const SILENCE_LIMIT: Duration = Duration::from_millis(SILENCE_LIMIT_MS);
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// Until the guest stops, Ctrl-] is typed, or a signal comes.
pub async fn run(socket: WebSocket) -> Result<(), Failure> {
    // From here on a signal is heard, so that the terminal is given back.
    let signal = crate::server::terminated();
    let terminal = RawTerminal::take()?;
    if terminal.is_some() {
        eprint!("Connected; Ctrl-] leaves.\r\n");
    }
    let input = read_stdin(terminal.is_some());
    let (mut to_guest, mut from_guest) = socket.split();
    let end = tokio::select! {
        end = show(&mut from_guest, tokio::io::stdout()) => end,
        end = type_on(input, &mut to_guest) => end,
        _ = signal => Ok(()),
    };
    let _ = tokio::time::timeout(GOODBYE_LIMIT, to_guest.send(Message::Close(None))).await;
    if terminal.is_some() {
        eprint!("\r\n");
    }
    end
}

/// Every key goes to the guest; as it was before once this is dropped.
struct RawTerminal(Termios);

impl RawTerminal {
    /// None where standard input is no terminal.
    fn take() -> Result<Option<Self>, Failure> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let failed = |e| Failure::failed(format!("the terminal can't be set: {e}"));
        let before = termios::tcgetattr(&stdin).map_err(failed)?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(&stdin, SetArg::TCSANOW, &raw).map_err(failed)?;
        Ok(Some(Self(before)))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = termios::tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

enum Typed {
    Bytes(Vec<u8>),
    Leave,
}

/// On a thread of its own, which the end of the program does not wait for.
fn read_stdin(with_escape: bool) -> mpsc::Receiver<Typed> {
    let (sender, receiver) = mpsc::channel(MAX_PENDING_CHUNKS);
    let read = move || {
        let mut buffer = [0; CHUNK_BYTES];
        while let Ok(count @ 1..) = std::io::stdin().read(&mut buffer) {
            let bytes = &buffer[..count];
            let escape = bytes.iter().position(|byte| with_escape && *byte == ESCAPE);
            let typed = bytes[..escape.unwrap_or(count)].to_vec();
            let told = sender.blocking_send(Typed::Bytes(typed));
            if escape.is_some() {
                let _ = sender.blocking_send(Typed::Leave);
            }
            if told.is_err() || escape.is_some() {
                return;
            }
        }
        if with_escape {
            // The terminal is gone.
            let _ = sender.blocking_send(Typed::Leave);
        }
    };
    // Without it nothing can be typed; what is printed is still shown.
    let _ = thread::Builder::new().name("stdin".into()).spawn(read);
    receiver
}

/// Returns when the console is left; the end of piped input leaves it open.
async fn type_on(
    mut input: mpsc::Receiver<Typed>,
    to_guest: &mut SplitSink<WebSocket, Message>,
) -> Result<(), Failure> {
    while let Some(typed) = input.recv().await {
        match typed {
            Typed::Leave => return Ok(()),
            Typed::Bytes(bytes) => {
                let sent = to_guest.send(Message::Binary(Bytes::from(bytes))).await;
                if sent.is_err() {
                    // What came last says why.
                    break;
                }
            }
        }
    }
    std::future::pending().await
}

async fn show(
    from_guest: &mut SplitStream<WebSocket>,
    mut to: impl AsyncWrite + Unpin,
) -> Result<(), Failure> {
    loop {
        // The server pings, and so is never silent while it is there.
        let Ok(message) = tokio::time::timeout(SILENCE_LIMIT, from_guest.next()).await else {
            return Err(Failure::new(Code::Timeout, "the server is silent"));
        };
        match message {
            Some(Ok(Message::Binary(bytes))) => {
                let written = async {
                    to.write_all(&bytes).await?;
                    to.flush().await
                };
                match written.await {
                    Ok(()) => {}
                    // Whoever read has enough.
                    Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                    Err(e) => return Err(Failure::failed(format!("standard output: {e}"))),
                }
            }
            Some(Ok(Message::Close(frame))) => {
                let frame = frame.map(|frame| (u16::from(frame.code), frame.reason.to_string()));
                return ended(frame);
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(Failure::failed("the connection broke")),
        }
    }
}

/// What the server gave as the reason.
fn ended(frame: Option<(u16, String)>) -> Result<(), Failure> {
    let Some((code, reason)) = frame else { return Ok(()) };
    let exit = match code {
        close::NORMAL => {
            eprint!("{reason}\r\n");
            return Ok(());
        }
        close::TAKEN_OVER => Code::Conflict,
        close::POLICY => Code::Auth,
        close::TRY_AGAIN => Code::Timeout,
        _ => Code::Failed,
    };
    Err(Failure::new(exit, reason))
}
