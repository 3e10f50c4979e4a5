//! A guest's console and a WebSocket, copied into each other until one ends.

use std::time::Duration;

use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_tungstenite::tungstenite::{
    Bytes, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::{
    websocket::WebSocket,
    wire::{End, SILENCE_LIMIT_MS, close},
};

/// The most that goes into one message.
const CHUNK_BYTES: usize = 32 * 1024;
const SILENCE_LIMIT: Duration = Duration::from_millis(SILENCE_LIMIT_MS);
/// How long a goodbye may take.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// The server's end of a console.
pub struct Line {
    to_server: SplitSink<WebSocket, Message>,
    from_server: SplitStream<WebSocket>,
}

impl Line {
    pub fn new(socket: WebSocket) -> Self {
        let (to_server, from_server) = socket.split();
        Self { to_server, from_server }
    }

    /// Until either side ends. None: the guest's did.
    pub async fn copy(&mut self, console: UnixStream) -> Option<End> {
        let (mut printed, mut typed) = console.into_split();
        tokio::select! {
            end = show(&mut printed, &mut self.to_server) => end,
            end = type_on(&mut self.from_server, &mut typed) => end,
        }
    }

    pub async fn goodbye(mut self, end: &End) {
        let reason = end.reason.as_str().into();
        let frame = CloseFrame { code: CloseCode::from(end.code), reason };
        let said = self.to_server.send(Message::Close(Some(frame)));
        // It may be gone already.
        let _ = tokio::time::timeout(GOODBYE_LIMIT, said).await;
    }
}

/// What the guest prints or draws.
async fn show(
    printed: &mut OwnedReadHalf,
    to_server: &mut SplitSink<WebSocket, Message>,
) -> Option<End> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let count = match printed.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => count,
        };
        let message = Message::Binary(Bytes::copy_from_slice(&buffer[..count]));
        // Nothing is kept for a server that does not take it: then the guest's side waits.
        match tokio::time::timeout(SILENCE_LIMIT, to_server.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Some(lost()),
        }
    }
}

/// What is typed, and the mouse.
async fn type_on(
    from_server: &mut SplitStream<WebSocket>,
    typed: &mut OwnedWriteHalf,
) -> Option<End> {
    loop {
        // The server pings, and so is never silent while it is there.
        let Ok(message) = tokio::time::timeout(SILENCE_LIMIT, from_server.next()).await else {
            return Some(lost());
        };
        match message {
            Some(Ok(Message::Binary(bytes))) => {
                if typed.write_all(&bytes).await.is_err() {
                    return None;
                }
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(_))) => {
                return Some(End::new(close::NORMAL, "whoever looked has left"));
            }
            Some(Ok(Message::Text(_))) => {
                return Some(End::new(close::FAILED, "the server sent text"));
            }
            Some(Err(_)) | None => return Some(lost()),
        }
    }
}

fn lost() -> End {
    End::new(close::TRY_AGAIN, "the server went away")
}
