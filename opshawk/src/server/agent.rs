//! `opshawk agent`: the agent of a host, on its own.

use agent::{Agent, Config};
use base::time::SystemClock;
use tokio_util::sync::CancellationToken;

use crate::cli::{
    args::{AgentArgs, Connection},
    client,
    exit::Failure,
};

/// Until SIGTERM or SIGINT. Guests run on.
pub async fn run(args: AgentArgs, connection: &Connection) -> Result<(), Failure> {
    super::init_log();
    let token = client::token(connection)?;
    if !is_loopback(&args.server) && args.server.starts_with("http://") && !args.insecure {
        return Err(Failure::usage(format!(
            "{} would carry the token in plain text (use https://, or accept it with --insecure)",
            args.server
        )));
    }
    let mut config = Config::new(args.server, token, &args.data_dir);
    if let Some(dir) = args.instances_dir {
        config.instances_dir = dir;
    }
    config.libvirt_uri = args.libvirt_uri;
    config.collect_interval_ms = u64::from(args.collect_interval_s) * 1000;
    config.traffic_interval_ms = u64::from(args.traffic_interval_s) * 1000;
    config.screen = !args.no_screens;
    let agent = Agent::new(config, SystemClock::shared())?;
    let stop = CancellationToken::new();
    let running = tokio::spawn(agent.run(stop.clone()));
    let signal = super::terminated().await;
    tracing::info!(signal, "stopping");
    stop.cancel();
    running.await.map_err(|e| Failure::failed(format!("the agent failed: {e}")))??;
    Ok(())
}

fn is_loopback(url: &str) -> bool {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| {
        let bare = host.trim_matches(['[', ']']);
        host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}
