//! The agent's side of the wire: what it asks of the server.

use std::time::Duration;

use base::{
    Error, Result,
    id::{ImageId, StreamId},
};
use reqwest::{Client, RequestBuilder, Response, StatusCode};

use crate::{
    config::Config,
    plan::ImagePart,
    websocket::{self, Refused, WebSocket},
    wire::{Ack, Desired, Report, StreamsWanted},
};

/// How long the server may keep a long poll.
pub const POLL_WAIT_S: u64 = 30;
/// How long an answer may take beyond that.
const ANSWER_TIMEOUT_MS: u64 = 15_000;
const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// A stream of bytes that pauses for longer is given up.
const READ_TIMEOUT_MS: u64 = 45_000;
/// No desired state is larger.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// As much of an error's body as is worth a log line.
const MAX_ERROR_CHARS: usize = 300;

#[derive(Clone)]
pub struct Server {
    client: Client,
    url: String,
    token: String,
}

impl Server {
    pub fn new(config: &Config) -> Result<Self> {
        // Another part of the process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS))
            .read_timeout(Duration::from_millis(READ_TIMEOUT_MS))
            .user_agent(concat!("opshawk-agent/", env!("CARGO_PKG_VERSION")))
            // The server is named by the operator, and a proxy would see the token.
            .no_proxy()
            .build()
            .map_err(|e| Error::internal("the HTTP client can't be made").source(e))?;
        let url = config.server_url.trim_end_matches('/').to_owned();
        Ok(Self { client, url, token: config.token.clone() })
    }

    /// The host's desired state if it is another than `after`; none if nothing came within
    /// `wait_s`.
    pub async fn desired(&self, after: i64, wait_s: u64) -> Result<Option<Desired>> {
        let timeout = Duration::from_millis(wait_s * 1000 + ANSWER_TIMEOUT_MS);
        let path = format!("/v1/agent/desired?after={after}&wait_s={wait_s}");
        let response = self.send(self.client.get(self.at(&path)).timeout(timeout)).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        json(response).await.map(Some)
    }

    pub async fn report(&self, report: &Report) -> Result<Ack> {
        let timeout = Duration::from_millis(ANSWER_TIMEOUT_MS);
        let request = self.client.post(self.at("/v1/agent/reports")).json(report);
        json(self.send(request.timeout(timeout)).await?).await
    }

    /// The bytes of one file of an image, as a stream.
    pub async fn image(&self, id: ImageId, part: ImagePart) -> Result<Response> {
        let path = format!("/v1/agent/images/{id}/{}", part.as_str());
        self.send(self.client.get(self.at(&path))).await
    }

    /// Consoles that wait to be dialled; none if none came within `wait_s`.
    pub async fn streams(&self, wait_s: u64) -> Result<StreamsWanted> {
        let timeout = Duration::from_millis(wait_s * 1000 + ANSWER_TIMEOUT_MS);
        let path = format!("/v1/agent/streams?wait_s={wait_s}");
        json(self.send(self.client.get(self.at(&path)).timeout(timeout)).await?).await
    }

    /// Dials a console that waits.
    pub async fn stream(&self, id: StreamId) -> Result<WebSocket> {
        let request = self.client.get(self.at(&format!("/v1/agent/streams/{id}")));
        let request = request.bearer_auth(&self.token);
        let timeout = Duration::from_millis(ANSWER_TIMEOUT_MS);
        match tokio::time::timeout(timeout, websocket::connect(request)).await {
            Ok(Ok(socket)) => Ok(socket),
            Ok(Err(Refused::Unreachable(error))) => Err(self.away(error)),
            Ok(Err(Refused::Answered(response))) => {
                let status = response.status();
                Err(refused(status, error_text(response).await))
            }
            Ok(Err(Refused::Garbled)) => {
                Err(Error::unavailable("the server's answer is no WebSocket's")
                    .remedy("check what stands between agent and server"))
            }
            Err(_) => Err(Error::unavailable("the server did not answer in time")),
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let request = request.bearer_auth(&self.token);
        let response = request.send().await.map_err(|e| self.away(e))?;
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        Err(refused(status, error_text(response).await))
    }

    fn away(&self, error: reqwest::Error) -> Error {
        Error::unavailable(format!("the server {} does not answer", self.url))
            .remedy("check that it runs, and the agent's server URL")
            .source(error.without_url())
    }
}

async fn error_text(response: Response) -> String {
    let text = response.text().await.unwrap_or_default();
    text.chars().take(MAX_ERROR_CHARS).collect()
}

/// Whether sending the same again can't help.
pub fn is_refusal(error: &Error) -> bool {
    use base::ErrorKind as K;
    matches!(error.kind, K::Invalid | K::Conflict | K::TooLarge)
}

fn refused(status: StatusCode, text: String) -> Error {
    use base::ErrorKind as K;
    let (kind, remedy) = match status.as_u16() {
        401 => (K::Unauthenticated, "give the agent the host's token"),
        403 => (K::Forbidden, "give the agent the host's token"),
        404 => (K::NotFound, "check the agent's server URL"),
        409 => (K::Conflict, "look into the server's log"),
        413 => (K::TooLarge, "look into the server's log"),
        400 | 415 | 422 => (K::Invalid, "run the same version on server and agent"),
        _ => (K::Unavailable, "look into the server's log"),
    };
    Error::new(kind, format!("the server answered {status}: {text}")).remedy(remedy)
}

async fn json<T: serde::de::DeserializeOwned>(mut response: Response) -> Result<T> {
    let lost = |e: reqwest::Error| {
        Error::unavailable("the server's answer broke off").source(e.without_url())
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Error::new(base::ErrorKind::TooLarge, "the server's answer is too large"));
        }
        bytes.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&bytes).map_err(|e| {
        Error::unavailable("the server's answer makes no sense")
            .remedy("run the same version on server and agent")
            .source(e)
    })
}
