//! The three that are compared, each as a client sees it: a process, a way to write, a way to ask.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use lab::{
    api::http_client,
    dir::{LabDir, free_port},
    opshawk::{Opshawk, Settings},
    process::Process,
};
use serde_json::Value;

use crate::usage::{Usage, tree_bytes};

const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(120);
/// Settled is who used less than this much of a core for so long.
const SETTLED_SHARE: f64 = 0.1;
const SETTLED_FOR: Duration = Duration::from_secs(5);
const SETTLE_LIMIT: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Opshawk,
    Prometheus,
    Victoria,
}

impl Product {
    pub const ALL: [Self; 3] = [Self::Opshawk, Self::Prometheus, Self::Victoria];

    pub fn name(self) -> &'static str {
        match self {
            Self::Opshawk => "OpsHawk",
            Self::Prometheus => "Prometheus",
            Self::Victoria => "VictoriaMetrics",
        }
    }
}

/// A question over HTTP; with a step over a range, without one at its end.
pub struct Query<'a> {
    pub expr: &'a str,
    pub start_s: i64,
    pub end_s: i64,
    pub step_s: Option<i64>,
}

pub struct Engine {
    pub product: Product,
    client: reqwest::Client,
    url: String,
    token: Option<String>,
    host: Host,
}

enum Host {
    /// The whole program, with its database and its loops.
    Whole(Box<Opshawk>),
    Peer {
        process: Process,
        dir: LabDir,
        port: u16,
    },
}

impl Engine {
    pub async fn start(product: Product) -> Result<Self> {
        let client = http_client();
        if product == Product::Opshawk {
            let server = Opshawk::start(&Settings::default()).await?;
            let token = server.operator()?.token().map(str::to_owned);
            let url = format!("{}/prometheus", server.url());
            let host = Host::Whole(Box::new(server));
            return Ok(Self { product, client, url, token, host });
        }
        let (dir, port) = (LabDir::new("peer")?, free_port()?);
        let process = spawn_peer(product, &dir, port)?;
        let url = format!("http://127.0.0.1:{port}");
        let host = Host::Peer { process, dir, port };
        let mut engine = Self { product, client, url, token: None, host };
        engine.ready().await?;
        Ok(engine)
    }

    async fn ready(&mut self) -> Result<()> {
        let url = match self.product {
            Product::Victoria => format!("{}/health", self.url),
            _ => format!("{}/-/ready", self.url),
        };
        match &mut self.host {
            Host::Whole(server) => server.ready().await,
            Host::Peer { process, .. } => {
                let client = &self.client;
                let asked = || async {
                    client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
                };
                process.ready(START_LIMIT, asked).await
            }
        }
    }

