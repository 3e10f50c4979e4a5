//! Reading alerts: what the API lists.

use std::collections::BTreeMap;

use base::{
    Result,
    db::Conn,
    id::{AlertId, TenantId},
    time::Timestamp,
};
use serde::Serialize;
use sqlx::Row;

use crate::{
    evaluation::{Known, store::known},
    fingerprint,
    state::AlertState,
};

/// One episode of an alert, as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Alert {
    pub id: AlertId,
    /// Of the labels, as Prometheus computes it: 16 hex digits.
    pub fingerprint: String,
    pub name: String,
    pub state: AlertState,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub active_at: Timestamp,
    pub fired_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    /// The expression's value at the last evaluation; null where it is not finite.
    pub value: Option<f64>,
}

impl From<Known> for Alert {
    fn from(Known { id, episode }: Known) -> Self {
        let labels: BTreeMap<String, String> =
            episode.labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        Self {
            id,
            fingerprint: fingerprint::of(&episode.labels),
            name: labels.get("alertname").cloned().unwrap_or_default(),
            state: episode.state,
            labels,
            annotations: episode.annotations,
            active_at: episode.active_at,
            fired_at: episode.fired_at,
            resolved_at: episode.resolved_at,
            value: episode.value.is_finite().then_some(episode.value),
        }
    }
}

/// Pending, firing and lately resolved episodes, newest first, before `cursor`. A tenant sees those
/// that carry its label.
pub async fn list(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    cursor: Option<AlertId>,
    limit: i64,
) -> Result<Vec<Alert>> {
    let rows = sqlx::query(
        "SELECT * FROM alerts WHERE ($1 = '' OR tenant_id = $1) AND ($2 = '' OR id < $2) \
         ORDER BY id DESC LIMIT $3",
    )
    .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| known(row).map(Alert::from)).collect()
}

/// An episode that is not over, and its rule.
pub(crate) struct Active {
    pub group: String,
    pub rule_key: String,
    pub known: Known,
}

/// Pending and firing ones by group, rule and age; at most `limit`.
pub(crate) async fn active(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    limit: i64,
) -> Result<Vec<Active>> {
    let rows = sqlx::query(
        "SELECT * FROM alerts WHERE state <> 'resolved' AND ($1 = '' OR tenant_id = $1) \
         ORDER BY group_name, rule_key, id LIMIT $2",
    )
    .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Active {
                group: row.try_get("group_name")?,
                rule_key: row.try_get("rule_key")?,
                known: known(row)?,
            })
        })
        .collect()
}
