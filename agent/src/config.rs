//! What an agent is told at its start.

use std::{fmt, path::PathBuf};

use hypervisor::Network;

#[derive(Clone)]
pub struct Config {
    /// For instance `https://opshawk.example:8420`.
    pub server_url: String,
    /// The host's token.
    pub token: String,
    /// What the agent keeps: the last desired state, the journal, cached images, samples that
    /// wait. QEMU's user must be able to traverse it.
    pub data_dir: PathBuf,
    /// The instances' disks: one directory each, named by its id.
    pub instances_dir: PathBuf,
    pub libvirt_uri: String,
    pub network: Network,
    /// Gives each guest a screen, from its next start on.
    pub screen: bool,
    pub collect_interval_ms: u64,
    /// How often what guests' interfaces have counted is written down for billing.
    pub traffic_interval_ms: u64,
}

impl Config {
    /// With everything else at its default.
    pub fn new(
        server_url: impl Into<String>,
        token: impl Into<String>,
        data_dir: impl Into<PathBuf>,
    ) -> Self {
        let data_dir = data_dir.into();
        Self {
            server_url: server_url.into(),
            token: token.into(),
            instances_dir: data_dir.join("instances"),
            data_dir,
            libvirt_uri: "qemu:///system".to_owned(),
            network: Network::Nat(hypervisor::NatNetwork::default()),
            screen: true,
            collect_interval_ms: 15_000,
            traffic_interval_ms: 300_000,
        }
    }
}

/// Everything but the token.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("server_url", &self.server_url)
            .field("data_dir", &self.data_dir)
            .field("instances_dir", &self.instances_dir)
            .field("libvirt_uri", &self.libvirt_uri)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}
