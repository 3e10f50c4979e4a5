//! What a domain is seen to be, and the mark that says whose it is.

use uuid::Uuid;
use virt_sys as sys;

use crate::{
    connection::Hypervisor,
    error::{Error, Result},
    raw, xml,
};

/// The namespace of our element in a domain's or network's `<metadata>`.
pub const NAMESPACE: &str = "urn:opshawk:libvirt:1";

/// Says that OpsHawk made the domain, for what, and which OpsHawk it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub instance_id: Uuid,
    /// The instance's generation that the domain was defined from.
    pub generation: i64,
    /// Whose it is: the host's id. Two agents on one libvirt leave each other's domains alone.
    pub owner: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainState {
    Running,
    /// vCPUs halted, memory kept. `by_user` is false when QEMU halted it (a full disk, say).
    Paused {
        by_user: bool,
    },
    /// On its way down.
    Stopping,
    Stopped,
    /// The guest or QEMU crashed; nothing runs.
    Crashed,
    /// A state that we have no word for.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    pub id: Uuid,
    pub name: String,
    pub state: DomainState,
    /// libvirt's word for why it is in that state.
    pub reason: &'static str,
    /// None: made by somebody else.
    pub mark: Option<Mark>,
}

impl Domain {
    pub fn is_owned_by(&self, owner: &str) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.owner == owner && mark.instance_id == self.id)
    }
}

impl Hypervisor {
    /// Every domain there is, ours or not.
    pub async fn domains(&self) -> Result<Vec<Domain>> {
        self.call("list domains", |connect| {
            let mut seen = Vec::new();
            for domain in connect.list_all_domains(0)? {
                match look(&domain) {
                    Ok(domain) => seen.push(domain),
                    // Undefined since it was listed.
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(seen)
        })
        .await
    }

    /// The domain with this id, ours or not.
    pub async fn domain(&self, id: Uuid) -> Result<Option<Domain>> {
        self.call("look at a domain", move |connect| {
            let found = connect.lookup_domain_by_uuid(id).map_err(Error::from);
            match found.and_then(|domain| look(&domain)) {
                Ok(domain) => Ok(Some(domain)),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

pub(crate) fn look(domain: &virt::domain::Domain) -> Result<Domain> {
    let (state, reason) = raw::state(domain)?;
    let (state, reason) = words(state, reason);
    let id = domain.uuid()?;
    Ok(Domain { id, name: domain.name()?, state, reason, mark: mark(domain)? })
}

pub(crate) fn mark(domain: &virt::domain::Domain) -> Result<Option<Mark>> {
    let kind = sys::VIR_DOMAIN_METADATA_ELEMENT as i32;
    match domain.metadata(kind, Some(NAMESPACE), sys::VIR_DOMAIN_AFFECT_CURRENT) {
        Ok(element) => Ok(parse_mark(&element)),
        Err(error) if error.code().to_raw() == sys::VIR_ERR_NO_DOMAIN_METADATA => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads our element; anything that isn't exactly it is nobody's mark.
pub fn parse_mark(element: &str) -> Option<Mark> {
    let document = roxmltree::Document::parse(element).ok()?;
    mark_of(document.root_element())
}

pub(crate) fn mark_of(node: roxmltree::Node<'_, '_>) -> Option<Mark> {
    if node.tag_name().name() != xml::MARK_ELEMENT {
        return None;
    }
    Some(Mark {
        instance_id: node.attribute("instance_id")?.parse().ok()?,
        generation: node.attribute("generation")?.parse().ok()?,
        owner: node.attribute("owner")?.to_owned(),
    })
}

/// libvirt's numbers (`virDomainState` and its reasons) in our words.
fn words(state: u32, reason: i32) -> (DomainState, &'static str) {
    let reason = reason.unsigned_abs();
    match state {
        sys::VIR_DOMAIN_RUNNING | sys::VIR_DOMAIN_BLOCKED => (DomainState::Running, "running"),
        sys::VIR_DOMAIN_PAUSED => {
            let word = match reason {
                sys::VIR_DOMAIN_PAUSED_USER => "user",
                sys::VIR_DOMAIN_PAUSED_IOERROR => "io_error",
                sys::VIR_DOMAIN_PAUSED_CRASHED => "crashed",
                sys::VIR_DOMAIN_PAUSED_STARTING_UP => "starting_up",
                _ => "other",
            };
            match reason {
                sys::VIR_DOMAIN_PAUSED_CRASHED => (DomainState::Crashed, word),
                // QEMU is up, the guest has not begun.
                sys::VIR_DOMAIN_PAUSED_STARTING_UP => (DomainState::Other, word),
                _ => (DomainState::Paused { by_user: word == "user" }, word),
            }
        }
        sys::VIR_DOMAIN_SHUTDOWN => (DomainState::Stopping, "shutting_down"),
        sys::VIR_DOMAIN_SHUTOFF => match reason {
            sys::VIR_DOMAIN_SHUTOFF_SHUTDOWN => (DomainState::Stopped, "shut_down"),
            sys::VIR_DOMAIN_SHUTOFF_DESTROYED => (DomainState::Stopped, "destroyed"),
            sys::VIR_DOMAIN_SHUTOFF_CRASHED => (DomainState::Crashed, "crashed"),
            sys::VIR_DOMAIN_SHUTOFF_FAILED => (DomainState::Stopped, "failed"),
            _ => (DomainState::Stopped, "stopped"),
        },
        sys::VIR_DOMAIN_CRASHED => (DomainState::Crashed, "crashed"),
        _ => (DomainState::Other, "other"),
    }
}
