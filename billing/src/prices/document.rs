//! A price version as a document: the same JSON in the API, in drafts and in the database, and the
//! same keys in a replay's YAML.
//!
//! ```json
//! {"tax": {"mode": "on_top", "rate": "0.06"},
//!  "rates": [
//!    {"id": "small", "component": "instance.compute", "where": {"flavor": "<id>"}, "price": "0.36"},
//!    {"id": "out", "component": "instance.net_tx", "unit": 1073741824, "scope": "tenant",
//!     "graduated": [{"up_to": 10, "price": "0"}, {"up_to": 100, "price": "0.8"}, {"price": "0.5"}]}]}
//! ```

use base::{
    money::{Micros, Nanos},
    secret::sha256_hex,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    components::{self, Component},
    model::{Model, Overflow, Tier},
    select::Selector,
    tax::Tax,
};

/// Of one document.
pub const RATES_MAX: usize = 1_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceDocument)]
pub struct Document {
    #[serde(default)]
    pub tax: Tax,
    pub rates: Vec<Rate>,
}

impl Document {
    /// Its one text: fields in their order, defaults left out.
    pub fn to_json(&self) -> String {
        // Text, numbers and lists only: there is nothing that JSON can't say.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Of [`Self::to_json`]: names the content.
    pub fn sha256(&self) -> String {
        sha256_hex(self.to_json())
    }
}

/// Over what tiers, blocks and the free allowance of a month are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PriceScope)]
pub enum Scope {
    /// Each resource for itself.
    Resource,
    /// All that the tenant has of it.
    Tenant,
}

impl Scope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Tenant => "tenant",
        }
    }

    /// Where a rate does not say: what is counted over a month is the tenant's, and else that which
    /// its minimum is per.
    pub fn usual(model: &Model, free: Option<i64>, minimum: Option<&Minimum>) -> Self {
        match (model, free) {
            (Model::Standard(_), None) => minimum.map_or(Self::Resource, |minimum| minimum.per),
            _ => Self::Tenant,
        }
    }
}

/// What a month costs at least where anything of it was used; the rest is charged when the month
/// closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceMinimum)]
pub struct Minimum {
    pub amount: Micros,
    pub per: Scope,
}

/// One price of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RateText", into = "RateText")]
pub struct Rate {
    /// Its name in its version and the ones that follow: the SKU of invoices. A walk over tiers
    /// goes on in the next version's rate of this name.
    pub id: String,
    /// `kind.component`.
    pub component: String,
    pub r#where: Selector,
    /// How much the price is for: 1,073,741,824 of what is counted in bytes is a price per GiB.
    pub unit: i64,
    pub model: Model,
    /// Of a month, in what the price is per: costs nothing, and tiers begin after it.
    pub free: Option<i64>,
    pub minimum: Option<Minimum>,
    pub scope: Scope,
}

impl Rate {
    /// At `price` for a unit, each resource for itself.
    pub fn standard(id: impl Into<String>, component: impl Into<String>, price: Nanos) -> Self {
        Self {
            id: id.into(),
            component: component.into(),
            r#where: Selector::default(),
            unit: 1,
            model: Model::Standard(price),
            free: None,
            minimum: None,
            scope: Scope::Resource,
        }
    }

