//! What an operator may set about money.

use base::{Error, Result};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{standing::Standing, usage::gaps::GapPolicy};

/// Durations are milliseconds. Zero for a grace or delay means at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A start is admitted if the balance covers all that burns plus the new for so long.
    pub min_runway_ms: i64,
    /// A tenant is warned so long before its balance runs out: once at each, and only of the tightest
    /// that applies.
    pub warnings_ms: Vec<i64>,
    /// From running out of balance to being suspended.
    pub grace_ms: i64,
    /// From being suspended to being stopped.
    pub suspend_to_stop_ms: i64,
    /// From being stopped to being told that the instances will be deleted.
    pub stop_to_notice_ms: i64,
    /// From being told so to their deletion.
    pub notice_to_reclaim_ms: i64,
    /// No tenant goes further than this by itself. Deleting destroys disks, so that it is asked for.
    pub furthest: Standing,
    pub mode: Mode,
    pub guard: Guard,
    /// IANA name; whose calendar makes the billing months of accounts opened from now on.
    pub timezone: String,
    /// From a month's end to its closing: facts of the month that come in between are still its own.
    pub close_grace_ms: i64,
    /// What is charged where facts are lost; an account's own goes before it.
    pub gap_policy: GapPolicy,
    /// Where instances run, for prices to select by; none: facts say nothing of it.
    pub region: Option<String>,
    /// What invoices say of who issues them.
    pub invoice: crate::invoice::Settings,
}

/// What happens when a step that stops something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Enforce,
    /// It is written down and told to operators, and nothing is stopped.
    DryRun,
    /// It waits for an operator.
    Approve,
}

/// Automatic stops pause when more than so many tenants, and more than such a share of them, are
/// about to be stopped: then the cause is more likely a wrong price or clock than all of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Guard {
    pub tenants: i64,
    pub percent: i64,
}

impl Default for Guard {
    fn default() -> Self {
        Self { tenants: 10, percent: 5 }
    }
}

/// So that it fits into a fact beside an instance's labels.
pub const REGION_MAX_BYTES: usize = 63;

/// Warnings of one tenant.
pub const WARNINGS_MAX: usize = 10;

pub(crate) fn check_warnings(field: &str, warnings_ms: &[i64]) -> Result<()> {
    if warnings_ms.len() > WARNINGS_MAX || warnings_ms.iter().any(|ms| *ms <= 0) {
        return Err(Error::invalid(
            field,
            format!("there are at most {WARNINGS_MAX} warnings, each of more than no time"),
        ));
    }
    Ok(())
}

pub(crate) fn check_furthest(field: &str, furthest: Standing) -> Result<()> {
    if furthest < Standing::Overdue {
        return Err(Error::invalid(
            field,
            "the furthest standing is overdue (nothing is stopped), suspended, stopped, \
             reclaim_pending or reclaimed",
        ));
    }
    Ok(())
}

impl Default for Settings {
    fn default() -> Self {
        const HOUR_MS: i64 = 3_600_000;
        Self {
            min_runway_ms: HOUR_MS,
            warnings_ms: vec![7 * 24 * HOUR_MS, 3 * 24 * HOUR_MS, 24 * HOUR_MS, HOUR_MS],
            grace_ms: 2 * HOUR_MS,
            suspend_to_stop_ms: 24 * HOUR_MS,
            stop_to_notice_ms: 7 * 24 * HOUR_MS,
            notice_to_reclaim_ms: 7 * 24 * HOUR_MS,
            furthest: Standing::Stopped,
            mode: Mode::Enforce,
            guard: Guard::default(),
            timezone: "Asia/Shanghai".to_owned(),
            close_grace_ms: 72 * HOUR_MS,
            gap_policy: GapPolicy::default(),
            region: None,
            invoice: crate::invoice::Settings::default(),
        }
    }
}

impl Settings {
    /// To be called where the configuration is read, so that a wrong one stops the start.
    pub fn validate(&self) -> Result<()> {
        for (field, value) in [
            ("min_runway", self.min_runway_ms),
            ("grace", self.grace_ms),
            ("suspend_to_stop", self.suspend_to_stop_ms),
            ("stop_to_notice", self.stop_to_notice_ms),
            ("notice_to_reclaim", self.notice_to_reclaim_ms),
            ("close_grace", self.close_grace_ms),
        ] {
            if value < 0 {
                return Err(Error::invalid(
                    format!("billing.{field}"),
                    format!("billing.{field} must not be negative"),
                ));
            }
        }
        check_warnings("billing.warnings", &self.warnings_ms)?;
        check_furthest("billing.furthest", self.furthest)?;
        if !(0..=100).contains(&self.guard.percent) || self.guard.tenants < 0 {
            return Err(Error::invalid(
                "billing.guard",
                "the guard's tenants are not negative, and its percent is from 0 to 100",
            ));
        }
        let is_region = |text: &String| {
            (1..=REGION_MAX_BYTES).contains(&text.len()) && !text.contains(char::is_control)
        };
        if !self.region.as_ref().is_none_or(is_region) {
            return Err(Error::invalid(
                "billing.region",
                format!("a region is 1 to {REGION_MAX_BYTES} bytes of text in one line"),
            )
            .remedy("name it as prices do, such as sh-1, or leave it out"));
        }
        self.invoice.validate()?;
        zone(&self.timezone).map(|_| ())
    }
}

pub(crate) fn zone(name: &str) -> Result<Tz> {
    name.parse().map_err(|_| {
        Error::invalid("billing.timezone", format!("'{name}' is not a time zone"))
            .remedy("use an IANA name such as Asia/Shanghai or Europe/Berlin")
    })
}
