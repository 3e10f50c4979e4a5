//! What an operator may set, at the start and by a step.

use crate::{
    Settings,
    rating::SETTLE_MS,
    replay::{
        node::{Map, Parsed},
        types,
    },
    settings::{Mode, check_warnings},
    standing::{OwnRules, Standing},
    usage::gaps::GapPolicy,
};

/// Those that are given.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SettingsChange {
    min_runway_ms: Option<i64>,
    close_grace_ms: Option<i64>,
    mode: Option<Mode>,
    guard_tenants: Option<i64>,
    guard_percent: Option<i64>,
    pub gap_policy: Option<GapPolicy>,
    /// What a tenant may have set for itself as well.
    pub rules: OwnRules,
}

impl SettingsChange {
    pub fn read(mut map: Map<'_>) -> Parsed<Self> {
        let change = Self::take(&mut map)?;
        map.finish()?;
        Ok(change)
    }

    /// Leaves other keys to the caller.
    pub fn take(map: &mut Map<'_>) -> Parsed<Self> {
        let mut change = Self { rules: rules(map)?, ..Self::default() };
        if let Some(node) = map.take("close_grace") {
            change.close_grace_ms = Some(types::duration(&node)?);
        }
        if let Some(node) = map.take("min_runway") {
            change.min_runway_ms = Some(types::duration(&node)?);
        }
        if let Some(node) = map.take("mode") {
            let modes =
                [("enforce", Mode::Enforce), ("dry_run", Mode::DryRun), ("approve", Mode::Approve)];
            change.mode = Some(node.one_of(&modes)?);
        }
        if let Some(node) = map.take("guard") {
            let mut guard = node.map()?;
            change.guard_tenants = guard.take("tenants").map(|node| node.count()).transpose()?;
            change.guard_percent = guard.take("percent").map(|node| node.count()).transpose()?;
            guard.finish()?;
        }
        if let Some(node) = map.take("settle")
            && types::duration(&node)? != SETTLE_MS
        {
            return Err(node.wrong("a settle time other than 1m is not supported yet"));
        }
        if let Some(node) = map.take("gap_policy") {
            let policies = [GapPolicy::Cheaper, GapPolicy::AsBefore, GapPolicy::Free];
            let policies = policies.map(|policy| (policy.as_str(), policy));
            change.gap_policy = Some(node.one_of(&policies)?);
        }
        Ok(change)
    }

    pub fn apply(&self, settings: &mut Settings) {
        let OwnRules {
            grace_ms,
            suspend_to_stop_ms,
            stop_to_notice_ms,
            notice_to_reclaim_ms,
            furthest,
            warnings_ms,
        } = self.rules.clone();
        for (given, field) in [
            (grace_ms, &mut settings.grace_ms),
            (suspend_to_stop_ms, &mut settings.suspend_to_stop_ms),
            (stop_to_notice_ms, &mut settings.stop_to_notice_ms),
            (notice_to_reclaim_ms, &mut settings.notice_to_reclaim_ms),
            (self.min_runway_ms, &mut settings.min_runway_ms),
            (self.close_grace_ms, &mut settings.close_grace_ms),
            (self.guard_tenants, &mut settings.guard.tenants),
            (self.guard_percent, &mut settings.guard.percent),
        ] {
            if let Some(value) = given {
                *field = value;
            }
        }
        settings.furthest = furthest.unwrap_or(settings.furthest);
        settings.mode = self.mode.unwrap_or(settings.mode);
        settings.gap_policy = self.gap_policy.unwrap_or(settings.gap_policy);
        if let Some(warnings_ms) = warnings_ms {
            settings.warnings_ms = warnings_ms;
        }
    }

    /// Whether nothing is among them that is the same for all tenants.
    pub fn is_of_a_tenant(&self) -> bool {
        let (rules, gap_policy) = (self.rules.clone(), self.gap_policy);
        *self == Self { rules, gap_policy, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The delays, the ladder's end and the warnings.
pub fn rules(map: &mut Map<'_>) -> Parsed<OwnRules> {
    let mut rules = OwnRules::default();
    for (key, field) in [
        ("grace", &mut rules.grace_ms),
        ("suspend_to_stop", &mut rules.suspend_to_stop_ms),
        ("stop_to_notice", &mut rules.stop_to_notice_ms),
        ("notice_to_reclaim", &mut rules.notice_to_reclaim_ms),
    ] {
        if let Some(node) = map.take(key) {
            *field = Some(types::duration(&node)?);
        }
    }
    if let Some(node) = map.take("furthest") {
        // From where nothing is stopped on.
        let furthest = [
            Standing::Overdue,
            Standing::Suspended,
            Standing::Stopped,
            Standing::ReclaimPending,
            Standing::Reclaimed,
        ];
        rules.furthest =
            Some(node.one_of(&furthest.map(|standing| (standing.as_str(), standing)))?);
    }
    if let Some(node) = map.take("warnings") {
        let warnings_ms: Vec<i64> =
            node.list()?.iter().map(types::duration).collect::<Parsed<_>>()?;
        check_warnings("warnings", &warnings_ms).map_err(|e| node.wrong(e.message))?;
        rules.warnings_ms = Some(warnings_ms);
    }
    Ok(rules)
}
