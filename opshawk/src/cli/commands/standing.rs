//! `opshawk standing …`

use base::id::ExemptionId;
use serde_json::{Value, json};

use super::{Column, Context, Failure, col, id_of, tenant, wide};
use crate::cli::args::{ExemptArgs, SetArgs, StandingCommand};

const CUT: &[Column] = &[
    col("TENANT", "/tenant"),
    col("AT", "/at"),
    col("NOW", "/standing"),
    col("NEXT", "/next"),
    col("STEP", "/step"),
    col("BALANCE", "/balance"),
    col("CURRENCY", "/currency"),
    col("INSTANCES", "/names"),
    wide("BURN PER HOUR", "/burn_per_hour"),
    wide("RUNS OUT", "/runs_out_at"),
    wide("ID", "/tenant_id"),
];
const GUARD: &[Column] = &[
    col("PAUSED", "/paused"),
    col("SINCE", "/since"),
    col("TENANTS", "/tenants"),
    col("OF", "/of_tenants"),
    col("BY", "/actor"),
    col("REASON", "/reason"),
];
const EXEMPTION: &[Column] = &[
    col("ID", "/id"),
    col("TENANT", "/tenant_id"),
    col("INSTANCE", "/instance_id"),
    col("FROM", "/from"),
    col("TO", "/to"),
    col("REASON", "/reason"),
    wide("BY", "/actor"),
];
const STEP: &[Column] = &[
    col("TENANT", "/tenant_id"),
    col("STANDING", "/standing"),
    col("STATE", "/state"),
    col("AT", "/at"),
    wide("EPISODE", "/episode"),
    wide("DECIDED", "/decided_at"),
    wide("BY", "/actor"),
    wide("REASON", "/reason"),
];
const SETTINGS: &[Column] = &[
    col("FURTHEST", "/furthest"),
    col("GRACE MS", "/grace_ms"),
    col("SUSPEND TO STOP MS", "/suspend_to_stop_ms"),
    col("STOP TO NOTICE MS", "/stop_to_notice_ms"),
    col("NOTICE TO RECLAIM MS", "/notice_to_reclaim_ms"),
    col("WARNINGS MS", "/warnings_ms"),
];
const EXEMPTIONS: &str = "/v1/standing/exemptions";

pub async fn run(cx: &Context, command: StandingCommand) -> Result<(), Failure> {
    let client = &cx.client;
    match command {
        StandingCommand::Preview { hours, tenant } => {
            let mut query = of_tenant(cx, tenant.as_deref()).await?;
            query.push(("hours", hours.to_string()));
            let answer = client.get_with("/v1/standing/preview", &query).await?;
            let named = items(answer).into_iter().map(with_names).collect::<Vec<_>>();
            cx.list(CUT, &named)
        }
        StandingCommand::Guard => cx.one(GUARD, &client.get("/v1/standing/guard").await?),
        StandingCommand::Resume { reason } => {
            let body = json!({ "reason": reason });
            cx.one(GUARD, &client.post("/v1/standing/guard/resume", &body).await?)
        }
        StandingCommand::Exemptions { tenant } => {
            let query = of_tenant(cx, tenant.as_deref()).await?;
            cx.list(EXEMPTION, &items(client.get_with(EXEMPTIONS, &query).await?))
        }
        StandingCommand::Exempt(args) => exempt(cx, args).await,
        StandingCommand::EndExemption { exemption } => {
            let list = "list them with opshawk standing exemptions";
            let id: ExemptionId = id_of("exemption", &exemption, list)?;
            let ended = client.delete(&format!("{EXEMPTIONS}/{id}")).await?;
            cx.one(EXEMPTION, &ended.unwrap_or_default())
        }
        StandingCommand::Steps { tenant } => {
            let query = of_tenant(cx, tenant.as_deref()).await?;
            cx.list(STEP, &items(client.get_with("/v1/standing/steps", &query).await?))
        }
        StandingCommand::Approve { tenant, reason } => {
            let id = client.id("tenant", tenant::PATH, &tenant).await?;
            let path = format!("{}/{id}/standing/approve", tenant::PATH);
            cx.one(STEP, &client.post(&path, &json!({ "reason": reason })).await?)
        }
        StandingCommand::Settings { tenant } => {
            let id = client.tenant(tenant.as_deref()).await?;
            let path = format!("{}/{id}/standing/settings", tenant::PATH);
            cx.one(SETTINGS, &client.get(&path).await?)
        }
        StandingCommand::Set(args) => set(cx, args).await,
    }
}

async fn of_tenant(
    cx: &Context,
    tenant: Option<&str>,
) -> Result<Vec<(&'static str, String)>, Failure> {
    match tenant {
        Some(tenant) => {
            Ok(vec![("tenant_id", cx.client.id("tenant", tenant::PATH, tenant).await?)])
        }
        None => Ok(Vec::new()),
    }
}

fn items(mut answer: Value) -> Vec<Value> {
    answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default()
}

/// The instances' names in one field, for a table.
fn with_names(mut cut: Value) -> Value {
    let of = |one: &Value| one["name"].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = cut["instances"].as_array().into_iter().flatten().map(of).collect();
    cut["names"] = Value::String(names.join(" "));
    cut
}

async fn exempt(cx: &Context, args: ExemptArgs) -> Result<(), Failure> {
    let ExemptArgs { tenant, instance, from, to, reason } = args;
    let tenant = cx.client.id("tenant", tenant::PATH, &tenant).await?;
    let body = json!({
        "tenant_id": tenant, "instance_id": instance, "from": from, "to": to, "reason": reason,
    });
    cx.one(EXEMPTION, &cx.client.post(EXEMPTIONS, &body).await?)
}

async fn set(cx: &Context, args: SetArgs) -> Result<(), Failure> {
    let id = cx.client.id("tenant", tenant::PATH, &args.tenant).await?;
    let ms = |s: u32| i64::from(s) * 1_000;
    let mut settings = json!({});
    for (key, value) in [
        ("grace_ms", args.grace_s),
        ("suspend_to_stop_ms", args.suspend_to_stop_s),
        ("stop_to_notice_ms", args.stop_to_notice_s),
        ("notice_to_reclaim_ms", args.notice_to_reclaim_s),
    ] {
        if let Some(s) = value {
            settings[key] = json!(ms(s));
        }
    }
    if let Some(furthest) = args.furthest {
        settings["furthest"] = json!(furthest);
    }
    if let Some(warnings_s) = args.warnings_s {
        settings["warnings_ms"] = json!(warnings_s.into_iter().map(ms).collect::<Vec<_>>());
    }
    let body = json!({ "settings": settings, "reason": args.reason });
    let path = format!("{}/{id}/standing/settings", tenant::PATH);
    cx.one(SETTINGS, &cx.client.put(&path, &body).await?)
}
