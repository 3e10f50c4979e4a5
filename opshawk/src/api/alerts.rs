//! Alerts, the rules that make them, and the notices they become.

use alerting::{
    alerts::{self, Alert},
    notices::{self, Notice},
    rules::store,
};
use axum::extract::{Request, State};
use base::{
    bus::Topic,
    id::{AlertId, NoticeId},
    time::Timestamp,
};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{self, Json, MAX_JSON_BYTES, Path, Query},
    page::{Page, PageQuery},
    problem::{Problem, Result},
    state::App,
    unit,
};

#[derive(Debug, Serialize, ToSchema)]
pub struct RuleGroup {
    pub name: String,
    /// `api`, or `file:` and the rule file it comes from.
    pub source: String,
    /// Prometheus's rules YAML.
    pub rules: String,
    pub updated_at: Timestamp,
    pub evaluated_at: Option<Timestamp>,
}

impl From<store::Stored> for RuleGroup {
    fn from(group: store::Stored) -> Self {
        let store::Stored { name, source, yaml, updated_at, evaluated_at, .. } = group;
        Self { name, source, rules: yaml, updated_at, evaluated_at }
    }
}

/// Pending, firing and lately resolved alerts, newest first.
#[utoipa::path(get, path = "/v1/alerts", tag = "alerts", params(PageQuery),
    responses((status = 200, body = Page<Alert>)))]
pub async fn list_alerts(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Alert>>> {
    let span = query.span::<AlertId>()?;
    let mut conn = app.read().await?;
    let rows = alerts::list(&mut conn, caller.tenant(), span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |a| a.id.to_string(), |a| a)))
}

#[utoipa::path(get, path = "/v1/rule-groups", tag = "alerts", params(PageQuery),
    responses((status = 200, body = Page<RuleGroup>)))]
pub async fn list_rule_groups(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<RuleGroup>>> {
    let span = query.span::<String>()?;
    let cursor = span.cursor.clone().unwrap_or_default();
    let rows = store::list(&mut *app.read().await?, &cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |g| g.name.clone(), RuleGroup::from)))
}

/// Sets the rules of a group: one group of a Prometheus rules file, as YAML.
#[utoipa::path(put, path = "/v1/rule-groups/{name}", tag = "alerts",
    params(("name" = String, Path)),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 200, body = RuleGroup)))]
pub async fn put_rule_group(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> unit::Result<Json<RuleGroup>> {
    let bytes = extract::read_body(request, MAX_JSON_BYTES).await?;
    let yaml = std::str::from_utf8(&bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| Problem::invalid_body("the rules must be text in UTF-8"))?;
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    store::put(&mut unit.tx, now, &caller, &name, yaml).await?;
    let group = store::get(&mut unit.tx, &name).await?.into();
    unit.changes.add(Topic::Alert, &name, None);
    unit.commit().await?;
    app.alerting.rules_changed();
    Ok(Json(group))
}

/// Removes the group; its alerts end as resolved.
#[utoipa::path(delete, path = "/v1/rule-groups/{name}", tag = "alerts",
    params(("name" = String, Path)), responses((status = 204)))]
pub async fn delete_rule_group(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> unit::Result<StatusCode> {
    let mut unit = app.begin(&caller, None).await?;
    let now = unit.now;
    store::delete(&mut unit.tx, now, &caller, &name).await?;
    unit.changes.add(Topic::Alert, &name, None);
    unit.commit().await?;
    app.alerting.rules_changed();
    Ok(StatusCode::NO_CONTENT)
}

/// What was told to people and how that went, newest first.
#[utoipa::path(get, path = "/v1/notices", tag = "alerts", params(PageQuery),
    responses((status = 200, body = Page<Notice>)))]
pub async fn list_notices(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Notice>>> {
    let span = query.span::<NoticeId>()?;
    let mut conn = app.read().await?;
    let rows = notices::list(&mut conn, caller.tenant(), span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |n| n.id.to_string(), |n| n)))
}
