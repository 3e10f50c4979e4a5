//! The agent inside the server, for its own machine. It speaks to the server as any other agent
//! does: over HTTP, with its own token.

use std::{io::Write, net::SocketAddr, os::unix::fs::OpenOptionsExt, path::Path};

use agent::{Agent, Config};
use base::{Error, Result, id::HostId};
use identity::{Access, tokens};
use inventory::hosts;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::dir::DataDir;
use crate::api::App;

pub struct Embedded {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Embedded {
    pub async fn start(app: &App, dir: &DataDir, address: SocketAddr) -> Result<Self> {
        let section = &app.config.agent;
        let name = match &section.name {
            Some(name) => name.clone(),
            None => hostname()?,
        };
        let token = token(app, &name, &dir.agent_token()).await?;
        let mut config = Config::new(loopback(address), token, dir.agent());
        config.instances_dir = section.instances_dir.clone().unwrap_or_else(|| dir.instances());
        config.libvirt_uri = section.libvirt_uri.clone();
        config.collect_interval_ms = u64::from(section.collect_interval_s) * 1000;
        config.traffic_interval_ms = u64::from(section.traffic_interval_s) * 1000;
        config.screen = section.screens;
        let agent = Agent::new(config, app.clock.clone())?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = agent.run(stopped).await {
                let chain = base::reconcile::error_chain(&error);
                tracing::error!(error = chain, "the embedded agent ended");
            }
        });
        Ok(Self { stop, task })
    }

    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

/// Where the server is for a client on its own machine.
fn loopback(address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

fn hostname() -> Result<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").map_err(|e| {
        Error::internal("the machine's name can't be read")
            .remedy("set agent.name in the configuration")
            .source(e)
    })?;
    Ok(name.trim().to_owned())
}

/// The token in the file where it still is this host's; else a new one, and the old ones end.
async fn token(app: &App, name: &str, path: &Path) -> Result<String> {
    let mut tx = app.db.begin_write().await?;
    let now = app.clock.now();
    let host = match hosts::by_name(&mut tx, name).await? {
        Some(host) => host.id,
        None => hosts::create(&mut tx, now, name).await?.id,
    };
    if let Some(token) = kept(app, host, path).await {
        tx.commit().await?;
        return Ok(token);
    }
    app.identity.revoke_tokens_of_host(&mut tx, host).await?;
    let (_, token) = tokens::create(&mut tx, now, name, Access::Agent(host)).await?;
    // Before the commit: a file whose token nobody knows is replaced at the next start.
    write_private(path, &token)?;
    tx.commit().await?;
    Ok(token)
}

async fn kept(app: &App, host: HostId, path: &Path) -> Option<String> {
    let token = std::fs::read_to_string(path).ok()?.trim().to_owned();
    let actor = app.identity.authenticate_token(&token).await.ok()?;
    (actor.access == Access::Agent(host)).then_some(token)
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    let failed = |e| {
        Error::unavailable(format!("the agent's token can't be written to {}", path.display()))
            .source(e)
    };
    let aside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&aside);
    let mut file = file.map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&aside, path).map_err(failed)
}
