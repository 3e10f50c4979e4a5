//! Who is told of which alerts, and when: Alertmanager's grouping.
//!
//! There are two kinds of receiver: `operators` get every alert, and `tenant-<id>` gets those that
//! carry that tenant's label. At a receiver, alerts whose `group_by` labels are equal make a group.
//!
//! ```text
//!   first alert fires --group_wait--> flush --group_interval--> flush --...--> none firing: gone
//! ```
//!
//! A flush tells the receiver if something fired that it doesn't know of, if something resolved,
//! or if `resend_interval` has passed; otherwise it is silent (Alertmanager's `needsUpdate`).
//! Telling is a notice in the outbox, written in the transaction that notes what was told.
//!
//! Silences and inhibition will be one more filter between the firing alerts and [`flush`]: what is
//! muted is neither firing nor resolved for a receiver.

use std::collections::{BTreeMap, BTreeSet};

use base::{id::TenantId, sample::Labels, time::Timestamp};

use crate::{settings::Settings, state::Episode};

pub mod message;
pub mod reconciler;
pub mod store;

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Receiver {
    Operators,
    Tenant(TenantId),
}

impl Receiver {
    pub fn of(tenant: Option<TenantId>) -> Self {
        tenant.map_or(Self::Operators, Self::Tenant)
    }
    pub fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Operators => None,
            Self::Tenant(id) => Some(id),
        }
    }
    pub fn name(self) -> String {
        match self {
            Self::Operators => "operators".to_owned(),
            Self::Tenant(id) => format!("tenant-{id}"),
        }
    }
    /// The key of its route, in Alertmanager's form.
    fn route(self) -> String {
        match self {
            Self::Operators => "{}".to_owned(),
            Self::Tenant(id) => format!("{{}}/{{tenant=\"{id}\"}}"),
        }
    }
}

/// The receivers of an alert.
pub fn receivers(labels: &Labels) -> impl Iterator<Item = Receiver> {
    let tenant = labels.get("tenant").and_then(|text| text.parse().ok());
    std::iter::once(Receiver::Operators).chain(tenant.map(Receiver::Tenant))
}

/// The labels that its group has in common.
pub fn group_labels(labels: &Labels, group_by: &[String]) -> BTreeMap<String, String> {
    let of = |name: &String| Some((name.clone(), labels.get(name)?.to_owned()));
    group_by.iter().filter_map(of).collect()
}

/// `{}:{alertname="CpuHigh"}`: the route, then the group's labels.
pub fn group_key(receiver: Receiver, labels: &BTreeMap<String, String>) -> String {
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{}:{{{}}}", receiver.route(), labels.join(", "))
}

/// What a receiver was told of a group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told {
    pub created_at: Timestamp,
    pub next_flush_at: Timestamp,
    pub flushed_at: Option<Timestamp>,
    pub notified_at: Option<Timestamp>,
    /// Fingerprints.
    pub firing: BTreeSet<String>,
    pub resolved: BTreeSet<String>,
}

impl Told {
    /// Of a group whose first alert fired at `fired_at`.
    pub fn nothing(settings: &Settings, now: Timestamp, fired_at: Timestamp) -> Self {
        let waited = fired_at.saturating_add_ms(settings.group_wait_ms);
        Self { created_at: now, next_flush_at: waited, ..Self::default() }
    }
}

/// The alerts of a group at a flush, by fingerprint.
#[derive(Debug, Clone, Default)]
pub struct Members {
    pub firing: BTreeMap<String, Episode>,
    /// That fired and are over: told as firing before, or resolved since the last flush.
    pub resolved: BTreeMap<String, Episode>,
}

/// What a flush comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Flush {
    /// Whether the receiver is told now, and why.
    pub reason: Option<Reason>,
    /// What is to be told as resolved.
    pub resolved: BTreeSet<String>,
    /// The new record; none: the group is over.
    pub told: Option<Told>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    First,
    NewFiring,
    AllResolved,
    SomeResolved,
    Repeat,
}

/// The decision of a flush at `now`.
pub fn flush(settings: &Settings, now: Timestamp, told: &Told, members: &Members) -> Flush {
    let firing: BTreeSet<String> = members.firing.keys().cloned().collect();
    let over: BTreeSet<String> =
        members.resolved.keys().filter(|f| !firing.contains(*f)).cloned().collect();
    let resolved: BTreeSet<String> = over
        .iter()
        .filter(|f| told.firing.contains(*f) || !told.resolved.contains(*f))
        .cloned()
        .collect();
    let reason = reason(settings, now, told, &firing, &resolved);
    let next = Told {
        created_at: told.created_at,
        next_flush_at: now.saturating_add_ms(settings.group_interval_ms),
        flushed_at: Some(now),
        notified_at: if reason.is_some() { Some(now) } else { told.notified_at },
        firing: if reason.is_some() { firing.clone() } else { told.firing.clone() },
        resolved: over,
    };
    Flush { reason, resolved, told: (!firing.is_empty()).then_some(next) }
}

/// Alertmanager's `DedupStage.needsUpdate` (notify/notify.go).
fn reason(
    settings: &Settings,
    now: Timestamp,
    told: &Told,
    firing: &BTreeSet<String>,
    resolved: &BTreeSet<String>,
) -> Option<Reason> {
    let Some(notified_at) = told.notified_at else {
        // What fired and was over before anybody was told is no news.
        return (!firing.is_empty()).then_some(Reason::First);
    };
    if !firing.is_subset(&told.firing) {
        return Some(Reason::NewFiring);
    }
    if firing.is_empty() {
        let known = settings.send_resolved && !told.firing.is_empty();
        return known.then_some(Reason::AllResolved);
    }
    if settings.send_resolved && !resolved.is_empty() {
        return Some(Reason::SomeResolved);
    }
    (now.since_ms(notified_at) >= settings.resend_interval_ms).then_some(Reason::Repeat)
}

#[cfg(test)]
mod tests;
