//! What an agent saw, taken once: the rows' observed state, the operations' steps, and the usage
//! events and traffic that billing counts from land in one transaction.

use std::collections::BTreeSet;

use agent::wire::{Ack, InstanceEvent, InstanceState as Seen, ObservedInstance, Report};
use base::{
    ErrorKind, Result,
    bus::{Bus, Changes, Topic},
    db::{Conn, Db},
    id::{HostId, TenantId},
    time::{SharedClock, Timestamp},
};
use billing::{
    accounts,
    meter::ResourceState,
    rating,
    usage::{
        self, Fact, Resource,
        gaps::GapPolicy,
        lost::{self, Lost},
    },
};
use inventory::{
    hosts::{self, NewJournal},
    instances::{self, Instance, InstanceState, Observation},
};

use crate::{labels, readings, resize};

/// Under which agents' facts are known: their ids are unique among all agents'.
const SOURCE: &str = "agent";

/// What a report changes.
#[derive(Debug, Clone)]
pub struct Reports {
    db: Db,
    clock: SharedClock,
    bus: Bus,
    /// Of what an agent lost.
    gap_policy: GapPolicy,
    /// Where instances run, for prices to select by.
    region: Option<String>,
}

impl Reports {
    pub fn new(
        db: Db,
        clock: SharedClock,
        bus: Bus,
        gap_policy: GapPolicy,
        region: Option<String>,
    ) -> Self {
        Self { db, clock, bus, gap_policy, region }
    }

    /// Acknowledged after the commit. A report that was taken before is acknowledged again.
    pub async fn take(&self, host: HostId, report: &Report) -> Result<Ack> {
        let mut tx = self.db.begin_write().await?;
        let now = self.clock.now();
        hosts::get(&mut tx, host).await?;
        let mut changes = Changes::default();
        lock_accounts(&mut tx, host, report).await?;
        if hosts::take_sequence(&mut tx, host, report.boot_id, report.sequence).await? {
            let journal = match report.journal_since {
                Some(since) => hosts::take_journal(&mut tx, host, since).await?,
                None => None,
            };
            take_host(&mut tx, now, host, report, &mut changes).await?;
            let region = self.region.as_deref();
            let facts = facts(&mut tx, host, &report.events, region).await?;
            if let Some(journal) = journal {
                self.take_losses(&mut tx, now, journal, &facts).await?;
            }
            let mut touched = take_facts(&mut tx, now, &facts).await?;
            // After the facts: what happened up to here happened to what it was.
            let resized = resize::finish(&mut tx, now, host, report, region, &mut changes).await?;
            touched.extend(take_facts(&mut tx, now, &resized).await?);
            // After the facts, by which billing knows the resource, and before what is posted, so that
            // a guest's end is posted with what it counted last.
            let counted = readings::take(&mut tx, now, host, &report.readings).await?;
            for tenant in &touched {
                rating::post_changed(&mut tx, now, *tenant).await?;
            }
            for tenant in touched.union(&counted) {
                changes.add(Topic::Money, tenant, Some(*tenant));
            }
            for seen in &report.instances {
                take_instance(&mut tx, now, host, seen, &mut changes).await?;
            }
        }
        tx.commit().await?;
        self.bus.publish_all(changes);
        Ok(Ack { sequence: report.sequence })
    }

    /// The agent's journal was lost: of each resource nothing is known from the last report of before
    /// to the first fact of after.
    async fn take_losses(
        &self,
        conn: &mut Conn,
        now: Timestamp,
        journal: NewJournal,
        facts: &[Fact],
    ) -> Result<()> {
        let mut known = BTreeSet::new();
        for fact in facts.iter().filter(|fact| fact.at >= journal.since) {
            if !known.insert(fact.resource.id.clone()) {
                continue;
            }
            let lost = Lost {
                source: SOURCE.to_owned(),
                source_id: format!("journal:{}:{}", journal.since.ms(), fact.resource.id),
                resource: fact.resource.clone(),
                from: journal.lost_from,
                to: fact.at,
                state: fact.state.clone(),
                attributes: fact.attributes.clone(),
                policy: self.gap_policy,
            };
            // What lies in the future is put aside with its fact, and is no gap yet.
            if fact.at.since_ms(now) <= usage::FUTURE_MAX_MS
                && lost::lost_before(conn, now, journal.since, &lost).await?
            {
                tracing::warn!(resource = %fact.resource, from = %lost.from, to = %lost.to,
                    "facts are lost with the agent's journal");
            }
        }
        Ok(())
    }
}

/// The accounts that events, readings and resizes that are done will move, before the host's row:
/// PostgreSQL would see a create, which locks them in that order, and a report wait for each other. A
/// resize that is asked for from here on is not one that this report answers to.
async fn lock_accounts(conn: &mut Conn, host: HostId, report: &Report) -> Result<()> {
    let of_events = report.events.iter().map(|event| event.instance_id);
    let of_readings = report.readings.iter().map(|reading| reading.instance_id);
    let ids: BTreeSet<_> = of_events.chain(of_readings).collect();
    let mut tenants = BTreeSet::new();
    for id in ids {
        if let Some(instance) = own(&mut *conn, host, id).await? {
            tenants.insert(instance.tenant_id);
        }
    }
    let resizing = instances::resizing(&mut *conn, host).await?;
    tenants.extend(resizing.iter().map(|instance| instance.tenant_id));
    accounts::lock_all(conn, &tenants).await
}

