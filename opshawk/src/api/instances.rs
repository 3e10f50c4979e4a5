//! Instances: a tenant's virtual machines.

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use base::{
    id::{FlavorId, HostId, ImageId, InstanceId, TenantId},
    time::Timestamp,
};
use http::StatusCode;
use inventory::{
    instances::{self, Hold, InstanceState, Power, Wanted},
    operations,
};
use provisioner::{
    instances::{Ask, Context, Create, ask, create},
    labels::label,
    resize::resize,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path, Query},
    operations::Operation,
    page::{self, Page},
    problem::Result,
    state::App,
    unit,
};

#[derive(Debug, Serialize, ToSchema)]
pub struct Instance {
    pub id: InstanceId,
    pub tenant_id: TenantId,
    pub name: String,
    pub flavor_id: FlavorId,
    pub vcpus: i64,
    pub memory_mib: i64,
    pub disk_gib: i64,
    /// What it is becoming; null while it is not being resized.
    pub resize_flavor_id: Option<FlavorId>,
    pub image_id: ImageId,
    /// What its tenant tells it apart by; costs are summed by them, and prices may select by them.
    pub labels: BTreeMap<String, String>,
    /// Null for members: where it runs is the operator's.
    pub host_id: Option<HostId>,
    pub mac: String,
    /// What its tenant wants.
    pub wanted: Wanted,
    /// What the tenant's standing imposes.
    pub hold: Hold,
    /// An operator keeps it stopped.
    pub locked: bool,
    /// What it is to be, all told.
    pub power: EffectivePower,
    /// What was last seen of it.
    pub state: InstanceState,
    /// When it changed into `state`, by its host's clock.
    pub state_since: Option<Timestamp>,
    pub observed_at: Option<Timestamp>,
    pub generation: i64,
    pub observed_generation: i64,
    /// The step under way.
    pub step: Option<String>,
    pub progress_pct: Option<i64>,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub addresses: Vec<String>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EffectivePower {
    Running,
    Paused,
    Stopped,
    Absent,
}

fn describe(instance: instances::Instance, caller: &Caller) -> Instance {
    let power = match instance.effective() {
        Power::Running => EffectivePower::Running,
        Power::Paused => EffectivePower::Paused,
        Power::Stopped => EffectivePower::Stopped,
        Power::Absent => EffectivePower::Absent,
    };
    Instance {
        id: instance.id,
        tenant_id: instance.tenant_id,
        name: instance.name,
        flavor_id: instance.flavor_id,
        vcpus: instance.amounts.vcpus,
        memory_mib: instance.amounts.memory_mib,
        disk_gib: instance.amounts.disk_gib,
        resize_flavor_id: instance.resize.map(|resize| resize.flavor_id),
        image_id: instance.image_id,
        labels: instance.labels,
        host_id: caller.is_operator().then_some(instance.host_id),
        mac: instance.mac,
        wanted: instance.wanted,
        hold: instance.hold,
        locked: instance.locked,
        power,
        state: instance.state,
        state_since: instance.since,
        observed_at: instance.observed_at,
        generation: instance.generation,
        observed_generation: instance.observed_generation,
        step: instance.step,
        progress_pct: instance.progress_pct,
        error_code: instance.error_code,
        error: instance.error,
        addresses: instance.addresses,
        created_at: instance.created_at,
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInstance {
    pub name: String,
    pub flavor_id: FlavorId,
    pub image_id: ImageId,
    /// An OpenSSH public key for the guest's first user.
    pub ssh_key: Option<String>,
    /// cloud-init user data.
    pub user_data: Option<String>,
    /// At most 16. Keys are 1 to 63 of a-z, 0-9 and . _ / -, values 1 to 63 bytes.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// For operators, who must say for whom.
    pub tenant_id: Option<TenantId>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchInstance {
    /// A value sets its label, null takes it out; the others stay.
    #[serde(default)]
    pub labels: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResizeInstance {
    pub flavor_id: FlavorId,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct InstanceQuery {
    /// For operators: one tenant's only.
    #[param(value_type = Option<TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// At most so many items (1 to 1000, 100 where not given).
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ConsoleLog {
    /// The last of what the serial port printed.
    pub tail: String,
    pub at: Option<Timestamp>,
}

#[utoipa::path(get, path = "/v1/instances", tag = "instances", params(InstanceQuery),
    responses((status = 200, body = Page<Instance>)))]
pub async fn list_instances(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<InstanceQuery>,
) -> Result<Json<Page<Instance>>> {
    let span = page::span::<InstanceId>(query.limit, query.cursor.as_deref())?;
    let tenant = super::tenant_filter(&caller, query.tenant_id)?;
    let mut conn = app.read().await?;
    let rows = instances::list(&mut conn, tenant, span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |i| i.id.to_string(), |i| describe(i, &caller))))
}

/// Creates an instance, within quota and balance.
#[utoipa::path(post, path = "/v1/instances", tag = "instances", request_body = CreateInstance,
    responses((status = 202, body = Operation)))]
pub async fn create_instance(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreateInstance>,
) -> unit::Result<Response> {
    let tenant_id = super::for_whom(&caller, body.tenant_id)?;
    let mut unit = app.begin(&caller, key).await?;
    let context = Context { actor: &caller, now: unit.now, billing: &app.billing };
    identity::tenants::get(&mut unit.tx, tenant_id).await.map_err(|e| e.in_field("tenant_id"))?;
    let request = Create {
        tenant_id,
        name: body.name,
        flavor_id: body.flavor_id,
        image_id: body.image_id,
        ssh_key: body.ssh_key,
        user_data: body.user_data,
        labels: body.labels,
    };
    let (_, id) = create(&mut unit.tx, context, request, &mut unit.changes).await?;
    let operation = Operation::from(operations::get(&mut unit.tx, id).await?);
    unit.finish(StatusCode::ACCEPTED, &operation).await
}

#[utoipa::path(get, path = "/v1/instances/{id}", tag = "instances",
    params(("id" = InstanceId, Path)), responses((status = 200, body = Instance)))]
