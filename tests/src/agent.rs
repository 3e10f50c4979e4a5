//! A host's agent as a process of its own, as on a machine that has no server.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{
    api::Api,
    dir::LabDir,
    host::LibvirtHost,
    opshawk,
    process::Process,
    wait::{self, Seen},
};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

pub struct Agent {
    process: Process,
    dir: LabDir,
    token: String,
    /// As the server showed it when it was up.
    host: Value,
}

impl Agent {
    /// Registers the host, starts its agent, and returns once the server shows the host up.
    pub async fn start(operator: &Api, host: &LibvirtHost, name: &str) -> Result<Self> {
        let registered = operator.post("/v1/hosts", &json!({"name": name})).await?;
        let token = registered["token"].as_str().context("a new host's token is shown once")?;
        let token = token.to_owned();
        let dir = LabDir::new("agent")?;
        let token_file = dir.write("agent.token", &format!("{token}\n"))?;
        let mut command = opshawk::command()?;
        command
            .args(["agent", "--server", operator.base(), "--collect-interval-s=1"])
            .args(["--libvirt-uri", &host.uri()])
            .arg("--token-file")
            .arg(&token_file)
            .arg("--data-dir")
            .arg(dir.join("data"));
        let process = Process::start("opshawk agent", command, &dir.join("out"))?;
        let mut agent = Self { process, dir, token, host: Value::Null };
        agent.host = wait::eventually(&format!("{name}, up"), START_LIMIT, || async {
            let hosts = operator.list("/v1/hosts").await?;
            let up = |host: &&Value| host["name"] == name && host["status"] == "ok";
            Ok(match hosts.iter().find(up) {
                Some(host) => Seen::Yes(host.clone()),
                None => Seen::NotYet(format!("{hosts:?}")),
            })
        })
        .await?;
        Ok(agent)
    }

    pub fn host(&self) -> &Value {
        &self.host
    }
    pub fn token(&self) -> &str {
        &self.token
    }
    pub fn log(&self) -> String {
        self.process.log()
    }
    pub fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// What the guest printed on its serial port, as the host's own file has it.
    pub fn serial_log(&self, instance: &str) -> Result<String> {
        let path = self.instances_dir().join(instance).join("serial.log");
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The names in the directory of guests' disks, the agent's own lock aside.
    pub fn instances(&self) -> Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(self.instances_dir())?;
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        Ok(paths.into_iter().filter(|path| !path.ends_with(".lock")).collect())
    }

    fn instances_dir(&self) -> PathBuf {
        self.dir.join("data/instances")
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// SIGTERM; guests run on.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        self.process.terminate(STOP_LIMIT).await
    }
}
