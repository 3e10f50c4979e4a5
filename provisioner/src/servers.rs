//! Physical servers: what is wanted of their power is brought about through the BMC, and what the
//! BMC says is kept.
//!
//! ```text
//!   wanted on, chassis off --> Chassis Control on --> (next look) chassis on: reached
//!   BMC does not answer    --> unknown, with the reason; never "off"
//! ```

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use base::{
    Result,
    bus::{Bus, Changes, Topic},
    db::{Conn, Db},
    id::{OperationId, ServerId},
    reconcile::{Outcome, Reconciler},
    secret::Sealer,
    time::{SharedClock, Timestamp},
};
use bmc::{Bmc, Credentials, Endpoint, PowerAction, PowerState, Protocol};
use futures::{StreamExt, stream};
use identity::{Actor, audit};
use inventory::{
    operations::{self, Progress},
    servers::{self, ObservedPower, Server, WantedPower},
};
use serde_json::json;
use tokio::sync::Mutex;

/// Asks for the server's power; done when the chassis says so.
pub async fn ask_power(
    conn: &mut Conn,
    now: Timestamp,
    actor: &Actor,
    id: ServerId,
    power: WantedPower,
    changes: &mut Changes,
) -> Result<(Server, OperationId)> {
    actor.require_operator()?;
    servers::get(&mut *conn, id).await?;
    let server = servers::want_power(&mut *conn, id, power).await?;
    let kind = match power {
        WantedPower::On => "server.power_on",
        WantedPower::Off => "server.power_off",
    };
    let target = operations::Target {
        kind: "server",
        id: id.to_string(),
        name: &server.name,
        tenant_id: None,
        generation: server.generation,
        beside: None,
    };
    let operation = operations::open(&mut *conn, now, actor, kind, target).await?;
    let act = audit::Act {
        action: kind,
        target_kind: "server",
        target_id: id.to_string(),
        tenant_id: None,
        detail: json!({"name": server.name}),
    };
    audit::record(conn, now, actor, act).await?;
    changes.add(Topic::Server, id, None);
    changes.add(Topic::Operation, operation, None);
    Ok((server, operation))
}

/// A client, and what it was opened for.
type Opened = (Endpoint, Arc<dyn Bmc>);

/// BMC clients by server, kept between runs so that a session is opened once.
#[derive(Debug, Default)]
pub struct BmcClients(Mutex<HashMap<ServerId, Opened>>);

impl BmcClients {
    /// The server's client; a new one where its address or credentials changed.
    pub async fn of(&self, sealer: &Sealer, server: &Server) -> Result<Arc<dyn Bmc>> {
        let context = servers::password_context(server.id);
        let password = sealer.open_sealed(&context, &server.bmc_password)?;
        let endpoint = Endpoint {
            protocol: Protocol::Ipmi,
            address: server.bmc_address.clone(),
            credentials: Credentials::new(&server.bmc_user, password),
        };
        let mut clients = self.0.lock().await;
        if let Some((known, client)) = clients.get(&server.id)
            && *known == endpoint
        {
            return Ok(client.clone());
        }
        let client = bmc::open(&endpoint)?;
        clients.insert(server.id, (endpoint, client.clone()));
        Ok(client)
    }

    async fn keep_only(&self, servers: &[Server]) {
        let mut clients = self.0.lock().await;
        clients.retain(|id, _| servers.iter().any(|server| server.id == *id));
    }

    /// Logs out of all, when the program ends: a BMC has few sessions.
    pub async fn close(&self) {
        for (_, (_, client)) in self.0.lock().await.drain() {
            client.close().await;
        }
    }
}

pub struct ServerPower {
    pub db: Db,
    pub clock: SharedClock,
    pub bus: Bus,
    pub sealer: Sealer,
    pub clients: Arc<BmcClients>,
    pub period: Duration,
}

/// BMCs are asked side by side, this many at once.
const CONCURRENT_MAX: usize = 32;
const PAGE: i64 = 10_000;

