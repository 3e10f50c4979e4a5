//! The agent's collectors: this machine and its guests, through a queue on disk, by remote write
//! to the server. A server that is away costs no sample until the queue's bound.

use std::{sync::Arc, time::Duration};

use base::{Error, Result};
use collector::{
    Collector, GuestSource, HostSource, InstanceTarget, RemoteWriteSink, Schedule, Settings,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{config::Config, wire::Desired, worker::Shared};

const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// How long the server may take for one batch.
const WRITE_TIMEOUT_MS: u64 = 30_000;
/// However often is asked for: more would measure the measuring.
const MIN_INTERVAL_MS: u64 = 1_000;

/// Runs until `stop`. It begins when the host knows its id, which is a label of all it says.
pub async fn run(
    shared: Arc<Shared>,
    config: &Config,
    mut told: watch::Receiver<Option<Arc<Desired>>>,
    stop: CancellationToken,
) -> Result<()> {
    let first = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        first = told.wait_for(Option::is_some) => first.ok().and_then(|desired| desired.clone()),
    };
    let Some(first) = first else { return Ok(()) };
    let mut settings = Settings::new(shared.executor.layout.samples(), crate::report::hostname());
    settings.labels = vec![("host_id".to_owned(), first.host_id.to_string())];
    let (tell, targets) = watch::channel(targets(&first));
    let collector = Collector::start(settings, shared.clock.clone(), Arc::new(sink(config)?))
        .map_err(|e| Error::internal("the queue for samples can't be used").source(e))?;
    let interval_ms = config.collect_interval_ms.max(MIN_INTERVAL_MS);
    let schedule = Schedule {
        interval_ms: i64::try_from(interval_ms).unwrap_or(i64::MAX),
        timeout_ms: interval_ms,
    };
    collector.add(Arc::new(HostSource::default()), schedule);
    let guests = GuestSource::new(shared.executor.hypervisor.clone(), targets);
    collector.add(Arc::new(guests), schedule);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            changed = told.changed() => if changed.is_err() { break },
        }
        if let Some(desired) = told.borrow_and_update().as_deref() {
            tell.send_replace(self::targets(desired));
        }
    }
    collector.stop().await;
    Ok(())
}

fn sink(config: &Config) -> Result<RemoteWriteSink> {
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS))
        .timeout(Duration::from_millis(WRITE_TIMEOUT_MS))
        .no_proxy()
        .build()
        .map_err(|e| Error::internal("the HTTP client can't be made").source(e))?;
    let url = format!("{}/prometheus/api/v1/write", config.server_url.trim_end_matches('/'));
    Ok(RemoteWriteSink::new(client, url, &config.token))
}

/// Whose guests are whose: their domains have their ids.
fn targets(desired: &Desired) -> Vec<InstanceTarget> {
    let target = |instance: &crate::wire::DesiredInstance| InstanceTarget {
        instance_id: instance.id,
        tenant_id: instance.tenant_id,
        domain_id: instance.id.0,
    };
    desired.instances.iter().map(target).collect()
}
