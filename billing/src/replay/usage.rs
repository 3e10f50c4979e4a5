//! Gaps, their answers, rulings and readings of a file, as the product takes them.

use base::{Error, Result, db::Conn, id::UsageGapId};

use super::{
    file::{Attributes, Confirm, Counter, Lost, Rule},
    machines::{Machine, SOURCE, see},
    shapes::{Shape, Told},
    world::{ACTOR, World},
};
use crate::{
    counters::{self, Reading, Series},
    kinds, meter,
    usage::{
        self, Fact, Recorded, Resource,
        lost::{self, Answer},
        rulings::{self, Verdict},
    },
};

const REASON: &str = "as the file says";

/// One that was told of.
pub struct Gap {
    resource: String,
    id: UsageGapId,
    /// As what it was seen at its end.
    after: Attributes,
}

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
        let name = &told.resource;
        let before = self.shapes[name].before_end(told.to).clone();
        let attributes = told.after.attributes.over(&before.attributes);
        let lost = lost::Lost {
            source: SOURCE.to_owned(),
            source_id: step.to_owned(),
            resource: self.told(name)?,
            from: told.from,
            to: told.to,
            state: told.after.state.to_owned(),
            attributes: self.written(&attributes),
            policy: self.settings.gap_policy,
        };
        let mut tx = self.db.begin_write().await?;
        let id = lost::lost(&mut tx, self.server_now(), &lost).await?;
        // What is known of a later time stands.
        let seen = match self.shapes[name].knows_since(told.to) {
            true => None,
            false => Some(self.see_again(&mut tx, name, lost, &before, &attributes).await?),
        };
        tx.commit().await?;
        self.gaps.push(Gap { resource: name.clone(), id, after: attributes.clone() });
        if let Some((machine, source_id, recorded)) = seen {
            self.machines.insert(name.clone(), machine);
            let after = Shape { tenant: before.tenant.clone(), attributes };
            let told = Told { id: source_id, at: told.to, before, after };
            if let Some(shapes) = self.shapes.get_mut(name) {
                shapes.record(0, told, &recorded);
            }
        }
        Ok(())
    }

    /// With the first fact after a gap, as an agent tells of both at once: the machine as it is then,
    /// the fact's id, and what became of it.
    async fn see_again(
        &self,
        conn: &mut Conn,
        name: &str,
        lost: lost::Lost,
        before: &Shape,
        attributes: &Attributes,
    ) -> Result<(Machine, String, Recorded)> {
        let now = self.server_now();
        let mut machine = self.machines[name].clone();
        let fact = Fact {
            source_id: format!("{}.after", lost.source_id),
            source: lost.source,
            tenant_id: self.tenants[&before.tenant],
            resource: lost.resource,
            resource_name: name.to_owned(),
            state: lost.state,
            attributes: lost.attributes,
            at: lost.to,
            ordinal: 0,
        };
        let recorded = usage::record(&mut *conn, now, &fact).await?;
        machine.attributes = attributes.clone();
        if machine.attributes.is_instance() {
            let state = fact.state.parse()?;
            see(conn, now, &mut machine, state, fact.at).await?;
            machine.state = Some(state);
        }
        Ok((machine, fact.source_id, recorded))
    }

    pub async fn confirm_gap(&self, told: &Confirm) -> Result<()> {
        let mut of = self.gaps.iter().filter(|gap| gap.resource == told.resource);
        let gap = match told.gap {
            Some(number) => usize::try_from(number - 1).ok().and_then(|before| of.nth(before)),
            None => of.next_back(),
        };
        let gap = gap.ok_or_else(|| {
            Error::new(base::ErrorKind::NotFound, format!("{} has no such gap", told.resource))
        })?;
        let answer = Answer {
            state: told.then.state.to_owned(),
            attributes: self.written(&told.then.attributes.over(&gap.after)),
            changed_at: told.changed,
        };
        let mut tx = self.db.begin_write().await?;
        lost::answer(&mut tx, self.server_now(), gap.id, &answer, ACTOR, REASON).await?;
        Ok(tx.commit().await?)
    }

    pub async fn rule(&mut self, told: &Rule) -> Result<()> {
        let mut tx = self.db.begin_write().await?;
        let fact = rulings::find(&mut tx, SOURCE, &told.fact).await?;
        let verdict = if told.take { Verdict::Take { at: told.at } } else { Verdict::Drop };
        rulings::rule(&mut tx, self.server_now(), fact, verdict, ACTOR, REASON).await?;
        tx.commit().await?;
        for (name, shapes) in &mut self.shapes {
            if shapes.rule(&told.fact, told.take)
                && let Some(machine) = self.machines.get_mut(name)
            {
                machine.attributes = shapes.now().attributes.clone();
            }
        }
        Ok(())
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
        let taken = counters::read(&mut tx, self.server_now(), &series, &readings).await?;
        if let Some(why) = taken.refused.first() {
            return Err(Error::invalid("counter", *why));
        }
        Ok(tx.commit().await?)
    }
}
