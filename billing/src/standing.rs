//! Standing: what owing money means, level-triggered.
//!
//! ```text
//!            runs out within the widest warning    nothing left
//!   active ----------------------------------> warned ------> overdue
//!     ^  ^                                       |  (7 d, 3 d, 1 d, 1 h: the tightest, each once)
//!     |  +-- enough again -----------------------+               | grace
//!     |                                                          v
//!     |                                                      suspended        vCPUs paused, no new starts
//!     |                                                          | suspend_to_stop
//!     |                                                          v
//!     |                                                       stopped         instances stopped, disks kept
//!     |                                                          | stop_to_notice
//!     |                                                          v
//!     |                                                   reclaim_pending     told that they will be deleted
//!     |                                                          | notice_to_reclaim, and a claim each
//!     |                                                          v
//!     +-- above zero again <---- from any of these ---------- reclaimed       instances deleted
//!
//!   furthest    no further than this by itself; a standing beyond it holds as if it were this one
//!   at a step that stops something:
//!     exempt    it waits for the exemption's end
//!     guard     many at once: all of them wait for an operator
//!     dry run   it is written down, and waits;   approve: it waits for an operator
//! ```
//!
//! [`decide`] is pure; [`StandingReconciler`] runs it for the accounts that are due and does what
//! follows. An episode begins on leaving active and ends on returning to it; each change of standing
//! and each notice is recorded once an episode. A balance of exactly zero neither ends an episode
//! nor, when nothing burns, begins one: what was stopped would run out in the instant it started.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`rules`] | the product's settings with an account's own over them |
//! | [`warnings`] | which warning is due |
//! | [`guard`] | when automatic stops pause |
//! | [`exemptions`] | what a shortage does not stop |
//! | [`steps`] | steps that wait for an operator, or are only written down |
//! | [`reclaim`] | deleting for want of money, by a claim that looks at the balance now |
//! | [`preview`] | what stops next |
//! | [`notices`] | what people are told |

use base::{Error, Result, time::Timestamp};
use inventory::instances::Hold;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::forecast::Position;

mod act;
pub mod exemptions;
pub mod guard;
pub mod notices;
pub mod preview;
pub mod reclaim;
mod reconciler;
pub mod rules;
pub mod steps;
pub mod warnings;

pub use crate::settings::Settings;
pub use reconciler::StandingReconciler;
pub use rules::{OwnRules, Rules};

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

    /// Whether the step to it takes something from the tenant.
    pub fn stops_something(self) -> bool {
        self >= Self::Suspended
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
    rules: &Rules,
) -> Decision {
    let widest_ms = rules.warnings_ms.first();
    let warn_at = facts.runs_out_at.zip(widest_ms).map(|(at, ms)| at.saturating_add_ms(-ms));
    let soon = warn_at.is_some_and(|at| at <= now);
    match standing {
        Standing::Active | Standing::Warned if facts.exhausted => Decision::Go(Standing::Overdue),
        Standing::Active if soon => Decision::Go(Standing::Warned),
        Standing::Active => Decision::Stay(warn_at.or(facts.runs_out_at)),
        Standing::Warned if soon => Decision::Stay(facts.runs_out_at),
        Standing::Warned => Decision::Go(Standing::Active),
        _ if facts.above_zero => Decision::Go(Standing::Active),
        // Paid up to zero and using nothing: no reason to go further.
        _ if !facts.exhausted => Decision::Stay(None),
        _ => match rules.step_after(standing) {
            None => Decision::Stay(None),
            Some((delay_ms, next)) => match since.saturating_add_ms(delay_ms) {
                due if due <= now => Decision::Go(next),
                due => Decision::Stay(Some(due)),
            },
        },
    }
}

/// The next step that stops something, and when it comes, if all goes on as it is. None: never, or
/// all of them have come.
pub fn cut(
    standing: Standing,
    since: Timestamp,
    facts: &Facts,
    rules: &Rules,
) -> Option<(Timestamp, Standing)> {
    let after = |at: Timestamp, standing| {
        rules.step_after(standing).map(|(ms, next)| (at.saturating_add_ms(ms), next))
    };
    match standing {
        Standing::Active | Standing::Warned => after(facts.runs_out_at?, Standing::Overdue),
        _ if !facts.exhausted => None,
        _ => after(since, standing),
    }
}

#[cfg(test)]
mod tests;
