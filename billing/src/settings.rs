//! What an operator may set about money.

use base::{Error, Result};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// Durations are milliseconds. Zero for a grace or delay means at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A start is admitted if the balance covers all that burns plus the new for so long.
    pub min_runway_ms: i64,
    /// A tenant is warned so long before its balance runs out.
    pub warn_before_ms: i64,
    /// From running out of balance to being suspended.
    pub grace_ms: i64,
    /// From being suspended to being stopped.
    pub suspend_to_stop_ms: i64,
    /// IANA name; whose calendar makes the billing months of accounts opened from now on.
    pub timezone: String,
}

impl Default for Settings {
    fn default() -> Self {
        const HOUR_MS: i64 = 3_600_000;
        Self {
            min_runway_ms: HOUR_MS,
            warn_before_ms: 24 * HOUR_MS,
            grace_ms: 2 * HOUR_MS,
            suspend_to_stop_ms: 24 * HOUR_MS,
            timezone: "Asia/Shanghai".to_owned(),
        }
    }
}

impl Settings {
    /// To be called where the configuration is read, so that a wrong one stops the start.
    pub fn validate(&self) -> Result<()> {
        for (field, value) in [
            ("min_runway", self.min_runway_ms),
            ("warn_before", self.warn_before_ms),
            ("grace", self.grace_ms),
            ("suspend_to_stop", self.suspend_to_stop_ms),
        ] {
            if value < 0 {
                return Err(Error::invalid(
                    format!("billing.{field}"),
                    format!("billing.{field} must not be negative"),
                ));
            }
        }
        zone(&self.timezone).map(|_| ())
    }
}

pub(crate) fn zone(name: &str) -> Result<Tz> {
    name.parse().map_err(|_| {
        Error::invalid("billing.timezone", format!("'{name}' is not a time zone"))
            .remedy("use an IANA name such as Asia/Shanghai or Europe/Berlin")
    })
}
