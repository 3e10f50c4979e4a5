//! A rate of a version, ready to be applied to measures.

use base::money::div_half_even;

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

    /// Whether all of a month's use costs what the tier costs that it ends in.
    pub fn is_volume(&self) -> bool {
        matches!(self.rate.model, Model::Volume(_))
    }

    /// Whether the end of a month makes something of it due.
    pub fn closes(&self) -> bool {
        self.rate.closes()
    }

    /// Of a cost, what a micro-unit is.
    pub fn denominator(&self) -> i128 {
        1_000 * i128::from(self.scale)
    }

    /// A cost in micro-units, as the price is: with its tax or without.
    pub fn whole(&self, exact: i128) -> i128 {
        div_half_even(exact, self.denominator())
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
        match self.rate.model {
            Model::Volume(_) => self.rate.cost_of_volume(before, length, walked, self.scale),
            _ => self.cost(before, length),
        }
    }

    /// Rounds an exact cost, once, and parts it into net and tax.
    pub fn split(&self, exact: i128) -> Result<Split, Overflow> {
        self.tax.split(exact, self.scale)
    }
}
