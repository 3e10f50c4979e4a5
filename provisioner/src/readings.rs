//! What an agent read of its guests' network interfaces, as readings of billing's counters: one
//! series a port and direction, seen from the tenant, so that `net_rx` is what the guest received.

use std::collections::{BTreeMap, BTreeSet};

use agent::wire::PortReading;
use base::{
    Error, ErrorKind, Result,
    db::Conn,
    id::{HostId, InstanceId, TenantId},
    time::Timestamp,
};
use billing::{
    counters::{self, Reading, Series},
    usage::Resource,
};

use crate::reports::own;

/// Whose money they may move. An instance that this host does not have is nobody's.
pub(crate) async fn take(
    conn: &mut Conn,
    now: Timestamp,
    host: HostId,
    readings: &[PortReading],
) -> Result<BTreeSet<TenantId>> {
    let mut ports: BTreeMap<(InstanceId, &str), Vec<&PortReading>> = BTreeMap::new();
    for reading in readings {
        ports.entry((reading.instance_id, &reading.port)).or_default().push(reading);
    }
    let mut touched: BTreeSet<TenantId> = BTreeSet::new();
    for ((id, port), readings) in ports {
        let Some(instance) = own(&mut *conn, host, id).await? else { continue };
        let resource = Resource { kind: "instance".to_owned(), id: id.to_string() };
        let mut is_new = false;
        for (component, value) in DIRECTIONS {
            let series = Series {
                resource: resource.clone(),
                component: component.to_owned(),
                port: port.to_owned(),
                has_epochs: true,
            };
            let reading = |read: &&PortReading| Reading {
                at_ms: read.at.ms(),
                epoch: read.epoch.clone(),
                value: value(read),
            };
            let readings: Vec<Reading> = readings.iter().map(reading).collect();
            for batch in readings.chunks(counters::READINGS_MAX) {
                is_new |= take_batch(&mut *conn, now, &series, batch).await?;
            }
        }
        if is_new {
            touched.insert(instance.tenant_id);
        }
    }
    Ok(touched)
}

type Value = fn(&PortReading) -> i64;
const DIRECTIONS: [(&str, Value); 2] =
    [("net_rx", |read| read.received_bytes), ("net_tx", |read| read.sent_bytes)];

/// Whether any was new. Those that can't be right must not hold up what else the agent has to tell.
async fn take_batch(
    conn: &mut Conn,
    now: Timestamp,
    series: &Series,
    batch: &[Reading],
) -> Result<bool> {
    let error = match counters::read(&mut *conn, now, series, batch).await {
        Ok(taken) => {
            if let Some(why) = taken.refused.first() {
                tracing::error!(%series, count = taken.refused.len(), why, "readings refused");
            }
            return Ok(taken.new > 0);
        }
        Err(error) => error,
    };
    if !is_refusal(&error) {
        return Err(error);
    }
    tracing::error!(%series, %error, "readings refused");
    counters::refused(conn, now, series, &error).await?;
    Ok(false)
}

fn is_refusal(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Conflict)
}
