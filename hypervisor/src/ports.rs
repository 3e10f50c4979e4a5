//! What guests' network interfaces have counted, and since when.
//!
//! libvirt counts from zero each time a guest is started, and nothing that it tells names that life
//! for good: a domain's number may be given again once libvirtd was restarted. So
//! [`crate::Claim::name_life`] writes a name into the metadata of the guest that runs, not of its
//! definition; the name ends with the guest, and outlives an agent, its files and libvirtd.

use roxmltree::{Document, Node};
use uuid::Uuid;
use virt::domain::Domain;
use virt_sys as sys;

use crate::{
    connection::Hypervisor,
    domain::{Mark, mark_of},
    error::{Error, Result},
    xml,
};

/// The namespace of a life's element in a running domain's `<metadata>`.
pub const LIFE_NAMESPACE: &str = "urn:opshawk:libvirt:life:1";
const LIFE_ELEMENT: &str = "life";
const LIFE_PREFIX: &str = "opshawklife";
/// A guest with more interfaces is cut off here.
const PORTS_MAX: usize = 64;

/// The interfaces of a guest that runs (or is paused).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestPorts {
    pub id: Uuid,
    /// None: made by somebody else.
    pub mark: Option<Mark>,
    /// See [`crate::Claim::name_life`].
    pub life: Option<String>,
    /// libvirt's number of the running domain.
    pub number: u32,
    pub ports: Vec<Port>,
}

/// Seen from the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub mac: String,
    /// The host's end, for instance `vnet3`.
    pub device: String,
    pub received_bytes: i64,
    pub sent_bytes: i64,
}

/// What the XML of a running domain says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub mark: Option<Mark>,
    pub life: Option<String>,
    pub number: u32,
    /// MAC address and device of each interface.
    pub interfaces: Vec<(String, String)>,
}

impl Hypervisor {
    /// Of all guests that run, ours or not.
    pub async fn ports(&self) -> Result<Vec<GuestPorts>> {
        self.call("read ports", |connect| {
            let mut seen = Vec::new();
            for domain in connect.list_all_domains(sys::VIR_CONNECT_LIST_DOMAINS_ACTIVE)? {
                match read(&domain) {
                    Ok(found) => seen.extend(found),
                    // It ended since it was listed.
                    Err(Error::NotFound { .. } | Error::Refused { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(seen)
        })
        .await
    }

    /// Of one; none if it does not run.
    pub async fn ports_of(&self, id: Uuid) -> Result<Option<GuestPorts>> {
        self.call("read a guest's ports", move |connect| {
            let found = connect.lookup_domain_by_uuid(id).map_err(Error::from);
            match found.and_then(|domain| read(&domain)) {
                Ok(found) => Ok(found),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

/// The description first: if the guest is started anew before its devices are read, they have
/// other names, and libvirt does not know those that are asked for.
fn read(domain: &Domain) -> Result<Option<GuestPorts>> {
    let Some(described) = describe(&domain.xml_desc(0)?) else { return Ok(None) };
    let mut ports = Vec::new();
    for (mac, device) in described.interfaces.into_iter().take(PORTS_MAX) {
        // Gone meanwhile, or of a kind that is not counted on the host.
        let Ok(counted) = domain.interface_stats(&device) else { continue };
        // Below zero: this kind of device doesn't count.
        if counted.rx_bytes >= 0 && counted.tx_bytes >= 0 {
            let (received_bytes, sent_bytes) = (counted.rx_bytes, counted.tx_bytes);
            ports.push(Port { mac, device, received_bytes, sent_bytes });
        }
    }
    let Described { mark, life, number, .. } = described;
    Ok(Some(GuestPorts { id: domain.uuid()?, mark, life, number, ports }))
}

/// None of a domain that does not run.
pub(crate) fn describe(text: &str) -> Option<Described> {
    let document = Document::parse(text).ok()?;
    let domain = document.root_element();
    let number = domain.attribute("id")?.parse().ok()?;
    let child = |name: &str| domain.children().find(|node| node.has_tag_name(name));
    let noted = |namespace: &str, name: &str| {
        let mut all = child("metadata")?.children();
        all.find(|node| node.has_tag_name((namespace, name)))
    };
    let life = noted(LIFE_NAMESPACE, LIFE_ELEMENT).and_then(|node| node.attribute("name"));
    let interface = |node: Node<'_, '_>| {
        let of = |name: &str, attribute: &str| {
            let found = node.children().find(|child| child.has_tag_name(name))?;
            found.attribute(attribute).map(str::to_owned)
        };
        Some((of("mac", "address")?, of("target", "dev")?))
    };
    let devices = child("devices").into_iter().flat_map(|devices| devices.children());
    Some(Described {
        mark: noted(crate::domain::NAMESPACE, xml::MARK_ELEMENT).and_then(mark_of),
        life: life.map(str::to_owned),
        number,
        interfaces: devices
            .filter(|node| node.has_tag_name("interface"))
            .filter_map(interface)
            .collect(),
    })
}

/// Names the life of a guest that runs and has no name yet.
pub(crate) fn name_life(domain: &Domain, name: &str) -> Result<()> {
    let described = describe(&domain.xml_desc(0)?);
    if described.is_none_or(|described| described.life.is_some()) {
        return Ok(());
    }
    let element = format!("<{LIFE_ELEMENT} name='{}'/>", xml::escape("life", name)?);
    domain.set_metadata(
        sys::VIR_DOMAIN_METADATA_ELEMENT as i32,
        Some(&element),
        Some(LIFE_PREFIX),
        Some(LIFE_NAMESPACE),
        sys::VIR_DOMAIN_AFFECT_LIVE,
    )?;
    Ok(())
}
