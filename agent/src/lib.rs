//! What runs on a host: it takes the host's desired state from the server, converges the local
//! libvirt to it, and reports what it sees.
//!
//! It opens no port, keeps no SQL, and knows no money. A server that is away stops nothing; a
//! libvirtd that is away makes instances *unknown*, never *stopped*. It removes only what carries
//! its host's mark.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`wire`] | what server and agent say to each other |
//! | [`config`] | what an agent is told at its start |
//! | `desired` | long poll for the desired state, kept on disk |
//! | `host` | the host reconciler: a worker for each instance, and who wakes it |
//! | `worker` | one instance: look, journal, plan, one step, again |
//! | [`plan`] | what is wanted and what is there → the next step; pure |
//! | `execute` | looking, and doing one step |
//! | `image`, `disk`, `seed` | the files of an instance |
//! | `journal` | confirmed states and unacknowledged events, on disk |
//! | `ports` | looks at what guests' interfaces have counted |
//! | `readings` | what of that the server is to bill by, on disk until it is acknowledged |
//! | `board` | what is known right now |
//! | `report` | tells the server, until it acknowledges |
//! | `console` | the tail of a serial port |
//! | `streams` | live consoles: guests' serial ports and screens, carried to the server |
//! | [`websocket`] | a WebSocket over the HTTP client |
//! | `metrics` | samples of the host and its guests, to the server |

mod board;
pub mod config;
mod console;
mod desired;
mod disk;
mod execute;
mod failure;
mod files;
mod host;
mod image;
mod journal;
mod metrics;
pub mod plan;
mod ports;
mod readings;
mod report;
mod seed;
mod server;
mod streams;
pub mod websocket;
pub mod wire;
mod worker;

#[cfg(test)]
mod tests;

use std::{fs, path::Path, sync::Arc};

use base::{Error, Result, reconcile::error_chain, time::SharedClock};
use hypervisor::Hypervisor;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

pub use config::Config;

use crate::{
    board::Board,
    execute::{Executor, Hooks, NoHooks},
    files::Layout,
    host::HostReconciler,
    image::ImageCache,
    journal::Journal,
    ports::Ports,
    report::Reporter,
    server::Server,
    worker::{MAX_HEAVY_STEPS, Shared},
};

/// An agent, ready to run. It holds its directories: a second agent on them is refused.
pub struct Agent {
    shared: Arc<Shared>,
    server: Server,
    config: Config,
    _locks: Vec<fs::File>,
}

impl Agent {
    /// Reads what an earlier run left. Nothing is asked of the server or of libvirt yet.
    pub fn new(config: Config, clock: SharedClock) -> Result<Self> {
        Self::with_hooks(config, clock, Arc::new(NoHooks))
    }

    fn with_hooks(config: Config, clock: SharedClock, hooks: Arc<dyn Hooks>) -> Result<Self> {
        let unusable = |path: &Path, e: std::io::Error| {
            Error::internal(format!("the agent's directory {} can't be used", path.display()))
                .remedy("check that it can be made and written")
                .source(e)
        };
        let layout = Layout::new(&config.data_dir, &config.instances_dir)
            .map_err(|e| unusable(&config.data_dir, e))?;
        let locks = [config.data_dir.as_path(), &config.instances_dir].map(lock);
        let locks = locks.into_iter().collect::<Result<Vec<_>>>()?;
        let server = Server::new(&config)?;
        let executor = Executor {
            images: ImageCache::new(layout.clone(), server.clone()),
            hypervisor: Hypervisor::new(hypervisor::Settings::new(&config.libvirt_uri)),
            network: config.network.clone(),
            screen: config.screen,
            hooks,
            layout: layout.clone(),
        };
        let shared = Arc::new(Shared {
            executor,
            board: Board::default(),
            journal: Journal::open(&layout, clock.now())?,
            ports: Ports::open(&layout, config.traffic_interval_ms)?,
            clock,
            heavy: Semaphore::new(MAX_HEAVY_STEPS),
        });
        Ok(Self { shared, server, config, _locks: locks })
    }

    /// Runs until `stop`. Guests run on; steps under way are left where they are, which the next
    /// run finds and finishes.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let path = self.shared.executor.layout.desired();
        let (tell, told) = watch::channel(None);
        // What is wanted may be known before the server answers.
        if let Some(desired) = desired::load(&path) {
            tracing::info!(generation = desired.generation, "going on from the kept desired state");
            tell.send_replace(Some(Arc::new(desired)));
        }
        let mut told = told;
        told.mark_changed();
        let host = HostReconciler::new(self.shared.clone()).run(told);
        let reporter = Reporter::new(self.shared.clone(), self.server.clone()).run();
        let streams = streams::run(self.shared.clone(), self.server.clone());
        let ports = ports::run(self.shared.clone());
        let follow = desired::follow(&self.server, &path, &tell);
        let samples =
            metrics::run(self.shared.clone(), &self.config, tell.subscribe(), stop.clone());
        let samples = async {
            if let Err(error) = samples.await {
                // Guests matter more than graphs.
                tracing::error!(error = error_chain(&error), "no samples are collected");
            }
            stop.cancelled().await;
        };
        let work = async {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = host => {}
                _ = reporter => {}
                _ = follow => {}
                _ = streams => {}
                _ = ports => {}
            }
        };
        // The collector is left to close its queue.
        tokio::join!(work, samples);
        Ok(())
    }
}

/// Holds the directory for this process; the lock goes with it, however it ends.
fn lock(dir: &Path) -> Result<fs::File> {
    let path = dir.join(".lock");
    let failed = |e: std::io::Error| {
        Error::internal(format!("{} can't be locked", path.display())).source(e)
    };
    let file = fs::File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(Error::conflict(format!("another agent uses {}", dir.display()))
                .remedy("stop it, or give this one a directory of its own"))
        }
        Err(fs::TryLockError::Error(e)) => Err(failed(e)),
    }
}
