//! What an operator may set, at the start and by a step.

use crate::{
    Settings,
    rating::SETTLE_MS,
    replay::{
        node::{Map, Parsed},
        types,
    },
};

/// Those that are given.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SettingsChange {
    grace_ms: Option<i64>,
    suspend_to_stop_ms: Option<i64>,
    min_runway_ms: Option<i64>,
    warn_before_ms: Option<i64>,
}

impl SettingsChange {
    pub fn read(mut map: Map<'_>) -> Parsed<Self> {
        let change = Self::take(&mut map)?;
        map.finish()?;
        Ok(change)
    }

    /// Leaves other keys to the caller.
    pub fn take(map: &mut Map<'_>) -> Parsed<Self> {
        let mut change = Self::default();
        for (key, field) in [
            ("grace", &mut change.grace_ms),
            ("suspend_to_stop", &mut change.suspend_to_stop_ms),
            ("min_runway", &mut change.min_runway_ms),
        ] {
            if let Some(node) = map.take(key) {
                *field = Some(types::duration(&node)?);
            }
        }
        if let Some(node) = map.take("warnings") {
            change.warn_before_ms = Some(match node.list()?.as_slice() {
                // At the instant itself it is overdue, and no longer warned.
                [] => 0,
                [one] => types::duration(one)?,
                _ => {
                    return Err(node.wrong(
                        "more than one warning is not supported yet: the product warns once",
                    ));
                }
            });
        }
        fixed(map, "furthest", "stopped", "nothing is reclaimed")?;
        fixed(map, "mode", "enforce", "cut-offs are neither dry runs nor approved")?;
        if let Some(node) = map.take("settle")
            && types::duration(&node)? != SETTLE_MS
        {
            return Err(node.wrong("a settle time other than 1m is not supported yet"));
        }
        map.unsupported(&[
            ("stop_to_notice", "nothing is reclaimed"),
            ("notice_to_reclaim", "nothing is reclaimed"),
            ("close_grace", "months are not closed"),
            ("gap_policy", "there are no gaps"),
            ("spend_order", "there is no bonus"),
            ("guard", "cut-offs have no guard"),
        ])?;
        Ok(change)
    }

    pub fn apply(&self, settings: &mut Settings) {
        for (given, field) in [
            (self.grace_ms, &mut settings.grace_ms),
            (self.suspend_to_stop_ms, &mut settings.suspend_to_stop_ms),
            (self.min_runway_ms, &mut settings.min_runway_ms),
            (self.warn_before_ms, &mut settings.warn_before_ms),
        ] {
            if let Some(ms) = given {
                *field = ms;
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A setting that has one value today.
fn fixed(map: &mut Map<'_>, key: &'static str, only: &str, why: &str) -> Parsed<()> {
    match map.take(key) {
        Some(node) if node.text()? != only => Err(node.wrong(format!(
            "'{}' is not supported yet: {why}, so that {key} is {only}",
            node.text()?
        ))),
        _ => Ok(()),
    }
}
