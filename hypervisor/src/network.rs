//! The network that instances are on: a NAT network of our own, or one that the operator made.
//!
//! Ours carries our mark in its metadata. A network without it is used as it is and never changed,
//! not even started.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use virt::{connect::Connect, network::Network as Handle};

use crate::{
    connection::Hypervisor,
    domain::NAMESPACE,
    error::{Error, Result},
    xml::escape,
};

const MARK_ELEMENT: &str = "network";
/// Linux's limit for an interface's name (IFNAMSIZ less the NUL).
pub const BRIDGE_NAME_BYTES: usize = 15;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Network {
    /// Made and kept active by OpsHawk.
    Nat(NatNetwork),
    /// A bridge that the operator made.
    Bridge { name: String },
}

/// A /24 behind the host's address, with DHCP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NatNetwork {
    pub name: String,
    /// The bridge's name on the host, at most [`BRIDGE_NAME_BYTES`].
    pub bridge: String,
    /// The host's address on it, a /24; guests get .10 to .250.
    pub gateway: Ipv4Addr,
}

impl Default for NatNetwork {
    fn default() -> Self {
        Self {
            name: "opshawk".to_owned(),
            bridge: "opshawk0".to_owned(),
            gateway: Ipv4Addr::new(192, 168, 232, 1),
        }
    }
}

impl NatNetwork {
    pub fn to_xml(&self) -> Result<String> {
        if self.bridge.is_empty() || self.bridge.len() > BRIDGE_NAME_BYTES {
            let reason = format!("'{}' is not 1 to {BRIDGE_NAME_BYTES} bytes long", self.bridge);
            return Err(Error::Invalid { field: "bridge", reason });
        }
        let [a, b, c, _] = self.gateway.octets();
        Ok(format!(
            "<network>
  <name>{name}</name>
  <metadata>
    <opshawk:{MARK_ELEMENT} xmlns:opshawk='{NAMESPACE}'/>
  </metadata>
  <forward mode='nat'/>
  <bridge name='{bridge}' stp='off' delay='0'/>
  <ip address='{gateway}' netmask='255.255.255.0'>
    <dhcp>
      <range start='{a}.{b}.{c}.10' end='{a}.{b}.{c}.250'/>
    </dhcp>
  </ip>
</network>
",
            name = escape("network", &self.name)?,
            bridge = escape("bridge", &self.bridge)?,
            gateway = self.gateway,
        ))
    }
}

/// Whether this network's XML carries our mark.
fn is_ours(xml: &str) -> bool {
    roxmltree::Document::parse(xml).is_ok_and(|document| {
        let metadata = document.root_element().children().find(|n| n.has_tag_name("metadata"));
        metadata.is_some_and(|m| m.children().any(|n| n.has_tag_name((NAMESPACE, MARK_ELEMENT))))
    })
}

impl Hypervisor {
    /// Makes and starts the NAT network where it is missing; a network of that name that we did
    /// not make must be active already.
    pub async fn ensure_network(&self, network: &NatNetwork) -> Result<()> {
        let (name, xml) = (network.name.clone(), network.to_xml()?);
        self.call("ensure network", move |connect| {
            let (handle, ours) = match find(connect, &name)? {
                Some(handle) => {
                    let ours = is_ours(&handle.xml_desc(0)?);
                    (handle, ours)
                }
                None => {
                    tracing::info!(network = name, "defining the network");
                    (connect.define_network_xml(&xml)?, true)
                }
            };
            match (handle.is_active()?, ours) {
                (true, _) => {}
                (false, false) => {
                    return Err(Error::Foreign { what: format!("network {name} (inactive)") });
                }
                (false, true) => {
                    tracing::info!(network = name, "starting the network");
                    handle.create()?;
                }
            }
            if ours && !handle.autostart()? {
                handle.set_autostart(true)?;
            }
            Ok(())
        })
        .await
    }

    /// Stops and removes the network if it is ours.
    pub async fn remove_network(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.call("remove network", move |connect| {
            let Some(handle) = find(connect, &name)? else { return Ok(()) };
            if !is_ours(&handle.xml_desc(0)?) {
                return Err(Error::Foreign { what: format!("network {name}") });
            }
            if handle.is_active()? {
                handle.destroy()?;
            }
            Ok(handle.undefine()?)
        })
        .await
    }
}

fn find(connect: &Connect, name: &str) -> Result<Option<Handle>> {
    match connect.lookup_network_by_name(name).map_err(Error::from) {
        Ok(handle) => Ok(Some(handle)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
