//! The state of one alert, exactly as Prometheus moves it (rules/alerting.go).
//!
//! ```text
//!              seen                seen, and `for` has passed
//!   (nothing) ------> pending --------------------------------> firing
//!       ^                |                                       |  ^
//!       +----------------+                    not seen, and      |  | seen, or not seen for less
//!            not seen                `keep_firing_for` has passed|  | than `keep_firing_for`
//!                                                                v
//!                                                             resolved
//! ```
//!
//! With `for` at zero, an alert fires in the evaluation that first sees it. A resolved episode is
//! over: the next sight begins another. Here is the decision, and nothing else: no clock, no SQL.

use std::collections::BTreeMap;

use base::{sample::Labels, time::Timestamp};
use serde::{Deserialize, Serialize};

/// An outage of the evaluation longer than this makes what was pending begin anew, as
/// Prometheus's `--rules.alert.for-outage-tolerance`.
pub const OUTAGE_TOLERANCE_MS: i64 = 3_600_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// How long the condition must hold before it fires.
    pub for_ms: i64,
    /// How long it goes on firing after the condition went.
    pub keep_firing_for_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    Pending,
    Firing,
    Resolved,
}

impl AlertState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Firing, Self::Resolved].into_iter().find(|s| s.as_str() == text)
    }
}

/// One episode.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    pub state: AlertState,
    pub labels: Labels,
    pub annotations: BTreeMap<String, String>,
    pub value: f64,
    pub active_at: Timestamp,
    pub fired_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    pub keep_firing_since: Option<Timestamp>,
}

/// What an evaluation saw of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub labels: Labels,
    pub annotations: BTreeMap<String, String>,
    pub value: f64,
}

/// The episode after the evaluation of `at`; none where nothing remains. `known` is not resolved.
pub fn step(
    at: Timestamp,
    timing: Timing,
    known: Option<Episode>,
    seen: Option<Seen>,
) -> Option<Episode> {
    let mut episode = match (known, seen) {
        (None, None) => return None,
        (None, Some(seen)) => begin(at, seen),
        (Some(known), Some(seen)) => Episode {
            value: seen.value,
            annotations: seen.annotations,
            keep_firing_since: None,
            ..known
        },
        (Some(known), None) => return unseen(at, timing, known),
    };
    if episode.state == AlertState::Pending && at.since_ms(episode.active_at) >= timing.for_ms {
        episode.state = AlertState::Firing;
        episode.fired_at = Some(at);
    }
    Some(episode)
}

fn begin(at: Timestamp, seen: Seen) -> Episode {
    Episode {
        state: AlertState::Pending,
        labels: seen.labels,
        annotations: seen.annotations,
        value: seen.value,
        active_at: at,
        fired_at: None,
        resolved_at: None,
        keep_firing_since: None,
    }
}

fn unseen(at: Timestamp, timing: Timing, mut episode: Episode) -> Option<Episode> {
    if episode.state == AlertState::Pending {
        return None;
    }
    if timing.keep_firing_for_ms > 0 {
        let since = *episode.keep_firing_since.get_or_insert(at);
        if at.since_ms(since) < timing.keep_firing_for_ms {
            return Some(episode);
        }
    }
    Some(resolved(at, episode))
}

pub fn resolved(at: Timestamp, episode: Episode) -> Episode {
    Episode { state: AlertState::Resolved, resolved_at: Some(at), ..episode }
}

/// After an outage (nobody evaluated between `last` and `at`) the time in between does not count
/// towards `for`: whether the condition held is not known.
pub fn after_outage(at: Timestamp, last: Timestamp, interval_ms: i64, known: &mut Episode) {
    let gap_ms = at.since_ms(last);
    if known.state != AlertState::Pending || gap_ms <= 2 * interval_ms {
        return;
    }
    known.active_at = match gap_ms > OUTAGE_TOLERANCE_MS {
        true => at,
        false => known.active_at.saturating_add_ms(gap_ms - interval_ms),
    };
}

#[cfg(test)]
mod tests;
