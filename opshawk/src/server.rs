//! The server: what it opens in which order, what runs in it, and how it ends.
//!
//! ```text
//! configuration → port → data directory → key → database → store → reconcilers → HTTP → agent
//! ```
//!
//! Whatever can't be opened ends the start with one line that says what and what to do. A libvirt
//! or a BMC that does not answer is no reason to end: it shows as *unknown*.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`dir`] | the data directory |
//! | [`loops`] | reconcilers, and what wakes them |
//! | [`collection`] | reading the servers' BMCs into the store |
//! | `money` | tenants' money as series in the store |
//! | [`embedded`] | the agent inside, for this machine |
//! | [`agent`] | `opshawk agent`, the same on its own |

use std::{sync::Arc, time::Duration};

use axum::serve::ListenerExt as _;
use base::{
    Error, Result,
    bus::Bus,
    db::Db,
    reconcile::Driver,
    secret::Sealer,
    time::{SharedClock, SystemClock},
};
use identity::Identity;
use timeseries::{Embedded, Engine, Outside, Store};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{self, App, images::Files, metrics::Metrics, state::Parts},
    cli::{
        exit::{Code, Failure},
        output,
    },
    config::{self, Config, Flags},
    samples::Ingest,
};

pub mod agent;
pub mod collection;
pub mod dir;
pub mod embedded;
pub mod loops;
mod money;

use dir::DataDir;

/// How long requests under way may take when the server ends.
const DRAIN: Duration = Duration::from_secs(10);

/// A running server.
pub struct Server {
    pub app: App,
    /// The address that it listens on (the port is chosen where it was 0).
    pub address: std::net::SocketAddr,
    http: JoinHandle<()>,
    loops: loops::Loops,
    embedded: Option<embedded::Embedded>,
    _dir: DataDir,
}

/// `opshawk server`: until SIGTERM or SIGINT.
pub async fn run(flags: Flags) -> Result<(), Failure> {
    init_log();
    // From here on a signal is heard, however early it comes.
    let terminated = terminated();
    let config =
        config::load(&flags, std::env::vars()).map_err(|e| Failure::failed(e.to_string()))?;
    // Whatever keeps a server from starting is a 1; the other codes are a client's.
    let unfit = |error: Error| Failure { code: Code::Failed, ..error.into() };
    let server = Server::start(config, SystemClock::shared()).await.map_err(unfit)?;
    greet(&server).await?;
    let signal = terminated.await;
    tracing::info!(signal, "stopping");
    server.stop().await;
    Ok(())
}

/// What is logged where `OPSHAWK_LOG` is not set; databases' notices are no news.
const LOG: &str = "info,sqlx=warn";

/// Log lines go to stderr; `OPSHAWK_LOG` says which.
pub fn init_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("OPSHAWK_LOG").unwrap_or_else(|_| EnvFilter::new(LOG));
    // A second start in one process (a test) keeps the first one's.
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = log.with_ansi(ansi).try_init();
}

/// The console's address, and while no operator has a password, the one-time link to set it.
async fn greet(server: &Server) -> Result<(), Failure> {
    let url = server.app.config.public_url();
    let mut text = format!("OpsHawk listens on {}\nConsole: {url}/\n", server.address);
    if let Some(link) = server.app.identity.first_start().await? {
        text.push_str(&format!(
            "Set the operator's password (login {}), once, within {} hours: {url}/setup?token={link}\n",
            identity::auth::FIRST_OPERATOR,
            identity::auth::SETUP_LINK_LIFETIME.as_secs() / 3600,
        ));
    }
    output::print(&text)
}

/// SIGTERM or SIGINT, from this call on.
pub fn terminated() -> impl Future<Output = &'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let (term, int) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut term), Ok(mut int)) = (term, int) else {
            tracing::error!("signals can't be waited for; end the process with SIGKILL");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
        }
    }
}

async fn listen(config: &Config) -> Result<TcpListener> {
    TcpListener::bind(config.listen).await.map_err(|e| {
        Error::unavailable(format!("can't listen on {}", config.listen))
            .remedy("end what uses the port, or name another address with --listen")
            .source(e)
    })
}

