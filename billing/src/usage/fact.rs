//! What a source tells of a resource, and what becomes of it.

use base::{
    Error, Result,
    id::{FindingId, TenantId},
    secret,
    time::Timestamp,
};

use super::Resource;
use crate::kinds::{ATTRIBUTES_MAX_BYTES, Attributes};

/// Of a source's name, its id of a fact, a resource's id, name or state: any name that an instance may
/// have fits, of up to four bytes a character.
pub const TEXT_MAX_BYTES: usize = 4 * inventory::instances::NAME_MAX_CHARS;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Who tells: `agent`.
    pub source: String,
    /// Unique in the source for ever, the same when it is told again.
    pub source_id: String,
    pub tenant_id: TenantId,
    pub resource: Resource,
    /// As the bill will call it. It may differ when the fact is told again.
    pub resource_name: String,
    /// What it came into; one of its kind's.
    pub state: String,
    pub attributes: Attributes,
    /// When, by the source's clock.
    pub at: Timestamp,
    /// Its place among the source's facts of this resource, from 1; 0: it comes in order.
    pub ordinal: i64,
}

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It counts from `effective_at`.
    Counted { sequence: i64, effective_at: Timestamp },
    /// It was known already.
    Known,
    /// Its instant is too far in the future: kept, not counted, and told to the operators.
    Quarantined,
    /// It is kept, but its resource counts no further: this or an earlier fact contradicts.
    Parked { finding: FindingId },
}

impl Fact {
    /// Of all that it says, but for the name.
    pub fn payload_sha256(&self) -> String {
        payload_sha256(
            &self.tenant_id.to_string(),
            &self.resource,
            &self.state,
            &self.attributes.to_string(),
            self.at.ms(),
            self.ordinal,
        )
    }

    /// Refuses what no row could hold.
    pub(super) fn check(&self) -> Result<()> {
        let texts = [
            ("source", &self.source),
            ("source_id", &self.source_id),
            ("kind", &self.resource.kind),
            ("resource_id", &self.resource.id),
            ("state", &self.state),
        ];
        if let Some((field, _)) = texts.iter().find(|(_, text)| text.is_empty()) {
            return Err(Error::invalid(*field, "it must not be empty"));
        }
        let name = ("resource_name", &self.resource_name);
        let long = |text: &str| text.len() > TEXT_MAX_BYTES || text.contains('\0');
        if let Some((field, _)) = texts.iter().chain([&name]).find(|(_, text)| long(text)) {
            let message = format!("it has more than {TEXT_MAX_BYTES} bytes, or one that is zero");
            return Err(Error::invalid(*field, message));
        }
        let attributes = self.attributes.to_string();
        if attributes.len() > ATTRIBUTES_MAX_BYTES {
            let message = format!("they have more than {ATTRIBUTES_MAX_BYTES} bytes");
            return Err(Error::invalid("attributes", message));
        }
        if self.ordinal < 0 {
            return Err(Error::invalid("ordinal", "it is above zero, or zero for none"));
        }
        Ok(())
    }
}

pub(super) fn payload_sha256(
    tenant: &str,
    resource: &Resource,
    state: &str,
    attributes: &str,
    at_ms: i64,
    ordinal: i64,
) -> String {
    let payload =
        serde_json::json!([tenant, resource.kind, resource.id, state, attributes, at_ms, ordinal]);
    secret::sha256_hex(payload.to_string())
}
