//! Live consoles: the serial port and the screen of an instance, as WebSockets.
//!
//! ```text
//! browser, CLI --WebSocket--> server <--WebSocket-- agent --> libvirt --> guest
//! ```
//!
//! Whoever looks asks here, and waits; the host's agent hears of it by its long poll, dials, and the
//! two are joined. No port is opened on a host, and nothing of a console is kept.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`broker`] | who waits for which agent, and how many may |
//! | [`relay`] | two WebSockets, joined until one ends |

use std::time::Duration;

use agent::wire::{End, MAX_MESSAGE_BYTES, StreamKind, StreamWanted, StreamsWanted, close};
use axum::{
    extract::{
        State,
        ws::{WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    response::{IntoResponse, Response},
};
use axum_extra::extract::CookieJar;
use base::{
    Error,
    id::{InstanceId, StreamId},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use inventory::instances::{self, Instance, InstanceState};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::{
    auth::{self, Caller, CallingHost},
    extract::{Json, Path, Query},
    problem::{Problem, Result},
    state::App,
    unit,
};

mod broker;
mod relay;

use broker::{Asked, Place};

/// Agents' sockets, as they meet who waits for them.
pub type Broker = broker::Broker<WebSocket>;

/// How long whoever looks waits for the host's agent.
const AGENT_WAIT: Duration = Duration::from_secs(10);
/// How often it is asked whether whoever looks still may.
const RECHECK_INTERVAL: Duration = Duration::from_secs(15);
/// What a browser's library may offer, and is answered.
const SUBPROTOCOL: &str = "binary";

type Upgrade = std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// The serial console, as a WebSocket: binary messages, what the port prints and what is typed.
/// A second one takes the port over; the first is closed with code 4001. Without an upgrade: 426,
/// where everything else is well.
#[utoipa::path(get, path = "/v1/instances/{id}/console/serial", tag = "instances",
    params(("id" = InstanceId, Path)), responses((status = 101)))]
pub async fn open_serial_console(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InstanceId>,
    who: Credentials,
    upgrade: Upgrade,
) -> unit::Result<Response> {
    open(app, caller, id, StreamKind::Serial, who, upgrade).await
}

/// The screen, as a WebSocket: binary messages, RFB (VNC) without a password. Without an upgrade:
/// 426, where everything else is well.
#[utoipa::path(get, path = "/v1/instances/{id}/console/screen", tag = "instances",
    params(("id" = InstanceId, Path)), responses((status = 101)))]
pub async fn open_screen(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<InstanceId>,
    who: Credentials,
    upgrade: Upgrade,
) -> unit::Result<Response> {
    open(app, caller, id, StreamKind::Screen, who, upgrade).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StreamsQuery {
    /// How long to wait for one, at most 60 seconds.
    #[serde(default)]
    pub wait_s: u64,
}

/// Consoles that wait for the host's agent to dial; none where none came within the wait.
#[utoipa::path(get, path = "/v1/agent/streams", tag = "agent", params(StreamsQuery),
    responses((status = 200, body = Object)))]
pub async fn list_wanted_streams(
    State(app): State<App>,
    CallingHost(host): CallingHost,
    Query(query): Query<StreamsQuery>,
) -> Json<StreamsWanted> {
    let items = tokio::select! {
        items = app.streams.wanted(host, Duration::from_secs(query.wait_s)) => items,
        () = app.stopping.cancelled() => Vec::new(),
    };
    let wire = |(id, asked): (StreamId, Asked)| StreamWanted {
        id,
        instance_id: asked.instance,
        kind: asked.kind,
    };
    Json(StreamsWanted { items: items.into_iter().map(wire).collect() })
}

/// The console that waits under this id, as a WebSocket from its host.
#[utoipa::path(get, path = "/v1/agent/streams/{id}", tag = "agent",
    params(("id" = StreamId, Path)), responses((status = 101)))]
pub async fn carry_stream(
    State(app): State<App>,
    CallingHost(host): CallingHost,
    Path(id): Path<StreamId>,
    upgrade: Upgrade,
) -> Result<Response> {
    // Nobody waits any more, or for another host.
    let missing = || Error::not_found(format_args!("stream {id}"));
    if !app.streams.is_waiting(host, id) {
        return Err(missing().into());
    }
    let Ok(upgrade) = upgrade else { return Ok(upgrade_required()) };
    let meeting = app.streams.take(host, id).ok_or_else(missing)?;
    Ok(limited(upgrade).on_upgrade(async move |socket| {
        // Whoever waited may have given up; the socket's end tells the agent.
        let _ = meeting.send(socket);
    }))
}