impl Server {
    pub async fn start(mut config: Config, clock: SharedClock) -> Result<Self> {
        let listener = listen(&config).await?;
        let address = listener
            .local_addr()
            .map_err(|e| Error::unavailable("the listening address can't be read").source(e))?;
        config.listen = address;
        // A database elsewhere first: where it can't be opened, no directory is made.
        let elsewhere = match &config.database {
            Some(url) => Some(Db::open(url).await?),
            None => None,
        };
        let dir = DataDir::open(&config.data_dir)?;
        let sealer = Sealer::open(&dir.key())?;
        let db = match elsewhere {
            Some(db) => db,
            None => {
                dir.prepare_database()?;
                Db::open(&config.database_url()).await?
            }
        };
        let store = open_store(&config, &dir, &clock).await?;
        let (app, loops) = assemble(config, &dir, db, sealer, store, clock).await?;
        let http = serve(listener, app.clone());
        let embedded = match app.config.agent.enabled {
            true => Some(embedded::Embedded::start(&app, &dir, address).await?),
            false => None,
        };
        Ok(Self { app, address, http, loops, embedded, _dir: dir })
    }

    /// Ends the agent inside, takes no more requests, lets those under way and the loops finish, then closes everything.
    pub async fn stop(self) {
        // The agent first, while there is somebody to take its last report.
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
        self.app.stopping.cancel();
        let mut http = self.http;
        if tokio::time::timeout(DRAIN, &mut http).await.is_err() {
            tracing::warn!(limit_s = DRAIN.as_secs(), "requests under way were cut off");
            http.abort();
        }
        self.loops.stop(&self.app.driver).await;
        if let Err(error) = self.app.store.close().await {
            tracing::error!(%error, "the store did not close well");
        }
        self.app.db.close().await;
    }
}

async fn open_store(config: &Config, dir: &DataDir, clock: &SharedClock) -> Result<Arc<dyn Store>> {
    let elsewhere =
        config.metrics_engine().map_err(|e| Error::invalid("metrics", e.to_string()))?;
    Ok(match elsewhere {
        Some(address) => Arc::new(Outside::open(address)?),
        None => {
            let options = config.samples.options();
            Arc::new(Embedded::open(&dir.samples(), options, clock.clone()).await?)
        }
    })
}

async fn assemble(
    config: Config,
    dir: &DataDir,
    db: Db,
    sealer: Sealer,
    store: Arc<dyn Store>,
    clock: SharedClock,
) -> Result<(App, loops::Loops)> {
    let bus = Bus::default();
    let driver = Arc::new(Driver::new(clock.clone()));
    let engine = Engine::new(store.clone(), config.query.options());
    let files = Files::open_dir(dir.images()).map_err(|e| {
        Error::unavailable("the images' directory can't be used")
            .remedy("check that the data directory can be written")
            .source(e)
    })?;
    let alerting_settings = Arc::new(config::alerting_settings(&config));
    let parts = loops::Needs {
        driver: driver.clone(),
        db: db.clone(),
        clock: clock.clone(),
        bus: bus.clone(),
        sealer: sealer.clone(),
        store: store.clone(),
        billing: config.billing.settings(),
        money_samples: config.billing.samples,
        bmc_interval_s: config.bmc.collect_interval_s,
        queue: dir.queue(),
    };
    let loops = loops::Loops::spawn(parts)?;
    let samples = Arc::new(crate::samples::RuleSamples { engine: engine.clone() });
    let settings = alerting_settings.clone();
    let alerting = alerting::Alerting::start(&driver, &db, &clock, &bus, settings, samples).await?;
    let app = App::new(Parts {
        billing: config.billing.settings(),
        identity: Identity::new(db.clone(), clock.clone()),
        reports: provisioner::reports::Reports::new(
            db.clone(),
            clock.clone(),
            bus.clone(),
            config.billing.gap_policy,
            config.billing.region.clone(),
        ),
        ingest: Ingest::new(db.clone(), store.clone(), clock.clone()),
        metrics: Metrics::default(),
        moves: api::history::Moves::default(),
        streams: api::streams::Broker::default(),
        stopping: CancellationToken::new(),
        started_at: clock.now(),
        servers_changed: loops.servers_changed(),
        config,
        db,
        clock,
        bus,
        sealer,
        store,
        engine,
        driver,
        alerting_settings,
        alerting,
        files,
    });
    Ok((app, loops))
}

fn serve(listener: TcpListener, app: App) -> JoinHandle<()> {
    let stopping = app.stopping.clone();
    tokio::spawn(async move {
        let router = api::router(app);
        // An answer's last bytes must not wait for the client to acknowledge the others.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection's answers may be held back");
            }
        });
        let served = axum::serve(listener, router)
            .with_graceful_shutdown(async move { stopping.cancelled().await })
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "HTTP ended");
        }
    })
}

#[cfg(test)]
mod tests;
