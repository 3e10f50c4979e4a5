//! Whose series a caller may see.

use base::id::TenantId;

use crate::matcher::Matcher;

/// The label that says whose a series is; only the server sets it.
pub const TENANT: &str = "tenant";

/// A tenant's scope puts `tenant="<id>"` on every selector and every series or label call, next to
/// the caller's own matchers: all must hold, so nothing the caller writes can widen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope {
    /// None sees everything: operators, rules and billing.
    pub tenant: Option<TenantId>,
}

impl Scope {
    pub const ALL: Self = Self { tenant: None };

    pub const fn tenant(id: TenantId) -> Self {
        Self { tenant: Some(id) }
    }
    pub(crate) fn enforce(&self, matchers: &mut Vec<Matcher>) {
        if let Some(id) = self.tenant {
            matchers.push(Matcher::equal(TENANT, id.to_string()));
        }
    }
}
