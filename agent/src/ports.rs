//! Looking at what guests' interfaces have counted: at all that run every [`LOOK_INTERVAL_MS`], and
//! at one that is about to be stopped, while libvirt still knows.

use std::{sync::Arc, time::Duration};

use base::{Result, id::InstanceId, reconcile::error_chain};
use hypervisor::{Claim, GuestPorts};
use tokio::sync::Mutex;

use crate::{
    files::Layout,
    readings::{Counted, Readings},
    worker::Shared,
};

/// A guest that ends unasked loses at most what it counted since the last look.
pub const LOOK_INTERVAL_MS: u64 = 10_000;
/// A stop waits for its last look no longer.
const LAST_LOOK_TIMEOUT_MS: u64 = 1_000;

pub struct Ports {
    pub readings: Readings,
    interval_ms: u64,
    /// One look at a time: what two of them found would come in the wrong order.
    looking: Mutex<()>,
}

impl Ports {
    pub fn open(layout: &Layout, interval_ms: u64) -> Result<Self> {
        let readings = Readings::open(layout, interval_ms)?;
        Ok(Self { readings, interval_ms, looking: Mutex::default() })
    }
}

/// Runs until it is dropped.
pub async fn run(shared: Arc<Shared>) -> std::convert::Infallible {
    let interval_ms = shared.ports.interval_ms.clamp(1, LOOK_INTERVAL_MS);
    let mut period = tokio::time::interval(Duration::from_millis(interval_ms));
    period.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        if let Err(error) = look(&shared).await {
            tracing::error!(error = error_chain(&error), "no reading of guests' ports is kept");
        }
    }
}

/// At all guests of ours. A hypervisor that is away says nothing.
async fn look(shared: &Shared) -> Result<()> {
    let Some(claim) = claim(shared) else { return Ok(()) };
    let _one = shared.ports.looking.lock().await;
    let before = shared.ports.readings.running();
    let Ok(found) = shared.executor.hypervisor.ports().await else { return Ok(()) };
    for id in before {
        if !found.iter().any(|guest| guest.id == id.0) {
            shared.ports.readings.ended(id)?;
        }
    }
    for guest in found {
        take(shared, &claim, guest).await?;
    }
    Ok(())
}

/// At one guest that may end at any moment (asked to go down), or ends right after this, so that
/// what is seen is written down. Its end does not depend on it.
pub async fn last_look(shared: &Shared, id: InstanceId, ends: bool) {
    let Some(claim) = claim(shared) else { return };
    let looked = async {
        let _one = shared.ports.looking.lock().await;
        let Ok(Some(guest)) = shared.executor.hypervisor.ports_of(id.0).await else {
            return Ok(());
        };
        take(shared, &claim, guest).await?;
        if ends { shared.ports.readings.ended(id) } else { Ok(()) }
    };
    match tokio::time::timeout(Duration::from_millis(LAST_LOOK_TIMEOUT_MS), looked).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(instance = %id, error = error_chain(&error), "no last reading is kept");
        }
        Err(_) => tracing::warn!(instance = %id, "its ports could not be read before its stop"),
    }
}

/// Of this host; none while it does not know its name.
fn claim(shared: &Shared) -> Option<Claim> {
    let desired = shared.board.desired()?;
    Some(shared.executor.hypervisor.claim(desired.host_id.to_string()))
}

async fn take(shared: &Shared, claim: &Claim, guest: GuestPorts) -> Result<()> {
    let ours = guest
        .mark
        .as_ref()
        .is_some_and(|mark| mark.owner == claim.owner() && mark.instance_id == guest.id);
    let id = InstanceId(guest.id);
    // The server knows whose it is by the first event.
    if !ours || shared.journal.record(id).confirmed.is_none() {
        return Ok(());
    }
    let Some(guest) = named(shared, claim, guest).await else { return Ok(()) };
    let GuestPorts { life, number, ports, .. } = guest;
    let Some(life) = life else { return Ok(()) };
    let counted = |port: hypervisor::Port| Counted {
        // A device that is put in while the guest runs counts from zero as well.
        epoch: format!("{life}.{number}.{}", port.device),
        port: port.mac,
        received_bytes: port.received_bytes,
        sent_bytes: port.sent_bytes,
    };
    let counted = ports.into_iter().map(counted).collect();
    shared.ports.readings.saw(id, counted, shared.clock.now())
}

/// With its life's name: what was read of a guest without one may be of the life before.
async fn named(shared: &Shared, claim: &Claim, guest: GuestPorts) -> Option<GuestPorts> {
    if guest.life.is_some() {
        return Some(guest);
    }
    let name = shared.clock.now().ms().to_string();
    if let Err(error) = claim.name_life(guest.id, name).await {
        tracing::warn!(instance = %guest.id, %error, "its ports are not read: its life has no name");
        return None;
    }
    shared.executor.hypervisor.ports_of(guest.id).await.ok().flatten()
}
