//! A small server that speaks the agent's wire over real HTTP, and can be told to fail.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use base::id::InstanceId;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};

use crate::wire::{
    Ack, Desired, DesiredInstance, InstanceEvent, ObservedInstance, PortReading, Report,
    StreamWanted, StreamsWanted,
};

pub const TOKEN: &str = "host-token";

#[derive(Default)]
pub struct State {
    pub desired: Option<Desired>,
    /// By path below `/v1/agent/images/`.
    pub images: HashMap<String, Vec<u8>>,
    /// Taken, in order.
    pub reports: Vec<Report>,
    /// Came in, whether taken or not: boot and sequence.
    pub attempts: Vec<(base::id::BootId, i64)>,
    /// Written by the agent's collectors.
    pub samples: Vec<base::sample::Series>,
    /// So many reports are thrown away first.
    pub lose_reports: usize,
    /// Named at each question for consoles.
    pub streams: Vec<StreamWanted>,
    /// Consoles that the agent dialled, in order.
    pub dialled: Vec<(String, WebSocket)>,
    /// Every request is answered 503.
    pub down: bool,
}

pub type WebSocket = WebSocketStream<BufReader<TcpStream>>;

pub struct TestServer {
    pub url: String,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TestServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, changed) = (Arc::<Mutex<State>>::default(), Arc::<Notify>::default());
        let shared = (state.clone(), changed.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, changed) = shared.clone();
                tokio::spawn(async move {
                    // An agent that goes away in the middle is no error here.
                    let _ = answer(stream, &state, &changed).await;
                });
            }
        });
        Self { url, state, changed, task }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes what is wanted, as a new generation.
    pub fn want(&self, change: impl FnOnce(&mut Vec<DesiredInstance>)) {
        let mut state = self.state();
        let desired = state.desired.get_or_insert_with(|| Desired {
            host_id: base::id::HostId::new(),
            generation: 0,
            instances: Vec::new(),
        });
        desired.generation += 1;
        change(&mut desired.instances);
        drop(state);
        self.changed.notify_waiters();
    }

    /// The last word on each instance.
    pub fn seen(&self, id: InstanceId) -> Option<ObservedInstance> {
        let state = self.state();
        let last = state.reports.last()?;
        last.instances.iter().find(|instance| instance.id == id).cloned()
    }

    /// All events in order; one that came twice stands once.
    pub fn events(&self, id: InstanceId) -> Vec<InstanceEvent> {
        let state = self.state();
        let mut seen = BTreeMap::new();
        let all = state.reports.iter().flat_map(|report| &report.events);
        all.filter(|event| event.instance_id == id)
            .filter(|event| {
                let first = seen.insert(event.id, (*event).clone());
                assert!(first.as_ref().is_none_or(|first| first == *event), "changed on the way");
                first.is_none()
            })
            .cloned()
            .collect()
    }

    /// All readings of an instance in order; one that came twice stands once.
    pub fn readings(&self, id: InstanceId) -> Vec<PortReading> {
        let state = self.state();
        let mut all: Vec<PortReading> = Vec::new();
        for reading in state.reports.iter().flat_map(|report| &report.readings) {
            if reading.instance_id == id && !all.contains(reading) {
                all.push(reading.clone());
            }
        }
        all
    }
}

async fn answer(stream: TcpStream, state: &Mutex<State>, changed: &Notify) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let (mut length, mut authorised, mut key) = (0, false, None);
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "sec-websocket-key" => key = Some(value.to_owned()),
            "authorization" => authorised = value == format!("Bearer {TOKEN}"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let id = path.strip_prefix("/v1/agent/streams/");
    if let (Some(id), Some(key), true) = (id, key, authorised) {
        let head = format!(
            "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        stream.write_all(head.as_bytes()).await?;
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        state.lock().unwrap().dialled.push((id.to_owned(), socket));
        return Ok(());
    }
    let (status, body) = match () {
        () if !authorised => (401, Vec::new()),
        () if state.lock().unwrap().down => (503, b"down".to_vec()),
        () => route(&path, &body, state, changed).await,
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.flush().await
}

async fn route(path: &str, body: &[u8], state: &Mutex<State>, changed: &Notify) -> (u16, Vec<u8>) {
    if let Some(query) = path.strip_prefix("/v1/agent/desired?after=") {
        let after: i64 = query.split('&').next().unwrap().parse().unwrap();
        let wait = async {
            loop {
                let heard = changed.notified();
                tokio::pin!(heard);
                heard.as_mut().enable();
                let desired = state.lock().unwrap().desired.clone();
                if let Some(desired) = desired.filter(|desired| desired.generation != after) {
                    return serde_json::to_vec(&desired).unwrap();
                }
                heard.await;
            }
        };
        return match tokio::time::timeout(Duration::from_secs(2), wait).await {
            Ok(body) => (200, body),
            Err(_) => (304, Vec::new()),
        };
    }
    let mut state = state.lock().unwrap();
    if path.starts_with("/v1/agent/streams?") {
        let items = state.streams.clone();
        return (200, serde_json::to_vec(&StreamsWanted { items }).unwrap());
    }
    if path == "/v1/agent/reports" {
        let report: Report = serde_json::from_slice(body).unwrap();
        let sequence = report.sequence;
        state.attempts.push((report.boot_id, sequence));
        if state.lose_reports > 0 {
            state.lose_reports -= 1;
            return (503, b"lost".to_vec());
        }
        state.reports.push(report);
        return (200, serde_json::to_vec(&Ack { sequence }).unwrap());
    }
    if path == "/prometheus/api/v1/write" {
        state.samples.extend(collector::remote_write::decode(body).unwrap());
        return (204, Vec::new());
    }
    match path.strip_prefix("/v1/agent/images/").and_then(|file| state.images.get(file)) {
        Some(bytes) => (200, bytes.clone()),
        None => (404, Vec::new()),
    }
}
