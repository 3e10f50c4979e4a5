//! What rules one tenant's standing: the product's settings, with the account's own over them.

use base::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Standing;
use crate::settings::{Settings, check_furthest, check_warnings};

/// An account's own; what is not set is as the product has it. Durations are milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OwnRules {
    /// From running out of balance to being suspended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend_to_stop_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_to_notice_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice_to_reclaim_ms: Option<i64>,
    /// It goes no further than this by itself: `overdue` is never to be stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub furthest: Option<Standing>,
    /// How long before the balance runs out it is warned; none in the list: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings_ms: Option<Vec<i64>>,
}

impl OwnRules {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Those that the other has set.
    pub(crate) fn take(&mut self, other: Self) {
        let before = std::mem::take(self);
        *self = Self {
            grace_ms: other.grace_ms.or(before.grace_ms),
            suspend_to_stop_ms: other.suspend_to_stop_ms.or(before.suspend_to_stop_ms),
            stop_to_notice_ms: other.stop_to_notice_ms.or(before.stop_to_notice_ms),
            notice_to_reclaim_ms: other.notice_to_reclaim_ms.or(before.notice_to_reclaim_ms),
            furthest: other.furthest.or(before.furthest),
            warnings_ms: other.warnings_ms.or(before.warnings_ms),
        };
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (field, value) in [
            ("grace_ms", self.grace_ms),
            ("suspend_to_stop_ms", self.suspend_to_stop_ms),
            ("stop_to_notice_ms", self.stop_to_notice_ms),
            ("notice_to_reclaim_ms", self.notice_to_reclaim_ms),
        ] {
            if value.is_some_and(|ms| ms < 0) {
                return Err(base::Error::invalid(field, format!("{field} must not be negative")));
            }
        }
        if let Some(warnings_ms) = &self.warnings_ms {
            check_warnings("warnings_ms", warnings_ms)?;
        }
        self.furthest.map_or(Ok(()), |furthest| check_furthest("furthest", furthest))
    }
}

/// As they are in force for a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub grace_ms: i64,
    pub suspend_to_stop_ms: i64,
    pub stop_to_notice_ms: i64,
    pub notice_to_reclaim_ms: i64,
    pub furthest: Standing,
    /// The widest first, each once.
    pub warnings_ms: Vec<i64>,
}

impl Rules {
    pub fn of(settings: &Settings, own: &OwnRules) -> Self {
        let mut warnings_ms = own.warnings_ms.as_ref().unwrap_or(&settings.warnings_ms).clone();
        warnings_ms.sort_unstable_by(|a, b| b.cmp(a));
        warnings_ms.dedup();
        Self {
            grace_ms: own.grace_ms.unwrap_or(settings.grace_ms),
            suspend_to_stop_ms: own.suspend_to_stop_ms.unwrap_or(settings.suspend_to_stop_ms),
            stop_to_notice_ms: own.stop_to_notice_ms.unwrap_or(settings.stop_to_notice_ms),
            notice_to_reclaim_ms: own.notice_to_reclaim_ms.unwrap_or(settings.notice_to_reclaim_ms),
            furthest: own.furthest.unwrap_or(settings.furthest),
            warnings_ms,
        }
    }

    /// The step after this standing, with the delay before it; none at the end of the ladder.
    pub fn step_after(&self, standing: Standing) -> Option<(i64, Standing)> {
        let step = match standing {
            Standing::Overdue => (self.grace_ms, Standing::Suspended),
            Standing::Suspended => (self.suspend_to_stop_ms, Standing::Stopped),
            Standing::Stopped => (self.stop_to_notice_ms, Standing::ReclaimPending),
            Standing::ReclaimPending => (self.notice_to_reclaim_ms, Standing::Reclaimed),
            Standing::Active | Standing::Warned | Standing::Reclaimed => return None,
        };
        Some(step).filter(|(_, next)| *next <= self.furthest)
    }
}
