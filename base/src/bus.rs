//! "This changed": a hint that wakes long polls, event streams and reconcilers.
//!
//! It is only a hint: whoever listens reads the truth from SQL, so that a lost or doubled hint
//! costs a period of waiting and nothing else. Publish after the commit, never before.

use serde::Serialize;
use tokio::sync::broadcast;

use crate::id::TenantId;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    Tenant,
    Instance,
    /// What a host is to run.
    HostDesired,
    Host,
    Server,
    Operation,
    /// A balance, price, usage event or standing.
    Money,
    Alert,
    Notice,
    Image,
    Quota,
}

#[derive(Debug, Clone, Serialize)]
pub struct Change {
    pub topic: Topic,
    /// The entity's id, as text.
    pub id: String,
    /// Whose it is; none for what only operators may see.
    pub tenant_id: Option<TenantId>,
}

/// What a transaction will have changed, published once it is committed.
#[derive(Debug, Default, Clone)]
#[must_use = "publish it after the commit"]
pub struct Changes(Vec<Change>);

impl Changes {
    pub fn add(&mut self, topic: Topic, id: impl ToString, tenant_id: Option<TenantId>) {
        self.0.push(Change { topic, id: id.to_string(), tenant_id });
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Debug, Clone)]
pub struct Bus(broadcast::Sender<Change>);

impl Bus {
    /// A listener that falls further behind than this is told that it lagged, and reads all again.
    pub const BACKLOG: usize = 1024;

    pub fn publish(&self, topic: Topic, id: impl ToString, tenant_id: Option<TenantId>) {
        // No listener is no error.
        let _ = self.0.send(Change { topic, id: id.to_string(), tenant_id });
    }
    pub fn publish_all(&self, changes: Changes) {
        for change in changes.0 {
            let _ = self.0.send(change);
        }
    }
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self(broadcast::channel(Self::BACKLOG).0)
    }
}
