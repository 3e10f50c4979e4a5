//! Standing: what owing money means, level-triggered.
//!
//! ```text
//!            runs out within warn_before      nothing left
//!   active -----------------------------> warned ------> overdue
//!     ^  ^                                   |             |  grace
//!     |  +-- enough again -------------------+             v
//!     |                                                suspended   (vCPUs paused, no new starts)
//!     |                                                    |  suspend_to_stop
//!     |                                                    v
//!     +-- above zero again <---- any of these ---------- stopped   (instances stopped, disks kept)
//! ```
//!
//! [`decide`] is pure; [`StandingReconciler`] runs it for every account and does what follows. An
//! episode begins on leaving active and ends on returning to it; each change of standing and each
//! notice is recorded once an episode. A balance of exactly zero neither ends an episode nor, when
//! nothing burns, begins one: what was stopped would run out in the instant it started.
//! `reclaim_pending` and `reclaimed` have their place in the type; nothing leads there yet.

use base::{Error, Result, time::Timestamp};
use inventory::instances::Hold;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::forecast::Position;

pub mod notices;
mod reconciler;

pub use crate::settings::Settings;
pub use reconciler::StandingReconciler;

/// In rising order of trouble.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Active,
    /// The balance runs out soon.
    Warned,
    /// It ran out; the grace runs.
    Overdue,
    /// No new starts, vCPUs paused.
    Suspended,
    /// Instances stopped.
    Stopped,
    ReclaimPending,
    Reclaimed,
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Warned => "warned",
            Self::Overdue => "overdue",
            Self::Suspended => "suspended",
            Self::Stopped => "stopped",
            Self::ReclaimPending => "reclaim_pending",
            Self::Reclaimed => "reclaimed",
        }
    }

    /// What it wants of the tenant's instances.
    pub fn hold(self) -> Hold {
        match self {
            Self::Active | Self::Warned | Self::Overdue => Hold::None,
            Self::Suspended => Hold::Paused,
            Self::Stopped | Self::ReclaimPending | Self::Reclaimed => Hold::Stopped,
        }
    }

    /// For the tenant.
    pub fn message(self) -> Option<&'static str> {
        match self {
            Self::Active => None,
            Self::Warned => Some("The balance runs out soon: top it up to keep instances running."),
            Self::Overdue => {
                Some("The balance ran out: instances will be suspended unless it is topped up.")
            }
            Self::Suspended => {
                Some("The balance ran out: instances are paused until it is topped up.")
            }
            Self::Stopped | Self::ReclaimPending | Self::Reclaimed => {
                Some("The balance ran out: instances are stopped until it is topped up.")
            }
        }
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Standing {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        [
            Self::Active,
            Self::Warned,
            Self::Overdue,
            Self::Suspended,
            Self::Stopped,
            Self::ReclaimPending,
            Self::Reclaimed,
        ]
        .into_iter()
        .find(|standing| standing.as_str() == text)
        .ok_or_else(|| Error::internal(format!("'{text}' is not a standing")))
    }
}

/// What the account's money says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Nothing is left: below zero (with credit), or at zero with something that burns.
    pub exhausted: bool,
    /// More than zero is left.
    pub above_zero: bool,
    pub runs_out_at: Option<Timestamp>,
}

impl Facts {
    pub fn of(position: &Position) -> Self {
        Self {
            exhausted: position.is_exhausted(),
            above_zero: position.available() > 0,
            runs_out_at: position.runs_out_at(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing changes before the instant, if money does not.
    Stay(Option<Timestamp>),
    Go(Standing),
}

/// The next step from `standing`, which was reached at `since`.
pub fn decide(
    standing: Standing,
    since: Timestamp,
    facts: &Facts,
    now: Timestamp,
    settings: &Settings,
) -> Decision {
    let warn_at = facts.runs_out_at.map(|at| at.saturating_add_ms(-settings.warn_before_ms));
    let soon = warn_at.is_some_and(|at| at <= now);
    let after = |delay_ms: i64, next| match since.saturating_add_ms(delay_ms) {
        due if due <= now => Decision::Go(next),
        due => Decision::Stay(Some(due)),
    };
    match standing {
        Standing::Active | Standing::Warned if facts.exhausted => Decision::Go(Standing::Overdue),
        Standing::Active if soon => Decision::Go(Standing::Warned),
        Standing::Active => Decision::Stay(warn_at),
        Standing::Warned if soon => Decision::Stay(facts.runs_out_at),
        Standing::Warned => Decision::Go(Standing::Active),
        _ if facts.above_zero => Decision::Go(Standing::Active),
        // Paid up to zero and using nothing: no reason to go further.
        _ if !facts.exhausted => Decision::Stay(None),
        Standing::Overdue => after(settings.grace_ms, Standing::Suspended),
        Standing::Suspended => after(settings.suspend_to_stop_ms, Standing::Stopped),
        Standing::Stopped | Standing::ReclaimPending | Standing::Reclaimed => Decision::Stay(None),
    }
}

/// When the next step comes that stops something, if all goes on as it is. None: never, or it has
/// come.
pub fn cut_at(
    standing: Standing,
    since: Timestamp,
    facts: &Facts,
    settings: &Settings,
) -> Option<Timestamp> {
    match standing {
        Standing::Active | Standing::Warned => {
            facts.runs_out_at.map(|at| at.saturating_add_ms(settings.grace_ms))
        }
        _ if !facts.exhausted => None,
        Standing::Overdue => Some(since.saturating_add_ms(settings.grace_ms)),
        Standing::Suspended => Some(since.saturating_add_ms(settings.suspend_to_stop_ms)),
        Standing::Stopped | Standing::ReclaimPending | Standing::Reclaimed => None,
    }
}

#[cfg(test)]
mod tests;
