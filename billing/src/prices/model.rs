//! What a measure costs: pure, exact, in integers.
//!
//! A *measure* is what was used so far: unit·milliseconds of a component that is priced per hour,
//! units of one that is priced per unit. Its *scale* is how much of it one price buys: `unit` ×
//! 3,600,000 or `unit`. A cost is a number of nano-units × measure over that scale, so that sums of
//! one rate are sums of integers, and `cost / (1,000 × scale)` is the amount in micro-units, rounded
//! once by whoever posts.
//!
//! | Model | Cost F(w) of the first w | Posted |
//! | --- | --- | --- |
//! | standard | w at the price | as it is used |
//! | graduated | each part of w at its tier's price | as it is used |
//! | package | every begun block at its price | at the block's first unit |
//! | volume | all of w at the price of the tier that w ends in | when the month closes |
//!
//! A bound belongs to the tier that it ends: 10 of a tier `up_to: 10` cost that tier's price.

use base::money::Nanos;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of a month's measure, in what the price is per (hours of use, GiB, …).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceTier)]
pub struct Tier {
    /// Including; none in the last tier only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<i64>,
    pub price: Nanos,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    Standard(Nanos),
    Graduated(Vec<Tier>),
    Volume(Vec<Tier>),
    Package {
        /// In what the price is per.
        size: i64,
        /// Of a block.
        price: Nanos,
    },
}

/// The cost is beyond what can be computed; whoever rates parks the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

impl From<Overflow> for base::Error {
    fn from(_: Overflow) -> Self {
        Self::new(base::ErrorKind::Invalid, "the amount is beyond what the ledger can hold")
            .remedy("lower the price or the quantity")
    }
}

impl Model {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Standard(_) => "standard",
            Self::Graduated(_) => "graduated",
            Self::Volume(_) => "volume",
            Self::Package { .. } => "package",
        }
    }

    /// The price of `w` from nothing on.
    ///
    /// Below zero only the standard model goes on; the others have no tier there.
    pub fn total(&self, w: i64, scale: i64) -> Result<i128, Overflow> {
        let wide = i128::from(w.max(0));
        match self {
            Self::Standard(price) => priced(i128::from(w), *price),
            Self::Graduated(tiers) => graduated(tiers, wide, scale),
            Self::Volume(tiers) => match tier_of(tiers, wide, scale) {
                Some(tier) => priced(wide, tier.price),
                None => Ok(0),
            },
            Self::Package { size, price } => {
                let block = measure(*size, scale).max(1);
                let blocks = wide.div_euclid(block) + i128::from(wide.rem_euclid(block) > 0);
                priced(blocks.checked_mul(i128::from(scale)).ok_or(Overflow)?, *price)
            }
        }
    }

    /// The cost of the stretch from `from` to `to` of a walk; negative where it goes back.
    pub fn cost(&self, from: i64, to: i64, scale: i64) -> Result<i128, Overflow> {
        if let Self::Standard(price) = self {
            return priced(i128::from(to) - i128::from(from), *price);
        }
        self.total(to, scale)?.checked_sub(self.total(from, scale)?).ok_or(Overflow)
    }

    /// Of all of a volume that has come to `w`; zero of another model.
    pub fn volume_price(&self, w: i64, scale: i64) -> Nanos {
        let Self::Volume(tiers) = self else { return Nanos(0) };
        tier_of(tiers, i128::from(w.max(0)), scale).map_or(Nanos(0), |tier| tier.price)
    }

    /// What the next of it costs at `w`, and where that ends: what it burns at that moment. The first
    /// of a block costs all of the block, and the first of a volume's tier changes the price of all of
    /// it: there, `w` is behind what it ends with, and no slope says what it came to.
    pub fn slope(&self, w: i64, scale: i64) -> Option<(Nanos, Option<i64>)> {
        match self {
            Self::Standard(price) => Some((*price, None)),
            Self::Graduated(tiers) => {
                let next = i128::from(w.max(0)) + 1;
                let tier = tier_of(tiers, next, scale)?;
                let end = tier.up_to.and_then(|up_to| i64::try_from(measure(up_to, scale)).ok());
                Some((tier.price, end))
            }
            Self::Volume(tiers) => {
                let tier = tier_of(tiers, i128::from(w.max(0)), scale)?;
                let behind = |up_to: i64| i64::try_from(measure(up_to, scale) + 1).ok();
                Some((tier.price, tier.up_to.and_then(behind)))
            }
            Self::Package { size, .. } => {
                let (block, w) = (measure(*size, scale).max(1), i128::from(w.max(0)));
                let paid = (w + block - 1).div_euclid(block) * block;
                Some((Nanos(0), i64::try_from(paid + 1).ok()))
            }
        }
    }

    /// What it costs where the month's use is not known: its first tier, and a block's price over all
    /// of the block.
    pub fn evenly(&self, scale: i64) -> Option<Nanos> {
        match self {
            Self::Package { size, price } => Some(Nanos(price.0 / (*size).max(1))),
            _ => self.slope(0, scale).map(|(price, _)| price),
        }
    }

    /// Every price in it, in order.
    pub fn prices(&self) -> impl Iterator<Item = Nanos> {
        let (one, tiers) = match self {
            Self::Standard(price) | Self::Package { price, .. } => (Some(*price), &[][..]),
            Self::Graduated(tiers) | Self::Volume(tiers) => (None, tiers.as_slice()),
        };
        one.into_iter().chain(tiers.iter().map(|tier| tier.price))
    }
}

fn measure(units: i64, scale: i64) -> i128 {
    i128::from(units) * i128::from(scale)
}

fn priced(measure: i128, price: Nanos) -> Result<i128, Overflow> {
    measure.checked_mul(i128::from(price.0)).ok_or(Overflow)
}

fn graduated(tiers: &[Tier], w: i128, scale: i64) -> Result<i128, Overflow> {
    let (mut sum, mut from) = (0i128, 0i128);
    for tier in tiers {
        let to = tier.up_to.map_or(w, |up_to| measure(up_to, scale).min(w));
        if to > from {
            sum = sum.checked_add(priced(to - from, tier.price)?).ok_or(Overflow)?;
            from = to;
        }
    }
    Ok(sum)
}

/// The tier that the last of `w` is in.
fn tier_of(tiers: &[Tier], w: i128, scale: i64) -> Option<&Tier> {
    tiers.iter().find(|tier| tier.up_to.is_none_or(|up_to| w <= measure(up_to, scale)))
}

#[cfg(test)]
mod tests;
