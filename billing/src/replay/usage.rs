//! Gaps, their answers, rulings and readings of a file, as the product takes them.

use base::{Error, Result, id::UsageGapId};

use super::{
    file::{Attributes, Confirm, Counter, Lost, Rule},
    machines::SOURCE,
    world::{ACTOR, World},
};
use crate::{
    counters::{self, Reading, Series},
    kinds, meter,
    usage::{
        Resource,
        lost::{self, Answer},
        rulings::{self, Verdict},
    },
};

const REASON: &str = "as the file says";

impl World<'_> {
    /// Of a resource that a fact told of.
    fn told(&self, name: &str) -> Result<Resource> {
        let machine = self.machines.get(name);
        let known = machine.and_then(|machine| Some((machine.attributes.kind, machine.id?)));
        let (kind, id) = known.ok_or_else(|| {
            Error::new(base::ErrorKind::NotFound, format!("no fact tells of {name}"))
        })?;
        Ok(Resource { kind: kind.name.to_owned(), id: id.to_string() })
    }

    /// As a fact says it, with its flavor by id.
    pub fn written(&self, attributes: &Attributes) -> kinds::Attributes {
        let more = attributes.more.clone();
        match attributes.is_instance() {
            true => {
                let of = meter::attributes(self.flavors[&attributes.flavor], attributes.disk_gib);
                more.iter().fold(of, |of, (name, value)| of.with(name, value.clone()))
            }
            false => more,
        }
    }

    pub async fn lost(&mut self, step: &str, told: &Lost) -> Result<()> {
        let lost = lost::Lost {
            source: SOURCE.to_owned(),
            source_id: step.to_owned(),
            resource: self.told(&told.resource)?,
            from: told.from,
            to: told.to,
            state: told.after.state.to_owned(),
            attributes: self.written(&told.after.attributes),
            policy: self.settings.gap_policy,
        };
        let mut tx = self.db.begin_write().await?;
        let id = lost::lost(&mut tx, self.server_now(), &lost).await?;
        tx.commit().await?;
        self.gaps.push((told.resource.clone(), id));
        Ok(())
    }

    pub async fn confirm_gap(&self, told: &Confirm) -> Result<()> {
        let mut of = self.gaps.iter().filter(|(resource, _)| *resource == told.resource);
        let gap: Option<UsageGapId> = match told.gap {
            Some(number) => {
                usize::try_from(number - 1).ok().and_then(|before| of.nth(before)).map(|gap| gap.1)
            }
            None => of.next_back().map(|gap| gap.1),
        };
        let gap = gap.ok_or_else(|| {
            Error::new(base::ErrorKind::NotFound, format!("{} has no such gap", told.resource))
        })?;
        let answer = Answer {
            state: told.then.state.to_owned(),
            attributes: self.written(&told.then.attributes),
            changed_at: told.changed,
        };
        let mut tx = self.db.begin_write().await?;
        lost::answer(&mut tx, self.server_now(), gap, &answer, ACTOR, REASON).await?;
        Ok(tx.commit().await?)
    }

    pub async fn rule(&self, told: &Rule) -> Result<()> {
        let mut tx = self.db.begin_write().await?;
        let fact = rulings::find(&mut tx, SOURCE, &told.fact).await?;
        let verdict = if told.take { Verdict::Take { at: told.at } } else { Verdict::Drop };
        rulings::rule(&mut tx, self.server_now(), fact, verdict, ACTOR, REASON).await?;
        Ok(tx.commit().await?)
    }

    pub async fn counter(&self, told: &Counter) -> Result<()> {
        let series = Series {
            resource: self.told(&told.resource)?,
            component: told.component.clone(),
            port: told.port.clone(),
            has_epochs: !told.epoch.is_empty(),
        };
        let (at_ms, epoch, value) = (told.at.ms(), told.epoch.clone(), told.value);
        let mut tx = self.db.begin_write().await?;
        let readings = [Reading { at_ms, epoch, value }];
        counters::read(&mut tx, self.server_now(), &series, &readings).await?;
        Ok(tx.commit().await?)
    }
}
