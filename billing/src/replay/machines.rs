//! Resources: what is said of them, and what is wanted of instances. Other kinds are facts alone.
//!
//! A report does here what an agent's report does in the product: the fact, the posting of what it
//! changed and the row's observed state land in one transaction.

use base::{
    Error, Result,
    db::Conn,
    id::{InstanceId, TenantId, UsageEventId},
    time::Timestamp,
};
use identity::Actor;
use inventory::{
    instances::{self, Change, Instance, InstanceState, NewInstance, Observation, Power, Wanted},
    quotas::Amounts,
};

use super::{
    file::{Attributes, Fact, Resource, UserPower},
    host::Pending,
    shapes::{Shape, Told},
    world::{World, ids},
};
use crate::{
    accounts, rating,
    usage::{self, Recorded, ResourceState},
};

pub const SOURCE: &str = "replay";

/// A resource of the file, as it stands.
#[derive(Debug, Clone)]
pub struct Machine {
    /// None before its first fact or wish.
    pub id: Option<InstanceId>,
    /// Whether its row is in the inventory: not when it is gone or was moved.
    pub placed: bool,
    pub tenant: String,
    pub attributes: Attributes,
    /// As last reported, of an instance.
    pub state: Option<ResourceState>,
    /// What the host is about to confirm.
    pub pending: Option<Pending>,
}

impl Machine {
    pub fn new(resource: &Resource) -> Self {
        Self {
            id: None,
            placed: false,
            tenant: resource.tenant.clone(),
            attributes: resource.attributes.clone(),
            state: None,
            pending: None,
        }
    }
}

/// What a host says.
pub struct Report<'a> {
    pub name: &'a str,
    /// One of its kind's.
    pub state: &'static str,
    /// By the host's clock.
    pub at: Timestamp,
    pub source_id: String,
    pub tenant: String,
    pub attributes: Attributes,
    /// Its place among the host's facts; 0: it comes in order.
    pub ordinal: i64,
}

impl World<'_> {
    /// A fact of the file.
    pub async fn fact(&mut self, fact: &Fact) -> Result<Recorded> {
        let before = self.shapes[&fact.resource].before(fact.id.as_deref(), fact.ordinal);
        let report = Report {
            name: &fact.resource,
            state: fact.state,
            at: fact.at,
            source_id: fact.id.clone().unwrap_or_else(|| UsageEventId::new().to_string()),
            tenant: fact.tenant.as_ref().unwrap_or(&before.tenant).clone(),
            attributes: fact.attributes.over(&before.attributes),
            ordinal: fact.ordinal,
        };
        self.report(report).await
    }

    /// Takes a report: all of it, or, where it fails, nothing.
    pub async fn report(&mut self, report: Report<'_>) -> Result<Recorded> {
        let now = self.server_now();
        let before = self.machines[report.name].clone();
        let mut after = before.clone();
        let shapes = &self.shapes[report.name];
        let is_last = shapes.would_be_last(report.ordinal);
        let told = Told {
            id: report.source_id.clone(),
            at: report.at,
            before: shapes.before(Some(&report.source_id), report.ordinal).clone(),
            after: Shape { tenant: report.tenant.clone(), attributes: report.attributes.clone() },
        };
        let mut tx = self.db.begin_write().await?;
        accounts::lock_all(&mut tx, &ids(&self.tenants, [&before.tenant, &report.tenant])).await?;
        if after.id.is_none() {
            self.appear(&mut tx, &mut after, &report).await?;
        }
        let tenant = self.tenants[&report.tenant];
        let event = usage::Fact {
            source: SOURCE.to_owned(),
            source_id: report.source_id.clone(),
            tenant_id: tenant,
            resource: usage::Resource {
                kind: after.attributes.kind.name.to_owned(),
                id: after.id.map(|id| id.to_string()).unwrap_or_default(),
            },
            resource_name: report.name.to_owned(),
            state: report.state.to_owned(),
            attributes: self.written(&report.attributes),
            at: report.at,
            ordinal: report.ordinal,
        };
        let recorded = usage::record(&mut tx, now, &event).await?;
        if let Recorded::Counted { .. } = recorded {
            if self.rating {
                rating::post_changed(&mut tx, now, tenant).await?;
            }
            // What comes late says what was, not what is.
            if is_last {
                if report.tenant != before.tenant {
                    leave(&mut tx, now, &mut after).await?;
                }
                (after.tenant, after.attributes) = (report.tenant, report.attributes);
            }
        }
        // What is put aside is not counted, but it was seen all the same.
        if recorded != Recorded::Known && after.attributes.is_instance() {
            let state = report.state.parse()?;
            see(&mut tx, now, &mut after, state, report.at).await?;
            after.state = Some(state);
        }
        tx.commit().await?;
        self.machines.insert(report.name.to_owned(), after);
        if let Some(shapes) = self.shapes.get_mut(report.name) {
            shapes.record(report.ordinal, told, &recorded);
        }
        Ok(recorded)
    }

    /// Its first report: a row, unless it is of something that was gone before.
    async fn appear(
        &self,
        conn: &mut Conn,
        machine: &mut Machine,
        report: &Report<'_>,
    ) -> Result<()> {
        machine.tenant = report.tenant.clone();
        if !machine.attributes.is_instance() || report.state == ResourceState::Absent.as_str() {
            machine.id = Some(InstanceId::new());
            return Ok(());
        }
        let tenant = self.tenants[&report.tenant];
        let instance = self.create(conn, tenant, report.name, &report.attributes).await?;
        (machine.id, machine.placed) = (Some(instance.id), true);
        if report.state == ResourceState::Stopped.as_str() {
            // Stopped by its user: nothing else was wanted of it.
            let change = Change::Want(Wanted::Stopped);
            instances::change(conn, self.server_now(), &user(), &instance, "instance.stop", change)
                .await?;
        }
        Ok(())
    }

    async fn create(
        &self,
        conn: &mut Conn,
        tenant_id: TenantId,
        name: &str,
        attributes: &Attributes,
    ) -> Result<Instance> {
        let flavor = &self.file.flavors[&attributes.flavor];
        let new = NewInstance {
            tenant_id,
            name: name.to_owned(),
            flavor_id: self.flavors[&attributes.flavor],
            amounts: Amounts {
                vcpus: flavor.vcpus,
                memory_mib: flavor.memory_mib,
                disk_gib: attributes.disk_gib,
            },
            image_id: self.image,
            ssh_key: None,
            user_data: None,
            labels: Default::default(),
        };
        Ok(instances::create(conn, self.server_now(), &user(), new).await?.0)
    }

    /// What its user wants. An instance that isn't there yet is created.
    pub async fn want(&mut self, name: &str, power: UserPower) -> Result<()> {
        let (kind, wanted) = match power {
            UserPower::Running => ("instance.start", Wanted::Running),
            UserPower::Stopped => ("instance.stop", Wanted::Stopped),
            UserPower::Absent => ("instance.delete", Wanted::Absent),
        };
        self.change(name, kind, Change::Want(wanted)).await
    }

    pub async fn lock(&mut self, name: &str, locked: bool) -> Result<()> {
        let kind = if locked { "instance.lock" } else { "instance.unlock" };
        self.change(name, kind, Change::Lock(locked)).await
    }

    async fn change(&mut self, name: &str, kind: &str, change: Change) -> Result<()> {
        let now = self.server_now();
        let mut machine = self.machines[name].clone();
        let mut tx = self.db.begin_write().await?;
        let instance = match machine.id {
            Some(id) if machine.placed => instances::get(&mut tx, id).await?,
            Some(_) => {
                return Err(Error::conflict(format!(
                    "{name} is not in the inventory: it is gone, or a fact gave it to another \
                     tenant"
                )));
            }
            None => {
                let tenant = self.tenants[&machine.tenant];
                self.create(&mut tx, tenant, name, &machine.attributes).await?
            }
        };
        (machine.id, machine.placed) = (Some(instance.id), true);
        instances::change(&mut tx, now, &user(), &instance, kind, change).await?;
        tx.commit().await?;
        self.machines.insert(name.to_owned(), machine);
        Ok(())
    }
}