    pub fn pid(&self) -> u32 {
        match &self.host {
            Host::Whole(server) => server.id(),
            Host::Peer { process, .. } => process.id(),
        }
    }

    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.pid())
    }

    /// SIGKILL, start; the time until it answers a query.
    pub async fn kill_and_restart(&mut self, probe: &Query<'_>) -> Result<Duration> {
        match &mut self.host {
            Host::Whole(server) => server.kill9(),
            Host::Peer { process, .. } => process.kill9(),
        }
        let began = Instant::now();
        match &mut self.host {
            Host::Whole(server) => server.start_again().await?,
            Host::Peer { process, dir, port } => {
                *process = spawn_peer(self.product, dir, *port)?;
                self.ready().await?;
            }
        }
        self.ask(probe).await?;
        Ok(began.elapsed())
    }

    /// Bytes on disk after a clean stop.
    pub async fn stop(&mut self) -> Result<u64> {
        match &mut self.host {
            Host::Whole(server) => {
                ensure!(server.stop().await?.success(), "{}", server.log_tail());
            }
            Host::Peer { process, .. } => {
                process.terminate(STOP_LIMIT).await?;
            }
        }
        tree_bytes(&self.data())
    }

    pub fn data(&self) -> PathBuf {
        match &self.host {
            Host::Whole(server) => server.data_dir().join("samples"),
            Host::Peer { dir, .. } => dir.join("data"),
        }
    }

    /// Returns when the process has nothing more to do in the background.
    pub async fn settle(&self) -> Result<()> {
        let deadline = Instant::now() + SETTLE_LIMIT;
        let mut last = self.usage()?;
        while Instant::now() < deadline {
            tokio::time::sleep(SETTLED_FOR).await;
            let now = self.usage()?;
            let used = now.cpu.saturating_sub(last.cpu);
            if used.as_secs_f64() < SETTLED_SHARE * SETTLED_FOR.as_secs_f64() {
                return Ok(());
            }
            last = now;
        }
        bail!("{} does not come to rest", self.product.name())
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}/api/v1{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The time until the answer.
    pub async fn write(&self, body: &bytes::Bytes) -> Result<Duration> {
        let request = self
            .request(reqwest::Method::POST, "/write")
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(body.clone());
        let began = Instant::now();
        let answer = request.send().await?;
        let took = began.elapsed();
        let status = answer.status();
        if !status.is_success() {
            bail!("{} answered {status}: {}", self.product.name(), answer.text().await?);
        }
        Ok(took)
    }

    /// The rows of the result, sorted, and the time until its last byte.
    pub async fn ask(&self, query: &Query<'_>) -> Result<(Vec<Value>, Duration)> {
        let (start, end) = (query.start_s.to_string(), query.end_s.to_string());
        // VictoriaMetrics would answer from its cache of results; the others have none.
        let common = [("query", query.expr), ("nocache", "1")];
        let request = match query.step_s {
            None => self.request(reqwest::Method::GET, "/query").query(&[("time", &end)]),
            Some(step) => self.request(reqwest::Method::GET, "/query_range").query(&[
                ("start", start),
                ("end", end),
                ("step", step.to_string()),
            ]),
        };
        let began = Instant::now();
        let bytes = request.query(&common).send().await?.bytes().await?;
        let took = began.elapsed();
        let mut answer: Value = serde_json::from_slice(&bytes)?;
        let name = self.product.name();
        ensure!(answer["status"] == "success", "{name} answered {answer:.500}");
        let Value::Array(mut rows) = answer["data"]["result"].take() else {
            bail!("{name}: {} has no list of results", query.expr)
        };
        rows.sort_by_cached_key(|row| row["metric"].to_string());
        Ok((rows, took))
    }

    /// Waits until a query's one value is this: what was written can be read.
    pub async fn until_value(&self, query: &Query<'_>, value: f64) -> Result<()> {
        lab::wait::until(query.expr, START_LIMIT, || async {
            let (rows, _) = self.ask(query).await?;
            let seen = rows.first().and_then(|row| row["value"][1].as_str()?.parse::<f64>().ok());
            Ok(seen == Some(value))
        })
        .await
        .with_context(|| self.product.name())
    }
}

fn spawn_peer(product: Product, dir: &LabDir, port: u16) -> Result<Process> {
    let data = dir.join("data");
    let command = match product {
        Product::Opshawk => bail!("it is no peer"),
        Product::Prometheus => prometheus(dir, &data, port)?,
        Product::Victoria => {
            let mut command = Command::new("victoria-metrics");
            command
                .arg(format!("-storageDataPath={}", data.display()))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg("-retentionPeriod=13")
                // A query at the newest sample is to see it, as it does in the others.
                .arg("-search.latencyOffset=0s")
                .arg("-search.maxUniqueTimeseries=1000000")
                .arg("-search.maxSamplesPerQuery=2000000000");
            command
        }
    };
    Process::start(product.name(), command, &dir.join("log"))
}

fn prometheus(dir: &LabDir, data: &Path, port: u16) -> Result<Command> {
    let config = dir.write("prometheus.yml", "global: {}\n")?;
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", data.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--storage.tsdb.retention.time=400d")
        .arg("--web.enable-remote-write-receiver");
    Ok(command)
}
