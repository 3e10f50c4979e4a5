//! The only way to change a domain: a claim acts for one owner, and looks for that owner's mark on
//! the domain, in the same thread and right before each change. What carries another mark, or
//! none, is an [`Error::Foreign`] and stays as it is.
//!
//! Every call says what is wanted, not what to do: starting what runs, stopping what is stopped
//! and removing what is gone are no errors, so that a caller that was killed in between just calls
//! again.

use uuid::Uuid;
use virt::{connect::Connect, domain::Domain as Handle};
use virt_sys as sys;

use crate::{
    connection::Hypervisor,
    domain::{self, DomainState},
    error::{Error, Result},
    ports,
    xml::DomainSpec,
};

#[derive(Debug, Clone)]
pub struct Claim {
    hypervisor: Hypervisor,
    owner: String,
}

impl Hypervisor {
    /// Acts for `owner`, by what is marked as its own.
    pub fn claim(&self, owner: impl Into<String>) -> Claim {
        Claim { hypervisor: self.clone(), owner: owner.into() }
    }
}

impl Claim {
    pub fn hypervisor(&self) -> &Hypervisor {
        &self.hypervisor
    }
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Defines the domain, or brings its definition up to date (a running guest takes most of it
    /// at its next start).
    pub async fn define(&self, spec: DomainSpec) -> Result<()> {
        if spec.owner != self.owner {
            return Err(Error::Foreign { what: format!("domain {}", spec.id) });
        }
        let xml = spec.to_xml()?;
        self.change("define", spec.id, move |connect, domain| {
            if domain.is_none() {
                tracing::debug!(domain = %spec.name, "defining a new domain");
            }
            connect.define_domain_xml(&xml)?;
            Ok(())
        })
        .await
    }

    /// Boots it, or lets it go on if it is paused.
    pub async fn start(&self, id: Uuid) -> Result<()> {
        self.change("start", id, move |_, domain| {
            let domain = domain.ok_or_else(|| gone(id))?;
            match domain::look(&domain)?.state {
                DomainState::Running => Ok(()),
                DomainState::Paused { .. } => Ok(domain.resume()?),
                _ => Ok(domain.create()?),
            }
        })
        .await
    }

    /// Asks the guest to go down by pressing its power button (ACPI); the guest may ignore it.
    pub async fn shutdown(&self, id: Uuid) -> Result<()> {
        self.change("shut down", id, |_, domain| {
            let Some(domain) = domain.filter(is_active) else { return Ok(()) };
            domain.shutdown_flags(sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)?;
            Ok(())
        })
        .await
    }

    /// Pulls the plug.
    pub async fn destroy(&self, id: Uuid) -> Result<()> {
        self.change("destroy", id, |_, domain| match domain.filter(is_active) {
            Some(domain) => Ok(domain.destroy()?),
            None => Ok(()),
        })
        .await
    }

    /// Halts the vCPUs.
    pub async fn suspend(&self, id: Uuid) -> Result<()> {
        self.change("suspend", id, move |_, domain| {
            let domain = domain.ok_or_else(|| gone(id))?;
            match domain::look(&domain)?.state {
                DomainState::Paused { .. } => Ok(()),
                _ => Ok(domain.suspend()?),
            }
        })
        .await
    }

    pub async fn resume(&self, id: Uuid) -> Result<()> {
        self.change("resume", id, move |_, domain| {
            let domain = domain.ok_or_else(|| gone(id))?;
            match domain::look(&domain)?.state {
                DomainState::Paused { .. } => Ok(domain.resume()?),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Names the guest's life, from its start to its end, unless it has a name already or does not
    /// run. [`Hypervisor::ports`] tells it.
    pub async fn name_life(&self, id: Uuid, name: impl Into<String>) -> Result<()> {
        let name = name.into();
        self.change("name the life of", id, move |_, domain| match domain {
            Some(domain) => ports::name_life(&domain, &name),
            None => Ok(()),
        })
        .await
    }

    /// Removes the definition with all that libvirt keeps for it (NVRAM, saved memory, snapshot
    /// and checkpoint records); disks are the caller's. A running domain is destroyed first.
    pub async fn undefine(&self, id: Uuid) -> Result<()> {
        self.change("undefine", id, |_, domain| {
            let Some(domain) = domain else { return Ok(()) };
            if is_active(&domain) {
                domain.destroy()?;
            }
            domain.undefine_flags(
                sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                    | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                    | sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
                    | sys::VIR_DOMAIN_UNDEFINE_NVRAM,
            )?;
            Ok(())
        })
        .await
    }

    /// The one gate in front of every change: `act` gets the domain only if it is ours, and none
    /// if there is none. A domain or an end of it that vanished under `act` is looked at once more
    /// by the caller's next run.
    async fn change<F>(&self, call: &'static str, id: Uuid, act: F) -> Result<()>
    where
        F: FnOnce(&Connect, Option<Handle>) -> Result<()> + Send + 'static,
    {
        let owner = self.owner.clone();
        self.hypervisor
            .call(call, move |connect| {
                let domain = owned(connect, id, &owner)?;
                act(connect, domain)
            })
            .await
    }
}

pub(crate) fn owned(connect: &Connect, id: Uuid, owner: &str) -> Result<Option<Handle>> {
    let domain = match connect.lookup_domain_by_uuid(id).map_err(Error::from) {
        Ok(domain) => domain,
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    match domain::mark(&domain)? {
        Some(mark) if mark.owner == owner && mark.instance_id == id => Ok(Some(domain)),
        _ => Err(Error::Foreign { what: format!("domain {}", domain.name()?) }),
    }
}

/// Unreadable counts as active, so that the call that follows meets the error itself.
fn is_active(domain: &Handle) -> bool {
    domain.is_active().unwrap_or(true)
}

pub(crate) fn gone(id: Uuid) -> Error {
    Error::NotFound { what: format!("domain {id}") }
}
