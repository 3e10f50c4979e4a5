//! The simulated host: as an agent, it reads what is wanted of its instances, does it in its time,
//! and confirms it with a report. Without a `host` in the file nobody does.

use base::{Result, id::UsageEventId, time::Timestamp};
use inventory::instances::{self, Power};

use super::{
    file::{Failure, Host, HostAction, Tries},
    machines::{Machine, Report, as_seen, fail, see},
    world::World,
};
use crate::usage::ResourceState;

/// What is being done, and when it will be confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    pub at: Timestamp,
    state: ResourceState,
    /// Tries that failed.
    failed: u32,
}

/// So long an agent waits after the first try that fails, and twice as long after each further one,
const RETRY_MIN_MS: i64 = 1_000;
/// but no longer than this.
const RETRY_MAX_MS: i64 = 60_000;

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
                let until = host.fail.iter().filter_map(|failure| match failure.which {
                    Tries::Until(until) if failure.is_of(name, action) => Some(until),
                    _ => None,
                });
                until.fold(self.now, Timestamp::max).saturating_add_ms(host.takes_ms(action))
            }
        };
        Pending { at, state, failed: 0 }
    }

    /// Lets a try fail, where the file says so: its row tells of it, and the next one follows as an
    /// agent's would. Whether it did.
    async fn fails(&mut self, name: &str, pending: Pending) -> Result<bool> {
        let file = self.file;
        let Some(host) = &file.host else { return Ok(false) };
        let mut machine = self.machines[name].clone();
        let Some(action) = work(machine.state, pending.state) else { return Ok(false) };
        let is_due = |(failure, failed): &(&Failure, &mut i64)| {
            let left = matches!(failure.which, Tries::First(count) if **failed < count);
            left && failure.is_of(name, action)
        };
        let Some((_, failed)) = host.fail.iter().zip(&mut self.failed).find(is_due) else {
            return Ok(false);
        };
        *failed += 1;
        let now = self.server_now();
        let mut tx = self.db.begin_write().await?;
        fail(&mut tx, now, &machine).await?;
        tx.commit().await?;
        let wait_ms = retry_ms(pending.failed).saturating_add(host.takes_ms(action));
        let at = pending.at.saturating_add_ms(wait_ms);
        machine.pending = Some(Pending { at, failed: pending.failed + 1, ..pending });
        self.machines.insert(name.to_owned(), machine);
        Ok(true)
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
            if self.fails(name, *pending).await? {
                continue;
            }
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

impl Host {
    fn takes_ms(&self, action: HostAction) -> i64 {
        match action {
            HostAction::Stop => self.stop_after_ms,
            HostAction::Start => self.start_after_ms,
            HostAction::Pause => self.pause_after_ms,
        }
    }
}

impl Failure {
    fn is_of(&self, resource: &str, action: HostAction) -> bool {
        self.resource == resource && self.action == action
    }
}

/// After a try that fails, and so many before it.
fn retry_ms(failed: u32) -> i64 {
    let doubled = RETRY_MIN_MS.checked_shl(failed).unwrap_or(RETRY_MAX_MS);
    if (1..RETRY_MAX_MS).contains(&doubled) { doubled } else { RETRY_MAX_MS }
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
