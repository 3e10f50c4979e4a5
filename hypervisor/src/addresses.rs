//! Which addresses a guest has: from the network's DHCP leases, else from the host's ARP table.

use uuid::Uuid;
use virt_sys as sys;

use crate::{
    connection::Hypervisor,
    error::{Error, Result},
    raw,
};

/// A guest that shows more is cut off here.
pub const MAX_ADDRESSES: usize = 16;

impl Hypervisor {
    /// Without prefix length, sorted. Empty while there are none, and for a domain that is not
    /// running.
    pub async fn addresses(&self, id: Uuid) -> Result<Vec<String>> {
        self.call("read addresses", move |connect| {
            let domain = connect.lookup_domain_by_uuid(id)?;
            for source in [
                sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
                sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP,
            ] {
                match raw::addresses(&domain, source).map_err(Error::from) {
                    Ok(mut found) if !found.is_empty() => {
                        found.sort();
                        found.dedup();
                        found.truncate(MAX_ADDRESSES);
                        return Ok(found);
                    }
                    // Not running, or a source that this kind of network lacks.
                    Ok(_) | Err(Error::Refused { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(Vec::new())
        })
        .await
    }
}
