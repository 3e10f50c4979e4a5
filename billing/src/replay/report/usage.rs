//! What was found, and what was counted.

use std::collections::BTreeMap;

use base::{Result, db::Conn, time::Timestamp};
use serde_json::{Map as Object, Value, json};

use super::Names;
use crate::{counters::readings, findings};

/// Findings with their resources' names, in the order in which they were first seen.
pub async fn findings(conn: &mut Conn, names: &Names<'_>) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for finding in findings::list(&mut *conn, true).await? {
        let resource = resource(&mut *conn, &finding.subject).await?;
        let resource = resource.and_then(|id| names.resource(&id).ok());
        all.push((
            finding.first_seen_at,
            finding.kind,
            resource,
            finding.seen,
            finding.resolved_at,
        ));
    }
    all.sort();
    let entry = |(at, kind, resource, seen, resolved): (Timestamp, String, _, i64, Option<_>)| {
        let (at, open): (String, bool) = (names.at(at), resolved.is_none());
        json!({"kind": kind, "resource": resource, "at": at, "seen": seen, "open": open})
    };
    Ok(all.into_iter().map(entry).collect())
}

/// The id of the resource that a finding's subject is about.
async fn resource(conn: &mut Conn, subject: &str) -> Result<Option<String>> {
    let (what, rest) = subject.split_once('/').unwrap_or((subject, ""));
    let sql = match what {
        "fact" => "SELECT resource_id FROM usage_facts WHERE id = $1",
        "gap" => "SELECT resource_id FROM usage_gaps WHERE id = $1",
        _ => return Ok(rest.split('/').next().map(str::to_owned)),
    };
    Ok(sqlx::query_scalar(sql).bind(rest).fetch_optional(conn).await?)
}

/// What counters counted, by `tenant/resource/component`.
pub async fn counted(conn: &mut Conn, names: &Names<'_>) -> Result<Value> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for (tenant, id) in &names.world.tenants {
        for counted in readings::of_tenant(&mut *conn, *id, Timestamp::from_ms(i64::MIN)).await? {
            let resource = names.resource(&counted.resource.id)?;
            let key =
                format!("{tenant}/{resource}/{}.{}", counted.resource.kind, counted.component);
            let sum = sums.entry(key).or_default();
            *sum = sum.saturating_add(counted.quantity);
        }
    }
    let all: Object<String, Value> = sums.into_iter().map(|(key, sum)| (key, json!(sum))).collect();
    Ok(Value::Object(all))
}
