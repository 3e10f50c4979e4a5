//! Tax: a share of every amount, included in the prices or on top of them.

use base::money::{Micros, div_half_even};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::Overflow;

const MILLION: i128 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PriceTaxMode)]
pub enum TaxMode {
    /// Prices are gross: what is charged is the price, and tax is a part of it.
    #[default]
    Included,
    /// Prices are net: tax is charged besides.
    OnTop,
}

impl TaxMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Included => "included",
            Self::OnTop => "on_top",
        }
    }
}

/// None by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceTax)]
pub struct Tax {
    pub mode: TaxMode,
    /// Of the net amount: "0.06" is 6 %.
    #[schema(value_type = String, example = "0.06")]
    pub rate: Micros,
}

/// What a cost is posted as; the tenant pays the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Split {
    pub net: Micros,
    pub tax: Micros,
}

impl Tax {
    /// The highest: as much as the net amount.
    pub const RATE_MAX: Micros = Micros(1_000_000);

    pub fn ppm(self) -> i64 {
        self.rate.0
    }

    /// Net and tax of `cost / (1,000 × scale)` micro-units, each rounded half-even from the exact
    /// total: whoever posts takes the difference to what is posted, so that both telescope. Where
    /// tax is included, net is what the rounded gross amount leaves.
    pub fn split(self, cost: i128, scale: i64) -> Result<Split, Overflow> {
        let den = 1_000 * i128::from(scale);
        let ppm = i128::from(self.rate.0);
        let whole = round(cost, den)?;
        if ppm == 0 {
            return Ok(Split { net: whole, tax: Micros::ZERO });
        }
        let share = cost.checked_mul(ppm).ok_or(Overflow)?;
        let over = match self.mode {
            TaxMode::OnTop => MILLION,
            TaxMode::Included => MILLION + ppm,
        };
        let tax = round(share, den.checked_mul(over).ok_or(Overflow)?)?;
        match self.mode {
            TaxMode::OnTop => Ok(Split { net: whole, tax }),
            TaxMode::Included => {
                let net = whole.checked_sub(tax).map_err(|_| Overflow)?;
                Ok(Split { net, tax })
            }
        }
    }
}

fn round(cost: i128, den: i128) -> Result<Micros, Overflow> {
    i64::try_from(div_half_even(cost, den)).map(Micros).map_err(|_| Overflow)
}

#[cfg(test)]
mod tests;