pub async fn get_instance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InstanceId>,
) -> Result<Json<Instance>> {
    let instance = instances::get(&mut *app.read().await?, id).await?;
    caller.require_sees(instance.tenant_id, format_args!("instance {id}"))?;
    Ok(Json(describe(instance, &caller)))
}

/// Changes its labels. From then on its cost is told by the new ones.
#[utoipa::path(patch, path = "/v1/instances/{id}", tag = "instances",
    params(("id" = InstanceId, Path)), request_body = PatchInstance,
    responses((status = 200, body = Instance)))]
pub async fn patch_instance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InstanceId>,
    Json(body): Json<PatchInstance>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let context = Context { actor: &caller, now: unit.now, billing: &app.billing };
    let changed = label(&mut unit.tx, context, id, &body.labels, &mut unit.changes).await?;
    unit.finish(StatusCode::OK, &describe(changed, &caller)).await
}

async fn asked(app: &App, caller: &Caller, id: InstanceId, what: Ask) -> unit::Result<Response> {
    let mut unit = app.begin(caller, None).await?;
    let context = Context { actor: caller, now: unit.now, billing: &app.billing };
    let (_, id) = ask(&mut unit.tx, context, id, what, &mut unit.changes).await?;
    let operation = Operation::from(operations::get(&mut unit.tx, id).await?);
    unit.finish(StatusCode::ACCEPTED, &operation).await
}

/// Deletes the instance and its disk.
#[utoipa::path(delete, path = "/v1/instances/{id}", tag = "instances",
    params(("id" = InstanceId, Path)), responses((status = 202, body = Operation)))]
pub async fn delete_instance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InstanceId>,
) -> unit::Result<Response> {
    asked(&app, &caller, id, Ask::Delete).await
}

#[utoipa::path(post, path = "/v1/instances/{id}/start", tag = "instances",
    params(("id" = InstanceId, Path)), responses((status = 202, body = Operation)))]
pub async fn start_instance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InstanceId>,
) -> unit::Result<Response> {
    asked(&app, &caller, id, Ask::Start).await
}

/// Stops it: ACPI first, then hard.
#[utoipa::path(post, path = "/v1/instances/{id}/stop", tag = "instances",
    params(("id" = InstanceId, Path)), responses((status = 202, body = Operation)))]
pub async fn stop_instance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InstanceId>,
) -> unit::Result<Response> {
    asked(&app, &caller, id, Ask::Stop).await
}

/// Makes it another flavor, within quota, balance and its host's room. It must be stopped, and its disk
/// never shrinks. It is billed as the new one once its host has done it.
#[utoipa::path(post, path = "/v1/instances/{id}/resize", tag = "instances",
    params(("id" = InstanceId, Path)), request_body = ResizeInstance,
    responses((status = 202, body = Operation)))]
pub async fn resize_instance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InstanceId>,
    Json(body): Json<ResizeInstance>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    let context = Context { actor: &caller, now: unit.now, billing: &app.billing };
    let (_, id) = resize(&mut unit.tx, context, id, body.flavor_id, &mut unit.changes).await?;
    let operation = Operation::from(operations::get(&mut unit.tx, id).await?);
    unit.finish(StatusCode::ACCEPTED, &operation).await
}

/// Keeps it stopped, whatever its tenant wants or pays.
#[utoipa::path(post, path = "/v1/instances/{id}/lock", tag = "instances",
    params(("id" = InstanceId, Path)), responses((status = 202, body = Operation)))]
pub async fn lock_instance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InstanceId>,
) -> unit::Result<Response> {
    asked(&app, &caller, id, Ask::Lock).await
}

#[utoipa::path(post, path = "/v1/instances/{id}/unlock", tag = "instances",
    params(("id" = InstanceId, Path)), responses((status = 202, body = Operation)))]
pub async fn unlock_instance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InstanceId>,
) -> unit::Result<Response> {
    asked(&app, &caller, id, Ask::Unlock).await
}

/// The tail of what its serial port printed.
#[utoipa::path(get, path = "/v1/instances/{id}/console-log", tag = "instances",
    params(("id" = InstanceId, Path)), responses((status = 200, body = ConsoleLog)))]
pub async fn get_console_log(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InstanceId>,
) -> Result<Json<ConsoleLog>> {
    let mut conn = app.read().await?;
    let instance = instances::get(&mut conn, id).await?;
    caller.require_sees(instance.tenant_id, format_args!("instance {id}"))?;
    let console = instances::console(&mut conn, id).await?;
    Ok(Json(match console {
        Some((tail, at)) => ConsoleLog { tail, at: Some(at) },
        None => ConsoleLog { tail: String::new(), at: None },
    }))
}