/// What a request showed to say who it is, to be looked at again.
pub struct Credentials {
    headers: HeaderMap,
    jar: CookieJar,
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Credentials {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        _: &S,
    ) -> std::result::Result<Self, Self::Rejection> {
        let jar = CookieJar::from_headers(&parts.headers);
        let mut headers = HeaderMap::new();
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
        Ok(Self { headers, jar })
    }
}

async fn open(
    app: App,
    caller: Caller,
    id: InstanceId,
    kind: StreamKind,
    who: Credentials,
    upgrade: Upgrade,
) -> unit::Result<Response> {
    let instance = instances::get(&mut *app.read().await?, id).await?;
    caller.require_sees(instance.tenant_id, format_args!("instance {id}"))?;
    require_running(&instance)?;
    // Last, so that asking without an upgrade tells whether a console could be opened.
    let Ok(upgrade) = upgrade else { return Ok(upgrade_required()) };
    let asked = Asked { host: instance.host_id, tenant: instance.tenant_id, instance: id, kind };
    let place = app.streams.open(asked)?;
    let mut unit = app.begin(&caller, None).await?;
    let detail = json!({ "name": instance.name, "kind": kind.as_str() });
    let tenant = Some(instance.tenant_id);
    unit.audit("instance.console", ("instance", id), tenant, detail).await?;
    unit.commit().await?;
    app.metrics.count_console(kind.as_str());
    let upgrade = limited(upgrade).protocols([SUBPROTOCOL]);
    Ok(upgrade.on_upgrade(async move |socket| serve(app, caller, who, place, socket).await))
}

fn require_running(instance: &Instance) -> Result<()> {
    if instance.state == InstanceState::Running {
        return Ok(());
    }
    let message =
        format!("instance '{}' is {}, not running", instance.name, instance.state.as_str());
    Err(Error::conflict(message).remedy("start it first").into())
}

fn limited(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES)
}

/// RFC 9110, section 15.5.22.
fn upgrade_required() -> Response {
    let mut response = Problem::http(
        StatusCode::UPGRADE_REQUIRED,
        "upgrade-required",
        "A WebSocket is wanted",
        "this address answers a WebSocket's opening handshake (RFC 6455) alone",
    )
    .into_response();
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// Waits for the agent, then relays until one of the two ends, or must.
async fn serve(
    app: App,
    caller: Caller,
    who: Credentials,
    mut place: Place<WebSocket>,
    mut user: WebSocket,
) {
    let met = tokio::select! {
        met = tokio::time::timeout(AGENT_WAIT, place.agent()) => met.ok().flatten(),
        () = app.stopping.cancelled() => {
            return relay::say_goodbye(&mut user, &stopping()).await;
        }
    };
    let Some(agent) = met else {
        let reason = format!("the host's agent did not come within {} s", AGENT_WAIT.as_secs());
        return relay::say_goodbye(&mut user, &End::new(close::TRY_AGAIN, reason)).await;
    };
    let must_end = async {
        tokio::select! {
            () = app.stopping.cancelled() => stopping(),
            () = until_refused(&app, &caller, &who) => {
                End::new(close::POLICY, "your session or token has ended")
            }
        }
    };
    let end = relay::relay(user, agent, must_end).await;
    tracing::debug!(stream = %place.id(), code = end.code, reason = end.reason, "a console ended");
}

fn stopping() -> End {
    End::new(close::RESTART, "the server is stopping")
}

/// Returns once the caller is no longer who it was when it was let in.
async fn until_refused(app: &App, caller: &Caller, who: &Credentials) {
    loop {
        tokio::time::sleep(RECHECK_INTERVAL).await;
        match auth::authenticate(app, &who.headers, &who.jar).await {
            Ok(actor) if actor.access == caller.access => {}
            // A database that is away for a moment says nothing about the caller.
            Err(problem) if problem.status().is_server_error() => {}
            Ok(_) | Err(_) => return,
        }
    }
}
