//! What is said of a group of alerts: the webhook's payload, and the mail's subject and text.
//!
//! The payload is Alertmanager's, version 4 (docs: "Configuration", `webhook_config`), field for
//! field, so that what takes Alertmanager's webhooks takes ours.

use std::collections::BTreeMap;

use base::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Members, Receiver, group_key};
use crate::{fingerprint, settings::Settings, state::Episode};

/// More alerts than this are counted in `truncatedAlerts` and not listed.
pub const MAX_ALERTS: usize = 200;

/// Go's zero time: an alert that is not over.
const NO_END: &str = "0001-01-01T00:00:00Z";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    pub version: String,
    pub group_key: String,
    pub truncated_alerts: usize,
    /// `firing` or `resolved`.
    pub status: String,
    pub receiver: String,
    pub group_labels: BTreeMap<String, String>,
    pub common_labels: BTreeMap<String, String>,
    pub common_annotations: BTreeMap<String, String>,
    #[serde(rename = "externalURL")]
    pub external_url: String,
    /// Firing ones first.
    pub alerts: Vec<PayloadAlert>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadAlert {
    /// `firing` or `resolved`.
    pub status: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub starts_at: String,
    /// `0001-01-01T00:00:00Z` while it fires.
    pub ends_at: String,
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
    pub fingerprint: String,
}

/// `members.resolved` holds what is to be told as resolved, nothing else.
pub fn payload(
    settings: &Settings,
    receiver: Receiver,
    group_labels: &BTreeMap<String, String>,
    members: &Members,
) -> Payload {
    let url = settings.public_url.trim_end_matches('/');
    let mut alerts: Vec<PayloadAlert> = members
        .firing
        .values()
        .chain(members.resolved.values())
        .map(|episode| alert(url, episode))
        .collect();
    let status = if members.firing.is_empty() { "resolved" } else { "firing" };
    let common_labels = common(alerts.iter().map(|a| &a.labels));
    let common_annotations = common(alerts.iter().map(|a| &a.annotations));
    let truncated_alerts = alerts.len().saturating_sub(MAX_ALERTS);
    alerts.truncate(MAX_ALERTS);
    Payload {
        version: "4".to_owned(),
        group_key: group_key(receiver, group_labels),
        truncated_alerts,
        status: status.to_owned(),
        receiver: receiver.name(),
        group_labels: group_labels.clone(),
        common_labels,
        common_annotations,
        external_url: url.to_owned(),
        alerts,
    }
}

fn alert(url: &str, episode: &Episode) -> PayloadAlert {
    let started = episode.fired_at.unwrap_or(episode.active_at);
    PayloadAlert {
        status: if episode.resolved_at.is_some() { "resolved" } else { "firing" }.to_owned(),
        labels: episode.labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        annotations: episode.annotations.clone(),
        starts_at: started.to_string(),
        ends_at: episode.resolved_at.map_or_else(|| NO_END.to_owned(), |at| at.to_string()),
        generator_url: format!("{url}/alerts"),
        fingerprint: fingerprint::of(&episode.labels),
    }
}

/// What all of them have.
fn common<'a>(
    mut maps: impl Iterator<Item = &'a BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let mut common = maps.next().cloned().unwrap_or_default();
    for map in maps {
        common.retain(|name, value| map.get(name) == Some(value));
    }
    common
}

/// `[FIRING:2] GuestCpuHigh`, and the labels that all have in common besides.
pub fn subject(payload: &Payload) -> String {
    let firing = payload.alerts.iter().filter(|a| a.status == "firing").count();
    let status = match firing {
        0 => "[RESOLVED]".to_owned(),
        _ => format!("[FIRING:{}]", firing + payload.truncated_alerts),
    };
    let group: Vec<&str> = payload.group_labels.values().map(String::as_str).collect();
    let summary = payload.common_annotations.get("summary").map(|s| format!(": {s}"));
    format!("{status} {}{}", group.join(" "), summary.unwrap_or_default())
}

/// Plain text that reads well: firing first, one paragraph an alert.
pub fn text(payload: &Payload, now: Timestamp) -> String {
    let mut out = String::new();
    for (status, title) in [("firing", "Firing"), ("resolved", "Resolved")] {
        let alerts: Vec<_> = payload.alerts.iter().filter(|a| a.status == status).collect();
        if alerts.is_empty() {
            continue;
        }
        out.push_str(&format!("{title} ({}):\n\n", alerts.len()));
        for alert in alerts {
            out.push_str(&paragraph(alert));
        }
    }
    if payload.truncated_alerts > 0 {
        out.push_str(&format!("... and {} more.\n\n", payload.truncated_alerts));
    }
    out.push_str(&format!("Sent at {now} by OpsHawk, {}/alerts\n", payload.external_url));
    out
}

fn paragraph(alert: &PayloadAlert) -> String {
    let name = alert.labels.get("alertname").map(String::as_str).unwrap_or("alert");
    let mut out = format!("* {name}\n");
    for (name, value) in &alert.annotations {
        out.push_str(&format!("  {name}: {value}\n"));
    }
    out.push_str(&format!("  since: {}\n", alert.starts_at));
    if alert.status == "resolved" {
        out.push_str(&format!("  until: {}\n", alert.ends_at));
    }
    let labels: Vec<String> = alert
        .labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !labels.is_empty() {
        out.push_str(&format!("  labels: {}\n", labels.join(", ")));
    }
    out.push('\n');
    out
}
