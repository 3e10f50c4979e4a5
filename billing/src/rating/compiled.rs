//! A rate of a version, ready to be applied to measures.

use crate::prices::{
    components::Per,
    document::{Rate, Scope},
    model::{Model, Overflow},
    tax::{Split, Tax},
    timeline::Found,
};

#[derive(Debug, Clone)]
pub struct Compiled {
    pub rate: Rate,
    per: Per,
    /// Costs over 1,000 × this are micro-units.
    pub scale: i64,
    pub tax: Tax,
}

impl Compiled {
    /// None where its component is unknown, or its unit beyond what a measure holds; neither is
    /// published.
    pub fn new(found: &Found<'_>) -> Option<Self> {
        Some(Self {
            rate: found.rate.clone(),
            per: found.rate.component()?.per,
            scale: found.rate.scale()?,
            tax: found.tax,
        })
    }

    /// Whether a stretch costs something else where more was used before it.
    pub fn walks(&self) -> bool {
        !matches!(self.rate.model, Model::Standard(_)) || self.rate.free.is_some()
    }

    /// Whether all that the tenant has of it is rounded, and walks, together.
    pub fn is_tenants(&self) -> bool {
        self.rate.scope == Scope::Tenant
    }

    /// Whether it is of time, rather than counted.
    pub fn is_hourly(&self) -> bool {
        self.per == Per::Hour
    }

    /// Unit-milliseconds, or units.
    pub fn measure(&self, quantity: i64, ms: i64) -> Result<i64, Overflow> {
        match self.per {
            Per::Hour => quantity.checked_mul(ms).ok_or(Overflow),
            Per::Unit | Per::Month => Ok(quantity),
        }
    }

    /// The exact cost of `length` after `before` of the month's walk, as far as it is charged in
    /// the month: nothing of a volume price, whose tier is known at its end.
    pub fn cost(&self, before: i64, length: i64) -> Result<i128, Overflow> {
        match self.rate.model {
            Model::Volume(_) => Ok(0),
            _ => {
                let to = before.checked_add(length).ok_or(Overflow)?;
                self.rate.cost(before, to, self.scale)
            }
        }
    }

    /// As [`Self::cost`] where the month's whole walk is known: what a volume price comes to, all of
    /// it at the price of the tier that `walked` ends in.
    pub fn cost_at_close(&self, before: i64, length: i64, walked: i64) -> Result<i128, Overflow> {
        let Model::Volume(tiers) = &self.rate.model else { return self.cost(before, length) };
        let scale = i128::from(self.scale);
        let free = self.rate.free.map_or(0, |free| i128::from(free) * scale);
        let paid = |walk: i128| (walk - free).max(0);
        let from = i128::from(before);
        let end = paid(i128::from(walked));
        let ends = |up_to: i64| end <= i128::from(up_to) * scale;
        let tier = tiers.iter().find(|tier| tier.up_to.is_none_or(ends));
        let price = tier.map_or(0, |tier| tier.price.0);
        (paid(from + i128::from(length)) - paid(from))
            .checked_mul(i128::from(price))
            .ok_or(Overflow)
    }

    /// Rounds an exact cost, once, and parts it into net and tax.
    pub fn split(&self, exact: i128) -> Result<Split, Overflow> {
        self.tax.split(exact, self.scale)
    }
}