    pub fn component(&self) -> Option<&'static Component> {
        components::component(&self.component)
    }

    /// With what `used` is rounded that this rate prices: what has no rate of its own has the rate's one
    /// allowance, tiers and minimum with it, and where there are none each stands for itself.
    pub fn rounded_as(&self, used: &'static str) -> &'static str {
        let is_plain = matches!(self.model, Model::Standard(_)) && self.free.is_none();
        match self.component() {
            Some(own) if !is_plain || self.minimum.is_some() => own.name,
            _ => used,
        }
    }

    /// Of the measure, in what one price is for. None of an unknown component, and beyond what a
    /// measure holds.
    pub fn scale(&self) -> Option<i64> {
        self.component()?.per.scale(self.unit)
    }

    /// What the first `w` of a month cost, over 1,000 × `scale` micro-units.
    pub fn total(&self, w: i64, scale: i64) -> Result<i128, Overflow> {
        self.model.total(self.beyond_free(w, scale), scale)
    }

    /// The cost of the stretch from `from` to `to` of a month's walk.
    pub fn cost(&self, from: i64, to: i64, scale: i64) -> Result<i128, Overflow> {
        self.model.cost(self.beyond_free(from, scale), self.beyond_free(to, scale), scale)
    }

    /// Whether the end of a month makes something of it due.
    pub fn closes(&self) -> bool {
        matches!(self.model, Model::Volume(_)) || self.minimum.is_some()
    }

    /// What `length` after `before` of a volume price costs: all of it at the price of the tier that
    /// the whole walk ends in. Nothing of another model.
    pub fn cost_of_volume(
        &self,
        before: i64,
        length: i64,
        walked: i64,
        scale: i64,
    ) -> Result<i128, Overflow> {
        let to = before.checked_add(length).ok_or(Overflow)?;
        let paid = self.beyond_free(to, scale) - self.beyond_free(before, scale);
        let price = self.model.volume_price(self.beyond_free(walked, scale), scale);
        i128::from(paid).checked_mul(i128::from(price.0)).ok_or(Overflow)
    }

    /// As [`Model::slope`], with the allowance in front.
    pub fn slope(&self, w: i64, scale: i64) -> Option<(Nanos, Option<i64>)> {
        let free = self.free_measure(scale);
        if w < free {
            return self.model.slope(0, scale).map(|_| (Nanos(0), Some(free)));
        }
        let (price, end) = self.model.slope(w - free, scale)?;
        Some((price, end.map(|end| end.saturating_add(free))))
    }

    /// As [`Model::evenly`]; what is free is free.
    pub fn evenly(&self, scale: i64) -> Option<Nanos> {
        if self.free_measure(scale) > 0 { Some(Nanos(0)) } else { self.model.evenly(scale) }
    }

    fn free_measure(&self, scale: i64) -> i64 {
        self.free.unwrap_or(0).saturating_mul(scale)
    }

    fn beyond_free(&self, w: i64, scale: i64) -> i64 {
        match self.free {
            Some(_) => w.saturating_sub(self.free_measure(scale)).max(0),
            None => w,
        }
    }
}

/// As it is written.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceRate)]
pub struct RateText {
    /// Names it in its version, on lines and invoices.
    pub id: String,
    /// What it prices, such as `instance.compute`.
    pub component: String,
    #[serde(default, rename = "where", skip_serializing_if = "Selector::is_empty")]
    pub selector: Selector,
    /// How much the price is for: 1 where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<i64>,
    /// Each unit at this price; or one of the three below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Nanos>,
    /// Each part of the month's use at its tier's price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graduated: Option<Vec<Tier>>,
    /// The whole month's use at the price of the tier that it ends in; charged at the month's close.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Vec<Tier>>,
    /// Every begun block of the month's use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Block>,
    /// What of a month costs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Minimum>,
    /// Of tiers, blocks and allowance: the tenant, where there are any, else the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceBlock)]
pub struct Block {
    /// In what the price is per.
    pub size: i64,
    /// Of the block.
    pub price: Nanos,
}

impl TryFrom<RateText> for Rate {
    type Error = String;

    fn try_from(text: RateText) -> Result<Self, String> {
        let mut models = [
            text.price.map(Model::Standard),
            text.graduated.map(Model::Graduated),
            text.volume.map(Model::Volume),
            text.package.map(|block| Model::Package { size: block.size, price: block.price }),
        ]
        .into_iter()
        .flatten();
        let (Some(model), None) = (models.next(), models.next()) else {
            return Err(format!(
                "the rate '{}' must have one of price, graduated, volume and package",
                text.id
            ));
        };
        Ok(Self {
            scope: text
                .scope
                .unwrap_or_else(|| Scope::usual(&model, text.free, text.minimum.as_ref())),
            id: text.id,
            component: text.component,
            r#where: text.selector,
            unit: text.unit.unwrap_or(1),
            model,
            free: text.free,
            minimum: text.minimum,
        })
    }
}

impl From<Rate> for RateText {
    fn from(rate: Rate) -> Self {
        let usual = Scope::usual(&rate.model, rate.free, rate.minimum.as_ref());
        let mut text = Self {
            id: rate.id,
            component: rate.component,
            selector: rate.r#where,
            unit: Some(rate.unit).filter(|unit| *unit != 1),
            price: None,
            graduated: None,
            volume: None,
            package: None,
            free: rate.free,
            minimum: rate.minimum,
            scope: Some(rate.scope).filter(|scope| *scope != usual),
        };
        match rate.model {
            Model::Standard(price) => text.price = Some(price),
            Model::Graduated(tiers) => text.graduated = Some(tiers),
            Model::Volume(tiers) => text.volume = Some(tiers),
            Model::Package { size, price } => text.package = Some(Block { size, price }),
        }
        text
    }
}

impl utoipa::PartialSchema for Rate {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        RateText::schema()
    }
}

impl ToSchema for Rate {
    fn name() -> std::borrow::Cow<'static, str> {
        RateText::name()
    }
    fn schemas(
        schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>,
    ) {
        RateText::schemas(schemas);
    }
}

#[cfg(test)]
mod tests;
