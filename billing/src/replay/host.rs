//! The simulated host: as an agent, it reads what is wanted of its instances, does it in its time,
//! and confirms it with a report. Without a `host` in the file nobody does.

use base::{Result, id::UsageEventId, time::Timestamp};
use inventory::instances::{self, Power};

use super::{
    file::{Host, HostAction},
    machines::{Machine, Report, as_seen, see},
    world::World,
};
use crate::usage::ResourceState;

/// What is being done, and when it will be confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    pub at: Timestamp,
    state: ResourceState,
}

impl World<'_> {
    /// Reads what is wanted, and begins what is new.
    pub async fn look(&mut self) -> Result<()> {
        let Some(host) = &self.file.host else { return Ok(()) };
        let names: Vec<String> = self.machines.keys().cloned().collect();
        for name in names {
            let machine = &self.machines[&name];
            let mut pending = None;
            if let Some(id) = machine.id.filter(|_| machine.placed) {
                let instance = instances::get(&mut *self.db.read().await?, id).await?;
                if instance.observed_generation < instance.generation {
                    let power = instance.effective();
                    pending = Some(self.begin(host, &name, machine, power));
                }
            }
            if let Some(machine) = self.machines.get_mut(&name) {
                machine.pending = pending;
            }
        }
        Ok(())
    }

    fn begin(&self, host: &Host, name: &str, machine: &Machine, power: Power) -> Pending {
        let state = as_seen(power);
        // What is under way already goes on.
        if let Some(pending) = machine.pending.filter(|pending| pending.state == state) {
            return pending;
        }
        let at = match work(machine.state, state) {
            None => self.now,
            Some(action) => {
                let fails = host.fail.iter().filter(|f| f.resource == name && f.action == action);
                let begin = fails.map(|f| f.until).fold(self.now, Timestamp::max);
                begin.saturating_add_ms(match action {
                    HostAction::Stop => host.stop_after_ms,
                    HostAction::Start => host.start_after_ms,
                    HostAction::Pause => host.pause_after_ms,
                })
            }
        };
        Pending { at, state }
    }

    /// Confirms what is done by now. Returns whether anything was.
    pub async fn confirm(&mut self) -> Result<bool> {
        let due = |machine: &Machine| machine.pending.filter(|pending| pending.at <= self.now);
        let due: Vec<(String, Pending)> = self
            .machines
            .iter()
            .filter_map(|(name, machine)| Some((name.clone(), due(machine)?)))
            .collect();
        for (name, pending) in &due {
            let machine = self.machines[name].clone();
            if machine.state == Some(pending.state) {
                let mut after = Machine { pending: None, ..machine };
                let now = self.server_now();
                let mut tx = self.db.begin_write().await?;
                see(&mut tx, now, &mut after, pending.state, pending.at).await?;
                tx.commit().await?;
                self.machines.insert(name.clone(), after);
                continue;
            }
            let report = Report {
                name,
                state: pending.state.as_str(),
                at: pending.at,
                source_id: UsageEventId::new().to_string(),
                tenant: machine.tenant,
                attributes: machine.attributes,
                ordinal: 0,
            };
            self.report(report).await?;
            if let Some(machine) = self.machines.get_mut(name) {
                machine.pending = None;
            }
        }
        Ok(!due.is_empty())
    }

    /// When the next confirmation is due.
    pub fn next_confirmation(&self) -> Option<Timestamp> {
        self.machines.values().filter_map(|machine| Some(machine.pending?.at)).min()
    }
}

/// What has to be done to get there; nothing where it is so.
fn work(from: Option<ResourceState>, to: ResourceState) -> Option<HostAction> {
    match (from, to) {
        (Some(from), to) if from == to => None,
        (Some(ResourceState::Paused), ResourceState::Running) => Some(HostAction::Pause),
        (_, ResourceState::Running) => Some(HostAction::Start),
        (_, ResourceState::Paused) => Some(HostAction::Pause),
        (_, ResourceState::Stopped | ResourceState::Absent) => Some(HostAction::Stop),
    }
}
