//! Whoever acts, and what it may touch.

use base::{
    Error, Result,
    id::{HostId, TenantId},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person, through the console.
    User,
    /// A program, through an API token.
    Token,
    /// The agent of a host.
    Agent,
    /// A part of OpsHawk, such as `standing`.
    System,
}

impl ActorKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Token => "token",
            Self::Agent => "agent",
            Self::System => "system",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Operator,
    /// What is this tenant's.
    Member(TenantId),
    /// What this host needs.
    Agent(HostId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub kind: ActorKind,
    pub id: String,
    pub name: String,
    pub access: Access,
}

impl Actor {
    pub fn system(part: &str) -> Self {
        Self {
            kind: ActorKind::System,
            id: part.to_owned(),
            name: part.to_owned(),
            access: Access::Operator,
        }
    }
    pub fn is_operator(&self) -> bool {
        self.access == Access::Operator
    }
    pub fn tenant(&self) -> Option<TenantId> {
        match self.access {
            Access::Member(tenant) => Some(tenant),
            Access::Operator | Access::Agent(_) => None,
        }
    }
    pub fn require_operator(&self) -> Result<()> {
        if self.is_operator() {
            return Ok(());
        }
        Err(Error::forbidden("only an operator may do this"))
    }
    /// Whether what belongs to `owner` may be seen; otherwise it does not exist for this actor.
    pub fn sees(&self, owner: TenantId) -> bool {
        match self.access {
            Access::Operator => true,
            Access::Member(tenant) => tenant == owner,
            Access::Agent(_) => false,
        }
    }
    /// An error "`what` does not exist" unless [`Actor::sees`] the owner.
    pub fn require_sees(&self, owner: TenantId, what: impl std::fmt::Display) -> Result<()> {
        if self.sees(owner) { Ok(()) } else { Err(Error::not_found(what)) }
    }
}