async fn take_host(
    conn: &mut Conn,
    now: Timestamp,
    host: HostId,
    report: &Report,
    changes: &mut Changes,
) -> Result<()> {
    let facts = &report.host;
    let seen = hosts::Observation {
        generation: report.generation,
        hypervisor_ok: facts.hypervisor_ok,
        reason: facts.problem.as_ref().map(|p| p.reason.clone()),
        remedy: facts.problem.as_ref().map(|p| p.remedy.clone()),
        facts: hosts::HostFacts {
            cpus: facts.cpus,
            memory_mib: facts.memory_mib,
            disk_gib: facts.disk_gib,
            domain_type: facts.domain_type.clone(),
            libvirt_version: facts.libvirt_version.clone(),
            hypervisor_version: facts.hypervisor_version.clone(),
            agent_version: Some(facts.agent_version.clone()),
        },
    };
    let before = hosts::get(&mut *conn, host).await?;
    hosts::observe(&mut *conn, now, host, &seen).await?;
    let after = hosts::get(conn, host).await?;
    if (before.hypervisor_ok, before.reason, before.facts)
        != (after.hypervisor_ok, after.reason, after.facts)
    {
        changes.add(Topic::Host, host, None);
    }
    Ok(())
}

/// What the events say to billing, in order.
async fn facts(
    conn: &mut Conn,
    host: HostId,
    events: &[InstanceEvent],
    region: Option<&str>,
) -> Result<Vec<Fact>> {
    let mut facts: Vec<Fact> = Vec::new();
    // Labels may have changed since: what was told is told again as it was.
    let ids: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
    let mut told = usage::attributes_told(&mut *conn, SOURCE, &ids).await?;
    for event in events {
        let Some(instance) = own(&mut *conn, host, event.instance_id).await? else { continue };
        let Some(state) = resource_state(event.state) else { continue };
        let source_id = event.id.to_string();
        let attributes = told.remove(&source_id);
        facts.push(Fact {
            source: SOURCE.to_owned(),
            source_id,
            tenant_id: instance.tenant_id,
            resource: Resource { kind: "instance".to_owned(), id: instance.id.to_string() },
            resource_name: instance.name.clone(),
            state: state.as_str().to_owned(),
            attributes: attributes.unwrap_or_else(|| labels::attributes(&instance, region)),
            // A clock that is far behind, as one without a battery after a start, would have it
            // charged from before there was anything.
            at: event.at.max(instance.created_at),
            ordinal: 0,
        });
    }
    Ok(facts)
}

/// Whose money they move.
async fn take_facts(conn: &mut Conn, now: Timestamp, facts: &[Fact]) -> Result<BTreeSet<TenantId>> {
    let mut touched: BTreeSet<TenantId> = BTreeSet::new();
    for batch in facts.chunks(usage::FACTS_MAX) {
        for (fact, recorded) in batch.iter().zip(usage::record_all(&mut *conn, now, batch).await?) {
            let (resource, state, at) = (&fact.resource, &fact.state, fact.at);
            match recorded {
                Ok(recorded) => {
                    tracing::info!(%resource, state, %at, ?recorded, "usage fact");
                    touched.insert(fact.tenant_id);
                }
                // One broken fact must not hold up all that this agent has to tell. It is a finding.
                Err(error) => {
                    tracing::error!(fact = fact.source_id, %resource, %error, "fact refused");
                }
            }
        }
    }
    Ok(touched)
}

async fn take_instance(
    conn: &mut Conn,
    now: Timestamp,
    host: HostId,
    seen: &ObservedInstance,
    changes: &mut Changes,
) -> Result<()> {
    let Some(instance) = own(&mut *conn, host, seen.id).await? else { return Ok(()) };
    let tenant = Some(instance.tenant_id);
    if let Some(tail) = &seen.console_tail {
        instances::save_console(&mut *conn, now, seen.id, tail).await?;
        changes.add(Topic::Instance, seen.id, tenant);
    }
    let observation = Observation {
        generation: seen.generation,
        state: instance_state(seen.state),
        since: seen.since,
        step: seen.step.clone(),
        progress_pct: seen.progress_pct,
        failure: seen.failure.as_ref().map(|f| (f.code.clone(), f.message.clone(), f.permanent)),
        addresses: seen.addresses.clone(),
    };
    let observed = instances::observe(&mut *conn, now, &instance, &observation).await?;
    if observed.changed {
        changes.add(Topic::Instance, seen.id, tenant);
        changes.add(Topic::Quota, instance.tenant_id, tenant);
        // A build that failed for good is now wanted absent, and what is gone need not be wanted.
        if observed.gone || observation.state == InstanceState::Failed {
            changes.add(Topic::HostDesired, host, None);
        }
    }
    for operation in observed.operations {
        changes.add(Topic::Operation, operation, tenant);
    }
    Ok(())
}

/// The instance if it is there and on this host: an agent speaks only for its own.
pub(crate) async fn own(
    conn: &mut Conn,
    host: HostId,
    id: base::id::InstanceId,
) -> Result<Option<Instance>> {
    match instances::get(conn, id).await {
        Ok(instance) if instance.host_id == host => Ok(Some(instance)),
        Ok(_) => Ok(None),
        Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn resource_state(state: Seen) -> Option<ResourceState> {
    match state {
        Seen::Running => Some(ResourceState::Running),
        Seen::Paused => Some(ResourceState::Paused),
        Seen::Stopped => Some(ResourceState::Stopped),
        Seen::Absent => Some(ResourceState::Absent),
        // No fact to bill by.
        Seen::Building | Seen::Failed | Seen::Unknown => None,
    }
}

fn instance_state(state: Seen) -> InstanceState {
    match state {
        Seen::Building => InstanceState::Building,
        Seen::Running => InstanceState::Running,
        Seen::Paused => InstanceState::Paused,
        Seen::Stopped => InstanceState::Stopped,
        Seen::Absent => InstanceState::Absent,
        Seen::Failed => InstanceState::Failed,
        Seen::Unknown => InstanceState::Unknown,
    }
}

#[cfg(test)]
mod tests;
