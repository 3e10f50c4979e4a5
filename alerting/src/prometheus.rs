//! The shapes of `/prometheus/api/v1/rules` and `/alerts` (Prometheus, web/api/v1/api.go).
//!
//! What is here is the value of `data`; the envelope is the API's.

use std::collections::BTreeMap;

use base::{Result, db::Conn, id::TenantId, time::Timestamp};
use serde::Serialize;
use sqlx::Row;

use crate::{
    alerts::{self, Active},
    rules::{self, Kind, Rule, Text, parse, store::Stored},
    settings::Settings,
    state::{AlertState, Episode},
    template,
};

/// More active alerts than this are not listed.
const MAX_ACTIVE: i64 = 20_000;

#[derive(Debug, Clone, Serialize)]
pub struct AlertDiscovery {
    pub alerts: Vec<PrometheusAlert>,
}

/// Pending or firing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusAlert {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub state: AlertState,
    pub active_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_firing_since: Option<Timestamp>,
    /// As Go prints it: `1e+00`.
    pub value: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct RuleDiscovery {
    pub groups: Vec<RuleGroup>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleGroup {
    pub name: String,
    pub file: String,
    pub rules: Vec<PrometheusRule>,
    /// Seconds.
    pub interval: f64,
    pub limit: usize,
    /// Seconds.
    pub evaluation_time: f64,
    pub last_evaluation: Timestamp,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum PrometheusRule {
    Alerting(AlertingRule),
    Recording(RecordingRule),
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertingRule {
    /// `inactive`, `pending` or `firing`: that of its worst alert.
    pub state: &'static str,
    pub name: String,
    pub query: String,
    /// Seconds.
    pub duration: f64,
    /// Seconds.
    pub keep_firing_for: f64,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub alerts: Vec<PrometheusAlert>,
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

#[derive(Debug, Clone, Serialize)]
pub struct RecordingRule {
    pub name: String,
    pub query: String,
    pub labels: BTreeMap<String, String>,
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    /// `ok`, `err` or `unknown`.
    pub health: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    pub last_evaluation: Timestamp,
    /// Seconds.
    pub evaluation_time: f64,
}

/// A tenant sees its own alerts.
pub async fn alerts(conn: &mut Conn, tenant: Option<TenantId>) -> Result<AlertDiscovery> {
    let active = alerts::active(conn, tenant, MAX_ACTIVE).await?;
    Ok(AlertDiscovery { alerts: active.into_iter().map(|a| shape(a.known.episode)).collect() })
}

/// All groups; a tenant sees only its own alerts in them, and no errors of the store.
pub async fn rules(
    conn: &mut Conn,
    settings: &Settings,
    tenant: Option<TenantId>,
) -> Result<RuleDiscovery> {
    let stored = rules::store::list(&mut *conn, "", rules::store::MAX_GROUPS).await?;
    let mut evaluations = evaluations(&mut *conn).await?;
    let mut active = BTreeMap::<(String, String), Vec<Active>>::new();
    for alert in alerts::active(&mut *conn, tenant, MAX_ACTIVE).await? {
        let rule = (alert.group.clone(), alert.rule_key.clone());
        active.entry(rule).or_default().push(alert);
    }
    let mut groups = Vec::with_capacity(stored.len());
    for stored in stored {
        let group = parse::stored(&stored.name, &stored.yaml)?;
        let rules = group.rules.iter().map(|rule| {
            let key = (stored.name.clone(), rule.key.clone());
            let mut evaluation = evaluations.remove(&key).unwrap_or_else(Evaluation::none_yet);
            if tenant.is_some() {
                evaluation.last_error = None;
            }
            shape_rule(rule, active.remove(&key).unwrap_or_default(), evaluation)
        });
        groups.push(RuleGroup {
            rules: rules.collect(),
            interval: seconds(group.interval_ms.unwrap_or(settings.evaluation_interval_ms)),
            limit: group.limit.unwrap_or(0),
            evaluation_time: micros(stored.evaluation_us.unwrap_or(0)),
            last_evaluation: stored.evaluated_at.unwrap_or_default(),
            file: file(&stored),
            name: stored.name,
        });
    }
    Ok(RuleDiscovery { groups })
}

fn file(stored: &Stored) -> String {
    stored.source.strip_prefix("file:").unwrap_or(&stored.source).to_owned()
}

async fn evaluations(conn: &mut Conn) -> Result<BTreeMap<(String, String), Evaluation>> {
    let rows = sqlx::query(
        "SELECT group_name, rule_key, health, error, evaluated_ms, evaluation_us FROM rule_states",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let key = (row.try_get("group_name")?, row.try_get("rule_key")?);
            let evaluation = Evaluation {
                health: row.try_get("health")?,
                last_error: row.try_get("error")?,
                last_evaluation: Timestamp::from_ms(row.try_get("evaluated_ms")?),
                evaluation_time: micros(row.try_get("evaluation_us")?),
            };
            Ok((key, evaluation))
        })
        .collect()
}

impl Evaluation {
    fn none_yet() -> Self {
        Self {
            health: "unknown".to_owned(),
            last_error: None,
            last_evaluation: Timestamp::default(),
            evaluation_time: 0.0,
        }
    }
}

// Far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}
#[allow(clippy::cast_precision_loss)]
fn micros(us: i64) -> f64 {
    us as f64 / 1e6
}

fn sources(texts: &BTreeMap<String, Text>) -> BTreeMap<String, String> {
    texts.iter().map(|(name, text)| (name.clone(), text.source.clone())).collect()
}

fn shape_rule(rule: &Rule, active: Vec<Active>, evaluation: Evaluation) -> PrometheusRule {
    let (name, query, labels) = (rule.name().to_owned(), rule.expr.clone(), sources(&rule.labels));
    let alert = match &rule.kind {
        Kind::Record { .. } => {
            return PrometheusRule::Recording(RecordingRule { name, query, labels, evaluation });
        }
        Kind::Alert(alert) => alert,
    };
    let has = |state| active.iter().any(|a| a.known.episode.state == state);
    let state = if has(AlertState::Firing) {
        "firing"
    } else if has(AlertState::Pending) {
        "pending"
    } else {
        "inactive"
    };
    PrometheusRule::Alerting(AlertingRule {
        state,
        name,
        query,
        duration: seconds(alert.timing.for_ms),
        keep_firing_for: seconds(alert.timing.keep_firing_for_ms),
        labels,
        annotations: sources(&alert.annotations),
        alerts: active.into_iter().map(|a| shape(a.known.episode)).collect(),
        evaluation,
    })
}

fn shape(episode: Episode) -> PrometheusAlert {
    PrometheusAlert {
        labels: episode.labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        annotations: episode.annotations,
        state: episode.state,
        active_at: episode.active_at,
        keep_firing_since: episode.keep_firing_since,
        value: template::exponent(episode.value),
    }
}
