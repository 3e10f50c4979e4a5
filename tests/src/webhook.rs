//! An HTTP server that keeps what it is sent.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::wait::{self, Seen};

#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    /// Answered instead of 200, unless 0.
    status: AtomicU16,
}

pub struct WebhookReceiver {
    shared: Arc<Shared>,
    port: u16,
    task: JoinHandle<()>,
}

impl WebhookReceiver {
    pub async fn start() -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let app = Router::new().fallback(receive).with_state(shared.clone());
        let task = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { shared, port, task })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// What it answers from now on; 0 is the ordinary 200. A refused request isn't kept.
    pub fn answer(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first request for which it holds.
    pub async fn request(
        &self,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Received> {
        wait::eventually(&format!("a webhook: {what}"), limit, || async {
            let all = self.received();
            Ok(match all.iter().find(|request| holds(&request.json())) {
                Some(request) => Seen::Yes(request.clone()),
                None => Seen::NotYet(format!("{} requests", all.len())),
            })
        })
        .await
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let status = shared.status.load(Ordering::SeqCst);
    if status != 0 {
        return StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let received = Received { path: uri.path().to_owned(), headers, body };
    shared.received.lock().unwrap_or_else(PoisonError::into_inner).push(received);
    StatusCode::OK
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}
