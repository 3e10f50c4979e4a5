//! Debian's Prometheus, scraping one target with a bearer token or taking remote write.

use std::{process::Command, time::Duration};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    dir::{LabDir, free_port},
    process::Process,
    wait::{self, Seen},
};

const START_LIMIT: Duration = Duration::from_secs(60);

pub struct Prometheus {
    process: Process,
    _dir: LabDir,
    port: u16,
}

impl Prometheus {
    /// `target` is `HOST:PORT`; it scrapes `/metrics` there each second.
    pub async fn start(target: &str, token: &str) -> Result<Self> {
        let dir = LabDir::new("prom")?;
        dir.write("token", token)?;
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
             scrape_configs:\n\
             - job_name: opshawk\n\
             \x20 authorization: {{ credentials_file: {token} }}\n\
             \x20 static_configs: [ {{ targets: [ '{target}' ] }} ]\n",
            token = dir.join("token").display(),
        );
        Self::run(dir, &config).await
    }

    /// It scrapes nothing and takes remote write.
    pub async fn receiver() -> Result<Self> {
        Self::run(LabDir::new("prom")?, "global: {}\n").await
    }

    async fn run(dir: LabDir, config: &str) -> Result<Self> {
        let port = free_port()?;
        let config = dir.write("prometheus.yml", config)?;
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.enable-remote-write-receiver")
            .current_dir(dir.path());
        let mut process = Process::start("Prometheus", command, &dir.join("prometheus.log"))?;
        let ready = format!("http://127.0.0.1:{port}/-/ready");
        let client = crate::api::http_client();
        process
            .ready(START_LIMIT, || async {
                client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success())
            })
            .await?;
        Ok(Self { process, _dir: dir, port })
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.url());
        let answer: Value = crate::api::http_client().get(url).send().await?.json().await?;
        if answer["status"] != "success" {
            bail!("Prometheus answered {answer}");
        }
        Ok(answer["data"].clone())
    }

    /// The value of an instant query that has one series.
    pub async fn value(&self, query: &str) -> Result<Option<f64>> {
        let query: String = query.bytes().map(|b| format!("%{b:02X}")).collect();
        let data = self.get(&format!("/api/v1/query?query={query}")).await?;
        Ok(data["result"][0]["value"][1].as_str().and_then(|value| value.parse().ok()))
    }

    /// Waits until the target is up; its scrape URL.
    pub async fn target_up(&mut self, limit: Duration) -> Result<String> {
        self.process.check()?;
        wait::eventually("Prometheus's target", limit, || async {
            let data = self.get("/api/v1/targets").await?;
            let target = &data["activeTargets"][0];
            Ok(match target["health"].as_str() {
                Some("up") => {
                    Seen::Yes(target["scrapeUrl"].as_str().unwrap_or_default().to_owned())
                }
                _ => Seen::NotYet(format!("{} {}", target["health"], target["lastError"])),
            })
        })
        .await
    }
}
