//! Evaluating a group of rules at an instant: samples in, alert states and samples out.
//!
//! [`apply`] is pure: a rule, what is known, what the query answered. [`group`] runs a group's rules
//! in order, so that a rule sees what the ones before it recorded. [`store`] keeps states in SQL;
//! [`reconciler`] does it all at each tick.
//!
//! A rule whose query fails keeps its alerts as they are and says so in its health: a store that is
//! away neither fires nor resolves anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use base::{
    id::AlertId,
    sample::{Labels, NAME, STALE_NAN_BITS, Sample, Series},
    time::Timestamp,
};

use crate::{
    fingerprint,
    rules::{AlertRule, Group, Kind, Rule},
    samples::Samples,
    state::{self, AlertState, Episode, Seen},
};

pub mod reconciler;
pub mod store;

/// The label of `ALERTS` that carries the state.
const ALERT_STATE: &str = "alertstate";
const ALERT_NAME: &str = "alertname";

/// An episode that is not over, and its row.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub id: AlertId,
    pub episode: Episode,
}

/// What stands in SQL of one rule.
#[derive(Debug, Clone, Default)]
pub struct RuleState {
    /// By fingerprint.
    pub alerts: BTreeMap<String, Known>,
    /// The series that were written last.
    pub series: BTreeSet<Labels>,
}

/// What a rule's evaluation came to.
#[derive(Debug, Default)]
pub struct RuleResult {
    pub key: String,
    pub name: String,
    /// What went wrong; none: healthy.
    pub error: Option<String>,
    pub evaluation_us: i64,
    pub alerts: Vec<Change>,
    pub series: BTreeSet<Labels>,
}

/// What happens to an alert's row.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Begin(Known),
    /// The flag says whether its state is another than before.
    Update(Known, bool),
    Forget(Known),
}

/// A rule's answer, before it is written anywhere.
#[derive(Debug, Default, PartialEq)]
pub struct Applied {
    pub alerts: Vec<Change>,
    /// One sample each, at the evaluation's instant.
    pub samples: Vec<(Labels, f64)>,
}

/// Runs the group's rules at `at`. `states` has what is known of each rule, by key.
pub async fn group(
    group: &Group,
    at: Timestamp,
    states: &mut BTreeMap<String, RuleState>,
    samples: &dyn Samples,
) -> Vec<RuleResult> {
    let mut results = Vec::with_capacity(group.rules.len());
    for rule in &group.rules {
        let known = states.remove(&rule.key).unwrap_or_default();
        results.push(one(group, rule, at, known, samples).await);
    }
    results
}

async fn one(
    group: &Group,
    rule: &Rule,
    at: Timestamp,
    known: RuleState,
    samples: &dyn Samples,
) -> RuleResult {
    let started = Instant::now();
    let mut result = RuleResult {
        key: rule.key.clone(),
        name: rule.name().to_owned(),
        series: known.series,
        ..RuleResult::default()
    };
    let applied = match samples.instant(&rule.expr, at).await {
        Ok(vector) => apply(group, rule, at, known.alerts, vector),
        Err(error) => Err(base::reconcile::error_chain(&error)),
    };
    match applied {
        Ok(applied) => {
            // The alerts move on even where the samples can't be written.
            result.alerts = applied.alerts;
            let (series, written) = with_stale(at, &result.series, applied.samples);
            match samples.append(&series).await {
                Ok(()) => result.series = written,
                Err(error) => {
                    let chain = base::reconcile::error_chain(&error);
                    result.error = Some(format!("its samples can't be written: {chain}"));
                }
            }
        }
        Err(error) => result.error = Some(error),
    }
    result.evaluation_us = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
    result
}

/// The samples at `at`, an end for each series that was there before and is not now, and the set of
/// those that are.
pub fn with_stale(
    at: Timestamp,
    before: &BTreeSet<Labels>,
    samples: Vec<(Labels, f64)>,
) -> (Vec<Series>, BTreeSet<Labels>) {
    let now: BTreeSet<Labels> = samples.iter().map(|(labels, _)| labels.clone()).collect();
    let one = |labels, value| Series { labels, samples: vec![Sample { at_ms: at.ms(), value }] };
    let ended = before.difference(&now).cloned();
    let stale = f64::from_bits(STALE_NAN_BITS);
    let series = samples
        .into_iter()
        .map(|(labels, value)| one(labels, value))
        .chain(ended.map(|labels| one(labels, stale)))
        .collect();
    (series, now)
}