#[async_trait]
impl Reconciler for ServerPower {
    fn name(&self) -> &'static str {
        "server-power"
    }
    fn description(&self) -> &'static str {
        "Brings servers to their wanted power through the BMC, and reads device and sensors."
    }
    fn period(&self) -> Duration {
        self.period
    }
    async fn run(&self) -> Result<Outcome> {
        let all = servers::list(&mut *self.db.read().await?, None, PAGE).await?;
        self.clients.keep_only(&all).await;
        let count = all.len();
        let results: Vec<_> = stream::iter(all)
            .map(|server| async move {
                let look = self.one(&server).await;
                (server.name, look)
            })
            .buffer_unordered(CONCURRENT_MAX)
            .collect()
            .await;
        let mut unknown = vec![];
        let mut waiting = false;
        for (name, result) in results {
            match result? {
                Look::Unknown => unknown.push(name),
                Look::Waiting => waiting = true,
                Look::Settled => {}
            }
        }
        // A chassis takes some seconds to follow: look again soon.
        let wake_at = waiting.then(|| self.clock.now() + Duration::from_millis(500));
        Ok(Outcome { status: json!({"servers": count, "unknown": unknown}), wake_at })
    }
}

enum Look {
    Settled,
    /// An order was given, and not followed yet.
    Waiting,
    Unknown,
}

struct Answer {
    power: PowerState,
    /// A change was asked for.
    ordered: Option<PowerAction>,
    device: serde_json::Value,
    sensors: serde_json::Value,
}

impl ServerPower {
    async fn one(&self, server: &Server) -> Result<Look> {
        let client = match self.clients.of(&self.sealer, server).await {
            Ok(client) => client,
            Err(e) => {
                let remedy = e.remedy.clone().unwrap_or_default();
                return self.failed(server, &e.message, &remedy).await;
            }
        };
        match ask(&*client, server).await {
            Ok(answer) => self.answered(server, answer).await,
            Err(e) => self.failed(server, &e.to_string(), e.remedy()).await,
        }
    }

    async fn answered(&self, server: &Server, answer: Answer) -> Result<Look> {
        let power = match answer.power {
            PowerState::On => ObservedPower::On,
            PowerState::Off => ObservedPower::Off,
        };
        let progress = match answer.ordered {
            Some(action) => Progress::Step {
                name: format!("chassis_control_{}", action.name()),
                progress_pct: None,
            },
            None => Progress::Reached,
        };
        let look = if answer.ordered.is_some() { Look::Waiting } else { Look::Settled };
        let now = self.clock.now();
        let mut tx = self.db.begin_write().await?;
        let seen = servers::Observation {
            generation: server.generation,
            power,
            device: Some(answer.device),
            sensors: Some(answer.sensors),
        };
        servers::observe(&mut tx, now, server.id, seen).await?;
        let id = server.id.to_string();
        let operations =
            operations::observe(&mut tx, now, &id, server.generation, &progress).await?;
        tx.commit().await?;
        self.bus.publish(Topic::Server, server.id, None);
        for operation in operations {
            self.bus.publish(Topic::Operation, operation, None);
        }
        Ok(look)
    }

    async fn failed(&self, server: &Server, reason: &str, remedy: &str) -> Result<Look> {
        let mut tx = self.db.begin_write().await?;
        let now = self.clock.now();
        servers::observe_failure(&mut tx, now, server.id, reason, remedy).await?;
        tx.commit().await?;
        if server.reason.as_deref() != Some(reason) {
            tracing::warn!(server = %server.name, reason, "the BMC does not answer");
            self.bus.publish(Topic::Server, server.id, None);
        }
        Ok(Look::Unknown)
    }
}

/// One look, and the order that closes the difference, if there is one.
async fn ask(client: &dyn Bmc, server: &Server) -> bmc::Result<Answer> {
    let power = client.power().await?;
    let ordered = match (server.wanted_power, power) {
        (Some(WantedPower::On), PowerState::Off) => Some(PowerAction::On),
        (Some(WantedPower::Off), PowerState::On) => Some(PowerAction::Off),
        _ => None,
    };
    if let Some(action) = ordered {
        client.set_power(action).await?;
        tracing::info!(server = %server.name, action = action.name(), "chassis control");
    }
    let device = json!({"device": client.device().await?, "session": client.session().await?});
    let sensors = json!(client.sensors().await?);
    Ok(Answer { power, ordered, device, sensors })
}
