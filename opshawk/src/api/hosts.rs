//! Hosts: machines that run guests.

use axum::{extract::State, response::Response};
use base::{bus::Topic, id::HostId, time::Timestamp};
use http::StatusCode;
use identity::{Access, tokens};
use inventory::hosts::{self, HostState};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    extract::{Json, Keyed, Path, Query},
    page::{Page, PageQuery},
    problem::Result,
    state::App,
    unit,
};

#[derive(Debug, Serialize, ToSchema)]
pub struct Host {
    pub id: HostId,
    pub name: String,
    pub state: HostState,
    pub status: HostStatus,
    /// Why the status is not `ok`.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
    pub cpus: i64,
    pub memory_mib: i64,
    pub disk_gib: i64,
    pub vcpus_placed: i64,
    pub memory_mib_placed: i64,
    /// Overcommit: 400 is 4 to 1.
    pub cpu_ratio_pct: i64,
    pub memory_ratio_pct: i64,
    /// `kvm`, or `qemu` where KVM does not truly work.
    pub domain_type: Option<String>,
    pub libvirt_version: Option<String>,
    pub hypervisor_version: Option<String>,
    pub agent_version: Option<String>,
    pub last_report_at: Option<Timestamp>,
    /// Of what it is to run, and the one its agent answered to.
    pub generation: i64,
    pub observed_generation: i64,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostStatus {
    Ok,
    /// Its agent or its hypervisor does not answer.
    Unknown,
}

impl From<hosts::Host> for Host {
    fn from(host: hosts::Host) -> Self {
        let facts = host.facts;
        Self {
            id: host.id,
            name: host.name,
            state: host.state,
            status: if host.hypervisor_ok { HostStatus::Ok } else { HostStatus::Unknown },
            reason: host.reason,
            remedy: host.remedy,
            cpus: facts.cpus,
            memory_mib: facts.memory_mib,
            disk_gib: facts.disk_gib,
            vcpus_placed: host.vcpus_placed,
            memory_mib_placed: host.memory_mib_placed,
            cpu_ratio_pct: host.cpu_ratio_pct,
            memory_ratio_pct: host.memory_ratio_pct,
            domain_type: facts.domain_type,
            libvirt_version: facts.libvirt_version,
            hypervisor_version: facts.hypervisor_version,
            agent_version: facts.agent_version,
            last_report_at: host.last_report_at,
            generation: host.generation,
            observed_generation: host.observed_generation,
            created_at: host.created_at,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateHost {
    pub name: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedHost {
    #[serde(flatten)]
    pub host: Host,
    /// For its agent. Shown once; null where the answer is repeated for the same `Idempotency-Key`.
    pub token: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchHost {
    /// `disabled` takes no new instances.
    pub state: HostState,
}

#[utoipa::path(get, path = "/v1/hosts", tag = "hosts", params(PageQuery),
    responses((status = 200, body = Page<Host>)))]
pub async fn list_hosts(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Host>>> {
    let span = query.span::<HostId>()?;
    let rows = hosts::list(&mut *app.read().await?, span.cursor, span.fetch()).await?;
    Ok(Json(span.page(rows, |h| h.id.to_string(), Host::from)))
}

/// Registers a host, and makes its agent's token.
#[utoipa::path(post, path = "/v1/hosts", tag = "hosts", request_body = CreateHost,
    responses((status = 201, body = CreatedHost)))]
pub async fn create_host(
    State(app): State<App>,
    caller: Caller,
    Keyed { body, key }: Keyed<CreateHost>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, key).await?;
    let now = unit.now;
    let host = hosts::create(&mut unit.tx, now, &body.name).await?;
    let id = host.id;
    let (_, plain) = tokens::create(&mut unit.tx, now, &host.name, Access::Agent(id)).await?;
    unit.audit("host.create", ("host", id), None, json!({ "name": host.name })).await?;
    let again = CreatedHost { host: host.clone().into(), token: None };
    let created = CreatedHost { host: host.into(), token: Some(plain) };
    unit.changes.add(Topic::Host, id, None);
    unit.finish_once(StatusCode::CREATED, &created, &again).await
}

#[utoipa::path(get, path = "/v1/hosts/{id}", tag = "hosts",
    params(("id" = HostId, Path)), responses((status = 200, body = Host)))]
pub async fn get_host(State(app): State<App>, Path(id): Path<HostId>) -> Result<Json<Host>> {
    Ok(Json(hosts::get(&mut *app.read().await?, id).await?.into()))
}

#[utoipa::path(patch, path = "/v1/hosts/{id}", tag = "hosts",
    params(("id" = HostId, Path)), request_body = PatchHost,
    responses((status = 200, body = Host)))]
pub async fn patch_host(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<HostId>,
    Json(body): Json<PatchHost>,
) -> unit::Result<Response> {
    let mut unit = app.begin(&caller, None).await?;
    hosts::get(&mut unit.tx, id).await?;
    let host = hosts::set_state(&mut unit.tx, id, body.state).await?;
    unit.audit("host.set_state", ("host", id), None, json!({ "state": body.state })).await?;
    unit.changes.add(Topic::Host, id, None);
    unit.finish(StatusCode::OK, &Host::from(host)).await
}
