//! A WebSocket over the HTTP client that speaks everything else: the same TLS, the same limits, and
//! a refusal is an ordinary answer. Spec: RFC 6455.

use reqwest::{RequestBuilder, Response, StatusCode, Upgraded, header};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};

use crate::wire::MAX_MESSAGE_BYTES;

pub type WebSocket = WebSocketStream<Upgraded>;

/// Why there is none.
#[derive(Debug)]
pub enum Refused {
    /// The connection failed.
    Unreachable(reqwest::Error),
    /// The server answered something else.
    Answered(Response),
    /// It agreed, and not as the protocol wants it.
    Garbled,
}

/// Opens one with this GET request.
pub async fn connect(request: RequestBuilder) -> Result<WebSocket, Refused> {
    let key = generate_key();
    let request = request
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, &key);
    let response = request.send().await.map_err(Refused::Unreachable)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(Refused::Answered(response));
    }
    let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
    if accepted.is_none_or(|value| value.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes())
    {
        return Err(Refused::Garbled);
    }
    let stream = response.upgrade().await.map_err(Refused::Unreachable)?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(limits)).await)
}
