//! What the inventory has beside what is metered.

use std::collections::BTreeMap;

use base::{Error, Result, db::Conn, id::TenantId, time::Timestamp};
use inventory::instances::{self, Instance, InstanceState};

use super::{Leak, STATE, UNBILLED, UNUSED};
use crate::{
    kinds::Attributes,
    meter,
    usage::{Span, spans},
};

/// The kind that the inventory has.
const INSTANCE: &str = "instance";
/// Read at a time.
const PAGE: i64 = 500;
/// Of one tenant.
const INSTANCES_MAX: usize = 100_000;

pub(super) async fn leaks(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Leak>> {
    let mut machines: BTreeMap<String, Instance> = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = instances::list(&mut *conn, Some(tenant), cursor, PAGE).await?;
        let Some(last) = page.last() else { break };
        cursor = Some(last.id);
        machines.extend(page.into_iter().map(|instance| (instance.id.to_string(), instance)));
        if machines.len() > INSTANCES_MAX {
            let message = format!("tenant {tenant} has more than {INSTANCES_MAX} instances");
            return Err(Error::internal(message));
        }
    }
    // Open ones only: their end lies behind any instant.
    let last = Timestamp::from_ms(i64::MAX - 1);
    let open = spans::of_tenant(conn, tenant, last).await?;
    let mut open: BTreeMap<String, Span> = open
        .into_iter()
        .filter(|(resource, _)| resource.kind == INSTANCE)
        .map(|(resource, span)| (resource.id, span))
        .collect();
    let mut found: Vec<Leak> = Vec::new();
    for (id, machine) in &machines {
        found.extend(compare(machine, open.remove(id).as_ref()));
    }
    for (id, span) in open {
        let from = Timestamp::from_ms(span.from_ms);
        found.push(Leak {
            kind: UNUSED,
            subject: format!("{INSTANCE}/{id}"),
            detail: format!(
                "it is metered as {} since {from}, and the tenant has no such instance",
                span.state
            ),
        });
    }
    Ok(found)
}

/// The states in which something of it is there, and its host says so.
fn is_there(state: InstanceState) -> bool {
    matches!(state, InstanceState::Running | InstanceState::Paused | InstanceState::Stopped)
}

fn compare(machine: &Instance, span: Option<&Span>) -> Option<Leak> {
    let leak =
        |kind, detail| Some(Leak { kind, subject: format!("{INSTANCE}/{}", machine.id), detail });
    let state = machine.state.as_str();
    let Some(span) = span else {
        let detail = format!("it is {state}, and not metered");
        return is_there(machine.state).then(|| leak(UNBILLED, detail)).flatten();
    };
    let from = Timestamp::from_ms(span.from_ms);
    if machine.state == InstanceState::Absent {
        return leak(UNUSED, format!("it is absent, and metered as {} since {from}", span.state));
    }
    // Not yet, not any more, or nobody knows.
    if !is_there(machine.state) {
        return None;
    }
    if span.state != state {
        return leak(STATE, format!("it is {state}, and metered as {} since {from}", span.state));
    }
    let is = meter::attributes(machine.flavor_id, machine.amounts.disk_gib);
    let metered = Attributes::parse(&span.attributes).ok()?;
    let differs = ["flavor", "disk_gib"].into_iter().find(|name| is.get(name) != metered.get(name));
    differs.and_then(|name| {
        leak(STATE, format!("its {name} is another one than it is metered with since {from}"))
    })
}
