//! Two WebSockets, joined until one ends.
//!
//! Each message is passed on before the next one is read, so that a slow reader slows its writer,
//! and nothing piles up here. Each side is pinged, and one that gives no sign of life is gone.

use std::time::Duration;

use agent::wire::{End, PING_INTERVAL_MS, SILENCE_LIMIT_MS, close};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite;

/// How long a goodbye may take.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);
const SILENCE_LIMIT: Duration = Duration::from_millis(SILENCE_LIMIT_MS);
const PING_INTERVAL: Duration = Duration::from_millis(PING_INTERVAL_MS);

fn frame(end: &End) -> Message {
    let reason = end.reason.as_str().into();
    Message::Close(Some(CloseFrame { code: end.code, reason }))
}

/// How one side's part came to its end.
#[derive(Debug)]
enum Side {
    /// It said goodbye.
    Closed(Option<CloseFrame>),
    /// Its connection broke, or it is silent, or does not read.
    Lost,
    /// It did not keep to the protocol.
    Refused(End),
}

/// Until one side ends, or `must_end` says why both must.
pub async fn relay(user: WebSocket, agent: WebSocket, must_end: impl Future<Output = End>) -> End {
    let (mut to_user, mut from_user) = user.split();
    let (mut to_agent, mut from_agent) = agent.split();
    let end = tokio::select! {
        side = copy(&mut from_user, &mut to_agent) => match side {
            Copied::From(Side::Closed(_) | Side::Lost) => {
                End::new(close::NORMAL, "whoever looked has left")
            }
            Copied::From(Side::Refused(end)) => end,
            Copied::ToLost => agent_lost(),
        },
        side = copy(&mut from_agent, &mut to_user) => match side {
            Copied::From(Side::Closed(frame)) => as_agent_says(frame),
            Copied::From(Side::Refused(_) | Side::Lost) => agent_lost(),
            Copied::ToLost => End::new(close::NORMAL, "whoever looked has left"),
        },
        end = must_end => end,
    };
    tokio::join!(goodbye(&mut to_user, &end), goodbye(&mut to_agent, &end));
    end
}

fn agent_lost() -> End {
    End::new(close::TRY_AGAIN, "the host's agent went away")
}

/// An agent speaks for its host; another code than those it is to use is passed on as a failure.
fn as_agent_says(frame: Option<CloseFrame>) -> End {
    let Some(frame) = frame else { return agent_lost() };
    let known = [close::NORMAL, close::FAILED, close::TRY_AGAIN, close::TAKEN_OVER];
    let code = if known.contains(&frame.code) { frame.code } else { close::FAILED };
    End::new(code, frame.reason.as_str())
}

enum Copied {
    From(Side),
    /// Who was written to is gone.
    ToLost,
}

/// One direction. What it pings is who it writes to; whose silence it hears is who it reads from,
/// whom the other direction pings.
async fn copy(from: &mut SplitStream<WebSocket>, to: &mut SplitSink<WebSocket, Message>) -> Copied {
    let mut ping = tokio::time::interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let message = tokio::select! {
            got = from.next() => {
                heard = Instant::now();
                match got {
                    Some(Ok(Message::Binary(bytes))) => Message::Binary(bytes),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(frame))) => return Copied::From(Side::Closed(frame)),
                    Some(Ok(Message::Text(_))) => {
                        let end = End::new(close::UNSUPPORTED, "only binary messages are understood");
                        return Copied::From(Side::Refused(end));
                    }
                    Some(Err(error)) => return Copied::From(broken(error)),
                    None => return Copied::From(Side::Lost),
                }
            }
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE_LIMIT {
                    return Copied::From(Side::Lost);
                }
                Message::Ping(Bytes::new())
            }
        };
        let pings = matches!(message, Message::Ping(_));
        match tokio::time::timeout(SILENCE_LIMIT, to.send(message)).await {
            Ok(Ok(())) if pings => {}
            // While that was written, nobody listened.
            Ok(Ok(())) => heard = Instant::now(),
            Ok(Err(_)) | Err(_) => return Copied::ToLost,
        }
    }
}

fn broken(error: axum::Error) -> Side {
    let inner = error.into_inner();
    match inner.downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => {
            Side::Refused(End::new(close::TOO_LARGE, "the message is too large"))
        }
        _ => Side::Lost,
    }
}

async fn goodbye(to: &mut SplitSink<WebSocket, Message>, end: &End) {
    // It may be gone already.
    let _ = tokio::time::timeout(GOODBYE_LIMIT, to.send(frame(end))).await;
}

/// To one that was not joined to another yet.
pub async fn say_goodbye(socket: &mut WebSocket, end: &End) {
    let _ = tokio::time::timeout(GOODBYE_LIMIT, socket.send(frame(end))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_into_its_frame_and_stays_text() {
        let end = End::new(close::FAILED, "é".repeat(200));
        assert_eq!(end.reason, "é".repeat(61));
        assert_eq!(End::new(close::NORMAL, "short").reason, "short");
    }

    #[test]
    fn an_agent_says_no_more_than_it_may() {
        let frame = |code| Some(CloseFrame { code, reason: "why".into() });
        assert_eq!(as_agent_says(frame(close::TAKEN_OVER)), End::new(close::TAKEN_OVER, "why"));
        assert_eq!(as_agent_says(frame(close::POLICY)), End::new(close::FAILED, "why"));
        assert_eq!(as_agent_says(None).code, close::TRY_AGAIN);
    }
}
