//! `opshawk quota …`

use inventory::quotas::Resource;
use serde_json::{Value, json};

use super::{Column, Context, Failure, col, id_of, tenant, wide};
use crate::cli::{
    args::{Limits, QuotaCommand, RequestState},
    output::Format,
};

const REQUESTS: &str = "/v1/quota-requests";

const COLUMNS: &[Column] =
    &[col("RESOURCE", "/resource"), col("USED", "/used"), col("LIMIT", "/limit")];

const MENDED: &[Column] =
    &[col("RESOURCE", "/resource"), col("WAS", "/used"), col("IS", "/counted")];

const REQUEST: &[Column] = &[
    col("ID", "/id"),
    col("STATE", "/state"),
    col("ASKED", "/items"),
    col("GRANTED", "/granted"),
    col("REASON", "/reason"),
    col("ANSWER", "/answer"),
    col("CREATED", "/created_at"),
    wide("TENANT", "/tenant_id"),
    wide("BY", "/asked_by"),
    wide("DECIDED", "/decided_at"),
    wide("DECIDED BY", "/decided_by"),
];

pub async fn run(cx: &Context, command: QuotaCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        QuotaCommand::Show { tenant } => {
            let id = client.tenant(tenant.as_deref()).await?;
            limits(cx, &client.get(&format!("{}/{id}/quota", tenant::PATH)).await?)
        }
        QuotaCommand::Set { tenant, limits: wanted } => {
            let id = client.id("tenant", tenant::PATH, &tenant).await?;
            let body = json!({ "items": items(&wanted) });
            limits(cx, &client.put(&format!("{}/{id}/quota", tenant::PATH), &body).await?)
        }
        QuotaCommand::Request { reason, tenant, limits } => {
            let mut body = json!({ "items": items(&limits), "reason": reason });
            if let Some(tenant) = tenant {
                let id = client.id("tenant", tenant::PATH, &tenant).await?;
                body["tenant_id"] = Value::String(id);
            }
            one(cx, client.post(REQUESTS, &body).await?)
        }
        QuotaCommand::Requests { tenant, state, limit } => {
            let mut query = Vec::new();
            if let Some(tenant) = tenant {
                query.push(("tenant_id", client.id("tenant", tenant::PATH, &tenant).await?));
            }
            query.extend(state.map(|state: RequestState| ("state", state.as_str().to_owned())));
            let all = client.list(REQUESTS, &query, Some(limit)).await?;
            let all: Vec<Value> = all.into_iter().map(|item| readable(cx, item)).collect();
            cx.list(REQUEST, &all)
        }
        QuotaCommand::Approve { request, answer, limits } => {
            let body = json!({ "items": items(&limits), "answer": answer });
            decide(cx, &request, "approve", &body).await
        }
        QuotaCommand::Refuse { request, answer } => {
            decide(cx, &request, "refuse", &json!({ "answer": answer })).await
        }
        QuotaCommand::Withdraw { request } => decide(cx, &request, "withdraw", &json!({})).await,
        QuotaCommand::Recount { tenant } => {
            let id = client.id("tenant", tenant::PATH, &tenant).await?;
            let path = format!("{}/{id}/quota/recount", tenant::PATH);
            let done = client.post(&path, &json!({})).await?;
            cx.list(MENDED, done["mended"].as_array().map_or(&[], Vec::as_slice))
        }
    }
}

fn limits(cx: &Context, quota: &Value) -> Result<(), Failure> {
    cx.list(COLUMNS, quota["items"].as_array().map_or(&[], Vec::as_slice))
}

async fn decide(cx: &Context, request: &str, verb: &str, body: &Value) -> Result<(), Failure> {
    let list = "list them with opshawk quota requests";
    let id: base::id::QuotaRequestId = id_of("request", request, list)?;
    one(cx, cx.client.post(&format!("{REQUESTS}/{id}/{verb}"), body).await?)
}

fn one(cx: &Context, request: Value) -> Result<(), Failure> {
    cx.one(REQUEST, &readable(cx, request))
}

/// For people, limits are `instances=20 volumes=15`; programs get them as they are.
fn readable(cx: &Context, mut request: Value) -> Value {
    if !matches!(cx.connection.output, Format::Json | Format::Yaml) {
        for field in ["items", "granted"] {
            let Value::Array(limits) = &mut request[field] else { continue };
            for item in limits {
                let resource = item["resource"].as_str().unwrap_or_default();
                *item = Value::String(format!("{resource}={}", item["limit"]));
            }
        }
    }
    request
}

fn items(limits: &Limits) -> Vec<Value> {
    let each = Resource::ALL.into_iter().map(|resource| (resource, named(limits, resource)));
    each.filter_map(|(r, limit)| limit.map(|n| json!({ "resource": r, "limit": n }))).collect()
}

fn named(limits: &Limits, resource: Resource) -> Option<i64> {
    match resource {
        Resource::Instances => limits.instances,
        Resource::Vcpus => limits.vcpus,
        Resource::MemoryMib => limits.memory_mib,
        Resource::DiskGib => limits.disk_gib,
        Resource::PublicIps => limits.public_ips,
        Resource::Volumes => limits.volumes,
        Resource::Snapshots => limits.snapshots,
        Resource::Routers => limits.routers,
        Resource::Networks => limits.networks,
        Resource::SecurityGroups => limits.security_groups,
        Resource::KeyPairs => limits.key_pairs,
    }
}