pub fn user() -> Actor {
    Actor::system("replay")
}

/// The row takes what was seen. It answers to what is wanted now if that is what was seen, and to
/// what was wanted before otherwise.
pub async fn see(
    conn: &mut Conn,
    now: Timestamp,
    machine: &mut Machine,
    state: ResourceState,
    since: Timestamp,
) -> Result<()> {
    let Some(id) = machine.id.filter(|_| machine.placed) else { return Ok(()) };
    let mut instance = instances::get(&mut *conn, id).await?;
    if state == ResourceState::Absent && instance.wanted != Wanted::Absent {
        let change = Change::Want(Wanted::Absent);
        instances::change(&mut *conn, now, &user(), &instance, "instance.delete", change).await?;
        instance = instances::get(&mut *conn, id).await?;
    }
    let answers = as_seen(instance.effective()) == state;
    let observation = Observation {
        generation: if answers { instance.generation } else { instance.observed_generation },
        state: match state {
            ResourceState::Running => InstanceState::Running,
            ResourceState::Paused => InstanceState::Paused,
            ResourceState::Stopped => InstanceState::Stopped,
            ResourceState::Absent => InstanceState::Absent,
        },
        since,
        step: None,
        progress_pct: None,
        failure: None,
        addresses: Vec::new(),
    };
    let observed = instances::observe(conn, now, &instance, &observation).await?;
    machine.placed = !observed.gone;
    Ok(())
}

/// The row says what a try ended with. It still answers to what was wanted before.
pub async fn fail(conn: &mut Conn, now: Timestamp, machine: &Machine) -> Result<()> {
    let Some(id) = machine.id.filter(|_| machine.placed) else { return Ok(()) };
    let instance = instances::get(&mut *conn, id).await?;
    let failure = ("hypervisor_refused".to_owned(), "it fails, as the file says".to_owned(), false);
    let observation = Observation {
        generation: instance.observed_generation,
        state: instance.state,
        since: instance.since.unwrap_or(now),
        step: None,
        progress_pct: None,
        failure: Some(failure),
        addresses: Vec::new(),
    };
    instances::observe(conn, now, &instance, &observation).await?;
    Ok(())
}

/// The inventory knows no move: its row goes, and facts alone tell of it from here on.
async fn leave(conn: &mut Conn, now: Timestamp, machine: &mut Machine) -> Result<()> {
    see(conn, now, machine, ResourceState::Absent, now).await?;
    machine.pending = None;
    Ok(())
}

/// The state in which what is wanted is reached.
pub fn as_seen(power: Power) -> ResourceState {
    match power {
        Power::Running => ResourceState::Running,
        Power::Paused => ResourceState::Paused,
        Power::Stopped => ResourceState::Stopped,
        Power::Absent => ResourceState::Absent,
    }
}
