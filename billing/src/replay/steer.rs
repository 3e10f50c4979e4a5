//! An operator's steps about what a shortage stops, in the world that is played.

use base::{Error, Result};

use super::{file::Steer, world::World};
use crate::standing::{
    exemptions::{self, NewExemption},
    guard, steps,
};

const ACTOR: &str = "replay";

impl World<'_> {
    pub async fn steer(&self, steer: &Steer) -> Result<()> {
        let now = self.server_now();
        let mut tx = self.db.begin_write().await?;
        match steer {
            Steer::Exempt { tenant, resource, from, to, reason } => {
                let instance = resource.as_ref().map(|name| {
                    let id = self.machines[name].id;
                    id.ok_or_else(|| Error::conflict(format!("{name} is not there yet")))
                });
                let new = NewExemption {
                    tenant: self.tenants[tenant],
                    instance: instance.transpose()?,
                    from: *from,
                    to: *to,
                    reason,
                    actor: ACTOR,
                };
                exemptions::create(&mut tx, now, &new).await?;
            }
            Steer::Approve { tenant } => {
                let tenant = self.tenants[tenant];
                steps::approve(&mut tx, now, &self.settings, tenant, ACTOR, "replay").await?;
            }
            Steer::Resume { reason } => {
                guard::resume(&mut tx, now, ACTOR, reason).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}