/// What follows from the query's answer.
pub fn apply(
    group: &Group,
    rule: &Rule,
    at: Timestamp,
    known: BTreeMap<String, Known>,
    vector: Vec<(Labels, f64)>,
) -> Result<Applied, String> {
    let applied = match &rule.kind {
        Kind::Record { metric } => {
            Applied { alerts: Vec::new(), samples: record(rule, metric, vector)? }
        }
        Kind::Alert(alert) => step_all(alert, at, known, see(rule, alert, vector)?),
    };
    let limit = group.limit();
    let count = match rule.kind {
        Kind::Record { .. } => applied.samples.len(),
        // ALERTS and ALERTS_FOR_STATE of each.
        Kind::Alert(_) => applied.samples.len() / 2,
    };
    if count > limit {
        return Err(format!("{count} series are above the limit of {limit}"));
    }
    Ok(applied)
}

fn record(
    rule: &Rule,
    metric: &str,
    vector: Vec<(Labels, f64)>,
) -> Result<Vec<(Labels, f64)>, String> {
    let mut seen = BTreeSet::new();
    let mut samples = Vec::with_capacity(vector.len());
    for (mut labels, value) in vector {
        labels = labels.with(NAME, metric);
        for (name, text) in &rule.labels {
            labels = labels.with(name, &text.source);
        }
        if !seen.insert(labels.clone()) {
            return Err("the answer has two series with the same labels after the rule's".into());
        }
        samples.push((labels, value));
    }
    Ok(samples)
}

/// The alerts that the answer stands for, by fingerprint.
fn see(
    rule: &Rule,
    alert: &AlertRule,
    vector: Vec<(Labels, f64)>,
) -> Result<BTreeMap<String, Seen>, String> {
    let mut seen = BTreeMap::new();
    for (metric, value) in vector {
        let mut labels = metric.clone().without(NAME);
        for (name, text) in &rule.labels {
            labels = labels.with(name, &text.template.expand(&metric, value));
        }
        labels = labels.with(ALERT_NAME, &alert.name);
        let annotations = alert
            .annotations
            .iter()
            .map(|(name, text)| (name.clone(), text.template.expand(&metric, value)))
            .collect();
        let fingerprint = fingerprint::of(&labels);
        if seen.insert(fingerprint, Seen { labels, annotations, value }).is_some() {
            return Err("the answer has two series with the same labels after the alert's".into());
        }
    }
    Ok(seen)
}

fn step_all(
    alert: &AlertRule,
    at: Timestamp,
    mut known: BTreeMap<String, Known>,
    mut seen: BTreeMap<String, Seen>,
) -> Applied {
    let fingerprints: BTreeSet<String> = known.keys().chain(seen.keys()).cloned().collect();
    let mut applied = Applied::default();
    for fingerprint in fingerprints {
        let before = known.remove(&fingerprint);
        let episode = before.as_ref().map(|k| k.episode.clone());
        let next = state::step(at, alert.timing, episode, seen.remove(&fingerprint));
        if let Some(episode) = &next
            && episode.state != AlertState::Resolved
        {
            applied.samples.extend(samples_of(episode));
        }
        match (before, next) {
            (None, Some(episode)) => {
                applied.alerts.push(Change::Begin(Known { id: AlertId::new(), episode }));
            }
            (Some(Known { id, episode: old }), Some(episode)) => {
                let moved = old.state != episode.state;
                applied.alerts.push(Change::Update(Known { id, episode }, moved));
            }
            (Some(known), None) => applied.alerts.push(Change::Forget(known)),
            (None, None) => {}
        }
    }
    applied
}

/// `ALERTS` and `ALERTS_FOR_STATE`, as Prometheus writes them.
fn samples_of(episode: &Episode) -> [(Labels, f64); 2] {
    let state = episode.state.as_str();
    let alerts = episode.labels.clone().with(NAME, "ALERTS").with(ALERT_STATE, state);
    let for_state = episode.labels.clone().with(NAME, "ALERTS_FOR_STATE");
    // Whole seconds, exact in a float for the next 200 million years.
    #[allow(clippy::cast_precision_loss)]
    let active_s = episode.active_at.ms().div_euclid(1_000) as f64;
    [(alerts, 1.0), (for_state, active_s)]
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod unittest;
